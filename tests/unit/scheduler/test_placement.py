"""Why a host was taken, and how hosts compare: laws over random clusters, and the words."""

import random

import numpy as np
import pytest

from orchestrator.scheduler.cycle import Bind, Pending, Planner
from orchestrator.scheduler.fleet import ORDER_BITS, Fleet
from orchestrator.scheduler.hosts import Host
from orchestrator.scheduler.placement import group_words, points, room_words
from orchestrator.scheduler.settings import Profile, SchedulerSettings
from orchestrator.scheduler.templates import Template
from tests.unit.scheduler import worlds


def test_laws(cluster_seed: int) -> None:
    rng = random.Random(cluster_seed)
    fleet = Fleet(worlds.NAMESPACES)
    for number in range(rng.randrange(1, 8)):
        fleet.set_host(worlds.host(rng, number))
    settings = SchedulerSettings(strategy="p", profiles={"p": worlds.profile(rng)})
    planner = Planner(fleet, settings)
    templates = [worlds.template(rng) for _ in range(4)]
    for number in range(15):
        pod = Pending(worlds.key(number), worlds.uid(number), rng.choice(templates), f"{number:03}")
        used = {name: list(r.used.data) for name, r in fleet.resources.items()}
        found = planner.compare(pod.uid, pod.template)
        for name, counts in used.items():
            assert list(fleet.resources[name].used.data) == counts, "it takes back what it tries"
        (decision,) = planner.schedule([pod])
        if not isinstance(decision, Bind):
            assert found.feasible == 0
            continue
        nodes = [one.node for one in found.candidates]
        assert decision.node in nodes
        again = planner.compare(pod.uid, pod.template, decision.node)
        if found.turns:
            continue
        assert nodes[0] == decision.node, "the best is taken"
        assert again == found, "compared without itself, a pod finds what it found before"
        standing = planner.standing(pod.template)
        ranked = standing.rank()
        assert np.array_equal(ranked >= 0, standing.feasible())
        for slot in map(int, np.flatnonzero(ranked >= 0)):
            assert sum(standing.parts(slot).values()) == int(ranked[slot]) >> ORDER_BITS


def planner(*hosts: Host, profile: Profile | None = None) -> Planner:
    fleet = Fleet({"a": {}})
    for host in hosts:
        fleet.set_host(host)
    return Planner(fleet, SchedulerSettings(strategy="p", profiles={"p": profile or Profile()}))


def host(name: str, cpu: int) -> Host:
    return Host(name, allocatable={"cpu": cpu, "memory": 4 << 30, "pods": 10})


ASKED = Template("a", {}, (("cpu", 1000),), (1000, 1 << 30))


@pytest.mark.parametrize(
    ("hosts", "profile", "message"),
    [
        (
            [host("a", 2000), host("b", 4000)], Profile(),
            "best of 2 hosts that fit: 175 points (fit 75, balance 100); next is a with 150",
        ),
        ([host("a", 4000)], Profile(),
         "the only host that fits: 175 points (fit 75, balance 100)"),
        ([host("a", 4000), host("b", 4000)], Profile(strategy="round-robin"),
         "its turn among 2 hosts that fit"),
    ],
    ids=["best", "only", "turns"],
)  # fmt: skip
def test_why_a_host_was_taken(hosts, profile, message):
    (decision,) = planner(*hosts, profile=profile).schedule(
        [Pending(worlds.key(1), worlds.uid(1), ASKED)]
    )
    assert isinstance(decision, Bind)
    assert decision.message == message


@pytest.mark.parametrize(
    ("hundredths", "text"), [(0, "0"), (9999, "100"), (9994, "99.9"), (47_550, "475.5")]
)
def test_points(hundredths, text):
    assert points(hundredths) == text


def test_what_is_waited_for():
    assert group_words("g", 4, 1, 4) == []
    assert group_words("g", 1, 2, 4) == ['1 more pod of its group "g" (3 of 4 are there)']
    assert group_words("g", 0, 4, 4) == ['room for 4 pods of its group "g" at once (0 have a host)']
    assert room_words("a", ["y", "x"]) == "room on a, which x, y leave"
