"""One pod on one host: what is there, what is remembered, and how both are read and told.

Shared by the parts that work on a pod: `worker` (decides when), `making` (containers and files),
`ending` (hooks and stops).
"""

from collections.abc import Sequence
from typing import Any, Final, Literal, cast

from orchestrator.api.types.pod import Pod
from orchestrator.kit.aio.tasks import all_of
from orchestrator.kit.clock import parse_rfc3339
from orchestrator.kit.errors import ApiError, EngineError
from orchestrator.kit.ids import Uid
from orchestrator.node.context import HostContext
from orchestrator.node.environment import Sources
from orchestrator.node.observed import Memory, Seen, adopt, newest, run_of, same_run, seen
from orchestrator.node.spec import SANDBOX
from orchestrator.remote.seams import ContainerInfo
from orchestrator.store.objects import StoredObject

COMPONENT: Final = "kubelet"
_SAME_START_S: Final = 1.0

EventType = Literal["Normal", "Warning"]


class PodState:
    """See the module.

    Attributes:
        key: of the pod.
        uid: of the pod.
        context: the connection to the host.
        containers: what is on the host, by container id.
        memory: see `observed`.
        starting: containers that are being started and will be looked at, by id: the times (ns)
            at which the engine says that they started.
    """

    def __init__(self, context: HostContext, pod: StoredObject) -> None:
        self.key = pod.key
        self.uid = pod.uid
        self.context = context
        self.containers: dict[str, Seen] = {}
        self.memory: Memory = adopt(cast("Pod", pod.view))
        self.starting: dict[str, list[int]] = {}
        self._looks = 0
        self._looked: dict[str, int] = {}
        self._untold: list[tuple[EventType, str, str]] = []

    def attach(self, context: HostContext, containers: Sequence[ContainerInfo]) -> None:
        """Begins anew on a connection, with what is on the host.

        What the shim was told counts no more: it may be another one, on a host that was booted.
        """
        known = bool(self.containers)
        self.context = context
        self.containers = {info.id: seen(info) for info in containers}
        self.starting.clear()
        memory = self.memory
        memory.probes_set = frozenset()
        memory.files_written = False
        if passed := self._passed_before():
            memory.trusted |= passed
        published = {k: p for c in self.containers.values() for k, p in c.info.ports.items()}
        memory.ports = published or memory.ports
        context.ports.adopt(self.uid, memory.ports.values())
        if not known:  # the server was started again: hooks of what runs already have been run
            memory.hooks_done |= {
                f"{c.info.id}@{c.info.started_at}"
                for c in self.containers.values()
                if c.running and same_run(memory.runs.get(c.name), c.info)
            }

    def _passed_before(self) -> set[tuple[str, str]]:
        """Probes that had succeeded, by the pod's status, in the runs that go on."""
        stored = self.context.snapshot.get(self.key)
        if stored is None:
            return set()
        status = cast("Pod", stored.view).status
        said = {s.name: s for s in (*status.init_container_statuses, *status.container_statuses)}
        found: set[tuple[str, str]] = set()
        for item in self.containers.values():
            one = said.get(item.name)
            if one is None or not item.running:
                continue
            if same_run(self.memory.runs.get(item.name), item.info):
                found |= {(run_of(item), "startup")} if one.started or one.ready else set()
                found |= {(run_of(item), "readiness")} if one.ready else set()
        return found

    def forget_trust(self, container_id: str, kind: str) -> None:
        """A probe has a verdict: what was said of it before counts no more."""
        trusted = self.memory.trusted
        said = {t for t in trusted if t[1] == kind and t[0].startswith(f"{container_id}@")}
        if said:
            self.memory.trusted = trusted - said

    def seen(self) -> list[Seen]:
        """The containers in a steady order."""
        return sorted(self.containers.values(), key=lambda c: (c.name, c.attempt))

    def sandbox(self) -> Seen | None:
        """The container that owns the pod's network, where there is one."""
        return newest(self.containers.values()).get(SANDBOX)

    async def look(self, container_id: str) -> None:
        """Reads one container from the engine; an answer that a later look overtook is dropped.

        Raises:
            RemoteError: the engine cannot be asked.
        """
        self._looks += 1
        number = self._looks
        info: ContainerInfo | None = None
        try:
            info = await self.context.call(self.context.engine.inspect_container(container_id))
        except EngineError as error:
            if error.status != 404:
                raise
        if self._looked.get(container_id, 0) > number:
            return
        if info is None:
            self.forget(container_id)
            self._looked.pop(container_id, None)
            return
        self._looked[container_id] = number
        self.containers[info.id] = seen(info)
        self.context.containers_changed = True

    async def look_at_start(self, container_id: str) -> None:
        """As `look`, of what is in `starting`; once more if it was started again meanwhile.

        Raises:
            RemoteError: the engine cannot be asked.
        """
        try:
            await self.look(container_id)
        finally:
            times = self.starting.pop(container_id, ())
        item = self.containers.get(container_id)
        if item is not None and not all(is_start_of(item, time_ns) for time_ns in times):
            await self.look(container_id)

    def forget(self, container_id: str) -> None:
        """A container is not on the host any more."""
        self.containers.pop(container_id, None)
        self.context.containers_changed = True

    # ------------------------------------------------------------ telling

    def tell(self, kind: EventType, reason: str, message: str) -> None:
        """Keeps an Event for `flush`, so that nobody who acts waits for the disk."""
        self._untold.append((kind, reason, message))

    async def flush(self) -> None:
        """Writes the Events that were kept; one that is refused is lost."""
        untold, self._untold = self._untold, []
        await all_of(self._record(*event) for event in untold)

    async def _record(self, kind: EventType, reason: str, message: str) -> None:
        try:
            await self.context.registry.record(
                self.key, kind, reason, message, COMPONENT,
                host=self.context.name, uid=Uid(self.uid),
            )  # fmt: skip
        except ApiError:
            return  # a full queue or a namespace that goes: work goes before words

    # ------------------------------------------------------------ looking things up

    def sources(self) -> Sources:
        """Where the pod's references are looked up."""
        context, namespace = self.context, self.key.namespace
        return Sources(
            config_map=lambda name: context.config_map(namespace, name),
            secret=lambda name: context.secret(namespace, name),
            allocatable=context.allocatable(),
            host_ip=context.address,
        )


class Stuck(Exception):
    """A container cannot run, for a reason that the kubelet has a word for.

    Attributes:
        reason: of the waiting state.
        message: of the waiting state.
        event: reason of the Event.
        told: message of the Event.
    """

    def __init__(self, reason: str, message: str, event: str = "Failed", told: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.event = event
        self.told = told or message


def is_start_of(item: Seen, time_ns: int) -> bool:
    """Whether the engine's word that a container started is about the run that was looked at."""
    return item.running and abs(time_ns / 1e9 - parse_rfc3339(item.info.started_at)) < _SAME_START_S


def container_of(pod: Pod, name: str) -> Any:
    """The spec of a container of any sort by name; None for what is none (the sandbox)."""
    spec = pod.spec
    every = (*spec.init_containers, *spec.containers, *spec.ephemeral_containers)
    return next((c for c in every if c.name == name), None)
