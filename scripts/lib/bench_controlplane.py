"""The whole control plane with 1,000 simulated hosts: at rest, and when 5,000 pods are wanted.

One process: store on disk with full durability, registry, all controllers, scheduler, a session
for each host. Only SSH and the engines are simulated (`simulated_hosts`): the shims' heartbeats and
calls come in frames through the real client. What the simulated hosts cost is in the numbers.

fill     20,000 pods of 20 Deployments come to run
at rest  nothing is asked for; the hosts beat once a second and are measured as always
deploy   one Deployment of 5,000 replicas: until the last is bound, and until all are said to run;
         meanwhile, how late the loop is with what is due: what a request waits before it is read
"""

import argparse
import asyncio
import json
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import uvloop
from bench_rounds import conclude, machine
from platform_rig import BenchmarkError
from simulated_hosts import SimulatedConnector

from orchestrator.api import names
from orchestrator.bootstrap.state import StateDirectory
from orchestrator.kit.aio.logging import configure_logging
from orchestrator.kit.settings import load_settings
from orchestrator.server import ControlPlane, ServerSettings, tune_interpreter
from orchestrator.store.objects import StoreEvent
from orchestrator.store.sql import FileSqlite
from orchestrator.store.store import Store

CPUS: Final = 32
SETTLE_S: Final = 10.0
REST_S: Final = 20.0
LOOK_S: Final = 0.02
LIMIT_S: Final = 300.0
REST_PERCENT: Final = 25.0
MEMORY_MB: Final = 1000.0
BOUND_S: Final = 5.0
RUNNING_S: Final = 15.0


class Pods:
    """How many pods are bound and how many run, kept from the store's events."""

    def __init__(self, store: Store) -> None:
        self.bound: set[str] = set()
        self.running: set[str] = set()
        self._wanted: list[tuple[set[str], int, asyncio.Future[float]]] = []
        store.subscribe(self._note)

    def reach(self, names_of: set[str], count: int) -> "asyncio.Future[float]":
        """When (monotonic seconds) so many are in one of the two sets."""
        done: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._wanted.append((names_of, count, done))
        return done

    def _note(self, event: StoreEvent) -> None:
        if event.object.key.resource != "pods":
            return
        view: Any = event.object.view
        if view.spec.node_name:
            self.bound.add(event.object.key.name)
        if view.status.phase == "Running":
            self.running.add(event.object.key.name)
        for names_of, count, done in self._wanted:
            if len(names_of) >= count and not done.done():
                done.set_result(time.monotonic())


def deployment(name: str, replicas: int) -> dict[str, Any]:
    """A workload of small pods with one port and a probe."""
    labels = {"app": name}
    container = {
        "name": "web", "image": "bench/web:1", "imagePullPolicy": "IfNotPresent",
        "ports": [{"containerPort": 8080}],
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
        "readinessProbe": {"httpGet": {"path": "/", "port": 8080}},
    }  # fmt: skip
    return {
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "100%"}},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


async def add_hosts(plane: ControlPlane, count: int) -> None:
    """Nodes as `orch bootstrap` makes them; their sessions connect."""
    for number in range(count):
        name = f"host-{number:04}"
        address = {
            "node": name,
            "host": f"10.{number // 65536}.{number // 256 % 256}.{number % 256}",
        }
        meta = {
            "name": name,
            "annotations": {names.NODE_SSH: json.dumps({**address, "port": 22, "user": "ops"})},
            "labels": {"topology.kubernetes.io/zone": f"zone-{number % 10}"},
        }
        await plane.registry.create("nodes", "", {"metadata": meta})


async def until(condition: Callable[[], bool], what: str) -> None:
    """Looks ten times a second."""
    end = time.monotonic() + LIMIT_S
    while not condition():
        if time.monotonic() > end:
            raise BenchmarkError(f"not within {LIMIT_S:.0f} s: {what}")
        await asyncio.sleep(0.1)


async def lateness(found: list[float]) -> None:
    """Adds how late the loop comes to what is due, in ms, again and again until cancelled."""
    while True:
        due = time.monotonic() + LOOK_S
        await asyncio.sleep(LOOK_S)
        found.append((time.monotonic() - due) * 1000)


