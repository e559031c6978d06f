"""A small cluster for the rebalance: what is there, and what its plan says."""

from dataclasses import replace
from typing import Any

from orchestrator.controllers.rebalance.mirror import Mirror
from orchestrator.controllers.rebalance.plan import Facts, History, Outcome, plan
from orchestrator.controllers.rebalance.settings import RebalanceSettings
from orchestrator.kit.clock import rfc3339
from orchestrator.reconcile.intents import Evict, Record
from orchestrator.scheduler.preemption import Budget
from orchestrator.scheduler.settings import Profile, SchedulerSettings
from orchestrator.store.objects import StoredObject, StoreEvent
from tests.unit.controllers import objects
from tests.unit.controllers.objects import NOW_S

ALONE = RebalanceSettings(
    enabled=True, duplicates=False, spread=False, taints=False, node_affinity=False,
    anti_affinity=False, low_utilization=False,
)  # fmt: skip
"""Every strategy off."""
HOSTNAME = "kubernetes.io/hostname"


def host(name: str, cpu: str = "4", **more: Any) -> StoredObject:
    """A Node with its name as a label; `more` as in `objects.node`."""
    labels = {HOSTNAME: name, **more.pop("labels", {})}
    allocatable = {"cpu": cpu, "memory": "8Gi", "pods": "10"}
    return objects.node(name, labels=labels, allocatable=allocatable, **more)


def pod(name: str, node: str, owner: str = "web", *, cpu: str = "100m", **more: Any):
    """A pod that is ready since an hour; `more`: kind, status, ready, as in `objects.pod`."""
    kind = more.pop("kind", "ReplicaSet")
    status = {"startTime": rfc3339(NOW_S - more.pop("age_s", 3600)), **more.pop("status", {})}
    if owner:
        made = objects.stored("x", {"apiVersion": "v1", "kind": kind, "metadata": {"name": owner}})
        more["owner"] = made
    resources = {"requests": {"cpu": cpu, "memory": "16Mi"}}
    container = {"name": "c", "image": "web:1", "resources": resources}
    spec = {"containers": [container], **more.pop("spec", {})}
    item = objects.pod(name, node=node, ready=more.pop("ready", True), spec=spec, **more)
    return objects.changed(item, status=status)


class World:
    """Nodes and pods, with the mirror that events would have made."""

    def __init__(
        self,
        nodes: list[StoredObject],
        pods: list[StoredObject],
        *,
        profile: Profile | None = None,
        budgets: tuple[Budget, ...] = (),
    ) -> None:
        profiles = {"p": profile} if profile else {}
        self.scheduler = SchedulerSettings(
            strategy="p" if profile else "resource-aware", profiles=profiles
        )
        self.mirror = Mirror(self.scheduler)
        self.pods: dict[str, StoredObject] = {}
        self.budgets = budgets
        for node in nodes:
            self.mirror.on_node(StoreEvent("ADDED", node, None))
        for item in pods:
            self.add(item)

    def add(self, item: StoredObject) -> None:
        self.pods[item.key.name] = item
        self.mirror.on_pod(StoreEvent("ADDED", item, None))

    def look(
        self,
        settings: RebalanceSettings,
        history: History | None = None,
        now_s: float = NOW_S,
    ) -> Outcome:
        facts = Facts(
            self.mirror.fleet,
            self.mirror.standing,
            list(self.pods.values()),
            self.budgets,
            self.scheduler,
            self.mirror.hosts,
        )
        return plan(facts, settings, history or History(), now_s)

    def moved(self, settings: RebalanceSettings) -> list[str]:
        """Names of the pods that go now."""
        return names(self.look(settings))


def names(outcome: Outcome) -> list[str]:
    return [intent.key.name for intent in outcome.intents if isinstance(intent, Evict)]


def told(outcome: Outcome) -> list[tuple[str, str]]:
    """Reason and message of every Event."""
    return [(i.reason, i.message) for i in outcome.intents if isinstance(i, Record)]


def only(**more: Any) -> RebalanceSettings:
    """Settings with just these strategies."""
    return replace(ALONE, **more)
