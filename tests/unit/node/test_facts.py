"""A Node's status from what host and engine say."""

import dataclasses
import json
from typing import Any

import pytest

from orchestrator.api import names
from orchestrator.node.facts import (
    condition,
    image_list,
    lost_conditions,
    node_status,
    standard_labels,
)
from orchestrator.remote.seams import EngineInfo, ImageInfo
from tests.unit.node.objects import NOW_S, second

GIB = 1 << 30
ENGINE = EngineInfo(
    name="host-1", server_version="20.10.24", api_version="1.41", operating_system="Debian",
    kernel_version="6.1.0", architecture="x86_64", cpus=4, memory_bytes=8 * GIB,
    root_dir="/var/lib/docker", cgroup_version="2", storage_driver="overlay2",
)  # fmt: skip
FACTS = {
    "hostname": "web-1", "os": {"name": "Debian GNU/Linux 12"}, "machine_id": "m", "boot_id": "b",
    "disks": [
        {"mount": "/", "size_bytes": 10 * GIB, "free_bytes": 5 * GIB},
        {"mount": "/var/lib", "size_bytes": 100 * GIB, "free_bytes": 50 * GIB},
        {"mount": "/var/lib/docker2", "size_bytes": GIB, "free_bytes": GIB},
    ],
}  # fmt: skip


def node(caps: dict[str, Any] | None = None, status: Any = None) -> dict[str, Any]:
    annotations = {names.NODE_CAPACITY: json.dumps(caps)} if caps else {}
    return {"metadata": {"name": "host-1", "annotations": annotations}, "status": status or {}}


def status(caps=None, facts=FACTS, engine=ENGINE, now_s=NOW_S, current=None, images=()):
    return node_status(node(caps, current), facts, engine, images, "10.0.0.1", 110, now_s)


def conditions(document) -> dict[str, str]:
    return {c["type"]: c["status"] for c in document["conditions"]}


def test_what_a_host_offers():
    found = status()
    assert found["capacity"] == found["allocatable"] == {
        "cpu": "4", "memory": f"{8 * GIB // 1024}Ki",
        "ephemeral-storage": f"{100 * GIB // 1024}Ki", "pods": "110",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("caps", "name", "expected"),
    [
        pytest.param({"cpu": "2500m"}, "cpu", "2500m", id="less"),
        pytest.param({"cpu": "64"}, "cpu", "4", id="more than there is"),
        pytest.param({"memory": "1Gi"}, "memory", "1Gi", id="memory"),
        pytest.param({"pods": 5}, "pods", "5", id="pods, a number"),
        pytest.param({"example.com/gpu": "1"}, "example.com/gpu", None, id="what it has not"),
    ],
)
def test_the_inventorys_caps(caps, name, expected):
    found = status(caps)
    assert found["allocatable"].get(name) == expected
    assert found["capacity"] == status()["capacity"]


def test_who_it_is():
    found = status()
    assert found["addresses"] == [
        {"type": "InternalIP", "address": "10.0.0.1"},
        {"type": "Hostname", "address": "web-1"},
    ]
    info = found["nodeInfo"]
    assert (info["architecture"], info["operatingSystem"]) == ("amd64", "linux")
    assert info["containerRuntimeVersion"] == "docker://20.10.24"
    assert (info["osImage"], info["bootID"]) == ("Debian GNU/Linux 12", "b")
    bare = status(facts={})
    assert bare["nodeInfo"]["osImage"] == "Debian"
    assert bare["addresses"][1]["address"] == "host-1"


@pytest.mark.parametrize(
    ("free", "expected"),
    [pytest.param(50 * GIB, "False"), pytest.param(GIB, "True"), pytest.param(0, "True")],
)
def test_a_full_disk(free, expected):
    disks = [{"mount": "/", "size_bytes": 100 * GIB, "free_bytes": free}]
    found = conditions(status(facts={**FACTS, "disks": disks}))
    assert found["DiskPressure"] == expected
    assert found["Ready"] == "True"
    assert conditions(status(facts={}))["DiskPressure"] == "False", "unknown is not full"


def test_nothing_new_gives_the_same_document():
    first = status()
    assert status(current=first, now_s=NOW_S + 999) == first


def test_a_lost_host_and_its_return():
    first = status()
    lost = lost_conditions(node(status=first), "Unknown", "NodeStatusUnknown", "gone", NOW_S + 9)
    assert {c["status"] for c in lost} == {"Unknown"}
    ready = next(c for c in lost if c["type"] == "Ready")
    assert (ready["lastTransitionTime"], ready["lastHeartbeatTime"]) == (second(9), second(9))
    assert (ready["reason"], ready["message"]) == ("NodeStatusUnknown", "gone")
    back = status(current={**first, "conditions": lost}, now_s=NOW_S + 20)
    assert conditions(back)["Ready"] == "True"
    assert {c["lastTransitionTime"] for c in back["conditions"]} == {second(20)}


def test_an_engine_that_does_not_answer_leaves_the_rest_as_it_was():
    other = {"type": "NetworkUnavailable", "status": "False"}
    first = status()
    first["conditions"].append(other)
    found = lost_conditions(node(status=first), "False", "KubeletNotReady", "no engine", NOW_S + 9)
    assert conditions({"conditions": found}) == {
        "MemoryPressure": "False", "DiskPressure": "False", "PIDPressure": "False",
        "NetworkUnavailable": "False", "Ready": "False",
    }  # fmt: skip


def test_a_host_that_never_was_ready():
    found = lost_conditions(node(), "Unknown", "NodeStatusUnknown", "", NOW_S)
    assert conditions({"conditions": found})["Ready"] == "Unknown"


def test_times_of_a_condition():
    first = condition(None, "Ready", "True", "a", "b", NOW_S)
    again = condition(first, "Ready", "True", "a", "c", NOW_S + 5)
    assert again == {**first, "message": "c"}
    assert condition(first, "Ready", "False", "a", "c", NOW_S + 5)["lastTransitionTime"] == second(
        5
    )


def test_images_largest_first_and_not_too_many():
    images = [ImageInfo(f"i{n}", (f"t{n}:1",), (f"t{n}@sha256:0",), n) for n in range(60)]
    found = image_list(images)
    assert len(found) == 50
    assert found[0] == {"names": ["t59@sha256:0", "t59:1"], "sizeBytes": 59}


@pytest.mark.parametrize(
    ("machine", "expected"),
    [("x86_64", "amd64"), ("aarch64", "arm64"), ("armv7l", "arm"), ("riscv64", "riscv64")],
)
def test_labels(machine, expected):
    assert standard_labels("host-1", machine) == {
        "kubernetes.io/hostname": "host-1",
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": expected,
    }
    engine = dataclasses.replace(ENGINE, architecture=machine)
    assert status(engine=engine)["nodeInfo"]["architecture"] == expected
