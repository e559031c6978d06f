"""Keeps HAProxy in step with the store.

Store events only mark work as due; one task looks at everything, so that a burst of changes is one
step. While endpoints leave, it looks again every fifth of a second: an endpoint without requests in
flight is drained, its pod is told so (annotation `orch.dev/drained`), and a server that nobody
needs is deleted.
"""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, cast

import structlog

from orchestrator.api.names import POD_DRAINED
from orchestrator.api.types.apps import EndpointSlice
from orchestrator.api.types.config import Secret
from orchestrator.api.types.networking import Ingress, IngressClass
from orchestrator.api.types.node import Node
from orchestrator.api.types.service import Service
from orchestrator.kit.clock import Clock
from orchestrator.kit.errors import ApiError, NotFound
from orchestrator.kit.ids import ObjectKey, Uid
from orchestrator.loadbalancer.certificates import bundle
from orchestrator.loadbalancer.desired import Desired, PodId, Refused, desired, wanted_ports
from orchestrator.loadbalancer.diff import Observed, busy_pods, changes, cuts
from orchestrator.loadbalancer.routes import Routes, Unrouted, is_ours, routes
from orchestrator.loadbalancer.runtime import SocketFailed
from orchestrator.loadbalancer.settings import LoadBalancerSettings
from orchestrator.loadbalancer.supervisor import BalancerFailed, Supervisor
from orchestrator.reconcile.executor import together
from orchestrator.reconcile.intents import Intent, Patch, Record
from orchestrator.store.objects import StoreEvent
from orchestrator.store.store import Store

