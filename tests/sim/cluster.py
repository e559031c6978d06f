"""The whole control plane in one process on virtual time, with simulated hosts."""

import asyncio
import random
from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import Any

from orchestrator.api.types.pod import Pod
from orchestrator.assembly import Assembly, ControllerSettings
from orchestrator.controllers.rebalance.settings import RebalanceSettings
from orchestrator.kit.aio.tasks import spawn
from orchestrator.kit.ids import ObjectKey
from orchestrator.reconcile.informers import Informers
from orchestrator.reconcile.pods import is_ready
from orchestrator.reconcile.snapshot import node_of, view_as
from orchestrator.reconcile.usage import NodeUsage, PodUsage, Usage
from orchestrator.registry.options import Patch
from orchestrator.registry.registry import Registry
from orchestrator.scheduler.loop import Scheduler
from orchestrator.scheduler.settings import SchedulerSettings
from orchestrator.store.objects import StoredObject
from orchestrator.store.store import Store
from tests.sim.clock import FlakySqlite, LoopClock
from tests.sim.history import History
from tests.sim.host import Host


class Measured:
    """Every container that is ready uses the load, measured up to now.

    Attributes:
        mcpu: thousandths of a processor, by the pod's label `app`.
    """

    def __init__(self, clock: LoopClock) -> None:
        self.clock = clock
        self.mcpu: dict[str, int] = {}

    def node_usage(self, name: str) -> NodeUsage | None:
        return None

    def pod_usage(self, pod: StoredObject) -> PodUsage | None:
        mcpu = self.mcpu.get((pod.doc["metadata"].get("labels") or {}).get("app", ""))
        if mcpu is None or not is_ready(view_as(pod, Pod)):
            return None
        used = {c["name"]: Usage(mcpu * 10**6, 1 << 20) for c in pod.doc["spec"]["containers"]}
        return PodUsage(self.clock.wall(), 15.0, used)


