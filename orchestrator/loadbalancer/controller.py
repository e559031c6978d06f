"""Keeps HAProxy in step with the store.

Store events only mark work as due; one task looks at everything, so that a burst of changes is one
step. While endpoints leave, it looks again every fifth of a second: an endpoint without requests in
flight is drained, its pod is told so (annotation `orch.dev/drained`), and a server that nobody
needs is deleted.
"""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final, cast

import structlog

from orchestrator.api.names import POD_DRAINED
from orchestrator.api.types.apps import EndpointSlice
from orchestrator.api.types.service import Service
from orchestrator.kit.clock import Clock
from orchestrator.kit.ids import ObjectKey, Uid
from orchestrator.loadbalancer.desired import Desired, Refused, desired, wanted_ports
from orchestrator.loadbalancer.diff import Observed, changes
from orchestrator.loadbalancer.runtime import SocketFailed
from orchestrator.loadbalancer.settings import LoadBalancerSettings
from orchestrator.loadbalancer.supervisor import BalancerFailed, Supervisor
from orchestrator.reconcile.intents import Intent, Patch, Record
from orchestrator.store.objects import StoreEvent
from orchestrator.store.store import Store

_log: Final = structlog.get_logger("loadbalancer")
_SLICES: Final = "endpointslices.discovery.k8s.io"
_SOURCES: Final = frozenset({"services", _SLICES})
_LOOK_S: Final = 2.0
_LEAVING_LOOK_S: Final = 0.2
COMPONENT: Final = "load-balancer"

CarryOut = Callable[[Sequence[Intent]], Awaitable[None]]


