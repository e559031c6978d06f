"""Rows of admission policies and their bindings. Source: pkg/printers/internalversion."""

from typing import Final

from orchestrator.api.tables.cells import (
    AGE,
    NAME,
    UNSET,
    Cell,
    Column,
    Document,
    age_of,
    selector_text,
)

POLICY_COLUMNS: Final = (
    NAME,
    Column("Validations", "integer", description="How many rules there are."),
    Column("ParamKind", description="What kind its parameters are."),
    AGE,
)
BINDING_COLUMNS: Final = (
    NAME,
    Column("PolicyName", description="The policy that is bound."),
    Column("ParamRef", description="Which parameters it is bound with."),
    AGE,
)


def policy_cells(policy: Document, now_s: float) -> list[Cell]:
    """One policy's row."""
    spec = policy.get("spec") or {}
    kind = spec.get("paramKind")
    return [
        policy["metadata"]["name"],
        len(spec.get("validations") or ()),
        f"{kind.get('apiVersion', '')}/{kind.get('kind', '')}" if kind else UNSET,
        age_of(policy, now_s),
    ]


def binding_cells(binding: Document, now_s: float) -> list[Cell]:
    """One binding's row."""
    spec = binding.get("spec") or {}
    params, shown = spec.get("paramRef") or {}, UNSET
    if params.get("name"):
        inside = params.get("namespace", "")
        shown = f"{inside}/{params['name']}" if inside else params["name"]
    elif "selector" in params:
        shown = selector_text(params["selector"])
    return [
        binding["metadata"]["name"],
        spec.get("policyName", ""),
        shown,
        age_of(binding, now_s),
    ]
