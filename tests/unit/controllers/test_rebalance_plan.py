"""Which pods are moved, and which never."""

from dataclasses import replace

import pytest

from orchestrator.api.labels import Requirement, Selector
from orchestrator.controllers.rebalance.plan import History, Move
from orchestrator.reconcile.intents import Evict, RequeueAfter
from orchestrator.scheduler.preemption import Budget
from orchestrator.scheduler.settings import Profile
from tests.unit.controllers.objects import NOW_S
from tests.unit.controllers.rebalance_world import (
    HOSTNAME,
    World,
    host,
    names,
    only,
    pod,
    told,
)

DUPLICATES = only(duplicates=True)
TAINT = {"key": "dedicated", "value": "db", "effect": "NoSchedule"}
BEARS = [{"key": "dedicated", "operator": "Exists"}]
WEB = {"matchLabels": {"app": "web"}}


def anti(topology=HOSTNAME):
    term = {"topologyKey": topology, "labelSelector": WEB}
    return {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def needs(**labels):
    expressions = [{"key": k, "operator": "In", "values": [v]} for k, v in labels.items()]
    terms = {"nodeSelectorTerms": [{"matchExpressions": expressions}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}


def spread(when="DoNotSchedule", topology="zone", skew=1):
    return [
        {
            "maxSkew": skew,
            "topologyKey": topology,
            "whenUnsatisfiable": when,
            "labelSelector": WEB,
        }
    ]


def three_and_none():
    return [host("h1"), host("h2")], [pod(f"p{n}", "h1") for n in range(3)]


# ---------------------------------------------------------------- strategies


@pytest.mark.parametrize(
    ("nodes", "pods", "moved"),
    [
        pytest.param(*three_and_none(), ["p0"], id="three and none"),
        pytest.param([host("h1")], [pod("a", "h1"), pod("b", "h1")], [], id="no other host"),
        pytest.param(
            [host("h1"), host("h2")], [pod("a", "h1"), pod("b", "h1"), pod("c", "h2")], [],
            id="two and one is even",
        ),
        pytest.param(
            [host("h1"), host("h2")], [pod("a", "h1", "x"), pod("b", "h1", "y")], [],
            id="different workloads",
        ),
        pytest.param(
            [host("h1"), host("h2", taints=[TAINT])], [pod("a", "h1"), pod("b", "h1")], [],
            id="the other host is not for them",
        ),
        pytest.param(
            [host("h1"), host("h2", cpu="50m")], [pod("a", "h1"), pod("b", "h1")], [],
            id="the other host has no room",
        ),
        pytest.param(
            [host("h1"), host("h2", unschedulable=True)], [pod("a", "h1"), pod("b", "h1")], [],
            id="the other host is cordoned",
        ),
    ],
)  # fmt: skip
def test_duplicates(nodes, pods, moved):
    assert World(nodes, pods).moved(DUPLICATES) == moved


@pytest.mark.parametrize(
    ("settings", "constraint", "zones", "moved"),
    [
        (only(spread=True), spread(), "xxxy", 1),
        (only(spread=True), spread(), "xxy", 0),
        (only(spread=True), spread(skew=2), "xxx", 1),
        (only(spread=True), spread(skew=3), "xxx", 0),
        (only(spread=True), spread("ScheduleAnyway"), "xxx", 0),
        (only(spread_soft=True), spread("ScheduleAnyway"), "xxx", 1),
        (only(spread_soft=True), spread(), "xxx", 0),
        (only(spread=True), spread(topology="rack"), "xxx", 0),
    ],
    ids=str,
)
def test_spread(settings, constraint, zones, moved):
    nodes = [host("hx", labels={"zone": "x"}), host("hy", labels={"zone": "y"}), host("none")]
    spec = {"topologySpreadConstraints": constraint}
    pods = [pod(f"p{n}", f"h{zone}", spec=spec) for n, zone in enumerate(zones)]
    assert len(World(nodes, pods).moved(settings)) == moved


@pytest.mark.parametrize(
    ("taint", "spec", "moved"),
    [
        pytest.param(TAINT, {}, ["a"], id="not borne"),
        pytest.param(TAINT, {"tolerations": BEARS}, [], id="borne"),
        pytest.param({**TAINT, "effect": "PreferNoSchedule"}, {}, [], id="a wish"),
        pytest.param(
            {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}, {}, [],
            id="a cordon drains nobody",
        ),
    ],
)  # fmt: skip
def test_taints(taint, spec, moved):
    world = World(
        [host("h1", taints=[taint]), host("h2")],
        [pod("a", "h1", spec=spec), pod("b", "h2", spec=spec)],
    )
    assert world.moved(only(taints=True)) == moved


@pytest.mark.parametrize(
    ("spec", "moved"),
    [
        ({"affinity": needs(disk="ssd")}, ["a"]),
        ({"nodeSelector": {"disk": "ssd"}}, ["a"]),
        ({"affinity": needs(disk="hdd")}, []),
        ({"affinity": needs(disk="none")}, []),
        ({}, []),
    ],
    ids=str,
)
def test_node_affinity(spec, moved):
    nodes = [host("h1", labels={"disk": "hdd"}), host("h2", labels={"disk": "ssd"})]
    world = World(nodes, [pod("a", "h1", spec=spec), pod("b", "h2")])
    assert world.moved(only(node_affinity=True)) == moved


def test_anti_affinity_moves_one_of_two_whoever_has_the_rule():
    settings = only(anti_affinity=True, min_replicas=1)
    nodes = [host("h1"), host("h2")]
    here = pod("a", "h1", "x", spec={"affinity": anti()}, labels={"app": "other"})
    there = pod("b", "h1", "y", age_s=7200)
    assert len(World(nodes, [here, there]).moved(settings)) == 1
    away = pod("b", "h2", "y")
    assert World(nodes, [here, away]).moved(settings) == []
    everywhere = [here, there, pod("c", "h2", "z", spec={"affinity": anti()})]
    assert World(nodes, everywhere).moved(settings) == [], "nobody has a better place"


LOW = only(low_utilization=True, low_below={"cpu": 30}, low_above={"cpu": 60})


@pytest.mark.parametrize(
    ("cpus", "moved"),
    [
        pytest.param([["1500m", "1"], []], 1, id="over and under"),
        pytest.param([["1500m", "500m"], []], 0, id="not over"),
        pytest.param([["1500m", "1"], ["1300m"]], 0, id="nobody is under"),
        pytest.param([["2600m"], []], 0, id="it would only be over there"),
    ],
)
def test_low_utilization(cpus, moved):
    pods = [
        pod(f"p{n}{m}", f"h{n}", f"w{n}{m}", cpu=cpu)
        for n, row in enumerate(cpus)
        for m, cpu in enumerate(row)
    ]
    world = World([host("h0"), host("h1")], pods)
    assert len(world.moved(replace(LOW, min_replicas=1))) == moved


def test_high_utilization_empties_hosts_only_where_full_hosts_are_preferred():
    settings = only(high_utilization=True, high_below={"cpu": 30}, min_replicas=1)
    nodes = [host("h0"), host("h1"), host("h2")]
    pods = [pod("big", "h0", "x", cpu="2"), pod("small", "h1", "y")]
    packs = Profile(fit="most", weight_workload=0, weight_balance=0)
    assert World(nodes, pods, profile=packs).moved(settings) == ["small"]
    assert World(nodes, pods).moved(settings) == [], "the scheduler would not put it there"
    assert World(nodes, [pods[1]], profile=packs).moved(settings) == [], "nobody to join"


def test_a_preference_does_not_break_a_rule():
    """Low utilisation would put a second one of a workload on a host: not with `duplicates`."""
    nodes = [host("h0"), host("h1")]
    pods = [pod("a", "h0", cpu="1200m"), pod("x", "h0", "x", cpu="1500m"), pod("b", "h1", cpu="1")]
    settings = only(low_utilization=True, low_below={"cpu": 30}, low_above={"cpu": 60})
    assert World(nodes, pods).moved(settings) == []
    off = Profile(weight_workload=0)
    moved = World(nodes, pods, profile=off).moved
    assert moved(settings) == ["a"]
    assert moved(replace(settings, duplicates=True)) == []


# ---------------------------------------------------------------- who stays


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"owner": ""}, id="a bare pod"),
        pytest.param({"kind": "DaemonSet"}, id="of a DaemonSet"),
        pytest.param({"kind": "Job"}, id="of a Job"),
        pytest.param({"kind": "Node"}, id="a static pod"),
        pytest.param({"deleting": True}, id="leaving"),
        pytest.param({"ready": False}, id="not ready"),
        pytest.param({"age_s": 30}, id="young"),
        pytest.param({"spec": {"priority": 2_000_000_000}}, id="critical"),
        pytest.param({"spec": {"schedulerName": "theirs"}}, id="another's"),
        pytest.param({"spec": {"volumes": [{"name": "v", "emptyDir": {}}]}}, id="emptyDir"),
        pytest.param(
            {"spec": {"volumes": [{"name": "v", "hostPath": {"path": "/x"}}]}}, id="hostPath"
        ),
        pytest.param({"labels": {"app": "web", "orch.dev/pod-group": "g"}}, id="of a group"),
        pytest.param(
            {"annotations": {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"}},
            id="its owner says so",
        ),
    ],
)
def test_who_stays(more):
    pods = [pod(f"p{n}", "h1", **more) for n in range(3)]
    assert World([host("h1"), host("h2")], pods).moved(DUPLICATES) == []


