"""Batches, groups, and the words for what fits nowhere."""

from orchestrator.api.labels import Requirement, Selector
from orchestrator.api.types.node import Taint
from orchestrator.kit.ids import ObjectKey, Uid
from orchestrator.scheduler.cycle import Bind, Decision, Pending, Planner, Unschedulable
from orchestrator.scheduler.fleet import Fleet
from orchestrator.scheduler.hosts import Host
from orchestrator.scheduler.settings import SchedulerSettings
from orchestrator.scheduler.templates import POD_GROUP, Template
from orchestrator.scheduler.terms import Matcher, Spread, Term

ZONE = "topology.kubernetes.io/zone"


def planner(*hosts: Host) -> Planner:
    fleet = Fleet({"a": {}})
    for host in hosts:
        fleet.set_host(host)
    return Planner(fleet, SchedulerSettings())


def host(name: str, cpu: int = 1000, **more: object) -> Host:
    allocatable = {"cpu": cpu, "memory": 1 << 30, "pods": 10}
    return Host(name, allocatable=allocatable, **more)  # type: ignore[arg-type]


def pod(name: str, template: Template, **more: object) -> Pending:
    return Pending(ObjectKey("pods", "a", name), Uid(name), template, **more)  # type: ignore[arg-type]


def asks(cpu: int, **more: object) -> Template:
    labels = more.pop("labels", {})
    return Template("a", labels, requests=(("cpu", cpu),), usual=(cpu, 1), **more)  # type: ignore[arg-type]


def where(decisions: list[Decision]) -> dict[str, str]:
    return {d.key.name: d.node if isinstance(d, Bind) else "" for d in decisions}


def message(planner: Planner, template: Template) -> str:
    (decision,) = planner.schedule([pod("p", template)])
    assert isinstance(decision, Unschedulable)
    return decision.message


def test_a_batch_never_promises_the_same_room_twice():
    decisions = planner(host("h1"), host("h2")).schedule(
        [pod(name, asks(600), created=name) for name in "abc"]
    )
    assert where(decisions) == {"a": "h1", "b": "h2", "c": ""}


def test_the_more_important_is_placed_first():
    decisions = planner(host("h")).schedule(
        [pod("old", asks(600), created="1"), pod("new", asks(600, priority=7), created="2")]
    )
    assert where(decisions) == {"new": "h", "old": ""}


def test_reasons_are_counted_with_numbers():
    here = planner(
        host("a", 500), host("b", 1200), host("c", 800),
        host("d", taints=(Taint(key="dedicated", value="db", effect="NoSchedule"),)),
        host("e", cordoned=True), host("f", ready=False),
    )  # fmt: skip
    assert message(here, asks(2000)) == (
        "0/6 nodes are available: 1 node(s) had untolerated taint {dedicated: db}, "
        "1 node(s) were not ready, 1 node(s) were unschedulable, "
        "3 Insufficient cpu (needs 2, free 500m-1200m)."
    )
    assert message(planner(), asks(1)) == "no nodes available to schedule pods"


def test_reasons_about_other_pods():
    same = Matcher(Selector((Requirement("app", "exists"),)), frozenset("a"))
    here = planner(host("h", labels={ZONE: "x"}))
    here.schedule([pod("there", asks(1, labels={"app": "x"}, repels=(Term(ZONE, same),)))])
    one = "0/1 nodes are available: 1 node(s) "
    assert message(here, asks(1, labels={"app": "y"})) == (
        f"{one}didn't satisfy existing pods anti-affinity rules."
    )
    assert message(here, asks(1, repels=(Term(ZONE, same),))) == (
        f"{one}didn't match pod anti-affinity rules."
    )
    other = Matcher(Selector((Requirement("none", "exists"),)), frozenset("a"))
    assert message(here, asks(1, attracts=(Term(ZONE, other),))) == (
        f"{one}didn't match pod affinity rules."
    )
    assert message(here, asks(1, spread=(Spread("rack", same, 1, hard=True),))) == (
        f"{one}didn't match pod topology spread constraints (missing required label)."
    )


def test_a_group_is_placed_whole_or_not_at_all():
    gang = asks(600, labels={POD_GROUP: "g"})
    here = planner(host("h1"), host("h2"))
    three = [pod(name, gang, created=name, group="g", members=3) for name in "abc"]
    decisions = here.schedule(three)
    assert where(decisions) == dict.fromkeys("abc", "")
    (told,) = {d.message for d in decisions if isinstance(d, Unschedulable)}
    assert told == (
        'pod group "g": only 2 of the 3 pods that it needs to start fit; of the next: '
        "0/2 nodes are available: 2 Insufficient cpu (needs 600m, free 400m)."
    )
    assert where(here.schedule([pod("other", asks(1000))])) == {"other": "h1"}, "nothing is kept"


def test_a_group_waits_for_its_members_and_counts_those_that_are_there():
    gang = asks(100, labels={POD_GROUP: "g"})
    here = planner(host("h"))
    (alone,) = here.schedule([pod("a", gang, group="g", members=2)])
    assert isinstance(alone, Unschedulable)
    assert alone.message == 'pod group "g" has 1 of the 2 pods that it needs to start'
    both = [pod(name, gang, group="g", members=2) for name in "ab"]
    assert where(here.schedule(both)) == {"a": "h", "b": "h"}
    assert where(here.schedule([pod("c", gang, group="g", members=2)])) == {"c": "h"}


def test_two_groups_that_both_nearly_fit_do_not_block_each_other():
    first, second = (asks(400, labels={POD_GROUP: name}) for name in "xy")
    here = planner(host("h1"), host("h2"))
    pods = [
        pod(f"{group}{number}", template, created=f"{number}", group=group, members=3)
        for group, template in (("x", first), ("y", second))
        for number in range(3)
    ]
    found = where(here.schedule(pods))
    assert all(found[f"x{number}"] for number in range(3))
    assert not any(found[f"y{number}"] for number in range(3))
