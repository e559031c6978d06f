"""The rules of a ClusterRole that is put together from others by their labels.

Source: Kubernetes documentation, "Aggregated ClusterRoles".
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from orchestrator.api.labels import from_document

Document = Mapping[str, Any]


def is_aggregated(role: Document) -> bool:
    """Whether the role's rules are filled in by the cluster."""
    return bool((role.get("aggregationRule") or {}).get("clusterRoleSelectors"))


def aggregated_rules(role: Document, roles: Iterable[Document]) -> list[dict[str, Any]]:
    """The rules that the role should have: those of every role that it selects, each once.

    Args:
        role: an aggregated ClusterRole.
        roles: all ClusterRoles; the role itself is passed over.
    """
    known = sorted(roles, key=lambda other: str(other["metadata"]["name"]))
    rules: dict[bytes, dict[str, Any]] = {}
    for document in role["aggregationRule"]["clusterRoleSelectors"]:
        selector = from_document(document)
        for other in known:
            meta = other["metadata"]
            if meta["name"] == role["metadata"]["name"]:
                continue
            if selector.matches(meta.get("labels") or {}):
                for rule in other.get("rules") or ():
                    rules.setdefault(msgspec.json.encode(rule, order="sorted"), rule)
    return list(rules.values())
