"""Scenarios on a copy: what moves, what waits, what breaks, what is refused."""

import copy

import pytest

from orchestrator.cli.simulated import document, told
from orchestrator.kit.errors import ConfigError
from orchestrator.kit.ids import ObjectKey
from orchestrator.simulation.plane import PlaneSettings
from orchestrator.simulation.run import simulate
from orchestrator.simulation.scenario import Applied, Scenario, new_nodes
from tests.unit.simulation.worlds import NOW_S, State, budget, node, pod

pytestmark = [pytest.mark.slow]


def run(state: State, **scenario):
    return simulate(state.documents, Scenario(**scenario), PlaneSettings(), NOW_S)


def hosts(number: int, cpu: str = "4") -> State:
    return State(*(node(f"h{place}", cpu) for place in range(1, number + 1)))


def where(found):
    return [(move.workload, move.source, move.target) for move in found.moves]


def test_a_host_that_fails_breaks_a_budget_until_its_pods_run_elsewhere():
    state = hosts(3).deploy("web", 3).add("poddisruptionbudgets.policy", budget("web", 3))
    before = copy.deepcopy(state.documents)
    found = run(state, fail=["h2"])
    assert state.documents == before
    assert [(m.workload, m.source) for m in found.moves] == [("deployment/web", "h2")]
    assert found.moves[0].target in {"h1", "h3"}
    assert [(b.budget, b.healthy, b.needed) for b in found.broken] == [("web-budget", 2, 3)]
    assert found.broken[0].seconds == 2
    assert (found.settled, found.waiting, found.lost, found.notes) == (True, [], [], [])
    assert run(state, fail=["h2"]) == found, "equal runs are equal"


def test_what_finds_no_room_waits_and_says_why():
    found = run(hosts(2, cpu="2").deploy("web", 4), fail=["h1"])
    assert [(w.workload, w.before) for w in found.waiting] == [("deployment/web", False)] * 2
    assert {w.why for w in found.waiting} == {
        "fits on none of 2 hosts: 1 host: insufficient cpu (needs 1, free 0); "
        "1 host: taint node.kubernetes.io/unreachable"
    }
    assert where(found) == [("deployment/web", "h1", "")] * 2


def test_a_drain_is_blocked_by_a_budget():
    state = hosts(2).deploy("web", 2).deploy("db", 2)
    state.add("poddisruptionbudgets.policy", budget("db", 2))
    found = run(state, drain=["h1"])
    assert where(found) == [("deployment/web", "h1", "h2")]
    assert [(b.pod, b.node, b.why) for b in found.blocked] == [
        ("db-1-0", "h1",
         "The disruption budget db-budget needs 2 healthy pods and has 2 currently")
    ]  # fmt: skip
    assert found.broken == []


def test_a_drain_waits_for_a_budget_that_lets_one_go_at_a_time():
    state = hosts(1).deploy("web", 2).add("poddisruptionbudgets.policy", budget("web", 1))
    state.nodes.append(node("h2"))
    found = run(state, drain=["h1"])
    assert where(found) == [("deployment/web", "h1", "h2")] * 2
    assert found.blocked == []
    assert found.notes == ["evictions that have to wait for a disruption budget first: 1"]


def test_a_pod_of_its_own_is_lost():
    found = run(hosts(2).add("pods", pod("lone", "h1")), drain=["h1"])
    assert [(x.workload, x.why) for x in found.lost] == [
        ("pod/lone", "no controller makes it again")
    ]


def test_new_hosts_take_what_waits():
    state = hosts(1, cpu="1").deploy("web", 1).deploy("more", 1)
    state.documents["pods"].pop()  # its controller makes it, and it has no room
    nodes = new_nodes(["1:cpu=4,memory=8Gi,zone=a"], {"h1"}, ())
    found = run(state, nodes=nodes)
    assert where(found) == [("deployment/more", "", "new-1")]
    assert found.waiting == []


def test_a_manifest_is_applied():
    state = hosts(2).deploy("web", 2)
    key = ObjectKey("deployments.apps", "default", "web")
    scaled = Applied("web.yaml:1", key, {}, {"spec": {"replicas": 5}})
    found = run(state, applied=[scaled])
    assert [move.source for move in found.moves] == [""] * 3
    assert all(move.target for move in found.moves)


def test_what_would_be_refused_is_said_with_its_place():
    key = ObjectKey("deployments.apps", "default", "new")
    wrong = {"metadata": {"name": "new"}, "spec": {"replica": 5}}
    with pytest.raises(ConfigError) as refused:
        run(hosts(1), applied=[Applied("web.yaml:7", key, wrong, None)])
    assert str(refused.value).startswith("web.yaml:7: ")
    assert 'unknown field "spec.replica"' in str(refused.value)


def test_as_people_and_machines_read_it():
    found = run(hosts(2, cpu="2").deploy("web", 3), fail=["h1"])
    lines = told(found)
    assert lines[0] == "A copy of 2 hosts and 3 pods; nothing was changed."
    assert "  default     deployment/web   h1     ->   h2        1" in lines
    assert "would wait for a host (pods: 1):" in lines
    assert document(found)["moves"][0]["workload"] == "deployment/web"
