"""The scheduler decides exactly what its plain and slow counterpart decides.

That knows no preemption, so nobody preempts here: test_preemption.py has laws of its own for that.
"""

import random
from dataclasses import replace

from orchestrator.scheduler.cycle import Bind, Pending, Planner
from orchestrator.scheduler.fleet import Fleet, Placed
from orchestrator.scheduler.settings import SchedulerSettings
from orchestrator.scheduler.templates import Template
from tests.unit.scheduler import worlds
from tests.unit.scheduler.reference import Cluster


class World:
    """A fleet and its slow counterpart, which go through the same."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.profile = worlds.profile(self.rng)
        self.fleet = Fleet(worlds.NAMESPACES)
        self.plain = Cluster(namespaces=worlds.NAMESPACES)
        settings = SchedulerSettings(strategy="p", profiles={"p": self.profile})
        self.planner = Planner(self.fleet, settings)
        self.templates = [self.template() for _ in range(self.rng.randrange(1, 6))]
        self.last = ""
        self.count = 0
        for number in range(self.rng.randrange(1, 9)):
            self.set_host(number)

    def template(self) -> Template:
        return replace(worlds.template(self.rng), preempts=False)

    def set_host(self, number: int) -> None:
        host = worlds.host(self.rng, number)
        self.fleet.set_host(host)
        self.plain.hosts[host.name] = host

    def remove_host(self) -> None:
        name = self.rng.choice(sorted(self.plain.hosts) or ["none"])
        self.fleet.remove_host(name)
        self.plain.hosts.pop(name, None)

    def take_away(self) -> None:
        if self.plain.pods:
            uid = self.rng.choice(sorted(self.plain.pods))
            self.fleet.take_away(uid)
            del self.plain.pods[uid]

    def let_leave(self) -> None:
        if self.plain.pods:
            uid = self.rng.choice(sorted(self.plain.pods))
            old = self.plain.pods[uid]
            made = Placed(old.key, old.uid, old.template, old.node, leaving=True)
            self.plain.pods[uid] = made
            self.fleet.place(made)

    def decide(self) -> None:
        batch = []
        for _ in range(self.rng.randrange(1, 6)):
            self.count += 1
            template = self.rng.choice(self.templates)
            key, uid = worlds.key(self.count), worlds.uid(self.count)
            batch.append(Pending(key, uid, template, f"{self.count:04}"))
        for decision in self.planner.schedule(batch):
            pod = next(one for one in batch if one.uid == decision.uid)
            wanted = self.plain.pick(pod.template, self.profile, self.last)
            assert (decision.node if isinstance(decision, Bind) else None) == wanted
            if isinstance(decision, Bind):
                self.last = decision.node
                placed = Placed(pod.key, pod.uid, pod.template, decision.node)
                self.plain.pods[pod.uid] = placed

    def step(self) -> None:
        match self.rng.randrange(10):
            case 0:
                self.set_host(self.rng.randrange(12))
            case 1:
                self.remove_host()
            case 2 | 3:
                self.take_away()
            case 4:
                self.let_leave()
            case 5 if len(self.templates) < 12:
                self.templates.append(self.template())
            case _:
                self.decide()


def test_same_decisions(cluster_seed: int) -> None:
    world = World(cluster_seed)
    for _ in range(12):
        world.step()
