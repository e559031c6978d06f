"""`remote.seams.Engine` in memory; verified by the contract suite that Docker's own engine passes.

Containers behave as `program_of` says; tests replace it, or call `container(...)` and let things
happen to one. Time is the loop's.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from orchestrator.kit.clock import rfc3339_micro
from orchestrator.kit.errors import ChannelLost, EngineError
from orchestrator.remote.seams import (
    SUBSCRIBED,
    ContainerInfo,
    EngineEvent,
    EngineInfo,
    ExecSession,
    ImageInfo,
    LogOptions,
    OutputFrame,
    RegistryAuth,
    VolumeInfo,
)
from tests.fakes import programs
from tests.fakes.containers import FakeContainer
from tests.fakes.faults import Faults
from tests.fakes.images import FakeImages, tagged
from tests.fakes.programs import IMAGE, Program
from tests.fakes.sessions import FakeAttach, FakeExec

EPOCH_S = 1_700_000_000.0


class FakeEngine:
    """See the module.

    Attributes:
        faults: how it misbehaves.
        images_here: the images on the host, and the registry.
        host_ports: ports that other programs of the host listen on.
        program_of: what a container runs, asked at each start.
        command_of: what a command run by exec does.
        archives: what was unpacked where: (container id, path, tar).
        calls: names of all calls so far.
        watchers: are told of every event, while the engine is there.
    """

    def __init__(self, node: str = "", faults: Faults | None = None, cpus: int = 4) -> None:
        self.node = node
        self.faults = faults or Faults()
        self.cpus = cpus
        self.images_here = FakeImages()
        self.host_ports: set[int] = set()
        self.program_of: Callable[[FakeContainer], Program] = lambda c: programs.program_of(c.argv)
        self.command_of: Callable[[FakeContainer, Sequence[str]], Program] = lambda _, argv: (
            programs.program_of(argv)
        )
        self.archives: list[tuple[str, str, bytes]] = []
        self.calls: list[str] = []
        self.watchers: list[Callable[[FakeContainer, str], None]] = []
        self._containers: dict[str, FakeContainer] = {}
        self._volumes: dict[str, dict[str, str]] = {}
        self._listeners: list[tuple[dict[str, str], asyncio.Queue[EngineEvent | None]]] = []
        self._made = 0
        self._last_ns = 0
        self.images_here.add(IMAGE)

    # ------------------------------------------------------------ what tests do to it

    def container(self, container_id: str) -> FakeContainer:
        """A container by id or name; EngineError 404 when there is none."""
        found = self._containers.get(container_id)
        if found is None:
            found = next((c for c in self._containers.values() if c.name == container_id), None)
        if found is None:
            raise self._error(404, f"No such container: {container_id}")
        return found

    def all_containers(self) -> list[FakeContainer]:
        """Every container, oldest first."""
        return list(self._containers.values())

    def crash(self) -> None:
        """The engine is killed: no answers, streams break; its containers are as they were."""
        self.faults.down = True
        for container in self._containers.values():
            container.forget_timers()
        for _, queue in self._listeners:
            queue.put_nowait(None)

    def recover(self, *, died: bool = False, policies: bool = True) -> None:
        """The engine is back.

        Args:
            died: its containers did not survive.
            policies: those that their restart policy keeps running are started again.
        """
        self.faults.down = False
        for container in self._containers.values():
            interrupted = container.state == "restarting" or (died and container.running)
            if not interrupted:
                continue
            container.state, container.pid = "exited", 0
            if died:
                container.exit_code, container.finished_ns = 255, self.now_ns()
            name = (container.host.get("RestartPolicy") or {}).get("Name")
            if policies and name in {"always", "unless-stopped", "on-failure"}:
                container.start()

    def now_ns(self) -> int:
        """The engine's clock; later at each reading."""
        now_ns = int((EPOCH_S + asyncio.get_running_loop().time()) * 1e6) * 1000
        self._last_ns = max(self._last_ns + 1000, now_ns)
        return self._last_ns

    # ------------------------------------------------------------ the engine itself

    async def ping(self) -> None:
        async with self._call("ping"):
            pass

    async def info(self) -> EngineInfo:
        async with self._call("info"):
            return EngineInfo(
                name=self.node or "fake", server_version="20.10.24", api_version="1.41",
                operating_system="Debian GNU/Linux 12 (bookworm)", kernel_version="6.1.0",
                architecture="x86_64", cpus=self.cpus, memory_bytes=8 << 30,
                root_dir="/var/lib/docker", cgroup_version="2", storage_driver="overlay2",
            )  # fmt: skip

    async def close(self) -> None:
        """Nothing is pooled."""

    # ------------------------------------------------------------ images

    async def images(self) -> tuple[ImageInfo, ...]:
        async with self._call("images"):
            return tuple(self.images_here.found.values())

    async def image(self, reference: str) -> ImageInfo | None:
        async with self._call("image"):
            return self.images_here.find(reference)

    async def pull(self, reference: str, auth: RegistryAuth | None = None) -> None:
        async with self._call("pull"):
            await asyncio.sleep(self.images_here.offered(reference, auth).pull_s)
            self.images_here.add(reference)

    async def import_image(self, tar: bytes, reference: str, command: Sequence[str]) -> None:
        async with self._call("import_image"):
            self.images_here.add(reference)

    # ------------------------------------------------------------ containers

    async def create_container(self, name: str, body: Mapping[str, Any]) -> str:
        async with self._call("create_container"):
            image = self.images_here.find(str(body["Image"]))
            if image is None:
                raise self._error(404, f"No such image: {tagged(str(body['Image']))}")
            self._check_name(name)
            self._made += 1
            seed = f"{self.node} {self._made}".encode()
            made = FakeContainer(
                hashlib.sha256(seed).hexdigest(), name or f"fake_{self._made}", body, image.id,
                self._program, self.now_ns, self._tell,
            )  # fmt: skip
            self._containers[made.id] = made
            for mount in made.host.get("Mounts") or ():
                if mount["Type"] == "volume":
                    labels = (mount.get("VolumeOptions") or {}).get("Labels") or {}
                    self._volumes.setdefault(mount["Source"], dict(labels))
            self._tell(made, "create", {})
            return made.id

    async def start_container(self, container_id: str) -> None:
        async with self._call("start_container"):
            self._start(self.container(container_id))

    def _start(self, container: FakeContainer) -> None:
        if container.running:
            return
        if container.joined and not self.container(container.joined).running:
            owner = self.container(container.joined).id
            raise self._refuse(
                container, 409, f"cannot join network of a non running container: {owner}"
            )
        others = [c for c in self._containers.values() if c.running and c is not container]
        taken = {port for other in others for port in other.ports.values()}
        for port in container.ports.values():
            what = f"driver failed programming external connectivity on endpoint {container.name}"
            if port in taken:
                words = f"{what}: Bind for 0.0.0.0:{port} failed: port is already allocated"
                raise self._refuse(container, 500, words)
            if port in self.host_ports:
                proxy = f"Error starting userland proxy: listen tcp4 0.0.0.0:{port}"
                words = f"{what}: {proxy}: bind: address already in use"
                raise self._refuse(container, 500, words)
        problem = self.program_of(container).start_error
        if problem:
            raise self._refuse(container, 400, problem)
        if (
            not container.ip
            and not container.joined
            and container.host.get("NetworkMode") != "host"
        ):
            used = {other.ip for other in others}
            free = (f"172.17.{n // 256}.{n % 256}" for n in range(2, 65000))
            container.ip = next(ip for ip in free if ip not in used)
        container.start()

    def _refuse(self, container: FakeContainer, status: int, words: str) -> EngineError:
        container.error, container.exit_code = words, 128
        return self._error(status, words)

    async def stop_container(self, container_id: str, grace_s: int) -> None:
        async with self._call("stop_container"):
            await self._stop(self.container(container_id), grace_s)

    async def _stop(self, container: FakeContainer, grace_s: float) -> None:
        container.halt()
        container.signal("TERM")
        try:
            async with asyncio.timeout(grace_s):
                await container.wait_ended()
        except TimeoutError:
            container.signal("KILL")
        if container.state == "restarting":  # it ended by itself meanwhile
            container.halt()

    async def kill_container(self, container_id: str, signal: str = "KILL") -> None:
        async with self._call("kill_container"):
            self.container(container_id).signal(signal.removeprefix("SIG"))

    async def restart_container(self, container_id: str, grace_s: int) -> None:
        async with self._call("restart_container"):
            container = self.container(container_id)
            await self._stop(container, grace_s)
            self._start(container)

    async def remove_container(self, container_id: str, *, force: bool = True) -> None:
        async with self._call("remove_container"):
            try:
                container = self.container(container_id)
            except EngineError:
                return
            if container.running and not force:
                words = f"You cannot remove a running container {container.id}."
                raise self._error(409, f"{words} Stop the container before attempting removal")
            container.halt()
            container.signal("KILL")
            if self._containers.pop(container.id, None) is not None:
                self._tell(container, "destroy", {})

    async def rename_container(self, container_id: str, name: str) -> None:
        async with self._call("rename_container"):
            container = self.container(container_id)
            self._check_name(name)
            container.name = name
            self._tell(container, "rename", {})

    async def inspect_container(self, container_id: str) -> ContainerInfo:
        async with self._call("inspect_container"):
            return self.container(container_id).info()

    async def containers(self, labels: Mapping[str, str]) -> tuple[ContainerInfo, ...]:
        async with self._call("containers"):
            every = self._containers.values()
            return tuple(c.info() for c in every if _matches(c.labels, labels))

    async def put_archive(self, container_id: str, path: str, tar: bytes) -> None:
        async with self._call("put_archive"):
            self.archives.append((self.container(container_id).id, path, tar))

    # ------------------------------------------------------------ volumes

    async def volumes(self, labels: Mapping[str, str]) -> tuple[VolumeInfo, ...]:
        async with self._call("volumes"):
            return tuple(VolumeInfo(n, v) for n, v in self._volumes.items() if _matches(v, labels))

    async def remove_volume(self, name: str) -> None:
        async with self._call("remove_volume"):
            for container in self._containers.values():
                if any(m.get("Source") == name for m in container.host.get("Mounts") or ()):
                    raise self._error(409, f"remove {name}: volume is in use - [{container.id}]")
            self._volumes.pop(name, None)

    # ------------------------------------------------------------ streams

    async def logs(self, container_id: str, options: LogOptions) -> AsyncIterator[OutputFrame]:
        async with self._call("logs"):
            container = self.container(container_id)
        read = 0
        wanted = {s for s in ("stdout", "stderr") if getattr(options, s)}
        tail = options.tail
        while True:
            chosen = [
                e for e in container.log[read:] if e[1][0] in wanted and _within(e[0], options)
            ]
            read = len(container.log)
            if tail is not None:
                chosen, tail = chosen[len(chosen) - tail :] if tail < len(chosen) else chosen, None
            for time_ns, (stream, data) in chosen:
                stamp = f"{rfc3339_micro(time_ns / 1e9)} ".encode() if options.timestamps else b""
                yield OutputFrame(stream, stamp + data)
            if not options.follow or container.state not in {"running", "paused", "restarting"}:
                return
            if read == len(container.log):
                await container.wait_changed()
            self.faults.check("logs", self.node)

    async def exec(
        self,
        container_id: str,
        argv: Sequence[str],
        *,
        stdin: bool = False,
        tty: bool = False,
        size: tuple[int, int] | None = None,
    ) -> ExecSession:
        async with self._call("exec"):
            container = self.container(container_id)
            if container.state == "restarting":
                words = "is restarting, wait until the container is running"
                raise self._error(409, f"Container {container.id} {words}")
            if not container.running:
                raise self._error(409, f"Container {container.id} is not running")
            return FakeExec(self.command_of(container, argv), tty=tty, size=size)

    async def attach(
        self,
        container_id: str,
        *,
        stdin: bool,
        tty: bool,
        once: bool = False,
        earlier: bool = False,
    ) -> ExecSession:
        async with self._call("attach"):
            container = self.container(container_id)
            return FakeAttach(container, ends=once and not tty, earlier=earlier)

    async def events(self, labels: Mapping[str, str]) -> AsyncIterator[EngineEvent]:
        async with self._call("events"):
            entry = (dict(labels), asyncio.Queue[EngineEvent | None]())
            self._listeners.append(entry)
        try:
            yield SUBSCRIBED
            while (event := await entry[1].get()) is not None:
                yield event
        finally:
            self._listeners.remove(entry)
        raise ChannelLost("the engine ended its event stream", node=self.node, operation="events")

    # ------------------------------------------------------------ inside

    def _program(self, container: FakeContainer) -> Program:
        return self.program_of(container)  # tests replace it at any time

    def _call(self, operation: str) -> Any:
        self.calls.append(operation)
        return self.faults.call(operation, self.node)

    def _tell(self, container: FakeContainer, action: str, more: Mapping[str, str]) -> None:
        attributes = {
            **container.labels, "name": container.name, "image": container.body["Image"], **more
        }  # fmt: skip
        event = EngineEvent("container", action, container.id, attributes, self.now_ns())
        for watcher in self.watchers:
            watcher(container, action)
        for labels, queue in self._listeners:
            if _matches(container.labels, labels):
                queue.put_nowait(event)

    def _check_name(self, name: str) -> None:
        taken = next((c for c in self._containers.values() if name and c.name == name), None)
        if taken is not None:
            words = f'The container name "/{name}" is already in use by container "{taken.id}".'
            raise self._error(409, f"Conflict. {words}")

    def _error(self, status: int, words: str) -> EngineError:
        return EngineError(words, node=self.node, operation="fake", status=status)


def _matches(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(k in labels and v in {"", labels[k]} for k, v in wanted.items())


def _within(time_ns: int, options: LogOptions) -> bool:
    since, until = options.since_s, options.until_s
    return (since is None or time_ns >= since * 1e9) and (until is None or time_ns <= until * 1e9)
