"""What the fleet keeps up to date is what counting anew finds: a law over random days."""

import random
from collections import Counter
from dataclasses import replace

from orchestrator.scheduler.changes import Changes
from orchestrator.scheduler.fleet import FREE, FULL, RANK_BITS, Fleet, Placed
from orchestrator.scheduler.tallies import ROLES, Matching, OfWorkload, Owning, Rule
from orchestrator.scheduler.templates import Template
from tests.unit.scheduler import worlds

LABELS = (worlds.ZONE, worlds.NAME, worlds.RACK)


class Day:
    """A fleet on which things happen, and rules that somebody has asked about."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.fleet = Fleet(worlds.NAMESPACES)
        self.templates = [worlds.template(self.rng) for _ in range(6)]
        self.rules: dict[Rule, None] = {}
        self.count = 0

    def step(self) -> None:
        rng, fleet = self.rng, self.fleet
        pods = [pod.uid for pod in fleet.all_pods()]
        match rng.randrange(12):
            case 0 | 1:
                fleet.set_host(worlds.host(rng, rng.randrange(40)))
            case 2:
                fleet.remove_host(f"h{rng.randrange(40)}")
            case 3 if pods:
                fleet.take_away(rng.choice(pods))
            case 4 if pods:
                fleet.place(replace(fleet.pod(rng.choice(pods)), leaving=True))
            case 5:
                self.ask()
            case 6:
                fleet.set_namespace(rng.choice("abc"), {"team": rng.choice("xy")})
            case 7 if rng.random() < 0.3:
                fleet.forget(lambda template: rng.random() < 0.5)
                self.rules.clear()
            case _:
                self.place()

    def place(self) -> None:
        self.count += 1
        key, uid = worlds.key(self.count), worlds.uid(self.count)
        node, started_s = f"h{self.rng.randrange(40)}", float(self.rng.randrange(5))
        self.fleet.place(Placed(key, uid, self.rng.choice(self.templates), node, started_s))

    def ask(self) -> None:
        rng = self.rng
        rule: Rule = rng.choice(
            [
                OfWorkload(rng.choice(["", "web", "db"])),
                Matching((worlds.matcher(rng, leaving=rng.random() < 0.5),)),
                Matching((worlds.matcher(rng), worlds.matcher(rng))),
            ]
        )
        self.rules[rule] = None

    def check(self) -> None:
        self.check_rules()
        self.check_amounts()
        for name in self.fleet.slots:
            pods = self.fleet.by_importance(name)
            keys = [(-pod.template.priority, pod.started_s, pod.key) for pod in pods]
            assert keys == sorted(keys)
            assert {pod.uid for pod in pods} == {pod.uid for pod in self.fleet.pods_on(name)}

    def check_rules(self) -> None:
        fleet = self.fleet
        owned = {
            Owning(role, term)
            for pod in fleet.all_pods()
            for role in ROLES
            for term in getattr(pod.template, role)
        }
        for rule in (*self.rules, *owned):
            wanted: Counter[int] = Counter()
            for pod in fleet.all_pods():
                if pod.node in fleet.slots and (rule.leaving or not pod.leaving):
                    weight = rule.weight(pod.template, fleet.namespaces)
                    wanted[fleet.slots[pod.node]] += weight
            tally = fleet.tally(rule)
            assert tally.data.tolist() == [wanted[slot] for slot in range(fleet.size)]
            for label in LABELS:
                self.check_places(fleet.places(tally, label).sums.tolist(), label, wanted)

    def check_places(self, sums: list[int], label: str, wanted: Counter[int]) -> None:
        by_value: Counter[str] = Counter()
        for slot in self.fleet.slots.values():
            host = self.fleet.hosts[slot]
            if host is not None and label in host.labels:
                by_value[host.labels[label]] += wanted[slot]
        values = self.fleet.label(label).values
        assert sums == [0, *(by_value[value] for value in values)]

    def check_amounts(self) -> None:
        fleet = self.fleet
        order = fleet.order()
        for place, name in enumerate(sorted(fleet.slots)):
            slot, pods = fleet.slots[name], list(fleet.pods_on(name))
            loads = [sum(FULL * pod.template.usual[index] for pod in pods) for index in range(2)]
            assert fleet.state.data[1:3, slot].tolist() == loads
            assert int(order[slot]) & ((1 << RANK_BITS) - 1) == (1 << RANK_BITS) - 1 - place
            for resource, amounts in fleet.resources.items():
                used = sum(asks(pod.template, resource) for pod in pods)
                host = fleet.hosts[slot]
                assert host is not None
                total = host.allocatable.get(resource, 0)
                assert amounts.used.data[slot] == used
                assert amounts.free.data[slot] == total - used
        for template in self.templates:
            height = len(fleet.asks(template))
            fits = (fleet.state.data[FREE : FREE + height] >= fleet.asks(template)).all(0)
            for slot in fleet.slots.values():
                free = {name: int(one.free.data[slot]) for name, one in fleet.resources.items()}
                wanted = all(free[name] >= amount for name, amount in template.requests)
                assert bool(fits[slot]) == (wanted and free["pods"] >= 1)


def asks(template: Template, resource: str) -> int:
    return dict(template.requests).get(resource, 0) + (resource == "pods")


def test_laws(cluster_seed: int) -> None:
    day = Day(cluster_seed)
    for number in range(60):
        day.step()
        if number % 10 == 9:
            day.check()


def test_changes_are_told_until_they_are_forgotten():
    changes = Changes()
    for slot in (3, 4, 3):
        changes.add(slot)
    found = changes.since(1)
    assert found is not None
    assert found.tolist() == [4, 3]
    then = changes.now
    for number in range(1 << 16):
        changes.add(number % 7)
    assert changes.since(then - 1) is None
    late = changes.now
    changes.add(5)
    found = changes.since(late)
    assert found is not None
    assert found.tolist() == [5]


def test_a_pod_that_is_said_to_have_begun_changes_no_host() -> None:
    fleet = Fleet(worlds.NAMESPACES)
    rng = random.Random(1)
    fleet.set_host(worlds.host(rng, 1))
    (name,) = fleet.slots
    template = worlds.template(rng)
    both = [Placed(worlds.key(n), worlds.uid(n), template, name) for n in (1, 2)]
    for one in both:
        fleet.place(one)
    assert [pod.uid for pod in fleet.by_importance(name)] == [one.uid for one in both]
    before = fleet.changes.now
    fleet.place(replace(both[0], started_s=7.0))
    assert fleet.changes.now == before
    assert [pod.uid for pod in fleet.by_importance(name)] == [both[1].uid, both[0].uid]
    fleet.place(replace(both[0], started_s=7.0, leaving=True))
    assert fleet.changes.now > before
