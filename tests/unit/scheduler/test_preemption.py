"""Who is pushed aside: laws over random clusters, and the choice among hosts."""

import random
from dataclasses import replace

import numpy as np
import pytest

from orchestrator.api.labels import Requirement, Selector
from orchestrator.kit.ids import ObjectKey, Uid
from orchestrator.scheduler.cycle import Bind, Pending, Planner, Unschedulable
from orchestrator.scheduler.fleet import Fleet, Placed
from orchestrator.scheduler.hosts import Host
from orchestrator.scheduler.preemption import Budget, find, is_reservation
from orchestrator.scheduler.settings import Profile, SchedulerSettings
from orchestrator.scheduler.standing import Standing
from orchestrator.scheduler.templates import Template
from tests.unit.scheduler import worlds


def crowded(seed: int) -> tuple[Fleet, Standing, list[Budget]]:
    """Hosts that are full of pods, and a pod that is more important than some."""
    rng = random.Random(seed)
    fleet = Fleet(worlds.NAMESPACES)
    for number in range(rng.randrange(1, 6)):
        fleet.set_host(worlds.host(rng, number))
    templates = [
        replace(worlds.template(rng), priority=rng.choice([0, 5, 10, 20])) for _ in range(5)
    ]
    planner = Planner(fleet, SchedulerSettings())
    for number in range(40):
        template = replace(rng.choice(templates), preempts=False)
        pod = Pending(worlds.key(number), worlds.uid(number), template, f"{number:03}")
        planner.schedule([pod])
    for number in range(40):
        placed = fleet.pod(worlds.uid(number))
        if placed is not None:
            leaving = rng.random() < 0.1
            fleet.place(replace(placed, started_s=float(rng.randrange(9)), leaving=leaving))
    budgets = [
        Budget(rng.choice("ab"), Selector((Requirement("app", "in", frozenset({app})),)), allowed)
        for app, allowed in (("web", rng.randrange(3)), ("db", 1))
    ]
    asked = replace(worlds.template(rng), priority=10)
    return fleet, Standing(fleet, asked, Profile()), budgets


def state(fleet: Fleet) -> dict[str, list[int]]:
    found = {name: list(r.used.data) for name, r in fleet.resources.items()}
    found |= {str(rule): list(t.data) for rule, t in fleet.rules._tallies.items()}
    return {name: counts for name, counts in found.items() if any(counts)}


def test_laws(cluster_seed: int) -> None:
    fleet, standing, budgets = crowded(cluster_seed)
    standing.refresh()
    before = state(fleet)
    found = find(standing, budgets)
    assert state(fleet) == before, "what was tried is taken back"
    if found is None:
        return
    slot = fleet.slots[found.node]
    leaving = [
        pod
        for pod in fleet.pods_on(found.node)
        if pod.leaving and pod.template.priority < standing.template.priority
    ]
    assert all(v.template.priority < standing.template.priority for v in found.victims)
    assert all(v.node == found.node and not v.leaving for v in found.victims)
    for pod in (*leaving, *found.victims):
        fleet.take_away(pod.uid)
    standing.refresh()
    assert standing.feasible()[slot], "there is room then"
    for pod in found.victims:
        fleet.place(pod)
        standing.refresh()
        assert not standing.feasible()[slot], f"{pod.key} is evicted for nothing"
        fleet.take_away(pod.uid)
    per_budget = [
        sum(
            b.namespace == v.template.namespace and b.selector.matches(v.template.labels)
            for v in found.victims
        )
        - b.allowed
        for b in budgets
    ]
    assert (found.violations == 0) <= (max(per_budget) <= 0)


def asks(cpu: int, priority: int = 0, **more: object) -> Template:
    return Template(
        "a", more.pop("labels", {}), (("cpu", cpu),), (cpu, 1), priority=priority, **more
    )  # type: ignore[arg-type]


