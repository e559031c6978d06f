"""Joining, waiting, draining and removing Nodes against the real API server, without hosts."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from orchestrator.bootstrap.api import AdminApi, ApiRefused, node_path, pod_path
from orchestrator.bootstrap.inventory.model import InventoryNode, InventoryTaint
from orchestrator.bootstrap.join import (
    drain,
    list_nodes,
    pods_on,
    register,
    remove_node,
    wait_ready,
)
from orchestrator.bootstrap.runner import HostOutcome
from orchestrator.bootstrap.state import StateDirectory
from orchestrator.bootstrap.status import read_status
from orchestrator.remote.seams import HostAddress

SERVER = Path(__file__).parents[1] / "conformance" / "apiserver_process.py"
PODS = "/api/v1/namespaces/default/pods"


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    directory = StateDirectory(tmp_path_factory.mktemp("join"))
    with subprocess.Popen(
        [sys.executable, str(SERVER), str(directory.path), "0"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        port = process.stdout.readline().split()[1]
        directory.write_settings({"apiserver": {"port": int(port)}})
        yield directory
        process.terminate()


@pytest.fixture
def api(state):
    api = AdminApi(state)
    yield api
    for pod in api.get("/api/v1/pods")["items"]:
        api.delete(pod_path("default", pod["metadata"]["name"]), gracePeriodSeconds=0)
    for name in list_nodes(api):
        api.delete(node_path(name))
    api.close()


def outcome(name, **fields):
    node = InventoryNode(name, f"{name}.example.com", **fields)
    return HostOutcome(node, address=HostAddress(node=name, host=node.host, port=22, user="ops"))


def mark_ready(api, name):
    condition = {"type": "Ready", "status": "True", "reason": "Ready", "message": "",
                 "lastTransitionTime": "2026-01-01T00:00:00Z"}  # fmt: skip
    api.merge(f"{node_path(name)}/status", {"status": {"conditions": [condition]}})


def run_pod(api, name, node):
    container = {"name": "c", "image": "busybox"}
    api.create(
        PODS, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
               "spec": {"nodeName": node, "containers": [container]}},
    )  # fmt: skip


def words(events):
    return [(e.node, e.step, e.state) for e in events]


def test_hosts_join_once_and_follow_the_inventory(api):
    events = []
    taint = InventoryTaint("dedicated", "db", "NoSchedule")
    hosts = [outcome("a", labels={"zone": "x"}), outcome("b", taints=(taint,))]
    broken = outcome("c").failed_at("connect", "no answer")
    assert register(api, [*hosts, broken], list_nodes(api), events.append) == {}
    assert words(events) == [("a", "join", "changed"), ("b", "join", "changed")]
    nodes = list_nodes(api)
    assert set(nodes) == {"a", "b"}
    assert nodes["b"]["spec"]["taints"] == [
        {"key": "dedicated", "value": "db", "effect": "NoSchedule"}
    ]
    revisions = {n: d["metadata"]["resourceVersion"] for n, d in nodes.items()}
    events.clear()
    register(api, hosts, nodes, events.append)
    assert words(events) == [("a", "join", "done"), ("b", "join", "done")]
    assert {n: d["metadata"]["resourceVersion"] for n, d in list_nodes(api).items()} == revisions
    events.clear()
    register(api, [outcome("a", labels={"zone": "y"})], nodes, events.append)
    assert list_nodes(api)["a"]["metadata"]["labels"]["zone"] == "y"


def test_a_race_is_tried_again_and_a_refusal_is_told(api):
    register(api, [outcome("a")], {}, lambda _: None)
    stale = list_nodes(api)
    api.merge(node_path("a"), {"metadata": {"labels": {"team": "web"}}})
    assert register(api, [outcome("a", labels={"zone": "x"})], stale, lambda _: None) == {}
    labels = list_nodes(api)["a"]["metadata"]["labels"]
    assert (labels["team"], labels["zone"]) == ("web", "x")
    events = []
    failures = register(api, [outcome("b", labels={"-bad": "x"})], {}, events.append)
    assert "-bad" in failures["b"]
    assert words(events) == [("b", "join", "failed")]


def test_waiting_ends_when_all_are_ready_or_time_is_up(api):
    register(api, [outcome("a"), outcome("b")], {}, lambda _: None)
    mark_ready(api, "a")
    events = []
    late = wait_ready(api, ["a", "b"], events.append, limit_s=0.3)
    assert late == {"b": "no session has reported yet"}
    assert words(events) == [
        ("a", "ready", "done"), ("b", "ready", "running"), ("b", "ready", "failed"),
    ]  # fmt: skip
    mark_ready(api, "b")
    assert wait_ready(api, ["a", "b"], events.append, limit_s=0.3) == {}


def test_a_node_is_drained_before_it_is_removed(state, api):
    register(api, [outcome("a")], {}, lambda _: None)
    for name in ("one", "two"):
        run_pod(api, name, "a")

    def host():
        """Ends pods that are asked to go, as the host's session does."""
        own = AdminApi(state)
        while pods := pods_on(own, "a"):
            for pod in pods:
                if "deletionTimestamp" in pod["metadata"]:
                    own.delete(pod_path("default", pod["metadata"]["name"]), gracePeriodSeconds=0)
        own.close()

    thread = threading.Thread(target=host)
    thread.start()
    events = []
    assert drain(api, "a", events.append, limit_s=20)
    thread.join()
    assert words(events) == [("a", "drain", "running"), ("a", "drain", "changed")]
    assert events[1].detail == "2 pods moved away"
    assert list_nodes(api)["a"]["spec"]["unschedulable"] is True
    remove_node(api, "a")
    assert list_nodes(api) == {}


def test_a_host_that_does_not_answer_is_drained_no_longer_than_told(api):
    register(api, [outcome("a")], {}, lambda _: None)
    run_pod(api, "stuck", "a")
    events = []
    assert not drain(api, "a", events.append, limit_s=0.3)
    assert events[-1].state == "warning"
    assert "default/stuck" in events[-1].detail
    remove_node(api, "a")
    assert api.find(pod_path("default", "stuck")) is None
    assert api.find(node_path("a")) is None


def test_status_tells_what_is_not_well(state, api, tmp_path):
    register(api, [outcome("a"), outcome("b")], {}, lambda _: None)
    mark_ready(api, "a")
    found = read_status(state.path)
    assert not found.well
    assert ["host a", "Ready", ""] in found.rows()
    assert ["host b", "NotReady", "no session has reported yet"] in found.rows()
    nothing = read_status(tmp_path)
    assert "orch bootstrap INVENTORY" in nothing.rows()[0][2]


def test_errors_of_the_server_keep_their_words(api):
    with pytest.raises(ApiRefused, match="not found") as caught:
        api.get(node_path("nope"))
    assert (caught.value.code, caught.value.reason) == (404, "NotFound")
