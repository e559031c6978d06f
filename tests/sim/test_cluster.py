"""The control plane with simulated hosts: what users do, what breaks, and what always holds."""

import asyncio

import pytest

from orchestrator.api.types.pod import Pod
from orchestrator.kit.ids import ObjectKey
from orchestrator.reconcile.pods import condition, is_active, is_ready
from orchestrator.reconcile.snapshot import node_of, view_as
from orchestrator.registry.options import DeleteOptions, Patch
from orchestrator.scheduler.settings import SchedulerSettings
from tests.sim.cluster import cluster, deployment

pytestmark = pytest.mark.looptime


async def test_a_deployment_comes_up_on_all_hosts_and_behind_its_service() -> None:
    async with cluster() as sim:
        await sim.deploy("web", 6)
        await sim.expose("web")
        await sim.converged(10)
        assert sim.history.per_host("web") == {"host-1": 2, "host-2": 2, "host-3": 2}
        assert len(sim.history.ready_endpoints("web")) == 6
        await sim.quiet()
        sim.history.check()


@pytest.mark.parametrize(
    ("strategy", "surge", "unavailable"),
    [
        pytest.param({"type": "RollingUpdate"}, 2, 1, id="defaults of 25 %"),
        pytest.param(
            {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 2}},
            0,
            2,
            id="no surge",
        ),
        pytest.param(
            {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 3, "maxUnavailable": 0}},
            3,
            0,
            id="nothing unavailable",
        ),
    ],
)
async def test_a_rolling_update_keeps_its_bounds(strategy, surge: int, unavailable: int) -> None:
    async with cluster() as sim:
        await sim.deploy("web", 6, strategy=strategy)
        await sim.converged(10)
        seen: list[tuple[int, int]] = []

        def watch(_event) -> None:
            pods = [p for p in sim.history.pods("web") if is_active(view_as(p, Pod))]
            seen.append((len(pods), sum(is_ready(view_as(p, Pod)) for p in pods)))

        sim.store.subscribe(watch)
        template = {"template": {"spec": {"containers": [container("web:2")]}}}
        await sim.patch("deployments.apps", "web", {"spec": template})
        await sim.converged(60)
        assert max(total for total, _ in seen) <= 6 + surge
        assert min(ready for _, ready in seen) >= 6 - unavailable
        await sim.quiet()


def container(image: str) -> dict:
    return {"name": "c", "image": image, "ports": [{"containerPort": 8080}]}


async def test_recreate_never_runs_two_versions_at_once() -> None:
    async with cluster() as sim:
        await sim.deploy("web", 4, strategy={"type": "Recreate"})
        await sim.converged(10)
        mixed: list[set[str]] = []

        def watch(_event) -> None:
            images = {p.doc["spec"]["containers"][0]["image"] for p in sim.history.pods("web")}
            if len(images) > 1:
                mixed.append(images)

        sim.store.subscribe(watch)
        template = {"template": {"spec": {"containers": [container("web:2")]}}}
        await sim.patch("deployments.apps", "web", {"spec": template})
        await sim.converged(60)
        assert mixed == []


async def test_recreate_does_not_wait_for_pods_of_others() -> None:
    async with cluster() as sim:
        await sim.deploy("web", 2)
        await sim.converged(10)
        replica_set = sim.store.list("replicasets.apps")[0].key
        hold = {"metadata": {"finalizers": ["example.com/hold"]}}
        await sim.patch("replicasets.apps", replica_set.name, hold)
        owner = ObjectKey("deployments.apps", "default", "web")
        await sim.registry.delete(owner, options=DeleteOptions(propagation="Orphan"))
        await sim.until(lambda: sim.store.get(owner) is None, 5)
        await sim.registry.delete(replica_set)  # held by its finalizer, and its pods with it
        await sim.deploy("web", 2, strategy={"type": "Recreate"}, image="web:2")
        await sim.until(lambda: len(sim.store.list("replicasets.apps")) == 2, 10)


async def test_undo_takes_the_old_replica_set_back_into_use() -> None:
    async with cluster() as sim:
        await sim.deploy("web", 2)
        await sim.converged(10)
        (first,) = sim.store.list("replicasets.apps", "default")
        for image in ("web:2", "web:1"):
            template = {"template": {"spec": {"containers": [container(image)]}}}
            await sim.patch("deployments.apps", "web", {"spec": template})
            await sim.converged(60)
        sets = {rs.key.name: rs.doc for rs in sim.store.list("replicasets.apps", "default")}
        assert len(sets) == 2
        assert sets[first.key.name]["spec"]["replicas"] == 2
        revision = "deployment.kubernetes.io/revision"
        assert sets[first.key.name]["metadata"]["annotations"][revision] == "3"
        deployment = sim.store.list("deployments.apps")[0]
        assert deployment.doc["metadata"]["annotations"][revision] == "3"


