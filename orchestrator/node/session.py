"""One host: connects, keeps its Node's status true, and lets its pods be worked on.

The life of a session is a loop: connect → adopt what is there → say that the host is ready → follow
engine and shim → lost → say so → connect. A loss is believed at once when the host fell silent
(that took seconds already), and after a short patience when a connection merely broke: sshd or
dockerd may have been restarted. When the server stops nothing is written: the host is as well as it
was, and the next server adopts it.

Source: Kubernetes concepts, "Nodes" (conditions, heartbeats).
"""

import asyncio
import contextlib
import ipaddress
import json
import random
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog

from orchestrator.api import names
from orchestrator.kit.aio.tasks import spawn
from orchestrator.kit.backoff import Backoff
from orchestrator.kit.clock import Clock
from orchestrator.kit.errors import ConfigError, EngineError, OrchError, RemoteError, Unreachable
from orchestrator.node.context import HostContext, ProbeStates
from orchestrator.node.facts import node_status
from orchestrator.node.hoststreams import SessionStreams
from orchestrator.node.pace import Pace
from orchestrator.node.pods import HostPods
from orchestrator.node.ports import Ports
from orchestrator.node.report import NodeReporter
from orchestrator.node.settings import NodeSettings
from orchestrator.node.usage import HostUsage
from orchestrator.node.volumes import Roots
from orchestrator.reconcile.snapshot import Snapshot
from orchestrator.registry.registry import Registry
from orchestrator.remote.seams import SILENT, Host, HostAddress, HostConnector

_log: Final = structlog.get_logger("node")
_FIRST_DOUBT_S: Final = 4.0
_ENGINE_RETRY_S: Final = 0.3
_RETIRE_LIMIT_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class SessionParts:
    """What every session is made of.

    Attributes:
        registry: the door for writes.
        snapshot: the state.
        connector: opens hosts.
        clock: wall and monotonic time.
        rng: spreads reconnects.
        settings: see `NodeSettings`.
        cluster: the cluster's id.
        pace: at which pods begin.
    """

    registry: Registry
    snapshot: Snapshot
    connector: HostConnector
    clock: Clock
    rng: random.Random
    settings: NodeSettings
    cluster: str
    pace: Pace


