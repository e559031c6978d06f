"""The pods of one connected host: which workers there are, and what makes them due.

Lives as long as its session; `connected` gives it a connection and what is on the host,
`disconnected` takes the connection away. Between the two, writes of pods, engine events and probe
events only mark what is due; workers do the rest.
"""

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import structlog

from orchestrator.api import names
from orchestrator.api.types.pod import Pod
from orchestrator.kit.errors import ApiError, RemoteError
from orchestrator.kit.ids import ObjectKey, Uid
from orchestrator.node.context import HostContext
from orchestrator.node.ending import remove_files
from orchestrator.node.observed import note_death
from orchestrator.node.pace import Pace
from orchestrator.node.podstate import COMPONENT, is_start_of
from orchestrator.node.references import volume_sources
from orchestrator.node.runner import KeyedRunner
from orchestrator.node.spec import SANDBOX
from orchestrator.node.worker import PodWorker
from orchestrator.reconcile.owners import is_deleting
from orchestrator.reconcile.snapshot import Snapshot, node_of
from orchestrator.remote.seams import ContainerInfo, EngineEvent
from orchestrator.store.objects import StoredObject

_log: Final = structlog.get_logger("node")
_IGNORED: Final = frozenset({"create", "attach", "exec_create", "exec_start", "exec_die", "top"})
_ORPHAN_GRACE_S: Final = 5