def test_namespaces_priorities_volumes_and_small_workloads_by_choice():
    nodes, _ = three_and_none()
    volumes = {"volumes": [{"name": "v", "emptyDir": {}}], "priority": 7}
    world = World(nodes, [pod(f"p{n}", "h1", spec=volumes) for n in range(2)])
    allowed = replace(DUPLICATES, local_storage=True)
    assert world.moved(allowed) == ["p0"]
    assert world.moved(replace(allowed, namespaces_excluded=("default",))) == []
    assert world.moved(replace(allowed, priority_below=7)) == []
    assert world.moved(replace(allowed, min_replicas=3)) == []


def test_a_workload_that_is_not_well_is_left_alone():
    nodes, pods = three_and_none()
    assert World(nodes, [*pods, pod("new", "", ready=False)]).moved(DUPLICATES) == []
    assert World(nodes, [*pods, pod("ill", "h2", ready=False)]).moved(DUPLICATES) == []


@pytest.mark.parametrize(("allowed", "moved"), [(1, 1), (0, 0)])
def test_budgets(allowed, moved):
    nodes, pods = three_and_none()
    every = Budget("default", Selector((Requirement("app", "exists"),)), allowed)
    more = [pod(f"q{n}", "h1", "other") for n in range(3)]
    assert len(World(nodes, [*pods, *more], budgets=(every,)).moved(DUPLICATES)) == moved
    assert World(nodes, pods, budgets=(every, every)).moved(DUPLICATES) == []