class HostSession:
    """See the module. `run` works until cancelled, or until `retire` is done."""

    def __init__(self, address: HostAddress, parts: SessionParts) -> None:
        self.address = address
        self.name = address.node
        self._parts = parts
        self._reporter = NodeReporter(
            parts.registry, parts.clock, self.name, parts.settings.lease_s
        )
        self.pods = HostPods(self.name, parts.snapshot, parts.pace)
        self.usage = HostUsage(parts.settings.usage_s, parts.settings.usage_first_s)
        self._ports = Ports(parts.settings.port_first, parts.settings.port_last)
        self._probe_states: ProbeStates = {}
        self._doubting: asyncio.Task[None] | None = None
        self._doubt: tuple[str, str, str] = ("", "", "")
        self._connected = False
        self._retired = asyncio.Event()

    @property
    def is_connected(self) -> bool:
        """Whether the host is connected and its engine answers."""
        return self._connected

    @property
    def is_retired(self) -> bool:
        """Whether its Node is gone."""
        return self._retired.is_set()

    def streams(self) -> SessionStreams:
        """The streams of the host's pods."""
        return SessionStreams(self.name, self.pods.worker)

    def retire(self) -> None:
        """The Node is gone: once its pods are, `run` removes what is left and returns."""
        self._retired.set()

    async def run(self) -> None:
        """Runs until cancelled or retired."""
        settings = self._parts.settings
        backoff = Backoff(settings.reconnect_first_s, settings.reconnect_cap_s, jitter=0.5)
        failures = 0
        self._suspect(_FIRST_DOUBT_S, "Unknown", "NodeStatusUnknown", "connecting to the host")
        try:
            while True:
                try:
                    host = await self._connect()
                except (RemoteError, ConfigError) as error:
                    failures += 1
                    self._suspect(settings.patience_s, *self._words(error))
                    if self.is_retired:
                        return
                    await asyncio.sleep(backoff.delay_s(failures, self._parts.rng))
                    continue
                failures = 0
                try:
                    reason = await self._serve(host)
                    if not self.is_retired:
                        # said before a dead connection is closed: that may take
                        _log.warning("node.lost", node=self.name, reason=reason)
                        patience_s = 0.0 if reason.startswith(SILENT) else settings.patience_s
                        self._suspect(patience_s, "Unknown", "NodeStatusUnknown", reason)
                finally:
                    self._connected = False
                    self.usage.clear()
                    await self.pods.disconnected()
                    with contextlib.suppress(RemoteError):  # or a cancellation would be lost
                        await host.close()
                if self.is_retired:
                    return
        finally:
            self._believe()

    # ------------------------------------------------------------ connection

    async def _connect(self) -> Host:
        limit_s = self._parts.settings.connect_s
        try:
            async with asyncio.timeout(limit_s):
                return await self._parts.connector.connect(self.address)
        except TimeoutError as error:
            raise Unreachable(
                f"no connection within {limit_s:g} s", node=self.name, operation="connect"
            ) from error

    def _words(self, error: RemoteError | ConfigError) -> tuple[str, str, str]:
        operation = getattr(error, "operation", "")
        if isinstance(error, EngineError) or self.address.docker_socket in operation:
            return "False", "KubeletNotReady", f"the Docker Engine does not answer: {error}"
        return "Unknown", "NodeStatusUnknown", f"the host cannot be reached: {error}"

    async def _serve(self, host: Host) -> str:
        """Works until the host is lost; returns why."""
        self._probe_states.clear()
        unsubscribe = host.shim.subscribe(self._probe_event)
        tasks = [
            spawn(self._engine(host), name=f"{self.name} engine"),
            spawn(self._upkeep(), name=f"{self.name} upkeep"),
            spawn(self._measure(host), name=f"{self.name} usage"),
        ]
        lost = asyncio.ensure_future(host.wait_lost())
        try:
            await asyncio.wait([*tasks, lost], return_when=asyncio.FIRST_COMPLETED)
            if lost.done():
                return lost.result()
            for task in tasks:
                if task.done():
                    await task
            return "retired"
        except OrchError as error:
            return str(error)
        finally:
            unsubscribe()
            everything: list[asyncio.Future[Any]] = [*tasks, lost]
            for each in everything:
                each.cancel()
            await asyncio.wait(everything)

    async def _engine(self, host: Host) -> None:
        """Follows the engine; when it stops answering, tries again on the same connection."""
        while True:
            try:
                await self._follow(host)
                return
            except RemoteError as error:
                self._connected = False
                words = f"the Docker Engine does not answer: {error}"
                self._suspect(self._parts.settings.patience_s, "False", "KubeletNotReady", words)
                await self.pods.disconnected()
            await asyncio.sleep(_ENGINE_RETRY_S)

    async def _follow(self, host: Host) -> None:
        cluster = {names.CONTAINER_CLUSTER: self._parts.cluster}
        events = host.engine.events(cluster)
        try:
            async with asyncio.timeout(self._parts.settings.call_s):
                await anext(events)
                context, status = await self._look(host)
                containers = await host.engine.containers(cluster)
            self.pods.connected(context, containers)
            await self._ready(context, status)
            if self.is_retired:
                await self._clear()
                return
            async for event in events:
                self.pods.engine_event(event)
        except TimeoutError as error:
            raise Unreachable("no answer in time", node=self.name, operation="adopt") from error
        finally:
            await events.aclose()  # type: ignore[attr-defined]  # adapters are generators

    async def _look(self, host: Host) -> tuple[HostContext, dict[str, Any]]:
        """What the host is; and the probes' states, before anything is reported."""
        parts = self._parts
        info = await host.engine.info()
        images = await host.engine.images()
        facts = await host.shim.call("facts", {})
        probes = await host.shim.call("probes.list", {})
        address = await internal_address(self.address, facts)
        context = HostContext(
            name=self.name,
            cluster=parts.cluster,
            address=address,
            architecture=info.architecture,
            roots=Roots(parts.cluster, host.shim.files_root, info.root_dir),
            host=host,
            registry=parts.registry,
            snapshot=parts.snapshot,
            settings=parts.settings,
            clock=parts.clock,
            ports=self._ports,
            probe_states=self._probe_states,
        )
        for event in probes.get("probes") or ():
            context.note_probe(event, answer=True)
        node = self._reporter.node()
        document = node.doc if node is not None else {"metadata": {"name": self.name}}
        pods = parts.settings.pods_per_host
        now_s = parts.clock.wall()
        return context, node_status(document, facts, info, images, address, pods, now_s)

    async def _ready(self, context: HostContext, status: dict[str, Any]) -> None:
        self._believe()
        await self._reporter.labels(context.architecture)
        changed = await self._reporter.status(status)
        self._connected = True
        self._context = context
        if changed:
            _log.info("node.ready", node=self.name)
            await self._reporter.record(
                "Normal", "NodeReady", f"Node {self.name} status is now: NodeReady"
            )

    async def _upkeep(self) -> None:
        """Rarely: the Lease, facts that change slowly, files of pods that are gone."""
        settings = self._parts.settings
        rounds = 0
        wait_s = settings.sweep_s * self._parts.rng.random()  # hosts that join at once part here
        while True:
            if rounds * settings.sweep_s % settings.lease_s < settings.sweep_s:
                await self._reporter.lease()
            rounds += 1
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._retired.wait()
            wait_s = settings.sweep_s
            if self.is_retired:
                if not self._connected:
                    await asyncio.Future()  # the next adoption sees to it
                await self._clear()
                return
            if self._connected:
                with contextlib.suppress(RemoteError):
                    _, status = await self._look(self._context.host)
                    await self._reporter.status(status)
                    await self.pods.sweep_files()

    async def _measure(self, host: Host) -> None:
        """Samples what the host and its containers use; a sample that fails is left out."""
        settings, clock = self._parts.settings, self._parts.clock
        while True:
            await asyncio.sleep(settings.usage_first_s)
            asked = self.usage.due(self.pods.running(), clock.wall()) if self._connected else None
            if asked is None:
                continue
            with contextlib.suppress(RemoteError, TimeoutError):
                async with asyncio.timeout(settings.call_s):
                    answer = await host.shim.call("usage", {"containers": asked})
                self.usage.take(answer, asked, self.pods.running(), clock.wall())

    async def _clear(self) -> None:
        """Waits until the pods of a Node that is gone are, with their containers."""
        deadline = self._parts.clock.monotonic() + _RETIRE_LIMIT_S
        while self._parts.clock.monotonic() < deadline:
            if not self._parts.snapshot.pods_on(self.name) and self.pods.is_idle:
                return
            await asyncio.sleep(0.1)

    def _probe_event(self, event: Mapping[str, Any]) -> None:
        """Noted always: between the list of states and the pods' adoption too."""
        if event.get("event") == "probe":
            place = (str(event["container_id"]), str(event["probe"]))
            self._probe_states[place] = str(event["state"])
        self.pods.probe_event(event)

    # ------------------------------------------------------------ doubt

    def _suspect(self, patience_s: float, status: str, reason: str, message: str) -> None:
        """Says that the host is not ready unless it is back within the patience."""
        self._doubt = (status, reason, message)
        if self._doubting is None or self._doubting.done():
            self._doubting = spawn(self._declare(patience_s), name=f"{self.name} doubt")
        elif patience_s == 0.0:
            self._doubting.cancel()
            self._doubting = spawn(self._declare(0.0), name=f"{self.name} doubt")

    async def _declare(self, patience_s: float) -> None:
        if patience_s:
            await asyncio.sleep(patience_s)
        status, reason, message = self._doubt
        try:
            if await self._reporter.lost(status, reason, message):
                _log.warning("node.not_ready", node=self.name, status=status, reason=message)
        except OrchError as error:
            _log.error("node.status_not_written", node=self.name, error=str(error))

    def _believe(self) -> None:
        """The host is well, or the server stops: nothing is declared."""
        if self._doubting is not None:
            self._doubting.cancel()
            self._doubting = None


