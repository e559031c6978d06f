"""Rows of RoleBindings and ClusterRoleBindings. Source: Kubernetes pkg/printers/internalversion."""

from typing import Final

from orchestrator.api.tables.cells import AGE, NAME, Cell, Column, Document, age_of

BINDING_COLUMNS: Final = (
    NAME,
    Column("Role", description="The role that is bound."),
    AGE,
    Column("Users", wide=True, description="Users it is bound to."),
    Column("Groups", wide=True, description="Groups it is bound to."),
    Column("ServiceAccounts", wide=True, description="Service accounts it is bound to."),
)


def binding_cells(binding: Document, now_s: float) -> list[Cell]:
    """One binding's row."""
    role = binding.get("roleRef") or {}
    named: dict[str, list[str]] = {"User": [], "Group": [], "ServiceAccount": []}
    for subject in binding.get("subjects") or ():
        kind, name = subject.get("kind", ""), subject.get("name", "")
        if kind == "ServiceAccount":
            name = f"{subject.get('namespace', '')}/{name}"
        named.setdefault(kind, []).append(name)
    return [
        binding["metadata"]["name"],
        f"{role.get('kind', '')}/{role.get('name', '')}",
        age_of(binding, now_s),
        *(", ".join(named[kind]) for kind in ("User", "Group", "ServiceAccount")),
    ]