class HostPods:
    """See the module. All methods belong to the event loop; only `disconnected` waits."""

    def __init__(self, name: str, snapshot: Snapshot, pace: Pace) -> None:
        self._name = name
        self._snapshot = snapshot
        self._pace = pace
        self._workers: dict[str, PodWorker] = {}
        self._context: HostContext | None = None
        self._runners: tuple[KeyedRunner, ...] = ()
        self._out_of_memory: set[str] = set()
        self._running: dict[str, tuple[str, str]] = {}

    def worker(self, uid: str) -> PodWorker | None:
        """A pod's worker; None while the host is not connected."""
        return self._workers.get(uid) if self._context is not None else None

    @property
    def is_idle(self) -> bool:
        """Whether no pod is left to be worked on, nor a container to be removed."""
        return not self._workers and all(runner.is_idle for runner in self._runners)

    def running(self) -> dict[str, tuple[str, str]]:
        """Containers whose processes run, sandboxes left out: pod uid and name by container id.

        The same mapping as before while nothing has changed; nobody may change it.
        """
        context = self._context
        if context is None:
            return {}
        if context.containers_changed:
            context.containers_changed = False
            self._running = {
                container_id: (uid, item.name)
                for uid, worker in self._workers.items()
                for container_id, item in worker.state.containers.items()
                if item.running and item.role != SANDBOX
            }
        return self._running

    # ------------------------------------------------------------ connection

    def connected(self, context: HostContext, containers: Sequence[ContainerInfo]) -> None:
        """Adopts what is on the host, and begins to work."""
        if not self._runners:
            self._pods = KeyedRunner(f"{self._name} pods", self._work)
            self._looks = KeyedRunner(f"{self._name} looks", self._look)
            self._orphans = KeyedRunner(f"{self._name} orphans", self._clean)
            self._runners = (self._pods, self._looks, self._orphans)
        self._context = context
        found: dict[str, list[ContainerInfo]] = {}
        for info in containers:
            found.setdefault(info.labels.get(names.CONTAINER_POD_UID, ""), []).append(info)
        bound = {pod.uid: pod for pod in self._snapshot.pods_on(self._name)}
        self._workers = {uid: w for uid, w in self._workers.items() if uid in bound}
        for uid, pod in bound.items():
            worker = self._workers.get(uid) or PodWorker(context, pod)
            worker.state.attach(context, found.pop(uid, []))
            self._workers[uid] = worker
        for stale in found.values():
            for info in stale:
                self._orphans.due(info.id)
        for pod in bound.values():
            self._begin(pod)

    async def disconnected(self) -> None:
        """Stops working; what is under way is cancelled and waited for."""
        self._context = None
        runners, self._runners = self._runners, ()
        for uid in self._workers:
            self._pace.drop(uid)
        for runner in runners:
            await runner.close()

    async def sweep_files(self) -> None:
        """Removes files and volumes of pods that are not the host's."""
        context = self._context
        if context is None:
            return
        listed = await context.call(context.shim.call("files.list", {"path": ""}))
        uids = {
            parts[1]
            for tree in listed.get("trees") or ()
            if len(parts := str(tree["path"]).split("/")) > 1 and parts[0] == "pods"
        }
        ours = {names.CONTAINER_CLUSTER: context.cluster}
        for volume in await context.call(context.engine.volumes(ours)):
            uids.add(volume.labels.get(names.CONTAINER_POD_UID, ""))
        for uid in sorted(uids - {pod.uid for pod in self._snapshot.pods_on(self._name)} - {""}):
            await remove_files(context, uid)

    # ------------------------------------------------------------ what makes pods due

    def pod_written(self, pod: StoredObject) -> None:
        """A pod of this host was made, changed or removed."""
        context = self._context
        if context is None or not self._runners:
            return
        if pod.uid not in self._workers:
            if self._snapshot.get(pod.key) is not pod:
                return
            self._workers[pod.uid] = PodWorker(context, pod)
        if self._pods.is_busy(pod.uid):  # it may be the worker itself that wrote
            self._workers[pod.uid].written += (pod.revision,)
        else:
            self._begin(pod)

    def _begin(self, pod: StoredObject) -> None:
        """Its worker has something to do: in its turn for a pod of which nothing is there yet."""
        uid, worker = pod.uid, self._workers[pod.uid]
        if not (worker.begun or worker.state.containers or is_deleting(pod)):
            self._pace.begin(uid, lambda: self._go(uid))
            return
        if not worker.begun:
            self._pace.drop(uid)
        self._go(uid)

    def _go(self, uid: str) -> None:
        worker = self._workers.get(uid)
        if worker is not None and self._runners:
            worker.begun = True
            self._pods.due(uid)

    def source_written(self, key: ObjectKey) -> None:
        """A ConfigMap or Secret was written: volumes that hold it are filled again."""
        if self._context is None:
            return
        for uid, worker in self._workers.items():
            pod = self._snapshot.get(worker.state.key)
            if worker.state.key.namespace != key.namespace or pod is None:
                continue
            if (key.resource, key.name) in volume_sources(cast("Pod", pod.view)):
                worker.state.memory.files_written = False
                self._pods.due(uid)

    def slices_written(self, uids: frozenset[str]) -> None:
        """Endpoints of these pods changed: those that leave may be out of service now."""
        for uid in uids:
            if uid in self._workers and self._context is not None:
                self._pods.due(uid)

    def engine_event(self, event: EngineEvent) -> None:
        """Something happened to one of our containers."""
        if event.action in _IGNORED or not self._runners:
            return
        worker = self._workers.get(event.attributes.get(names.CONTAINER_POD_UID, ""))
        if worker is None:
            if event.action == "start":
                self._orphans.due(event.id)
            return
        if event.action == "start" and event.id in worker.state.starting:
            worker.state.starting[event.id].append(event.time_ns)
            return
        item = worker.state.containers.get(event.id)
        if event.action == "oom":
            self._out_of_memory.add(event.id)
        elif event.action == "die" and item is not None:
            code = event.attributes.get("exitCode", "0")
            oom = event.id in self._out_of_memory
            self._out_of_memory.discard(event.id)
            note_death(worker.state.memory, item, int(code), event.time_ns / 1e9, oom)
        elif event.action == "start" and item is not None and is_start_of(item, event.time_ns):
            return  # our own start, looked at already
        self._looks.due(f"{worker.state.uid} {event.id}")

    def probe_event(self, event: Mapping[str, Any]) -> None:
        """A probe of the shim changed its state or failed."""
        context = self._context
        if context is None or event.get("event") != "probe":
            return
        uid = str(event.get("key", "")).partition("/")[0]
        if uid in self._workers and self._runners:
            if event["state"] != "unknown":  # from now on the shim's word counts
                self._workers[uid].state.forget_trust(
                    str(event["container_id"]), str(event["probe"])
                )
            if event.get("attempt") == "failure" and not event.get("replayed"):
                self._workers[uid].probe_failures.append(dict(event))
            self._pods.due(uid)

    # ------------------------------------------------------------ work

    async def _work(self, uid: str) -> None:
        worker = self._workers.get(uid)
        if worker is None:
            return
        try:
            delay_s = await worker.step()
        finally:
            if worker.overtaken:
                self._pods.due(uid)
        pod = self._snapshot.get(worker.state.key)
        if pod is None or pod.uid != uid or node_of(pod) != self._name:
            self._workers.pop(uid, None)
            worker.state.context.containers_changed = True
            for container_id in worker.state.containers:
                self._orphans.due(container_id)
            if not worker.state.containers:
                worker.state.context.ports.release(uid)
        elif delay_s is not None:
            self._pods.due_in(uid, delay_s)

    async def _look(self, key: str) -> None:
        uid, _, container_id = key.partition(" ")
        worker = self._workers.get(uid)
        if worker is None:
            return
        await worker.state.look(container_id)
        worker.tell_back_off(container_id)
        await worker.report()
        self._pods.due(uid)

    async def _clean(self, container_id: str) -> None:
        """Removes a container that belongs to no pod of this host."""
        context = self._context
        if context is None:
            return
        _log.info("node.removing_orphan", node=self._name, container=container_id[:12])
        try:
            info = await context.call(context.engine.inspect_container(container_id))
        except RemoteError as error:
            if getattr(error, "status", 0) == 404:
                return
            raise
        if info.state in {"running", "restarting"}:
            await context.call(context.engine.stop_container(container_id, _ORPHAN_GRACE_S))
        await context.call(context.engine.remove_container(container_id))
        uid = info.labels.get(names.CONTAINER_POD_UID, "")
        if uid and uid not in self._workers:
            context.ports.release(uid)
            await remove_files(context, uid)
        with contextlib.suppress(ApiError):
            await context.registry.record(
                ObjectKey("pods", info.labels.get(names.CONTAINER_POD_NAMESPACE, "default"),
                          info.labels.get(names.CONTAINER_POD_NAME, "unknown")),
                "Normal", "Killing", "Stopping a container that belongs to no pod of this host",
                COMPONENT, host=self._name, uid=Uid(uid),
            )  # fmt: skip