async def internal_address(address: HostAddress, facts: Mapping[str, Any]) -> str:
    """The IP address that the balancer and other hosts reach a host at.

    What the inventory says where it is an address; a name is resolved; behind a jump host, or when
    that fails, the host's own first address counts.
    """
    with contextlib.suppress(ValueError):
        return str(ipaddress.ip_address(address.host))
    if not address.jump:
        with contextlib.suppress(OSError):
            found = await asyncio.get_running_loop().getaddrinfo(
                address.host, None, type=socket.SOCK_STREAM
            )
            found.sort(key=lambda entry: entry[0] != socket.AF_INET)
            return str(found[0][4][0])
    own = [
        str(each["address"])
        for each in facts.get("addresses") or ()
        if not str(each["interface"]).startswith(("lo", "docker", "br-", "veth"))
    ]
    return next(iter(sorted(own, key=lambda text: ":" in text)), "127.0.0.1")


def address_of(document: Mapping[str, Any]) -> HostAddress | None:
    """How a Node says that it is reached; None when it does not."""
    text = (document["metadata"].get("annotations") or {}).get(names.NODE_SSH)
    if text is None:
        return None
    try:
        return HostAddress(**json.loads(text))
    except (ValueError, TypeError):
        _log.error("node.bad_address", node=document["metadata"]["name"], annotation=text)
        return None
