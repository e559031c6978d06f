"""The server is stopped and started again in an orderly way: users and containers do not notice."""

import json
import time

import pytest

from scripts.lib.load import Load
from tests.rig.watching import (
    NODES,
    PODS,
    SLICES,
    Balancer,
    Watch,
    containers,
    deployed,
    is_ready,
    nodes_ready,
    ready_pods,
    service,
    until,
    web,
)

pytestmark = [
    pytest.mark.docker,
    pytest.mark.rig,
    pytest.mark.usefixtures("busybox", "server_log"),
]
REPLICAS = 6


@pytest.fixture
def served(platform, api):
    """A service with a pod on every host, all in service."""
    until("all hosts are ready", lambda: len(nodes_ready(api)) == 3, 30)
    balancer = Balancer(platform)
    with deployed(api, web("web", REPLICAS), service("web")):
        until("the balancer serves all", lambda: in_service(platform, balancer) == REPLICAS)
        yield


def test_a_restart_of_the_server_is_not_noticed(platform, api, served):
    balancer, before = Balancer(platform), containers(platform)
    worker_pid, server_pid = balancer.worker_pid(), platform.pid
    with (
        Watch(platform, SLICES) as slices,
        Watch(platform, PODS) as pods,
        Watch(platform, NODES) as nodes,
        Load(platform.lb_port, "/web/", threads=4, rate=25.0) as load,
    ):
        began = time.monotonic()
        assert platform.orch("stop").code == 0
        stopped_s = time.monotonic() - began
        down = platform.orch("status")
        assert in_service(platform, balancer) == REPLICAS
        answer = platform.bootstrap()
        assert answer.code == 0, answer.out + answer.err
        assert (len(api.get(PODS)["items"]), len(nodes_ready(api))) == (REPLICAS, 3)
        round_trip(api)
        for watch in (slices, pods, nodes):
            assert not watch.fault
    assert platform.pid != server_pid
    until("only they are left", lambda: len(containers(platform)) == REPLICAS)
    assert containers(platform) == before
    assert {s.type for s in pods.seen if app(s) == "web"} <= {"ADDED", "MODIFIED"}
    assert [s.object for s in pods.seen if app(s) == "web" and not is_ready(s.object)] == []
    assert [s.object for s in nodes.seen if not is_ready(s.object)] == []
    assert {s.type for s in slices.seen} <= {"ADDED", "MODIFIED"}
    assert [
        e for s in slices.seen for e in s.object["endpoints"] if not e["conditions"]["ready"]
    ] == []
    assert balancer.worker_pid() == worker_pid
    result = load.result
    print(f"\nstopped in {stopped_s:.1f} s; {result.requests} requests, failed "
          f"{result.failures[:3]}, slowest {result.slowest_s:.2f} s")  # fmt: skip
    assert not result.failures
    assert len({body.split()[0] for body in result.answers}) == 3
    assert down.code == 1
    assert down.rows[0][:2] == ["server", "down"]
    assert down.rows[1][:2] == ["load balancer", "up"]


def test_bootstrap_again_changes_nothing(platform, api, served):
    pids = platform.pid, Balancer(platform).worker_pid()
    objects = {path: api.get(path)["items"] for path in (NODES, PODS, SLICES)}
    before, files = containers(platform), settings(platform)
    answer = platform.bootstrap()
    assert answer.code == 0, answer.err
    assert "3 of 3 hosts ready, 0 changed" in answer.out
    assert (platform.pid, Balancer(platform).worker_pid()) == pids
    assert {path: api.get(path)["items"] for path in objects} == objects
    assert containers(platform) == before
    assert settings(platform) == files


def test_status_says_how_everything_is(platform, api):
    answer = platform.orch("status", "-o", "json")
    found = json.loads(answer.out)
    assert answer.code == 0
    assert found["server"] == {
        "pid": platform.pid,
        "ready": True,
        "url": f"https://127.0.0.1:{platform.api_port}",
        "fault": "",
    }
    assert found["loadBalancer"]["port"] == platform.lb_port
    assert [h["name"] for h in found["hosts"]] == [h.name for h in platform.rig.hosts]
    assert all(h["ready"] and h["schedulable"] for h in found["hosts"])

    platform.kubectl("cordon", "node-3")
    platform.rig.faults.apply("stop-sshd", "node-2")
    try:
        until("it sees the loss", lambda: "node-2" not in nodes_ready(api))
        answer = platform.orch("status")
        assert answer.code == 1
        hosts = {row[0]: row[1:] for row in answer.rows if row[0].startswith("host ")}
        assert hosts["host node-1"] == ["Ready"]
        assert hosts["host node-2"][0] == "NotReady"
        assert "refused" in hosts["host node-2"][1]
        assert hosts["host node-3"] == ["Ready,SchedulingDisabled"]
    finally:
        platform.rig.mend()
        platform.kubectl("uncordon", "node-3")
    until("it is back", lambda: platform.orch("status").code == 0, 30)


def round_trip(api):
    """New pods become ready on every host: the new server drives them all, probes included."""
    with deployed(api, web("after", 3)):
        hosts = {p["spec"]["nodeName"] for p in ready_pods(api, "after")}
        assert len(hosts) == 3


def app(seen):
    return seen.object["metadata"]["labels"]["app"]


def in_service(platform, balancer):
    return sum(len(balancer.in_service(h.address)) for h in platform.rig.hosts)


def settings(platform):
    files = [f for f in platform.state_dir.iterdir() if f.is_file() and f.suffix != ".log"]
    return {f.name: f.read_bytes() for f in files}
