"""The control plane of a simulation: the real controllers and scheduler over a store in memory.

Those take part that decide how many pods there are and where. What would need more than the copy
holds does not: autoscalers (nobody measures), cron jobs (time is not the scenario's), garbage
collection (owners of kinds that were not copied would seem to be gone).
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from orchestrator.assembly import Assembly, ControllerSettings
from orchestrator.controllers.nodelifecycle.settings import NodeLifecycleSettings
from orchestrator.kit.aio.tasks import spawn
from orchestrator.kit.clock import Clock
from orchestrator.kit.errors import InternalError
from orchestrator.reconcile.informers import Informers
from orchestrator.registry.registry import Registry
from orchestrator.registry.settings import RegistrySettings
from orchestrator.scheduler.loop import Scheduler
from orchestrator.scheduler.settings import SchedulerSettings
from orchestrator.simulation.copied import Copied, load
from orchestrator.simulation.hosts import Hosts
from orchestrator.store.objects import StoreEvent
from orchestrator.store.sql import InlineSqlite
from orchestrator.store.store import Store

QUIET_S: Final = 330.0
"""Nothing was written for this long: longer than a pod by default tolerates a lost host."""
LIMIT_S: Final = 3600.0
"""After this long it is said that it did not settle."""
_LOOK_S: Final = 1.0
CONTROLLERS: Final = (
    "deployments", "replicasets", "statefulsets", "daemonsets", "jobs", "disruption",
    "serviceaccounts", "resourcequotas", "nodelifecycle",
)  # fmt: skip
"""Those that take part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaneSettings:
    """The settings of the server that a simulation is about."""

    scheduler: SchedulerSettings = field(default_factory=SchedulerSettings)
    nodelifecycle: NodeLifecycleSettings = field(default_factory=NodeLifecycleSettings)
    registry: RegistrySettings = field(default_factory=RegistrySettings)


class Plane:
    """See the module. Make one with `running`.

    Attributes:
        store: the copy.
        registry: writes it.
        scheduler: places pods, and explains.
        hosts: run them.
        clock: of the simulation.
    """

    def __init__(self, store: Store, clock: Clock, settings: PlaneSettings, seed: int) -> None:
        rng = random.Random(seed)  # noqa: S311  # equal runs are to be equal
        self.store = store
        self.clock = clock
        self.registry = Registry(store, clock, rng, settings.registry)
        self.informers = Informers(store)
        self.scheduler = Scheduler(self.registry, self.informers, clock, settings.scheduler)
        self.hosts = Hosts(self.registry, self.informers, clock)
        self._writes = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._settings = settings
        self._rng = rng
        store.subscribe(self._count)

    @classmethod
    @asynccontextmanager
    async def running(
        cls, copied: Copied, clock: Clock, settings: PlaneSettings, seed: int = 0
    ) -> AsyncIterator["Plane"]:
        """A control plane over a copy, as long as the context lasts."""
        store = await Store.open(InlineSqlite())
        try:
            await load(store, copied)
            plane = cls(store, clock, settings, seed)
            await plane.registry.ensure_builtins()
            plane._start()
            try:
                yield plane
            finally:
                await plane._stop()
        finally:
            await store.close()

    def _start(self) -> None:
        assembly = Assembly(
            registry=self.registry,
            informers=self.informers,
            clock=self.clock,
            rng=self._rng,
            settings=ControllerSettings(
                scheduler=self._settings.scheduler, nodelifecycle=self._settings.nodelifecycle
            ),
        )
        parts: dict[str, Callable[[], Awaitable[None]]] = {
            **{name: made.run for name, made in assembly.controllers(CONTROLLERS).items()},
            "scheduler": self.scheduler.run,
            "hosts": self.hosts.run,
        }
        for name, run in parts.items():
            self.go(name, run)

    def go(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Runs something beside the parts; when it fails, the simulation does."""

        async def work() -> None:
            await run()

        self._tasks.append(spawn(work(), name=name))

    async def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        self.informers.close()

    def _count(self, event: StoreEvent) -> None:
        """Events are told again and again while something is refused: that is no movement."""
        self._writes += event.object.key.resource != "events"

    async def settled(self, quiet_s: float = QUIET_S, limit_s: float = LIMIT_S) -> bool:
        """Waits until nothing happens any more; False when that takes longer than `limit_s`.

        Raises:
            InternalError: a part failed.
        """
        began = since = self.clock.monotonic()
        seen = -1
        while self.clock.monotonic() - began < limit_s:
            for task in self._tasks:
                if task.done() and not task.cancelled() and task.exception() is not None:
                    raise InternalError(f"{task.get_name()} failed") from task.exception()
            if self._writes != seen:
                seen, since = self._writes, self.clock.monotonic()
            elif self.clock.monotonic() - since >= quiet_s:
                return True
            await asyncio.sleep(_LOOK_S)
        return False
