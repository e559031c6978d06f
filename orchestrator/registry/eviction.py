"""Evictions: deletes that a disruption budget can refuse.

An allowed disruption is taken from the budget's status before the pod is deleted, by a write that
fails when somebody else took it first: two evictions never share one.

Source: Kubernetes concepts, "API-initiated eviction"; registry/core/pod/storage/eviction.go.
"""

from typing import Final, cast

from orchestrator.api.labels import from_view
from orchestrator.api.types.pod import Pod
from orchestrator.api.types.policy import PodDisruptionBudget
from orchestrator.kit.clock import Clock, rfc3339
from orchestrator.kit.errors import ApiError, Cause, Conflict, TooManyRequests
from orchestrator.kit.ids import ObjectKey
from orchestrator.registry import faults
from orchestrator.registry.deletion import Deleter
from orchestrator.registry.options import Deleted, DeleteOptions, Patch, WriteOptions
from orchestrator.registry.writer import Writer
from orchestrator.store.objects import StoredObject
from orchestrator.store.store import Store

BUDGETS: Final = "poddisruptionbudgets.policy"
_ATTEMPTS: Final = 10
_REFUSED: Final = "Cannot evict pod as it would violate the pod's disruption budget."
_SEVERAL: Final = (
    "This pod has more than one PodDisruptionBudget, which the eviction subresource does not "
    "support."
)


class Evictor:
    """See the module."""

    def __init__(self, store: Store, clock: Clock, writer: Writer, deleter: Deleter) -> None:
        self._store = store
        self._clock = clock
        self._writer = writer
        self._deleter = deleter

    async def evict(self, key: ObjectKey, options: DeleteOptions) -> Deleted:
        """See `Registry.evict`."""
        for _ in range(_ATTEMPTS):
            stored = self._store.get(key)
            if stored is None:
                raise faults.not_found(key)
            budget = None if _is_free(stored) else self._budget(stored)
            if budget is None or _spares(budget, cast("Pod", stored.view)):
                break
            _require_allowed(budget)
            if options.dry_run:
                break
            try:
                await self._take(budget, key.name)
                break
            except Conflict:
                continue  # somebody else took one, or the budget was counted anew
        else:
            raise _refusal(f"couldn't update PodDisruptionBudget {key.name!r} due to conflicts")
        return await self._deleter.delete(key, options)

    def _budget(self, pod: StoredObject) -> StoredObject | None:
        labels = (pod.doc["metadata"].get("labels")) or {}
        found: list[StoredObject] = []
        for budget in self._store.list(BUDGETS, pod.key.namespace):
            selector = cast("PodDisruptionBudget", budget.view).spec.selector
            if selector is not None and from_view(selector).matches(labels):
                found.append(budget)
        if len(found) > 1:
            raise ApiError(_SEVERAL)
        return found[0] if found else None

    async def _take(self, budget: StoredObject, pod: str) -> None:
        status = cast("PodDisruptionBudget", budget.view).status
        body = {
            "metadata": {"resourceVersion": str(budget.revision)},
            "status": {
                "disruptionsAllowed": status.disruptions_allowed - 1,
                "disruptedPods": {pod: rfc3339(self._clock.wall())},
            },
        }
        row = faults.resource_of(BUDGETS)
        await self._writer.patch(row, budget.key, Patch("merge", body), "status", WriteOptions())


def _is_free(pod: StoredObject) -> bool:
    """Whether no budget is asked: it serves nobody, or leaves already."""
    phase = (pod.doc.get("status") or {}).get("phase")
    leaving = "deletionTimestamp" in pod.doc["metadata"]
    return leaving or phase in {"Succeeded", "Failed", "Pending"}


def _spares(budget: StoredObject, pod: Pod) -> bool:
    """Whether a pod that is not ready may go without using the budget up."""
    ready = any(c.type == "Ready" and c.status == "True" for c in pod.status.conditions)
    if ready:
        return False
    view = cast("PodDisruptionBudget", budget.view)
    if view.spec.unhealthy_pod_eviction_policy == "AlwaysAllow":
        return True
    status = view.status
    return status.current_healthy >= status.desired_healthy > 0


def _require_allowed(budget: StoredObject) -> None:
    view, name = cast("PodDisruptionBudget", budget.view), budget.key.name
    status = view.status
    if status.observed_generation < (view.metadata.generation or 0):
        raise _refusal(f"The disruption budget {name} is still being processed by the server.")
    if status.disruptions_allowed <= 0:
        raise _refusal(
            f"The disruption budget {name} needs {status.desired_healthy} healthy pods and has "
            f"{status.current_healthy} currently"
        )


def _refusal(why: str) -> TooManyRequests:
    return TooManyRequests(_REFUSED, causes=(Cause("DisruptionBudget", why, ""),))
