"""Whatever the cluster is like: moves are bounded, they end, and nobody comes back."""

import random
from collections import Counter
from dataclasses import replace

from orchestrator.controllers.rebalance.plan import Facts, History, plan
from orchestrator.controllers.rebalance.settings import RebalanceSettings
from orchestrator.kit.clock import rfc3339
from orchestrator.kit.ids import Uid
from orchestrator.reconcile.intents import Evict
from orchestrator.scheduler.cycle import Bind, Pending, Planner
from orchestrator.scheduler.fleet import Fleet, Placed
from orchestrator.scheduler.settings import Profile, SchedulerSettings
from orchestrator.scheduler.templates import Template
from orchestrator.store.objects import StoredObject
from tests.unit.controllers import objects
from tests.unit.controllers.objects import NOW_S
from tests.unit.scheduler import worlds

ROUNDS = 60
HOSTS, PODS = 6, 24


class Life:
    """A random cluster whose pods were put anywhere, and what the rebalance makes of it."""

    def __init__(self, seed: int) -> None:
        self.rng = rng = random.Random(seed)
        self.settings = RebalanceSettings(
            enabled=True,
            moves_per_minute=rng.choice([1, 3, 100]),
            min_replicas=rng.choice([1, 2]),
            spread_soft=rng.random() < 0.5,
            low_utilization=rng.random() < 0.5,
            high_utilization=rng.random() < 0.3,
            high_below={"cpu": 30},
            low_below={"cpu": 40},
        )
        profile = replace(worlds.profile(rng), strategy="resource-aware")
        if self.settings.high_utilization:
            profile = Profile(fit="most", weight_workload=0)
        self.scheduler = SchedulerSettings(strategy="p", profiles={"p": profile})
        self.fleet = Fleet(worlds.NAMESPACES)
        self.planner = Planner(self.fleet, self.scheduler)
        self.bare: set[Uid] = set()
        self.templates = [self.template(number) for number in range(rng.randrange(1, 6))]
        self.items: dict[Uid, StoredObject] = {}
        self.count = 0
        for number in range(HOSTS):
            self.fleet.set_host(worlds.host(rng, number))
        for _ in range(PODS):
            self.add(rng.choice(self.templates), f"h{rng.randrange(HOSTS)}", NOW_S - 3600)

    def template(self, number: int) -> Template:
        workload = f"w{number}" if self.rng.random() < 0.9 else ""
        return replace(worlds.template(self.rng), workload=workload, preempts=False)

    def add(self, template: Template, node: str, since_s: float) -> None:
        self.count += 1
        uid = worlds.uid(self.count)
        owners = [{"kind": "ReplicaSet", "name": "w", "uid": template.workload, "controller": True}]
        metadata = {
            "name": f"p{self.count:04}",
            "uid": uid,
            "labels": dict(template.labels),
            "ownerReferences": owners if template.workload else [],
        }
        ready = {"type": "Ready", "status": "True"}
        status = {"phase": "Running", "startTime": rfc3339(since_s), "conditions": [ready]}
        document = {"metadata": metadata, "spec": {"nodeName": node}, "status": status}
        self.items[uid] = objects.stored("pods", document, template.namespace)
        self.fleet.place(Placed(self.items[uid].key, uid, template, node, since_s))
        if not template.workload:
            self.bare.add(uid)

    def move(self, uid: Uid, now_s: float) -> None:
        """The pod leaves; its replacement is placed before or after it is gone."""
        item, placed = self.items.pop(uid), self.fleet.pod(uid)
        assert placed is not None
        if late := self.rng.random() < 0.5:
            self.fleet.take_away(uid)
        else:
            self.fleet.place(replace(placed, leaving=True))
        pending = Pending(item.key, Uid("new"), placed.template)
        (decision,) = self.planner.schedule([pending])
        if not late:
            self.fleet.take_away(uid)
        if not isinstance(decision, Bind):  # its own place is needed first
            (decision,) = self.planner.schedule([pending])
        assert isinstance(decision, Bind), "it has no host now"
        assert decision.node != placed.node, "it came back"
        self.fleet.take_away(Uid("new"))
        self.add(placed.template, decision.node, now_s)

    def state(self) -> Counter[tuple[str, int, str]]:
        pods = self.fleet.all_pods()
        return Counter((pod.uid, id(pod.template), pod.node) for pod in pods)


def rest(life: Life, start_s: float) -> tuple[int, float]:
    """Lets the rebalance work until it rests; how many pods it moved, and when it was done."""
    history, quiet, moved = History(), 0, 0
    for number in range(ROUNDS):
        now_s = start_s + 30 * number
        pods = list(life.items.values())
        facts = Facts(life.fleet, life.planner.standing, pods, (), life.scheduler)
        before = life.state()
        outcome = plan(facts, life.settings, history, now_s)
        assert life.state() == before, "what was tried is taken back"
        history = outcome.history
        evicted = [i.uid for i in outcome.intents if isinstance(i, Evict)]
        recent = [move for move in history.moves if now_s - move.at_s < 60]
        assert len(recent) <= life.settings.moves_per_minute
        assert not set(evicted) & life.bare
        for uid in evicted:
            life.move(uid, now_s)
        moved += len(evicted)
        quiet = 0 if evicted else quiet + 1
        if quiet > 4:
            return moved, now_s
    raise AssertionError(f"no end after {moved} moves")


def test_moves_are_bounded_and_end_and_nobody_comes_back(cluster_seed: int) -> None:
    life, now_s = Life(cluster_seed), NOW_S
    for _ in range(5):  # what was remembered lapses; without it there are no circles either
        moved, now_s = rest(life, now_s + 4000)
        if not moved:
            return
    raise AssertionError("it never ends")
