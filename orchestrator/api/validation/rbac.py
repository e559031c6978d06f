"""Roles and bindings. Source: Kubernetes pkg/apis/rbac/validation."""

from typing import Any, Final

from orchestrator.api import metadata
from orchestrator.api.rbac.rules import RBAC_GROUP
from orchestrator.api.validation.collector import Faults
from orchestrator.api.validation.meta import validate_selector

Document = dict[str, Any]

_SUBJECTS: Final = frozenset({"ServiceAccount", "User", "Group"})


def validate_role(faults: Faults, document: Document) -> None:
    """The rules of a Role."""
    for index, rule in enumerate(document.get("rules") or ()):
        _rule(faults, f"rules[{index}]", rule, namespaced=True)


def validate_cluster_role(faults: Faults, document: Document) -> None:
    """The rules of a ClusterRole, and what it aggregates."""
    for index, rule in enumerate(document.get("rules") or ()):
        _rule(faults, f"rules[{index}]", rule, namespaced=False)
    aggregation = document.get("aggregationRule")
    if aggregation is None:
        return
    selectors = aggregation.get("clusterRoleSelectors") or ()
    if not selectors:
        faults.required(
            "aggregationRule.clusterRoleSelectors",
            "at least one clusterRoleSelector required if aggregationRule is non-nil",
        )
    for index, selector in enumerate(selectors):
        validate_selector(faults, f"aggregationRule.clusterRoleSelectors[{index}]", selector)


def validate_role_binding(faults: Faults, document: Document) -> None:
    """A RoleBinding's role and subjects."""
    _binding(faults, document, frozenset({"Role", "ClusterRole"}), namespaced=True)


def validate_cluster_role_binding(faults: Faults, document: Document) -> None:
    """A ClusterRoleBinding's role and subjects."""
    _binding(faults, document, frozenset({"ClusterRole"}), namespaced=False)


def validate_binding_update(faults: Faults, new: Document, old: Document) -> None:
    """The role of a binding stays."""
    role, before = new.get("roleRef") or {}, old.get("roleRef") or {}
    if role != before:
        faults.invalid("roleRef", role, "cannot change roleRef")


def _rule(faults: Faults, field: str, rule: Document, *, namespaced: bool) -> None:
    if not rule.get("verbs"):
        faults.required(f"{field}.verbs", "verbs must contain at least one value")
    paths = rule.get("nonResourceURLs") or ()
    groups, resources = rule.get("apiGroups") or (), rule.get("resources") or ()
    if paths:
        here = f"{field}.nonResourceURLs"
        if namespaced:
            faults.invalid(here, paths, "namespaced rules cannot apply to non-resource URLs")
        if groups or resources or rule.get("resourceNames"):
            faults.invalid(
                here, paths, "rules cannot apply to both regular resources and non-resource URLs"
            )
        return
    if not groups:
        faults.required(f"{field}.apiGroups", "resource rules must supply at least one api group")
    if not resources:
        faults.required(f"{field}.resources", "resource rules must supply at least one resource")


def _binding(
    faults: Faults, document: Document, kinds: frozenset[str], *, namespaced: bool
) -> None:
    role = document.get("roleRef") or {}
    if role.get("apiGroup") != RBAC_GROUP:
        faults.unsupported("roleRef.apiGroup", role.get("apiGroup", ""), (RBAC_GROUP,))
    if role.get("kind") not in kinds:
        faults.unsupported("roleRef.kind", role.get("kind", ""), kinds)
    name = role.get("name", "")
    if not name:
        faults.required("roleRef.name")
    else:
        faults.check_words("roleRef.name", name, metadata.is_path_segment(name))
    for index, subject in enumerate(document.get("subjects") or ()):
        _subject(faults, f"subjects[{index}]", subject, namespaced=namespaced)


def _subject(faults: Faults, field: str, subject: Document, *, namespaced: bool) -> None:
    name, kind, group = (subject.get(part) or "" for part in ("name", "kind", "apiGroup"))
    if not name:
        faults.required(f"{field}.name")
    if kind not in _SUBJECTS:
        faults.unsupported(f"{field}.kind", kind, _SUBJECTS)
    elif kind == "ServiceAccount":
        if name:
            faults.check_words(f"{field}.name", name, metadata.is_subdomain(name))
        if group:
            faults.unsupported(f"{field}.apiGroup", group, ("",))
        if not namespaced and not subject.get("namespace"):
            faults.required(f"{field}.namespace")
    elif group != RBAC_GROUP:
        faults.unsupported(f"{field}.apiGroup", group, (RBAC_GROUP,))