class LoadBalancer:
    """The controller; `run` is its one task."""

    def __init__(
        self,
        store: Store,
        carry_out: CarryOut,
        folder: Path,
        settings: LoadBalancerSettings,
        clock: Clock,
        *,
        advertise: str,
        reserved: dict[int, str],
    ) -> None:
        """Makes a controller.

        Args:
            store: where Services and EndpointSlices are read.
            carry_out: carries intents out (`reconcile.executor`).
            folder: for HAProxy's files.
            settings: see there.
            clock: measures draining.
            advertise: address that LoadBalancer Services show when the settings give none.
            reserved: ports that Services cannot have, each with the reason in words.
        """
        self._store = store
        self._carry_out = carry_out
        self._settings = settings
        self._clock = clock
        self._advertise = settings.advertise or advertise
        self._reserved = {**reserved, settings.port: "the balancer's own HTTP port"}
        self._supervisor = Supervisor(folder, settings)
        self._due = asyncio.Event()
        self._leaving: dict[tuple[str, str, str], float] = {}
        self._told: set[tuple[str, str, str]] = set()
        self._refused: frozenset[Refused] = frozenset()
        self._ours: frozenset[int] = frozenset()
        self.failing = ""

    async def run(self) -> None:
        """Runs until cancelled; HAProxy itself goes on."""
        unsubscribe = self._store.subscribe(self._note)
        self._due.set()
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LEAVING_LOOK_S if self._leaving else _LOOK_S):
                        await self._due.wait()
                        await asyncio.sleep(self._settings.settle_s)
                self._due.clear()
                await self._step_safely()
        finally:
            unsubscribe()

    def _note(self, event: StoreEvent) -> None:
        if event.object.key.resource in _SOURCES:
            self._due.set()

    async def _step_safely(self) -> None:
        try:
            await self.step()
            self.failing = ""
        except (BalancerFailed, SocketFailed) as error:
            if str(error) != self.failing:
                _log.error("balancer.failing", error=str(error))
            self.failing = str(error)
            await asyncio.sleep(_LEAVING_LOOK_S)
            self._due.set()

    async def step(self) -> None:
        """Brings HAProxy to what is desired right now; a second call changes nothing.

        Raises:
            BalancerFailed: HAProxy refuses or does not start.
            SocketFailed: its socket does not answer.
        """
        services = [cast("Service", o.view) for o in self._store.list("services")]
        slices = [cast("EndpointSlice", o.view) for o in self._store.list(_SLICES)]
        wanted = desired(services, slices, self._unusable(services))
        await self._supervisor.ensure(wanted)
        self._ours = frozenset(item.port for item in wanted.listeners)
        runtime = self._supervisor.runtime
        observed = await runtime.servers()
        for change in changes(observed, wanted):
            complaint = await runtime.apply(change)
            if complaint:
                _log.warning("balancer.refused", change=repr(change), answer=complaint)
            else:
                _log.debug("balancer.changed", change=repr(change))
        intents = self._drained(wanted, observed)
        intents += self._statuses(services)
        intents += self._complaints(wanted)
        if intents:
            await self._carry_out(intents)

    async def worker_pid(self) -> int:
        """The process id of the worker that serves now."""
        return await self._supervisor.runtime.worker_pid()

    async def servers(self) -> list[Observed]:
        """The servers that HAProxy has."""
        return await self._supervisor.runtime.servers()

    def _unusable(self, services: Sequence[Service]) -> dict[int, str]:
        found = dict(self._reserved)
        for port in wanted_ports(services) - self._ours - set(found):
            reason = _why_not(self._settings.host, port)
            if reason and not self._is_our_listener(port):
                found[port] = reason
        return found

    def _is_our_listener(self, port: int) -> bool:
        """Whether a HAProxy that was started by an earlier server holds the port."""
        try:
            text = Path(self._supervisor.paths.config).read_text()
        except OSError:
            return False
        return f"\nfrontend port_{port}\n" in text

    def _drained(self, wanted: Desired, observed: Sequence[Observed]) -> list[Intent]:
        """Tells pods whose last request has ended, or whose time to drain is over."""
        now = self._clock.monotonic()
        sessions: dict[tuple[str, str, str], int] = {}
        counted = {(o.backend, o.name): o.sessions for o in observed}
        for name, backend in wanted.backends.items():
            for server in backend.servers:
                if server.state == "drain" and server.pod[2]:
                    busy = counted.get((name, server.name), 0)
                    sessions[server.pod] = sessions.get(server.pod, 0) + busy
        self._leaving = {pod: self._leaving.get(pod, now) for pod in sessions}
        self._told &= set(sessions)
        intents: list[Intent] = []
        for pod, since in self._leaving.items():
            # a server that was only just told to drain may be busy with a request not yet counted
            idle = sessions[pod] == 0 and now > since
            if pod in self._told or not (idle or now - since >= self._settings.drain_s):
                continue
            self._told.add(pod)
            namespace, name, uid = pod
            annotations = {"metadata": {"annotations": {POD_DRAINED: "true"}}}
            intents.append(Patch(ObjectKey("pods", namespace, name), annotations, uid=Uid(uid)))
        return intents

    def _statuses(self, services: Sequence[Service]) -> list[Intent]:
        intents: list[Intent] = []
        for service in services:
            given = [i.ip for i in service.status.load_balancer.ingress]
            right = [self._advertise] if service.spec.type == "LoadBalancer" else []
            if given == right:
                continue
            key = ObjectKey("services", service.metadata.namespace, service.metadata.name)
            ingress = [{"ip": address} for address in right]
            status = {"status": {"loadBalancer": {"ingress": ingress or None}}}
            intents.append(Patch(key, status, "status", uid=Uid(service.metadata.uid)))
        return intents

    def _complaints(self, wanted: Desired) -> list[Intent]:
        new = frozenset(wanted.refused) - self._refused
        self._refused = frozenset(wanted.refused)
        return [
            Record(
                ObjectKey("services", item.namespace, item.service),
                "Warning",
                "PortRefused",
                f"port {item.port} of the load balancer: {item.reason}",
                COMPONENT,
            )
            for item in sorted(new, key=repr)
        ]


def _why_not(host: str, port: int) -> str:
    """Why a port cannot be bound, in words; "" when it can."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError:
            return "ports below 1024 need privileges; the service's nodePort is served"
        except OSError as error:
            return f"cannot be bound here: {error.strerror}"
    return ""