async def test_a_paused_deployment_is_scaled_but_not_rolled() -> None:
    async with cluster() as sim:
        await sim.deploy("web", 2)
        await sim.converged(10)
        await sim.patch("deployments.apps", "web", {"spec": {"paused": True}})
        template = {"template": {"spec": {"containers": [container("web:2")]}}}
        await sim.patch("deployments.apps", "web", {"spec": {"replicas": 3, **template}})
        await sim.until(lambda: len(sim.history.ready_pods("web")) == 3, 10)
        await sim.quiet()
        images = {p.doc["spec"]["containers"][0]["image"] for p in sim.history.pods("web")}
        assert images == {"web:1"}
        await sim.patch("deployments.apps", "web", {"spec": {"paused": None}})
        await sim.converged(60)


async def test_a_lost_host_leaves_the_endpoints_at_once_and_its_pods_run_elsewhere_in_time() -> (
    None
):
    async with cluster() as sim:
        await sim.deploy("web", 30)
        await sim.expose("web")
        await sim.converged(20)
        started = sim.clock.monotonic()
        host = sim.hosts["host-2"]
        host.kill(containers_die=True)
        on_it = {p.uid for p in sim.history.pods("web") if node_of(p) == "host-2"}
        await sim.until(lambda: not on_it & sim.history.ready_endpoints("web"), 5)
        assert sim.clock.monotonic() - started <= 4
        await sim.until(lambda: len(sim.history.ready_endpoints("web")) == 30, 10)
        assert sim.clock.monotonic() - started <= 8
        assert set(sim.history.per_host("web")) == {"host-1", "host-3"}
        await sim.quiet()
        host.revive()
        await sim.until(lambda: not {p.uid for p in sim.history.pods("web")} & on_it, 5)
        await sim.converged(5)
        assert host.containers == {}
        sim.history.check()


async def test_a_link_that_flaps_for_three_seconds_moves_nothing() -> None:
    async with cluster() as sim:
        await sim.deploy("web", 9)
        await sim.converged(20)
        before = {p.uid: node_of(p) for p in sim.history.pods("web")}
        host = sim.hosts["host-2"]
        for _ in range(3):
            host.kill(containers_die=False)
            await asyncio.sleep(3.0)
            host.revive()
            await asyncio.sleep(5.0)
        assert {p.uid: node_of(p) for p in sim.history.pods("web")} == before
        host.kill(containers_die=False)  # found lost, and back within the grace
        await asyncio.sleep(4.5)
        assert sim.store.list("nodes")[1].doc["spec"]["taints"]
        host.revive()
        await sim.converged(20)
        assert {p.uid: node_of(p) for p in sim.history.pods("web")} == before


async def test_a_server_that_is_cut_off_from_all_hosts_moves_nothing() -> None:
    async with cluster() as sim:
        await sim.deploy("web", 9)
        await sim.converged(20)
        before = {p.uid for p in sim.history.pods("web")}
        for host in sim.hosts.values():
            host.kill(containers_die=False)
        await asyncio.sleep(120)
        assert not any(p.doc["metadata"].get("deletionTimestamp") for p in sim.history.pods("web"))
        sim.hosts["host-1"].revive()
        await asyncio.sleep(1.5)
        for host in sim.hosts.values():
            host.revive()
        await sim.converged(20)
        assert {p.uid for p in sim.history.pods("web")} == before


async def test_pods_of_a_node_that_was_deleted_are_removed_and_made_anew() -> None:
    async with cluster() as sim:
        await sim.deploy("web", 6)
        await sim.converged(20)
        sim.hosts["host-3"].kill(containers_die=True)
        await sim.registry.delete(ObjectKey("nodes", "", "host-3"))
        del sim.hosts["host-3"]
        await sim.until(lambda: set(sim.history.per_host()) == {"host-1", "host-2"}, 5)
        await sim.converged(20)
        assert len(sim.history.pods("web")) == 6


async def test_a_pod_that_fits_nowhere_says_why_and_is_placed_when_a_host_can_take_it() -> None:
    async with cluster(cpu="2") as sim:
        await sim.deploy("big", 1, cpu="3")
        await sim.until(lambda: bool(sim.history.pods("big")), 5)
        await asyncio.sleep(1)
        (pod,) = sim.history.pods("big")
        told = condition(view_as(pod, Pod).status.conditions, "PodScheduled")
        assert told is not None
        assert (told.status, told.reason) == ("False", "Unschedulable")
        assert told.message == ("0/3 nodes are available: 3 Insufficient cpu (needs 3, free 2).")
        await sim.quiet()
        await sim.add_host(cpu="4")
        await sim.converged(10)
        assert sim.history.per_host("big") == {"host-4": 1}
        reasons = {e.doc["reason"] for e in sim.store.list("events", "default")}
        assert {"FailedScheduling", "Scheduled", "SuccessfulCreate", "ScalingReplicaSet"} <= reasons


