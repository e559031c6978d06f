"""The whole API server on a real registry and store, in memory."""

import random
from dataclasses import dataclass, field
from typing import Any

import pytest

from orchestrator.apiserver.app import ApiServer, build_app
from orchestrator.apiserver.authn import Authenticator
from orchestrator.apiserver.health import HealthChecks
from orchestrator.apiserver.settings import ApiServerSettings
from orchestrator.credentials.signing import SigningKeys
from orchestrator.credentials.tokens import TokenOwner
from orchestrator.kit.errors import Unreachable
from orchestrator.reconcile.informers import Informers
from orchestrator.registry.registry import Registry
from orchestrator.scheduler.loop import Scheduler
from orchestrator.scheduler.settings import SchedulerSettings
from orchestrator.store.settings import StoreSettings
from orchestrator.store.sql import InlineSqlite
from orchestrator.store.store import Store
from tests.unit.apiserver.client import Client


class SteppingClock:
    """Stands still unless told to go on."""

    def __init__(self) -> None:
        self.now_s = 1_800_000_000.0

    def wall(self) -> float:
        return self.now_s

    def monotonic(self) -> float:
        return self.now_s


class Tokens:
    """root may do everything, ann is somebody."""

    def owner_of(self, token: str) -> TokenOwner | None:
        return {
            "root": TokenOwner("orch-admin", ("system:masters",)),
            "ann": TokenOwner("ann", ("dev",)),
        }.get(token)


@dataclass
class Logs:
    """The logs of all hosts: what tests put there; remembers what was asked."""

    chunks: list[Any] = field(default_factory=list)
    asked: list[Any] = field(default_factory=list)
    closed: int = 0

    def streams(self, node_name: str) -> "Logs":
        if node_name == "gone":
            raise Unreachable("there is no session with this host", node=node_name)
        return self

    async def logs(self, pod: Any, container: str, query: Any):
        self.asked.append((pod.key.name, container, query))
        try:
            for chunk in self.chunks:
                if isinstance(chunk, Exception):
                    raise chunk
                if isinstance(chunk, bytes):
                    yield chunk
                else:
                    await chunk.wait()
        finally:
            self.closed += 1


@dataclass
class Measured:
    """What nodes and pods use: what tests put there, by name."""

    nodes: dict[str, Any] = field(default_factory=dict)
    pods: dict[str, Any] = field(default_factory=dict)

    def node_usage(self, name: str) -> Any:
        return self.nodes.get(name)

    def pod_usage(self, pod: Any) -> Any:
        return self.pods.get(pod.key.name)


@dataclass
class World:
    api: ApiServer
    client: Client
    registry: Registry
    store: Store
    clock: SteppingClock
    logs: Logs
    faults: dict[str, str]
    usage: Measured

    async def create(self, path: str, document: dict[str, Any]) -> dict[str, Any]:
        reply = await self.client("POST", path, document)
        assert reply.status == 201, reply.body
        made: dict[str, Any] = reply.json
        return made


@pytest.fixture
def settings():
    return ApiServerSettings(
        bookmark_interval_s=0.02, watch_min_s=30, watch_max_s=60, gzip_min_bytes=1000
    )


@pytest.fixture
async def world(settings, request):
    store_settings = getattr(request, "param", None) or StoreSettings()
    store = await Store.open(InlineSqlite(), store_settings)
    clock, rng, logs = SteppingClock(), random.Random(7), Logs()
    registry = Registry(store, clock, rng)
    faults: dict[str, str] = {}
    usage = Measured()
    informers = Informers(store)
    scheduler = Scheduler(registry, informers, clock)
    api = build_app(
        registry=registry,
        store=store,
        pod_streams=logs,
        usage=usage,
        explainer=scheduler,
        configuration={"scheduler": SchedulerSettings()},
        authenticator=Authenticator(Tokens()),
        keys=SigningKeys.fresh(),
        settings=settings,
        clock=clock,
        rng=rng,
        checks=HealthChecks(
            live={"store": lambda: faults.get("store", "")},
            ready={"informers": lambda: faults.get("informers", "")},
        ),
    )
    world = World(api, Client(api), registry, store, clock, logs, faults, usage)
    await registry.ensure_builtins()
    with scheduler.following():
        yield world
    informers.close()
    api.end_streams()
    api.close()
    await store.close()