def memory_mb() -> float:
    """Resident memory of this process now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


async def run(flags: argparse.Namespace, folder: Path) -> bool:
    """All three, with their bounds."""
    state = StateDirectory(folder / "state")
    state.ensure()
    text = json.dumps({"loadbalancer": {"enabled": False}})
    settings = load_settings(text, ServerSettings, "settings")
    store = await Store.open(FileSqlite(folder / "orch.db"), settings.store)
    connector = SimulatedConnector(CPUS)
    plane = await ControlPlane.build(state, settings, store, "127.0.0.1", connector)
    pods = Pods(store)
    bounds: list[tuple[bool, str]] = []
    async with plane.running() as tasks:
        tasks.supervise("collector", tune_interpreter().run)
        began = time.monotonic()
        await add_hosts(plane, flags.hosts)
        await until(lambda: plane.connected() == flags.hosts, "all hosts connected")
        print(f"{flags.hosts} hosts joined within {time.monotonic() - began:.1f} s", flush=True)

        began, used = time.monotonic(), time.process_time()
        each = flags.pods // 20
        for number in range(20):
            await plane.registry.create(
                "deployments.apps", "default", deployment(f"d{number}", each)
            )
        await asyncio.wait_for(pods.reach(pods.running, each * 20), LIMIT_S)
        took, cpu = time.monotonic() - began, time.process_time() - used
        each_us = cpu / each / 20 * 1e6
        print(f"{each * 20} pods run after {took:.1f} s ({each_us:.0f} us of processor each)")

        await asyncio.sleep(SETTLE_S)
        began, used, writes = time.monotonic(), time.process_time(), store.revision
        await asyncio.sleep(REST_S)
        percent = (time.process_time() - used) / (time.monotonic() - began) * 100
        memory = memory_mb()
        print(f"at rest: {percent:.1f} % of a processor, {memory:.0f} MB, "
              f"{(store.revision - writes) / REST_S:.1f} writes a second", flush=True)  # fmt: skip
        bounds.append(
            (
                percent <= REST_PERCENT,
                f"at rest: {percent:.1f} %, at most {REST_PERCENT:.0f} wanted",
            )
        )
        bounds.append(
            (memory <= MEMORY_MB, f"memory: {memory:.0f} MB, at most {MEMORY_MB:.0f} wanted")
        )

        there = len(pods.bound)
        bound = pods.reach(pods.bound, there + flags.replicas)
        running = pods.reach(pods.running, len(pods.running) + flags.replicas)
        began, used = time.monotonic(), time.process_time()
        late_ms: list[float] = []
        looking = asyncio.create_task(lateness(late_ms))
        await plane.registry.create(
            "deployments.apps", "default", deployment("big", flags.replicas)
        )
        bound_s = await asyncio.wait_for(bound, LIMIT_S) - began
        running_s = await asyncio.wait_for(running, LIMIT_S) - began
        cpu = time.process_time() - used
        print(f"{flags.replicas} replicas: bound after {bound_s:.1f} s, running after "
              f"{running_s:.1f} s ({cpu:.1f} s of processor)", flush=True)  # fmt: skip
        looking.cancel()
        late_ms.sort()
        print(
            f"the loop was late by {late_ms[len(late_ms) // 2]:.0f} ms (median), "
            f"{late_ms[len(late_ms) * 99 // 100]:.0f} ms (p99), {late_ms[-1]:.0f} ms (most)"
        )
        bounds.append((bound_s <= BOUND_S, f"bound: {bound_s:.1f} s, at most {BOUND_S:.0f} wanted"))
        bounds.append(
            (running_s <= RUNNING_S, f"running: {running_s:.1f} s, at most {RUNNING_S:.0f} wanted")
        )
    await store.close()
    for good, words in bounds:
        print(f"  {'ok    ' if good else 'MISSED'}  {words}")
    return all(good for good, _ in bounds)


def main() -> bool:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--pods", type=int, default=20_000)
    parser.add_argument("--replicas", type=int, default=5000)
    flags = parser.parse_args()
    configure_logging("error")
    print(machine())
    with (
        tempfile.TemporaryDirectory(prefix="orch-controlplane-") as folder,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        return runner.run(run(flags, Path(folder)))


if __name__ == "__main__":
    conclude(main)