async def test_room_that_a_deleted_pod_leaves_is_given_to_one_that_waits() -> None:
    async with cluster(hosts=1, cpu="2") as sim:
        await sim.deploy("first", 2, cpu="1")
        await sim.converged(10)
        await sim.deploy("second", 1, cpu="1")
        await asyncio.sleep(5)
        assert not sim.history.ready_pods("second")
        await sim.patch("deployments.apps", "first", {"spec": {"replicas": 1}})
        await sim.converged(10)


async def test_round_robin_takes_hosts_in_turn() -> None:
    async with cluster(settings=SchedulerSettings(strategy="round-robin")) as sim:
        for number in range(6):
            await sim.deploy(f"one-{number}", 1)
            await sim.converged(5)
        assert sim.history.per_host() == {"host-1": 2, "host-2": 2, "host-3": 2}


async def test_a_cordoned_host_gets_no_pods_and_keeps_those_it_has() -> None:
    async with cluster() as sim:
        await sim.deploy("web", 3)
        await sim.converged(10)
        key = ObjectKey("nodes", "", "host-1")
        await sim.registry.patch(key, Patch("merge", {"spec": {"unschedulable": True}}))
        await sim.patch("deployments.apps", "web", {"spec": {"replicas": 9}})
        await sim.until(lambda: sim.history.is_rolled_out("web"), 10)
        assert sim.history.per_host("web")["host-1"] == 1
        await sim.registry.patch(key, Patch("merge", {"spec": {"unschedulable": None}}))
        await sim.converged(5)


@pytest.mark.parametrize("propagation", ["Background", "Foreground"])
async def test_deleting_a_deployment_takes_everything_with_it(propagation) -> None:
    async with cluster() as sim:
        await sim.deploy("web", 4)
        await sim.converged(10)
        key = ObjectKey("deployments.apps", "default", "web")
        await sim.registry.delete(key, options=DeleteOptions(propagation=propagation))
        await sim.until(
            lambda: (
                not sim.history.pods()
                and not sim.store.list("replicasets.apps")
                and not sim.store.list("deployments.apps")
            ),
            20,
        )
        sim.history.check()


async def test_orphaned_pods_live_on_and_are_adopted_again() -> None:
    async with cluster() as sim:
        await sim.deploy("web", 3)
        await sim.converged(10)
        before = {p.uid for p in sim.history.pods()}
        key = ObjectKey("deployments.apps", "default", "web")
        await sim.registry.delete(key, options=DeleteOptions(propagation="Orphan"))
        await sim.until(lambda: sim.store.get(key) is None, 5)
        (left,) = sim.store.list("replicasets.apps")
        await sim.quiet()
        assert not left.doc["metadata"].get("ownerReferences")
        await sim.deploy("web", 3)
        await sim.converged(10)
        assert {p.uid for p in sim.history.pods()} == before
        assert len(sim.store.list("replicasets.apps")) == 1


async def test_a_namespace_goes_with_everything_in_it() -> None:
    async with cluster() as sim:
        await sim.registry.create("namespaces", "", {"metadata": {"name": "team"}})
        document = deployment("web", 3)
        document["metadata"]["namespace"] = "team"
        await sim.registry.create("deployments.apps", "team", document)
        await sim.registry.create("configmaps", "team", {"metadata": {"name": "settings"}})
        await sim.until(lambda: len(sim.history.ready_pods("web")) == 3, 10)
        key = ObjectKey("namespaces", "", "team")
        await sim.registry.delete(key)
        await sim.until(lambda: sim.store.get(key) is None, 20)
        left = [
            item.key
            for resource in ("pods", "events", "configmaps", "replicasets.apps")
            for item in sim.store.list(resource, "team")
        ]
        assert left == []
        await sim.quiet()


async def test_what_somebody_else_removes_comes_back() -> None:
    async with cluster() as sim:
        await sim.deploy("web", 3)
        await sim.expose("web")
        await sim.converged(10)
        for item in (
            *sim.store.list("endpointslices.discovery.k8s.io"),
            *sim.store.list("endpoints"),
            *sim.store.list("replicasets.apps"),
        ):
            await sim.registry.delete(item.key)
        await sim.converged(20)
        assert sim.store.list("endpoints")
