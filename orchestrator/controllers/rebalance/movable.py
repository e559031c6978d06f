"""Which pods stay where they are whatever their place is like. Pure.

Source: Kubernetes' descheduler, DefaultEvictor.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from orchestrator.api.types.pod import Pod
from orchestrator.controllers.rebalance.settings import RebalanceSettings
from orchestrator.kit.clock import parse_rfc3339
from orchestrator.reconcile import owners
from orchestrator.reconcile.pods import has_ended, is_active, is_ready
from orchestrator.reconcile.snapshot import metadata_of, node_of, view_as
from orchestrator.scheduler.preemption import Budget
from orchestrator.scheduler.templates import POD_GROUP
from orchestrator.store.objects import StoredObject

SAFE_TO_EVICT: Final = "cluster-autoscaler.kubernetes.io/safe-to-evict"
"""Annotation: "false" keeps a pod where it is."""
_PINNED: Final = frozenset({"DaemonSet", "Node", "Job"})
"""Controllers whose pods belong to their host, or would have to begin their work anew."""
_LOCAL: Final = ("emptyDir", "hostPath")


class Movable:
    """Says of pods whether they may be moved now.

    Args:
        pods: all that there are.
        budgets: the disruption budgets as they are.
        settings: see there.
        now_s: wall seconds.

    Attributes:
        restless: workloads (uids of controllers) with a pod that is not ready, or comes or goes.
    """

    def __init__(
        self,
        pods: Iterable[StoredObject],
        budgets: Sequence[Budget],
        settings: RebalanceSettings,
        now_s: float,
    ) -> None:
        self._settings = settings
        self._now_s = now_s
        self._budgets = budgets
        self._left = {id(budget): budget.allowed for budget in budgets}
        self._sizes: Counter[str] = Counter()
        self.restless: set[str] = set()
        for item in pods:
            workload, pod = owners.controller_uid(item), view_as(item, Pod)
            if not workload or has_ended(pod):
                continue
            self._sizes[workload] += 1
            if not (node_of(item) and is_active(pod) and is_ready(pod)):
                self.restless.add(workload)

    def may_go(self, item: StoredObject) -> bool:
        """Whether the pod may be moved."""
        settings, metadata, pod = self._settings, metadata_of(item), view_as(item, Pod)
        controller = metadata.controller
        if controller is None or controller.kind in _PINNED or POD_GROUP in (metadata.labels or {}):
            return False
        return (
            item.key.namespace not in settings.namespaces_excluded
            and (pod.spec.priority or 0) < settings.priority_below
            and (metadata.annotations or {}).get(SAFE_TO_EVICT) != "false"
            and controller.uid not in self.restless
            and self._sizes[controller.uid] >= settings.min_replicas
            and _age_s(pod, self._now_s) >= settings.min_age_s
            and (settings.local_storage or not _has_local_storage(item))
            and self._budget_allows(item)
        )

    def goes(self, item: StoredObject) -> None:
        """The pod is moved: its workload has no other that may, and its budget one less."""
        self.restless.add(owners.controller_uid(item))
        for budget in self._of(item):
            self._left[id(budget)] -= 1

    def _budget_allows(self, item: StoredObject) -> bool:
        found = self._of(item)
        return not found or (len(found) == 1 and self._left[id(found[0])] > 0)

    def _of(self, item: StoredObject) -> list[Budget]:
        labels = metadata_of(item).labels or {}
        return [
            budget
            for budget in self._budgets
            if budget.namespace == item.key.namespace and budget.selector.matches(labels)
        ]


def _age_s(pod: Pod, now_s: float) -> float:
    started = pod.status.start_time
    return now_s - parse_rfc3339(started) if started else 0.0


def _has_local_storage(item: StoredObject) -> bool:
    volumes = item.doc["spec"].get("volumes") or ()
    return any(kind in volume for volume in volumes for kind in _LOCAL)
