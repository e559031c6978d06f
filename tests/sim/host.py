"""A simulated host and its session: pods become containers, statuses go up, faults come down.

It acts through the registry as the real session does: published ports, status, the final delete of
a pod with a grace. A host that is down does nothing; its containers go on or die, by the fault.
"""

import asyncio
import contextlib
import json
import random

from orchestrator.api.names import POD_PORTS
from orchestrator.api.types.pod import Pod
from orchestrator.kit.clock import Clock, rfc3339
from orchestrator.kit.errors import Conflict, NotFound, OrchError
from orchestrator.kit.ids import ObjectKey
from orchestrator.reconcile.informers import Informers
from orchestrator.reconcile.snapshot import node_of, view_as
from orchestrator.registry.options import DeleteOptions, Patch
from orchestrator.registry.registry import Registry
from orchestrator.store.objects import StoredObject, StoreEvent

SILENCE_S = 3.5
"""After this long without a sign of life the session says that the host is lost."""


TICK_S = 1e-4
"""Times nearer than this are now: looptime rounds."""


class Host:
    def __init__(
        self,
        name: str,
        number: int,
        registry: Registry,
        informers: Informers,
        clock: Clock,
        rng: random.Random,
        capacity: dict[str, str],
    ) -> None:
        self.name = name
        self.address = f"10.0.0.{number}"
        self.capacity = capacity
        self.key = ObjectKey("nodes", "", name)
        self.registry = registry
        self.informers = informers
        self.clock = clock
        self.rng = rng
        self.down_since: float | None = None
        self.containers: dict[str, int] = {}
        """Live containers: pod uid to published port."""
        self.max_start_s = 1.0
        self._due: dict[tuple[str, str], float] = {}
        self._port = 20000
        self._wake = asyncio.Event()
        self._reported: bool | None = None

    # ------------------------------------------------------------ faults

    def kill(self, *, containers_die: bool) -> None:
        if self.down_since is None:
            self.down_since = self.clock.monotonic()
        if containers_die:
            self.containers.clear()
        self._wake.set()

    def revive(self) -> None:
        self.down_since = None
        self._due.clear()
        self._wake.set()

    # ------------------------------------------------------------ the session

    async def register(self) -> None:
        document = {"metadata": {"name": self.name, "labels": {"zone": f"z{self.address[-1]}"}}}
        await self.registry.create("nodes", "", document)

    async def run(self) -> None:
        end = self.informers.on_event("pods", self._note)
        try:
            while True:
                delay_s = 0.5
                try:
                    delay_s = await self._step()
                except OrchError:
                    delay_s = 0.3  # the store failed, or the state moved on: again
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(delay_s):
                        await self._wake.wait()
                self._wake.clear()
        finally:
            end()

    def _note(self, event: StoreEvent) -> None:
        if self.name in {node_of(event.object), node_of(event.previous or event.object)}:
            self._wake.set()

    async def _step(self) -> float:
        now = self.clock.monotonic()
        if self.down_since is not None:
            left = self.down_since + SILENCE_S - now
            if left > TICK_S:
                return left
            await self._report_node(False)
            return 3600.0
        await self._report_node(True)
        pods = self.informers.snapshot.pods_on(self.name)
        known = {pod.uid for pod in pods}
        for uid in [uid for uid in self.containers if uid not in known]:
            del self.containers[uid]  # its pod is gone: it is stale
        return min([await self._pod(pod, now) for pod in pods], default=3600.0)

    async def _pod(self, pod: StoredObject, now: float) -> float:
        if pod.doc["metadata"].get("deletionTimestamp"):
            due = self._due.setdefault((pod.uid, "stop"), now + self.rng.uniform(0.05, 0.6))
            if now + TICK_S < due:
                return due - now
            self.containers.pop(pod.uid, None)
            options = DeleteOptions(grace_s=0, uid=pod.uid)
            with contextlib.suppress(NotFound, Conflict):
                await self.registry.delete(pod.key, options=options)
            return 3600.0
        if pod.uid not in self.containers:
            due = self._due.setdefault(
                (pod.uid, "start"), now + self.rng.uniform(0.05, self.max_start_s)
            )
            if now + TICK_S < due:
                return due - now
            self._port += 1
            self.containers[pod.uid] = self._port
        await self._report_pod(pod)
        return 3600.0

    async def _report_pod(self, pod: StoredObject) -> None:
        ports = {
            f"{port['containerPort']}/{port.get('protocol', 'TCP')}": self.containers[pod.uid]
            for container in pod.doc["spec"]["containers"]
            for port in container.get("ports") or ()
        }
        annotation = {"metadata": {"annotations": {POD_PORTS: json.dumps(ports)}}}
        await self.registry.patch(pod.key, Patch("merge", annotation))
        view = view_as(pod, Pod)
        ready = next((c for c in view.status.conditions if c.type == "Ready"), None)
        since = rfc3339(self.clock.wall())
        if ready is not None and ready.status == "True":
            since = ready.last_transition_time or since
        scheduled = [
            c for c in pod.doc["status"].get("conditions", ()) if c["type"] == "PodScheduled"
        ]
        status = {
            "phase": "Running",
            "startTime": pod.doc["status"].get("startTime") or rfc3339(self.clock.wall()),
            "hostIP": self.address,
            "podIP": "172.17.0.2",
            "conditions": [
                *scheduled,
                {"type": "Ready", "status": "True", "lastTransitionTime": since},
            ],
        }
        await self.registry.patch(pod.key, Patch("merge", {"status": status}), subresource="status")

    async def _report_node(self, ready: bool) -> None:
        if self._reported == ready:
            return
        condition = {
            "type": "Ready",
            "status": "True" if ready else "Unknown",
            "reason": "SessionUp" if ready else "SessionLost",
            "lastTransitionTime": rfc3339(self.clock.wall()),
        }
        status = {
            "capacity": self.capacity,
            "allocatable": self.capacity,
            "addresses": [{"type": "InternalIP", "address": self.address}],
            "conditions": [condition],
        }
        await self.registry.patch(
            self.key, Patch("merge", {"status": status}), subresource="status"
        )
        self._reported = ready