class Cluster:
    def __init__(self, store: Store, sql: FlakySqlite, rng: random.Random) -> None:
        self.store = store
        self.sql = sql
        self.rng = rng
        self.clock = LoopClock()
        self.registry = Registry(store, self.clock, rng)
        self.informers = Informers(store)
        self.history = History(store)
        self.usage = Measured(self.clock)
        self.hosts: dict[str, Host] = {}
        self.tasks: list[asyncio.Task[None]] = []

    def start(self, settings: SchedulerSettings, rebalance: RebalanceSettings) -> None:
        assembly = Assembly(
            registry=self.registry,
            informers=self.informers,
            clock=self.clock,
            rng=self.rng,
            usage=self.usage,
            settings=ControllerSettings(scheduler=settings, rebalance=rebalance),
        )
        parts = [
            *assembly.controllers().values(),
            Scheduler(self.registry, self.informers, self.clock, settings),
        ]
        self.tasks += [spawn(part.run(), name=type(part).__name__) for part in parts]

    async def add_host(self, cpu: str = "4", memory: str = "8Gi", pods: str = "110") -> Host:
        number = len(self.hosts) + 1
        capacity = {"cpu": cpu, "memory": memory, "pods": pods}
        host = Host(
            f"host-{number}", number, self.registry, self.informers, self.clock, self.rng, capacity
        )
        self.hosts[host.name] = host
        await host.register()
        self.tasks.append(spawn(host.run(), name=host.name))
        return host

    # ------------------------------------------------------------ what users do

    async def deploy(self, name: str, replicas: int, **more: Any) -> None:
        await self.registry.create(
            "deployments.apps", "default", deployment(name, replicas, **more)
        )

    async def expose(self, name: str) -> None:
        document = {
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}]},
        }
        await self.registry.create("services", "default", document)

    async def patch(self, resource: str, name: str, body: dict[str, Any]) -> None:
        await self.registry.patch(ObjectKey(resource, "default", name), Patch("merge", body))

    # ------------------------------------------------------------ waiting

    async def until(self, condition: Callable[[], bool], within_s: float) -> None:
        """Waits in virtual time; says what there is when it does not come true."""
        deadline = self.clock.monotonic() + within_s
        while not condition():
            self.check_tasks()
            if self.clock.monotonic() > deadline:
                raise AssertionError(f"not within {within_s} s:\n{self.history.picture()}")
            await asyncio.sleep(0.1)

    def is_settled(self) -> bool:
        """Whether every host that is up is ready and free of taints."""
        nodes = {node.key.name: node.doc for node in self.store.list("nodes")}
        return all(
            not nodes[host.name]["spec"].get("taints")
            and nodes[host.name].get("status", {}).get("conditions", [{}])[0].get("status")
            == "True"
            for host in self.hosts.values()
            if host.down_since is None
        )

    async def converged(self, within_s: float = 60.0) -> None:
        """Waits until nothing is left of `unfinished`."""
        await self.until(lambda: not self.unfinished(), within_s)

    def unfinished(self) -> list[str]:
        """Rollouts that are not done, endpoints that are not the ready pods, stray containers."""
        history = self.history
        deployments = [d.key.name for d in self.store.list("deployments.apps", "default")]
        found = [f"{n} is not rolled out" for n in deployments if not history.is_rolled_out(n)]
        for item in self.store.list("services", "default"):
            name = item.key.name
            if history.ready_endpoints(name) != history.ready_pods(name):
                found.append(f"endpoints of {name} are not its ready pods")
        pods = {pod.uid: node_of(pod) for pod in history.pods()}
        for host in self.hosts.values():
            if host.down_since is None:
                stray = [uid for uid in host.containers if pods.get(uid) != host.name]
                found += [f"{host.name} has an orphan container {uid}" for uid in stray]
        if not self.is_settled():
            found.append("taints are not settled")
        return found

    async def quiet(self, settle_s: float = 15.0, silence_s: float = 120.0) -> None:
        """With no input the write rate becomes zero."""
        await asyncio.sleep(settle_s)
        before = self.history.writes
        self.history.by_writer.clear()
        await asyncio.sleep(silence_s)
        assert self.history.writes == before, self.history.by_writer.most_common(5)

    def check_tasks(self) -> None:
        for task in self.tasks:
            if task.done() and not task.cancelled() and task.exception() is not None:
                raise AssertionError(f"{task.get_name()} died") from task.exception()


def deployment(name: str, replicas: int, **more: Any) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": "c",
        "image": more.get("image", "web:1"),
        "ports": [{"containerPort": 8080}],
    }
    if "cpu" in more:
        container["resources"] = {"requests": {"cpu": more["cpu"], "memory": "64Mi"}}
    spec: dict[str, Any] = {
        "replicas": replicas,
        "selector": {"matchLabels": {"app": name}},
        "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {"containers": [container], **more.get("pod", {})},
        },
    }
    if "strategy" in more:
        spec["strategy"] = more["strategy"]
    return {"metadata": {"name": name, "namespace": "default"}, "spec": spec}


@asynccontextmanager
async def cluster(
    seed: int = 0,
    hosts: int = 3,
    failure_rate: float = 0.0,
    settings: SchedulerSettings | None = None,
    rebalance: RebalanceSettings | None = None,
    **capacity: str,
):
    rng = random.Random(seed)
    sql = FlakySqlite(rng, 0.0)
    store = await Store.open(sql)
    made = Cluster(store, sql, rng)
    await made.registry.ensure_builtins()
    made.start(settings or SchedulerSettings(), rebalance or RebalanceSettings())
    for _ in range(hosts):
        await made.add_host(**capacity)
    try:
        await made.until(made.is_settled, 5)
        sql.failure_rate = failure_rate
        yield made
        made.check_tasks()
    finally:
        for task in made.tasks:
            task.cancel()
        await asyncio.wait(made.tasks)
        made.informers.close()
        await store.close()
