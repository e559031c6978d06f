"""An aggregated ClusterRole's rules: those of the roles that it selects. Pure.

Source: Kubernetes documentation, "Aggregated ClusterRoles".
"""

from collections.abc import Iterable
from typing import Final

from orchestrator.api.rbac.aggregation import aggregated_rules, is_aggregated
from orchestrator.reconcile.intents import Intent, Patch
from orchestrator.store.objects import StoredObject

COMPONENT: Final = "clusterrole-aggregation-controller"
CLUSTER_ROLES: Final = "clusterroles.rbac.authorization.k8s.io"


def plan(role: StoredObject | None, roles: Iterable[StoredObject]) -> list[Intent]:
    """One patch when the rules are not what they should be."""
    if role is None or not is_aggregated(role.doc):
        return []
    rules = aggregated_rules(role.doc, (other.doc for other in roles))
    if rules == (role.doc.get("rules") or []):
        return []
    return [Patch(role.key, {"rules": rules}, expected=role.revision, uid=role.uid)]