_log: Final = structlog.get_logger("loadbalancer")
_SLICES: Final = "endpointslices.discovery.k8s.io"
_INGRESSES: Final = "ingresses.networking.k8s.io"
_CLASSES: Final = "ingressclasses.networking.k8s.io"
_SOURCES: Final = frozenset({"services", _SLICES, _INGRESSES, _CLASSES})
_LOOK_S: Final = 2.0
_SILENT_S: Final = 5.0
_LEAVING_LOOK_S: Final = 0.2
_WRITES_AT_ONCE: Final = 64
"""Of statuses and annotations, so that the store commits them together."""
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
        self._reserved = {
            **reserved,
            settings.port: "the balancer's own HTTP port",
            settings.https_port: "the balancer's own HTTPS port",
        }
        self._secrets: frozenset[tuple[str, str]] = frozenset()
        self._unrouted: frozenset[Unrouted] = frozenset()
        self._supervisor = Supervisor(folder, settings)
        self._due = asyncio.Event()
        self._leaving: dict[PodId, float] = {}
        self._told: set[PodId] = set()
        self._silent: dict[str, float] = {}
        self._refused: frozenset[Refused] = frozenset()
        self.failing = "not started yet"

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
        key = event.object.key
        if key.resource in _SOURCES or (
            key.resource == "secrets" and (key.namespace, key.name) in self._secrets
        ):
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
        ingresses = [cast("Ingress", o.view) for o in self._store.list(_INGRESSES)]
        classes = {o.key.name: cast("IngressClass", o.view) for o in self._store.list(_CLASSES)}
        by_name = {(s.metadata.namespace, s.metadata.name): s for s in services}
        routed = routes(ingresses, classes, by_name)
        ours = await self._supervisor.ports()
        certificates = self._certificates(routed)
        unusable = self._unusable(wanted_ports(services) - ours)
        wanted = desired(services, slices, unusable, routed, certificates)
        runtime = self._supervisor.runtime
        failure: BalancerFailed | None = None
        try:
            await self._supervisor.ensure(wanted)
        except BalancerFailed as error:
            if not await self._supervisor.alive():
                raise
            # what cannot be added must not keep the others' endpoints from changing
            failure, there = error, await runtime.backends()
            known = {name: b for name, b in wanted.backends.items() if name in there}
            wanted = replace(wanted, backends=known)
        observed = await runtime.servers()
        for change in [*changes(observed, wanted), *cuts(observed, self._silent_hosts())]:
            complaint = await runtime.apply(change)
            if complaint:
                _log.warning("balancer.refused", change=repr(change), answer=complaint)
            else:
                _log.debug("balancer.changed", change=repr(change))
        writes: list[tuple[Intent, PodId | None]] = [
            *((_say_drained(pod), pod) for pod in self._drained(wanted, observed)),
            *((intent, None) for intent in self._statuses(services)),
            *((intent, None) for intent in self._addresses(ingresses, classes)),
            *((intent, None) for intent in self._complaints(wanted)),
        ]
        for start in range(0, len(writes), _WRITES_AT_ONCE):
            await together(self._write(*w) for w in writes[start : start + _WRITES_AT_ONCE])
        if failure is not None:
            raise failure

    def _certificates(self, routed: Routes) -> dict[str, str]:
        """The certificates that Ingresses name, by file name; why one is not served is noted."""
        self._secrets = frozenset(routed.secrets)
        found: dict[str, str] = {}
        for (namespace, name), ingress in routed.secrets.items():
            stored = self._store.get(ObjectKey("secrets", namespace, name))
            secret = cast("Secret", stored.view) if stored is not None else None
            text, why = bundle(secret)
            if text:
                found[f"{namespace}_{name}"] = text
            else:
                routed.unrouted.append(Unrouted(namespace, ingress, f"secret {name} {why}"))
        return found

    async def worker_pid(self) -> int:
        """The process id of the worker that serves now."""
        return await self._supervisor.runtime.worker_pid()

    async def servers(self) -> list[Observed]:
        """The servers that HAProxy has."""
        return await self._supervisor.runtime.servers()

    def _silent_hosts(self) -> frozenset[str]:
        """Addresses of hosts that have not been reachable for a while.

        Not at once: one that only the server's SSH connection has lost may still be answering.
        """
        now = self._clock.monotonic()
        silent: set[str] = set()
        for item in self._store.list("nodes"):
            status = cast("Node", item.view).status
            if any(c.type == "Ready" and c.status == "Unknown" for c in status.conditions):
                silent |= {a.address.replace(":", ".") for a in status.addresses}
        self._silent = {address: self._silent.get(address, now) for address in silent}
        return frozenset(a for a, since in self._silent.items() if now - since >= _SILENT_S)

    def _unusable(self, new: set[int]) -> dict[int, str]:
        """Reasons in words against those of the ports, and against the reserved ones."""
        tried = {port: _why_not(self._settings.host, port) for port in new - set(self._reserved)}
        return self._reserved | {port: reason for port, reason in tried.items() if reason}

    def _drained(self, wanted: Desired, observed: Sequence[Observed]) -> list[PodId]:
        """Pods whose last request has ended, or whose time to drain is over, not told so yet."""
        now = self._clock.monotonic()
        busy = busy_pods(wanted, observed)
        self._leaving = {pod: self._leaving.get(pod, now) for pod in wanted.leaving}
        self._told &= wanted.leaving
        untold = sorted(wanted.leaving - self._told)
        over = now - self._settings.drain_s
        return [pod for pod in untold if pod not in busy or self._leaving[pod] <= over]

    async def _write(self, intent: Intent, pod: PodId | None) -> None:
        """Carries one intent out; a pod that it tells to be drained is not told again.

        One object's trouble is not to delay another's, so failures do not leave here.
        """
        try:
            await self._carry_out([intent])
        except NotFound:
            pass  # it went away meanwhile
        except ApiError as error:
            _log.warning("balancer.write-failed", intent=repr(intent), error=str(error))
            return
        if pod is not None:
            self._told.add(pod)

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

    def _addresses(
        self, ingresses: Sequence[Ingress], classes: Mapping[str, IngressClass]
    ) -> list[Intent]:
        intents: list[Intent] = []
        for ingress in ingresses:
            given = [i.ip for i in ingress.status.load_balancer.ingress]
            right = [self._advertise] if is_ours(ingress, classes) else []
            if given == right or (given and given != [self._advertise]):
                continue  # another controller's word stays
            key = ObjectKey(_INGRESSES, ingress.metadata.namespace, ingress.metadata.name)
            addresses = [{"ip": address} for address in right]
            status = {"status": {"loadBalancer": {"ingress": addresses or None}}}
            intents.append(Patch(key, status, "status", uid=Uid(ingress.metadata.uid)))
        return intents

    def _complaints(self, wanted: Desired) -> list[Intent]:
        fresh = frozenset(wanted.unrouted) - self._unrouted
        self._unrouted = frozenset(wanted.unrouted)
        new = frozenset(wanted.refused) - self._refused
        self._refused = frozenset(wanted.refused)
        intents: list[Intent] = [
            Record(
                ObjectKey(_INGRESSES, each.namespace, each.ingress),
                "Warning",
                "Unrouted",
                each.reason,
                COMPONENT,
            )
            for each in sorted(fresh)
        ]
        intents += [
            Record(
                ObjectKey("services", item.namespace, item.service),
                "Warning",
                "PortRefused",
                f"port {item.port} of the load balancer: {item.reason}",
                COMPONENT,
            )
            for item in sorted(new, key=repr)
        ]
        return intents


def _say_drained(pod: PodId) -> Patch:
    namespace, name, uid = pod
    annotations = {"metadata": {"annotations": {POD_DRAINED: "true"}}}
    return Patch(ObjectKey("pods", namespace, name), annotations, uid=Uid(uid))


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
