"""All hosts: one session per Node that says how it is reached.

Tells each session of the writes that concern its host; one handler per resource for all hosts, so
that a write costs the same with three hosts as with three thousand.
"""

import asyncio
import random
from typing import Final

from orchestrator.kit.aio.tasks import Tasks
from orchestrator.kit.clock import Clock
from orchestrator.kit.errors import Unreachable
from orchestrator.kit.ids import ObjectKey
from orchestrator.node.pace import Pace
from orchestrator.node.session import HostSession, SessionParts, address_of
from orchestrator.node.settings import NodeSettings
from orchestrator.node.streams import PodStreams
from orchestrator.reconcile.informers import Informers
from orchestrator.reconcile.snapshot import node_of
from orchestrator.reconcile.usage import NodeUsage, PodUsage
from orchestrator.registry.registry import Registry
from orchestrator.remote.seams import HostConnector
from orchestrator.store.objects import StoredObject, StoreEvent

_SLICES: Final = "endpointslices.discovery.k8s.io"


class NodeManager:
    """See the module. `run` works until cancelled; `streams` serves the API server."""

    def __init__(
        self,
        registry: Registry,
        informers: Informers,
        connector: HostConnector,
        clock: Clock,
        rng: random.Random,
        settings: NodeSettings | None = None,
    ) -> None:
        self._informers = informers
        cluster = registry.get(ObjectKey("namespaces", "", "kube-system")).uid
        self._parts = SessionParts(
            registry=registry,
            snapshot=informers.snapshot,
            connector=connector,
            clock=clock,
            rng=rng,
            settings=settings or NodeSettings(),
            cluster=str(cluster),
            pace=Pace(clock),
        )
        self._sessions: dict[str, HostSession] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._tasks: Tasks | None = None

    def streams(self, node_name: str) -> PodStreams:
        """The streams of the pods on a node.

        Raises:
            Unreachable: there is no session with it, or its host does not answer.
        """
        session = self._sessions.get(node_name)
        if session is None or not session.is_connected:
            raise Unreachable("the host is not connected", node=node_name, operation="stream")
        return session.streams()

    def node_usage(self, name: str) -> NodeUsage | None:
        """What a host uses; None when nothing recent is known."""
        session = self._sessions.get(name)
        return session.usage.node(self._parts.clock.wall()) if session is not None else None

    def pod_usage(self, pod: StoredObject) -> PodUsage | None:
        """What a pod uses; None when nothing recent is known of all its running containers."""
        session = self._sessions.get(node_of(pod))
        if session is None:
            return None
        return session.usage.pod(pod.uid, self._parts.clock.wall())

    def connected(self) -> int:
        """How many hosts are connected."""
        return sum(session.is_connected for session in self._sessions.values())

    async def run(self) -> None:
        """Runs a session per host until cancelled."""
        async with Tasks() as tasks:
            self._tasks = tasks
            ends = [
                self._informers.on_event("nodes", self._node),
                self._informers.on_event("pods", self._pod, replay=False),
                self._informers.on_event("configmaps", self._source, replay=False),
                self._informers.on_event("secrets", self._source, replay=False),
                self._informers.on_event(_SLICES, self._slice, replay=False),
            ]
            try:
                await asyncio.get_running_loop().create_future()  # until cancelled
            finally:
                for end in ends:
                    end()

    # ------------------------------------------------------------ handlers

    def _node(self, event: StoreEvent) -> None:
        name = event.object.key.name
        session = self._sessions.get(name)
        if event.type == "DELETED":
            if session is not None:
                session.retire()
            return
        address = address_of(event.object.doc)
        if session is not None and session.address == address and not session.is_retired:
            return
        if session is not None:
            self._running.pop(name).cancel()
            del self._sessions[name]
        if address is not None and self._tasks is not None:
            made = self._sessions[name] = HostSession(address, self._parts)
            self._running[name] = self._tasks.supervise(f"host {name}", lambda: self._run(made))

    async def _run(self, session: HostSession) -> None:
        await session.run()
        if self._sessions.get(session.name) is session:
            del self._sessions[session.name]
            del self._running[session.name]

    def _pod(self, event: StoreEvent) -> None:
        session = self._sessions.get(node_of(event.object))
        if session is not None:
            session.pods.pod_written(event.object)

    def _source(self, event: StoreEvent) -> None:
        for session in self._sessions.values():
            session.pods.source_written(event.object.key)

    def _slice(self, event: StoreEvent) -> None:
        """Tells the hosts of pods that were in the slice and are to leave."""
        before = event.previous.doc.get("endpoints") if event.previous else None
        for endpoint in before or ():
            session = self._sessions.get(endpoint.get("nodeName") or "")
            if session is not None and (endpoint.get("conditions") or {}).get("terminating"):
                session.pods.slices_written(frozenset({endpoint["targetRef"]["uid"]}))