# ---------------------------------------------------------------- how many, when, and what is told


def test_the_bound_per_minute():
    workloads = "abcdefgh"
    pods = [pod(f"{w}{n}", "h1", w, cpu="10m") for w in workloads for n in range(2)]
    nodes = [
        host("h1", cpu="9"),
        host("h2"),
    ]
    world, settings = World(nodes, pods), replace(DUPLICATES, moves_per_minute=3)
    first = world.look(settings)
    assert names(first) == ["a0", "b0", "c0"]
    assert names(world.look(settings, first.history, NOW_S + 59)) == []
    again = world.look(settings, first.history, NOW_S + 60)
    assert len(names(again)) == 3
    used = [move.at_s for move in again.history.moves]
    assert used == [NOW_S] * 3 + [NOW_S + 60] * 3


def test_a_batch_waits_for_the_one_before():
    nodes, pods = three_and_none()
    world = World(nodes, [*pods, pod("other", "h2", "restless", ready=False)])
    history = History((Move(NOW_S - 20, "uid-restless", "h1"),))
    assert names(world.look(DUPLICATES, history)) == []
    assert names(world.look(DUPLICATES, history, NOW_S + 101)) == ["p0"], "but not for ever"
    assert names(World(nodes, pods).look(DUPLICATES, history)) == ["p0"]


def test_pods_on_their_way_are_waited_for():
    nodes, pods = three_and_none()
    new = pod("new", "", "", ready=False)
    assert World(nodes, [*pods, new]).moved(DUPLICATES) == []
    false = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    parked = pod("new", "", "", ready=False, status={"conditions": [false]})
    assert World(nodes, [*pods, parked]).moved(DUPLICATES) == ["p0"]
    status = {"conditions": [false], "nominatedNodeName": "h2"}
    expected = pod("new", "", "", ready=False, status=status)
    leaving = pod("leaving", "h2", "", deleting=True)
    assert World(nodes, [*pods, expected, leaving]).moved(DUPLICATES) == []


def test_nobody_gets_back_to_where_it_was_moved_from_unless_hosts_change():
    nodes, pods = three_and_none()
    world = World(nodes, pods)
    hosts = world.mirror.hosts
    back = History((Move(NOW_S - 900, "uid-web", "h2", hosts),))
    assert names(world.look(DUPLICATES, back)) == []
    other = History((Move(NOW_S - 900, "uid-web", "h2", hosts - 1),))
    assert names(world.look(DUPLICATES, other)) == ["p0"]
    assert names(world.look(DUPLICATES, back, NOW_S + 2701)) == ["p0"]


def test_a_round_robin_brings_it_back_any_time_so_only_rules_move_pods():
    turns = Profile(strategy="round-robin")
    nodes, pods = three_and_none()
    assert World(nodes, pods, profile=turns).moved(DUPLICATES) == []
    tainted = [host("h1", taints=[TAINT]), host("h2")]
    assert World(tainted, pods, profile=turns).moved(only(taints=True)) == ["p0"]


def test_words():
    nodes, pods = three_and_none()
    outcome = World(nodes, pods).look(DUPLICATES)
    assert told(outcome) == [
        (
            "RemoveDuplicates",
            "Moved away from h1: 3 pods of its workload are there; h2 is better",
        )
    ]
    assert isinstance(outcome.intents[0], Evict)
    assert outcome.intents[-1] == RequeueAfter(10.0)


def test_a_dry_run_says_it_once_and_moves_nobody():
    nodes, pods = three_and_none()
    world, settings = World(nodes, pods), replace(DUPLICATES, dry_run=True)
    first = world.look(settings)
    assert names(first) == []
    words = "Would move from h1 to h2 (dry run): 3 pods of its workload are there"
    assert told(first) == [("RemoveDuplicates", words)]
    assert told(world.look(settings, first.history, NOW_S + 600)) == []


def test_off_says_nothing():
    nodes, pods = three_and_none()
    assert World(nodes, pods).look(only()).intents == [RequeueAfter(10.0)]
