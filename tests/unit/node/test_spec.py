"""A pod's containers as bodies for the engine: a row per field."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.api import names
from orchestrator.node.sandbox import SANDBOX_IMAGE
from orchestrator.node.spec import (
    Place,
    container_body,
    container_name,
    declared_ports,
    hostname,
    needs_sandbox,
    sandbox_body,
    spec_hash,
)
from tests.unit.node.objects import UID, named, one, pod, sidecar

PLACE = Place(cluster="c1")
TWO = (one("app"), one("log"))


def body(container: dict[str, Any] | None = None, place: Place = PLACE, **spec: Any) -> Any:
    """The body of the container "app"."""
    of = pod(container or one(), **spec)
    return container_body(of, named(of, "app"), "app", place)


def host(container: dict[str, Any] | None = None, place: Place = PLACE, **spec: Any) -> Any:
    """Its HostConfig."""
    return body(container, place, **spec)["HostConfig"]


# ---------------------------------------------------------------- command, environment


@pytest.mark.parametrize(
    ("container", "entrypoint", "cmd"),
    [
        pytest.param({}, None, None, id="the image's own"),
        pytest.param({"command": ["a"]}, ["a"], [], id="command drops the image's arguments"),
        pytest.param({"args": ["b"]}, None, ["b"], id="arguments keep the image's entry point"),
        pytest.param({"command": ["a"], "args": ["b"]}, ["a"], ["b"], id="both"),
        pytest.param(
            {"command": ["$(X)"], "args": ["$(X) $(Y) $$(X)"]}, ["1"], ["1 $(Y) $(X)"], id="refs"
        ),
    ],
)
def test_what_is_run(container, entrypoint, cmd):
    found = body(one(**container), Place(cluster="c1", environment={"X": "1"}))
    assert (found.get("Entrypoint"), found.get("Cmd")) == (entrypoint, cmd)
    assert found["Env"] == ["X=1"]


def test_small_fields():
    found = body(one(workingDir="/w", stdin=True, stdinOnce=True, tty=True))
    assert (found["Image"], found["WorkingDir"]) == ("app:1", "/w")
    assert (found["OpenStdin"], found["StdinOnce"], found["Tty"]) == (True, True, True)
    assert "WorkingDir" not in body()


def test_logs_are_rotated():
    assert host()["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "3"}


# ---------------------------------------------------------------- who it is


def test_labels_tell_everything_without_the_server():
    found = body(place=Place(cluster="c1", attempt=3))["Labels"]
    assert found == {
        names.CONTAINER_CLUSTER: "c1",
        names.CONTAINER_POD_NAMESPACE: "default",
        names.CONTAINER_POD_NAME: "web",
        names.CONTAINER_POD_UID: UID,
        names.CONTAINER_NAME: "app",
        names.CONTAINER_ROLE: "app",
        names.CONTAINER_SPEC_HASH: spec_hash(named(pod(), "app")),
        names.CONTAINER_ATTEMPT: "3",
    }


def test_names_are_unique_and_readable():
    assert container_name(pod(), "app", 2) == f"orch_app_web_default_{UID}_2"


def test_only_the_image_makes_a_container_anew():
    first = spec_hash(named(pod(), "app"))
    assert spec_hash(named(pod(one(image="app:2")), "app")) != first
    assert spec_hash(named(pod(one(env=[{"name": "A", "value": "b"}])), "app")) == first


@pytest.mark.parametrize(
    ("name", "spec", "expected"),
    [
        pytest.param("web", {}, "web", id="the pod's name"),
        pytest.param("web", {"hostname": "db-0"}, "db-0", id="its own"),
        pytest.param("w" * 70, {}, "w" * 63, id="as long as the kernel allows"),
        pytest.param("w" * 62 + "-x", {}, "w" * 62, id="no dash at the end"),
    ],
)
def test_host_names(name, spec, expected):
    assert hostname(pod(meta={"name": name}, **spec)) == expected


# ---------------------------------------------------------------- restarts


@pytest.mark.parametrize(
    ("policy", "app", "init"),
    [
        ("Always", "unless-stopped", "on-failure"),
        ("OnFailure", "on-failure", "on-failure"),
        ("Never", "no", "no"),
    ],
)
def test_the_engine_restarts(policy, app, init):
    of = pod(one(), inits=(one("init"), sidecar()), policy=policy)
    for name, role, expected in (
        ("app", "app", app),
        ("init", "init", init),
        ("proxy", "init", "unless-stopped"),
    ):
        found = container_body(of, named(of, name), role, PLACE)
        assert found["HostConfig"]["RestartPolicy"] == {"Name": expected}


# ---------------------------------------------------------------- resources

MIB = 1 << 20


@pytest.mark.parametrize(
    ("limits", "requests", "expected"),
    [
        pytest.param({}, {}, {"CpuShares": 2}, id="nothing asked for: others go first"),
        pytest.param(
            {"cpu": "1500m"}, {}, {"NanoCpus": 1_500_000_000, "CpuShares": 1536}, id="cpu limit"
        ),
        pytest.param({}, {"cpu": "500m"}, {"CpuShares": 512}, id="cpu request"),
        pytest.param(
            {"cpu": 2}, {"cpu": "0.25"}, {"NanoCpus": 2_000_000_000, "CpuShares": 256}, id="both"
        ),
        pytest.param({}, {"cpu": "1m"}, {"CpuShares": 2}, id="as little as the kernel takes"),
        pytest.param({}, {"cpu": "512"}, {"CpuShares": 262144}, id="as much as the kernel takes"),
        pytest.param(
            {"memory": "64Mi"},
            {},
            {"Memory": 64 * MIB, "MemorySwap": 64 * MIB, "CpuShares": 2},
            id="memory limit, without swap",
        ),
        pytest.param(
            {},
            {"memory": "32Mi"},
            {"MemoryReservation": 32 * MIB, "CpuShares": 2},
            id="memory request",
        ),
        pytest.param({}, {"memory": "1Mi"}, {"CpuShares": 2}, id="less than the engine takes"),
    ],
)
def test_resources(limits, requests, expected):
    found = host(one(resources={"limits": limits, "requests": requests}))
    keys = ("NanoCpus", "CpuShares", "Memory", "MemorySwap", "MemoryReservation")
    assert {k: found[k] for k in keys if k in found} == expected


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.integers(0, 600_000), st.integers(0, 600_000))
def test_who_asks_for_more_gets_no_less(one_mcpu, two_mcpu):
    def shares(mcpu: int) -> int:
        found: int = host(one(resources={"requests": {"cpu": f"{mcpu}m"}}))["CpuShares"]
        return found

    low, high = sorted((one_mcpu, two_mcpu))
    assert 2 <= shares(low) <= shares(high) <= 262144


# ---------------------------------------------------------------- security


@pytest.mark.parametrize(
    ("outer", "inner", "user"),
    [
        pytest.param({}, {}, None, id="the image's"),
        pytest.param({"runAsUser": 5}, {}, "5", id="the pod's"),
        pytest.param({"runAsUser": 5}, {"runAsUser": 0}, "0", id="the container's, root too"),
        pytest.param({"runAsUser": 5, "runAsGroup": 6}, {}, "5:6", id="with a group"),
        pytest.param({"runAsUser": 5, "runAsGroup": 6}, {"runAsGroup": 7}, "5:7", id="its group"),
    ],
)
def test_users(outer, inner, user):
    assert body(one(securityContext=inner), securityContext=outer).get("User") == user


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        pytest.param({"privileged": True}, {"Privileged": True}, id="privileged"),
        pytest.param({"readOnlyRootFilesystem": True}, {"ReadonlyRootfs": True}, id="read-only"),
        pytest.param(
            {"allowPrivilegeEscalation": False}, {"SecurityOpt": ["no-new-privileges"]}, id="nnp"
        ),
        pytest.param({"allowPrivilegeEscalation": True, "privileged": False}, {}, id="defaults"),
        pytest.param(
            {"capabilities": {"add": ["NET_ADMIN"], "drop": ["ALL"]}},
            {"CapAdd": ["NET_ADMIN"], "CapDrop": ["ALL"]},
            id="capabilities",
        ),
    ],
)
def test_security_of_a_container(inner, expected):
    found = host(one(securityContext=inner))
    keys = ("Privileged", "ReadonlyRootfs", "SecurityOpt", "CapAdd", "CapDrop")
    assert {k: found[k] for k in keys if k in found} == expected


def test_security_of_a_pod():
    context = {"supplementalGroups": [1, 2], "fsGroup": 3,
               "sysctls": [{"name": "net.core.somaxconn", "value": "1024"}]}  # fmt: skip
    found = host(securityContext=context, hostPID=True, hostIPC=True)
    assert found["GroupAdd"] == ["1", "2", "3"]
    assert found["Sysctls"] == {"net.core.somaxconn": "1024"}
    assert (found["PidMode"], found["IpcMode"]) == ("host", "host")
    assert host(securityContext={"fsGroup": 0})["GroupAdd"] == ["0"]


# ---------------------------------------------------------------- network


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        pytest.param(pod(), False, id="one container"),
        pytest.param(pod(*TWO), True, id="two"),
        pytest.param(pod(one(), inits=(one("init"),)), True, id="init container"),
        pytest.param(pod(*TWO, hostNetwork=True), False, id="the host's network"),
        pytest.param(
            pod(one(env=[{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}])),
            True,
            id="wants to know its address",
        ),
    ],
)
def test_who_needs_a_sandbox(of, expected):
    assert needs_sandbox(of) == expected


def test_ports_that_are_declared():
    web = one(ports=[{"containerPort": 80}, {"containerPort": 53, "protocol": "UDP"}])
    log = one("log", ports=[{"containerPort": 81, "hostPort": 8081}])
    of = pod(web, log, inits=(sidecar(ports=[{"containerPort": 90}]),))
    assert declared_ports(of) == {"90/tcp": 0, "80/tcp": 0, "53/udp": 0, "81/tcp": 8081}
    assert declared_ports(pod(web, hostNetwork=True)) == {}


def test_ports_are_published():
    place = Place(cluster="c1", ports={"80/tcp": 20001})
    found = body(place=place)
    assert found["ExposedPorts"] == {"80/tcp": {}}
    assert found["HostConfig"]["PortBindings"] == {"80/tcp": [{"HostPort": "20001"}]}
    assert found["Hostname"] == "web"


def test_a_host_port_may_be_for_one_address_only():
    ports = [{"containerPort": 80, "hostPort": 8080, "hostIP": "127.0.0.1"}]
    place = Place(cluster="c1", ports={"80/tcp": 8080})
    binding = {"HostIp": "127.0.0.1", "HostPort": "8080"}
    assert host(one(ports=ports), place)["PortBindings"] == {"80/tcp": [binding]}


ALIASES = [{"ip": "10.0.0.9", "hostnames": ["a", "b"]}]


@pytest.mark.parametrize("spec", [{}, {"hostNetwork": True}], ids=["own network", "the host's"])
def test_host_aliases(spec):
    assert host(hostAliases=ALIASES, **spec)["ExtraHosts"] == ["a:10.0.0.9", "b:10.0.0.9"]


def test_the_hosts_network():
    found = body(hostNetwork=True)
    assert found["HostConfig"]["NetworkMode"] == "host"
    assert "Hostname" not in found


def test_containers_of_a_sandbox_have_its_network_and_its_memory_for_messages():
    context = {"sysctls": [{"name": "net.core.somaxconn", "value": "9"},
                           {"name": "kernel.shm_rmid_forced", "value": "1"}]}  # fmt: skip
    of = pod(*TWO, hostAliases=ALIASES, securityContext=context)
    place = Place(cluster="c1", ports={"80/tcp": 20001})
    sandbox = sandbox_body(of, place)
    assert sandbox["Image"] == SANDBOX_IMAGE
    assert sandbox["Hostname"] == "web"
    assert sandbox["Labels"][names.CONTAINER_ROLE] == "sandbox"
    assert sandbox["HostConfig"]["PortBindings"] == {"80/tcp": [{"HostPort": "20001"}]}
    assert sandbox["HostConfig"]["ExtraHosts"] == ["a:10.0.0.9", "b:10.0.0.9"]
    assert sandbox["HostConfig"]["RestartPolicy"] == {"Name": "unless-stopped"}
    assert sandbox["HostConfig"]["IpcMode"] == "shareable"
    assert sandbox["HostConfig"]["Sysctls"] == {
        "net.core.somaxconn": "9", "kernel.shm_rmid_forced": "1"
    }  # fmt: skip
    joined = container_body(of, named(of, "app"), "app", Place(cluster="c1", sandbox_id="s1"))
    assert joined["HostConfig"]["NetworkMode"] == "container:s1"
    assert joined["HostConfig"]["IpcMode"] == "container:s1"
    for key in ("PortBindings", "ExtraHosts", "Sysctls"):
        assert key not in joined["HostConfig"]
    assert not {"Hostname", "ExposedPorts"} & set(joined)


def test_the_hosts_messages_go_before_the_sandboxs():
    of = pod(*TWO, hostIPC=True)
    assert "IpcMode" not in sandbox_body(of, PLACE)["HostConfig"]
    joined = container_body(of, named(of, "app"), "app", Place(cluster="c1", sandbox_id="s1"))
    assert joined["HostConfig"]["IpcMode"] == "host"
