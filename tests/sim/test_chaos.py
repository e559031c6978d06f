"""Random days in the life of a cluster, by seed: whatever happens, the laws hold and it recovers.

A seed decides what users do, which hosts are lost and for how long, and which transactions of the
store fail. When the faults stop everything converges in bounded time, and then the writes stop.
"""

import asyncio
import contextlib
import random

import pytest

from orchestrator.kit.errors import OrchError
from orchestrator.kit.ids import ObjectKey
from orchestrator.registry.options import DeleteOptions, Patch
from orchestrator.scheduler.settings import SchedulerSettings
from tests.sim.cluster import Cluster, cluster
from tests.sim.test_cluster import container

pytestmark = pytest.mark.looptime

STEPS = 25
NAMES = ("a", "b", "c")


async def test_the_laws_hold_and_the_cluster_recovers(seed: int) -> None:
    rng = random.Random(seed)
    strategy = rng.choice(["resource-aware", "round-robin"])
    failure_rate = rng.choice([0.0, 0.0, 0.02, 0.1])
    async with cluster(
        seed=seed,
        hosts=rng.randint(2, 5),
        failure_rate=failure_rate,
        settings=SchedulerSettings(strategy=strategy, batch_pods=rng.choice([1, 4, 256])),
        cpu="8",
    ) as sim:
        for _ in range(STEPS):
            with contextlib.suppress(OrchError):  # the user is told, and nothing happened
                await _step(sim, rng)
            await asyncio.sleep(rng.choice([0.0, 0.05, 0.5, 3.0, 8.0]))
        sim.sql.failure_rate = 0.0
        for host in sim.hosts.values():
            host.revive()
            await _cordon(sim, host.key, None)
        for item in sim.store.list("deployments.apps"):
            await sim.patch("deployments.apps", item.key.name, {"spec": {"paused": None}})
        await sim.converged(90)
        await sim.quiet()
        assert sim.unfinished() == []
        sim.history.check()


async def _step(sim: Cluster, rng: random.Random) -> None:
    name = rng.choice(NAMES)
    host = rng.choice(list(sim.hosts.values()))
    there = sim.store.get(ObjectKey("deployments.apps", "default", name)) is not None
    action = rng.choice(
        ["deploy", "expose", "scale", "scale", "roll", "roll", "pause", "delete",
         "pod", "kill", "kill", "revive", "revive", "cordon", "slice"]
    )  # fmt: skip
    match action:
        case "deploy" if not there:
            strategy = rng.choice(
                [
                    {"type": "RollingUpdate"},
                    {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0}},
                    {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0}},
                    {"type": "Recreate"},
                ]
            )
            cpu = rng.choice(["100m", "500m", "1"])
            await sim.deploy(name, rng.randint(0, 5), strategy=strategy, cpu=cpu)
        case "expose":
            await sim.expose(name)
        case "scale" if there:
            await sim.patch("deployments.apps", name, {"spec": {"replicas": rng.randint(0, 6)}})
        case "roll" if there:
            template = {"spec": {"containers": [container(f"web:{rng.randint(1, 4)}")]}}
            await sim.patch("deployments.apps", name, {"spec": {"template": template}})
        case "pause" if there:
            paused = rng.choice([True, None])
            await sim.patch("deployments.apps", name, {"spec": {"paused": paused}})
        case "delete" if there:
            options = DeleteOptions(propagation=rng.choice(["Background", "Foreground", "Orphan"]))
            await sim.registry.delete(
                ObjectKey("deployments.apps", "default", name), options=options
            )
        case "pod" if sim.store.list("pods"):
            pod = rng.choice(sim.store.list("pods"))
            await sim.registry.delete(pod.key, options=DeleteOptions(grace_s=rng.choice([None, 0])))
        case "kill":
            host.kill(containers_die=rng.random() < 0.5)
        case "revive":
            host.revive()
        case "cordon":
            await _cordon(sim, host.key, rng.choice([True, None]))
        case "slice" if sim.store.list("endpointslices.discovery.k8s.io"):
            item = rng.choice(sim.store.list("endpointslices.discovery.k8s.io"))
            await sim.registry.delete(item.key)


async def _cordon(sim: Cluster, key: ObjectKey, cordoned: bool | None) -> None:
    await sim.registry.patch(key, Patch("merge", {"spec": {"unschedulable": cordoned}}))
