"""What the shim is told of probes: what agentshim's own reader takes."""

from typing import Any

import pytest

from agentshim.specs import read_container
from orchestrator.node.hooks import grace_of, hook_command, port_number, probes_payload
from tests.unit.node.objects import UID, named, one, pod, sidecar, there

TCP = {"tcpSocket": {"port": 80}}
ID = "a" * 64
SANDBOX_ID = "b" * 64


def payload(container: dict[str, Any], sandbox_id: str = "", **spec: Any) -> dict[str, Any]:
    of = pod(container, **spec)
    found = probes_payload(of, named(of, "app"), there(of, identity=ID), sandbox_id)
    if found["probes"]:
        read_container(found)
    return found


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        pytest.param(
            {"httpGet": {"port": "http", "path": "/ok",
                         "httpHeaders": [{"name": "A", "value": "b"}]}},
            {"http_get": {"port": 8080, "path": "/ok", "scheme": "HTTP", "host": "",
                          "headers": [["A", "b"]]}},
            id="http, a port by name",
        ),
        pytest.param(
            {"httpGet": {"port": 443, "scheme": "HTTPS", "host": "example.com", "path": ""}},
            {"http_get": {"port": 443, "path": "/", "scheme": "HTTPS", "host": "example.com",
                          "headers": []}},
            id="https",
        ),
        pytest.param(
            {"tcpSocket": {"port": 5432}}, {"tcp_socket": {"port": 5432, "host": ""}}, id="tcp"
        ),
        pytest.param({"exec": {"command": ["a", "x"]}}, {"exec": {"argv": ["a", "x"]}}, id="exec"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["startup", "readiness", "liveness"])
def test_every_kind_of_probe(kind, handler, expected):
    ports = [{"name": "http", "containerPort": 8080}]
    found = payload(one(ports=ports, **{f"{kind}Probe": {**handler, "periodSeconds": 3}}))
    times = {"initial_delay_s": 0, "period_s": 3, "timeout_s": 1, "success_threshold": 1,
             "failure_threshold": 3}  # fmt: skip
    assert found["probes"] == {kind: {**times, **expected}}
    assert (found["container_id"], found["key"]) == (ID, f"{UID}/app")


def test_probes_go_to_the_sandboxs_address():
    assert "address_of" not in payload(one(readinessProbe=TCP))
    assert payload(one(readinessProbe=TCP), SANDBOX_ID)["address_of"] == SANDBOX_ID


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("Always", "restart"), ("OnFailure", "restart"), ("Never", "stop")],
)
def test_what_a_failed_liveness_probe_does(policy, expected):
    assert payload(one(livenessProbe=TCP), policy=policy)["on_failure"] == expected


def test_a_sidecar_is_restarted_whatever_the_policy():
    of = pod(one(), inits=(sidecar(livenessProbe=TCP),), policy="Never")
    item = there(of, "proxy", identity=ID)
    assert probes_payload(of, named(of, "proxy"), item, "")["on_failure"] == "restart"


@pytest.mark.parametrize(
    ("spec", "grace_s"),
    [
        pytest.param({}, 30, id="default"),
        pytest.param({"terminationGracePeriodSeconds": 0}, 0, id="none"),
        pytest.param({"terminationGracePeriodSeconds": 90}, 90, id="the pod's"),
    ],
)
def test_the_grace(spec, grace_s):
    assert payload(one(livenessProbe=TCP), **spec)["grace_s"] == grace_of(pod(**spec)) == grace_s


def test_a_probe_may_have_a_grace_of_its_own():
    found = payload(one(livenessProbe={**TCP, "terminationGracePeriodSeconds": 0}))
    assert found["probes"]["liveness"]["grace_s"] == 0


def test_grpc_probes_are_left_out():
    found = payload(one(livenessProbe=TCP, readinessProbe={"grpc": {"port": 80}}))
    assert list(found["probes"]) == ["liveness"]


def test_ports_by_name():
    container = named(pod(one(ports=[{"name": "http", "containerPort": 80}])), "app")
    assert [port_number(container, p) for p in (8, "9", "http", "none")] == [8, 9, 80, 0]


def test_commands_of_hooks():
    hooks = {"postStart": {"exec": {"command": ["a", "b"]}}, "preStop": {"sleep": {"seconds": 3}}}
    lifecycle = named(pod(one(lifecycle=hooks)), "app").lifecycle
    container = named(pod(), "app")
    assert lifecycle is not None
    assert lifecycle.post_start is not None
    assert lifecycle.pre_stop is not None
    assert hook_command(container, lifecycle.post_start) == ["a", "b"]
    assert hook_command(container, lifecycle.pre_stop) == []
