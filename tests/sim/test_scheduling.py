"""Placement by the whole control plane: priority, groups, gates, spread."""

import asyncio
from typing import Any

import pytest

from orchestrator.kit.aio.tasks import spawn
from orchestrator.kit.ids import ObjectKey
from orchestrator.registry.options import Patch
from orchestrator.store.objects import StoreEvent
from tests.sim.cluster import Cluster, cluster

pytestmark = pytest.mark.looptime


async def pod(sim: Cluster, name: str, cpu: str = "1", **more: Any) -> ObjectKey:
    metadata = {"name": name, "namespace": "default", **more.pop("metadata", {})}
    resources = {"requests": {"cpu": cpu}}
    container = {"name": "c", "image": "web:1", "resources": resources}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 1, **more}
    await sim.registry.create("pods", "default", {"metadata": metadata, "spec": spec})
    return ObjectKey("pods", "default", name)


def node(sim: Cluster, key: ObjectKey) -> str:
    item = sim.store.get(key)
    return "" if item is None else str(item.doc["spec"].get("nodeName", ""))


def condition(sim: Cluster, key: ObjectKey, kind: str = "PodScheduled") -> dict[str, Any]:
    item = sim.store.get(key)
    conditions = item.doc["status"].get("conditions") or () if item is not None else ()
    return next((c for c in conditions if c["type"] == kind), {})


async def priority_class(sim: Cluster, name: str, value: int) -> None:
    document = {"metadata": {"name": name}, "value": value}
    await sim.registry.create("priorityclasses.scheduling.k8s.io", "", document)


async def test_an_important_pod_takes_the_room_of_the_least_important() -> None:
    async with cluster(hosts=2, cpu="2") as sim:
        await priority_class(sim, "high", 1000)
        await priority_class(sim, "middle", 500)
        ordinary = [await pod(sim, f"low-{number}") for number in range(2)]
        important = [
            await pod(sim, f"mid-{number}", priorityClassName="middle") for number in range(2)
        ]
        await sim.until(lambda: all(node(sim, key) for key in (*ordinary, *important)), 10)
        high = await pod(sim, "high", priorityClassName="high")
        await sim.until(lambda: bool(node(sim, high)), 30)
        left = [key for key in ordinary if sim.store.get(key) is not None]
        assert len(left) == 1, "one had to go, and only one"
        assert all(node(sim, key) for key in important)
        item = sim.store.get(high)
        assert item is not None
        assert item.doc["status"]["nominatedNodeName"] == node(sim, high)
        told = [e.doc for e in sim.store.list("events", "default")]
        assert "Preempted" in {event["reason"] for event in told}


async def test_pods_that_change_while_they_are_placed_are_decided_on_once() -> None:
    async with cluster(hosts=3, cpu="4") as sim:
        changes: list[asyncio.Task[Any]] = []

        def touch(event: StoreEvent) -> None:
            if event.object.key.resource == "pods" and event.type == "ADDED":
                note = Patch("merge", {"metadata": {"annotations": {"seen": "yes"}}})
                changes.append(spawn(sim.registry.patch(event.object.key, note), name="touch"))

        sim.store.subscribe(touch)
        for name in "abc":
            await sim.deploy(name, 13, cpu="300m")
        await sim.until(lambda: sum(sim.history.per_host().values()) == 39, 20)
        await asyncio.wait(changes)
        await sim.until(lambda: "" not in sim.history.per_host(), 20)
        sim.history.check()


async def test_nobody_is_evicted_for_a_pod_that_may_not() -> None:
    async with cluster(hosts=1, cpu="1") as sim:
        policy = {"preemptionPolicy": "Never"}
        document = {"metadata": {"name": "polite"}, "value": 1000, **policy}
        await sim.registry.create("priorityclasses.scheduling.k8s.io", "", document)
        first = await pod(sim, "first")
        await sim.until(lambda: bool(node(sim, first)), 10)
        second = await pod(sim, "second", priorityClassName="polite")
        await sim.until(lambda: condition(sim, second).get("reason") == "Unschedulable", 10)
        await asyncio.sleep(20)
        assert node(sim, first)
        assert not node(sim, second)
        await sim.registry.delete(first)
        await sim.until(lambda: bool(node(sim, second)), 10)


async def test_a_group_waits_and_then_starts_whole() -> None:
    async with cluster(hosts=2, cpu="2") as sim:
        metadata = {
            "labels": {"orch.dev/pod-group": "train"},
            "annotations": {"orch.dev/min-member": "3"},
        }
        gang = [await pod(sim, f"t-{n}", cpu="2", metadata=metadata) for n in range(3)]
        await sim.until(lambda: bool(condition(sim, gang[2])), 10)
        await asyncio.sleep(5)
        assert not any(node(sim, key) for key in gang)
        assert "only 2 of the 3 pods" in condition(sim, gang[0])["message"]
        await sim.add_host(cpu="2")
        await sim.until(lambda: all(node(sim, key) for key in gang), 10)


async def test_a_gated_pod_waits_for_its_gates() -> None:
    async with cluster() as sim:
        key = await pod(sim, "gated", schedulingGates=[{"name": "example.com/wait"}])
        await asyncio.sleep(5)
        assert not node(sim, key)
        assert condition(sim, key)["reason"] == "SchedulingGated"
        await sim.registry.patch(key, Patch("merge", {"spec": {"schedulingGates": None}}))
        await sim.until(lambda: bool(node(sim, key)), 10)
        assert condition(sim, key)["status"] == "True"


async def test_a_spread_that_must_hold() -> None:
    async with cluster(hosts=2) as sim:
        for name in ("host-1", "host-2"):
            label = {"metadata": {"labels": {"kubernetes.io/hostname": name}}}
            await sim.registry.patch(ObjectKey("nodes", "", name), Patch("merge", label))
        spread = {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"app": "even"}},
        }
        more = {"topologySpreadConstraints": [spread], "metadata": {"labels": {"app": "even"}}}
        keys = [await pod(sim, f"e-{n}", cpu="100m", **dict(more)) for n in range(4)]
        await sim.until(lambda: all(node(sim, key) for key in keys), 10)
        assert sorted(node(sim, key) for key in keys) == ["host-1", "host-1", "host-2", "host-2"]
