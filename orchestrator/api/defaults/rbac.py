"""Defaults of bindings. Source: Kubernetes pkg/apis/rbac/v1 (SetDefaults_*)."""

from typing import Any

from orchestrator.api.rbac.rules import RBAC_GROUP

Document = dict[str, Any]


def default_binding(document: Document) -> None:
    """The API groups of the role and of users and groups."""
    role = document.setdefault("roleRef", {})
    if not role.get("apiGroup"):
        role["apiGroup"] = RBAC_GROUP
    for subject in document.get("subjects") or ():
        if subject.get("kind") in {"User", "Group"} and not subject.get("apiGroup"):
            subject["apiGroup"] = RBAC_GROUP