def cluster(*pods: tuple[str, str, Template, float]) -> Fleet:
    fleet = Fleet({"a": {}})
    for name in sorted({node for _, node, _, _ in pods}):
        fleet.set_host(Host(name, allocatable={"cpu": 1000, "memory": 1 << 30, "pods": 10}))
    for name, node, template, started_s in pods:
        fleet.place(Placed(ObjectKey("pods", "a", name), Uid(name), template, node, started_s))
    return fleet


def chosen(fleet: Fleet, template: Template, *budgets: Budget) -> tuple[str, list[str]] | None:
    standing = Standing(fleet, template, Profile())
    standing.refresh()
    found = find(standing, budgets)
    return None if found is None else (found.node, [v.key.name for v in found.victims])


WEB = Budget("a", Selector((Requirement("app", "exists"),)), 0)


@pytest.mark.parametrize(
    ("pods", "wanted"),
    [
        # the least important victim
        ([("a", "h1", asks(900, 5), 0), ("b", "h2", asks(900, 1), 0)], ("h2", ["b"])),
        # nobody's budget is broken
        (
            [("a", "h1", asks(900, labels={"app": "x"}), 0), ("b", "h2", asks(900, 5), 0)],
            ("h2", ["b"]),
        ),
        # fewest victims
        (
            [("a", "h1", asks(300), 0), ("b", "h1", asks(600), 0), ("c", "h2", asks(900), 0)],
            ("h1", ["b"]),
        ),
        # the one that began last
        ([("a", "h1", asks(900), 1), ("b", "h2", asks(900), 2)], ("h2", ["b"])),
        # the name
        ([("a", "h1", asks(900), 1), ("b", "h2", asks(900), 1)], ("h1", ["a"])),
        # nobody as important, or more
        ([("a", "h1", asks(900, 10), 1), ("b", "h2", asks(900, 11), 1)], None),
    ],
)
def test_which_host(pods, wanted):
    assert chosen(cluster(*pods), asks(500, 10), WEB) == wanted


def test_a_place_is_kept_until_those_who_make_room_have_left():
    fleet = cluster(("old", "h1", asks(900), 0.0))
    planner = Planner(fleet, SchedulerSettings())
    key = ObjectKey("pods", "a", "new")
    pod = Pending(key, Uid("new"), asks(500, 10))
    (decision,) = planner.schedule([pod])
    assert isinstance(decision, Unschedulable)
    assert decision.preemption is not None
    assert [v.key.name for v in decision.preemption.victims] == ["old"]
    (again,) = planner.schedule([pod])
    assert isinstance(again, Unschedulable)
    assert again.preemption is None, "once is enough"
    fleet.take_away(Uid("old"))
    (other,) = planner.schedule([Pending(ObjectKey("pods", "a", "x"), Uid("x"), asks(600))])
    assert isinstance(other, Unschedulable), "the room is kept"
    (placed,) = planner.schedule([pod])
    assert placed == Bind(key, Uid("new"), "h1")
    assert not any(is_reservation(p.uid) for p in fleet.all_pods())


def test_a_place_that_is_not_needed_any_more_is_given_up():
    fleet = cluster(("old", "h1", asks(900), 0.0))
    planner = Planner(fleet, SchedulerSettings())
    planner.schedule([Pending(ObjectKey("pods", "a", "new"), Uid("new"), asks(500, 10))])
    assert planner.release(Uid("new")) is True
    assert planner.release(Uid("new")) is False
    assert np.count_nonzero(fleet.pods.data) == 1


@pytest.mark.parametrize("more", [{"preempts": False}, {"priority": 0}])
def test_who_may_not(more):
    fleet = cluster(("old", "h1", asks(900), 0.0))
    planner = Planner(fleet, SchedulerSettings())
    template = replace(asks(500, 10), **more)
    (decision,) = planner.schedule([Pending(ObjectKey("pods", "a", "new"), Uid("n"), template)])
    assert isinstance(decision, Unschedulable)
    assert decision.preemption is None
