"""A ResourceQuota's status: what is limited, and what of it is used (pure).

Nothing is decided from this status: writes are held against what is stored.
Source: Kubernetes concepts, "Resource Quotas".
"""

from typing import Final

from orchestrator.api import amounts
from orchestrator.api.amounts import Amounts
from orchestrator.reconcile import owners
from orchestrator.reconcile.intents import Intent, RequeueAfter
from orchestrator.reconcile.statuses import status_patch
from orchestrator.store.objects import StoredObject

COMPONENT: Final = "resourcequota-controller"


def plan(
    quota: StoredObject, used: Amounts, next_change_s: float | None, now_s: float
) -> list[Intent]:
    """The status as it should be.

    Args:
        quota: the ResourceQuota.
        used: by every name that it limits.
        next_change_s: when the usage changes without a write, wall seconds.
        now_s: wall seconds.
    """
    if owners.is_deleting(quota):
        return []
    status = {"hard": quota.doc["spec"].get("hard") or {}, "used": amounts.written(used)}
    patch = status_patch(quota, status)
    intents: list[Intent] = [patch] if patch is not None else []
    if next_change_s is not None:
        intents.append(RequeueAfter(max(0.0, next_change_s - now_s)))
    return intents
