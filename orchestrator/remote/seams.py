"""The seams to a host: transport, engine, shim. Everything above sees only these Protocols.

`remote.ssh`, `remote.docker` and `remote.shim` implement them for real hosts; the tests' fakes
implement them too and pass the same contract suites. All errors are `kit.errors.RemoteError`s.
All calls are cancellation-safe; deadlines are the caller's (`asyncio.timeout`), and every call
from above has one.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal, Protocol

# ---------------------------------------------------------------- transport


class ByteStream(Protocol):
    """A duplex byte stream: a socket on or behind the host, or an exec session."""

    async def read(self, limit: int = 65536) -> bytes:
        """At least one byte, at most `limit`; b"" at the end."""
        ...

    async def write(self, data: bytes) -> None:
        """Writes all of `data`; waits while the window is full."""
        ...

    async def write_eof(self) -> None:
        """Half-closes: the other side reads the end, and may go on writing."""
        ...

    async def close(self) -> None:
        """Closes both directions; idempotent."""
        ...


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What a command on the host gave: exit status and both outputs, decoded with replacement."""

    status: int
    stdout: str
    stderr: str


class NodeTransport(Protocol):
    """One connection to one host."""

    async def open_unix(self, path: str) -> ByteStream:
        """Connects to a Unix socket on the host."""
        ...

    async def open_tcp(self, host: str, port: int) -> ByteStream:
        """Connects to a TCP port as seen from the host.

        Raises:
            Unreachable: nobody listens there; "dial tcp 10.0.0.2:80: connect: connection refused".
            ChannelLost: the connection to the host is gone.
        """
        ...

    async def run(
        self, argv: Sequence[str], *, stdin: bytes = b"", privileged: bool = False
    ) -> CommandResult:
        """Runs one command (no shell); `privileged` puts `sudo -n` in front unless root."""
        ...

    async def put_file(self, path: str, data: bytes, *, mode: int = 0o600) -> None:
        """Writes a file on the host atomically; the directory must exist."""
        ...

    async def wait_closed(self) -> str:
        """Returns the reason once the connection is gone."""
        ...

    async def close(self) -> None:
        """Closes the connection; idempotent."""
        ...


# ---------------------------------------------------------------- engine


@dataclass(frozen=True, slots=True)
class RegistryAuth:
    """Credentials for one image registry, as Docker's X-Registry-Auth carries them."""

    server: str
    username: str
    password: str


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What the engine says of itself and its host (`GET /info`, `GET /version`)."""

    name: str
    server_version: str
    api_version: str
    operating_system: str
    kernel_version: str
    architecture: str
    cpus: int
    memory_bytes: int
    root_dir: str
    cgroup_version: str
    storage_driver: str


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """One image on the host.

    `entrypoint` and `command` are the image's own; `user` its USER; `exposed` its ports.
    """

    id: str
    repo_tags: tuple[str, ...]
    repo_digests: tuple[str, ...]
    size_bytes: int
    user: str = ""


@dataclass(frozen=True, slots=True)
class ContainerInfo:
    """One container, inspected.

    Attributes:
        id: full id.
        name: without the leading slash.
        labels: all labels.
        image: the reference it was created with.
        image_id: the image's id.
        state: created, running, paused, restarting, removing, exited or dead.
        exit_code: of the last run.
        oom_killed: whether the last run was killed for memory.
        error: the engine's words when it could not start.
        started_at: RFC 3339 of the last start; "" when never started.
        finished_at: RFC 3339 of the last end; "" when never ended.
        created_at: RFC 3339.
        restart_count: the engine's own restarts since it was last started by hand.
        pid: of its first process; 0 when not running.
        ip: address on the default bridge; "" when it has none of its own.
        ports: published ports: "8080/tcp" -> host port.
        tty: whether it was created with a terminal.
    """

    id: str
    name: str
    labels: Mapping[str, str]
    image: str
    image_id: str
    state: str
    exit_code: int
    oom_killed: bool
    error: str
    started_at: str
    finished_at: str
    created_at: str
    restart_count: int
    pid: int
    ip: str
    ports: Mapping[str, int] = field(default_factory=dict)
    tty: bool = False


@dataclass(frozen=True, slots=True)
class VolumeInfo:
    """A named volume: its name, and the labels that it was made with."""

    name: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class EngineEvent:
    """One engine event (`GET /events`).

    Attributes:
        type: "container", "image", "network", "volume", "daemon".
        action: "create", "start", "die", "oom", "destroy", "kill", "health_status", ...
        id: the actor's id.
        attributes: labels, "name", "image", "exitCode", ...
        time_ns: engine's wall clock, nanoseconds.
    """

    type: str
    action: str
    id: str
    attributes: Mapping[str, str]
    time_ns: int


SUBSCRIBED: Final = EngineEvent(
    type="daemon", action="subscribed", id="", attributes=MappingProxyType({}), time_ns=0
)
"""What every stream of engine events begins with; no engine says it, the adapter does."""


@dataclass(frozen=True, slots=True)
class LogOptions:
    """What to read of a container's log.

    Attributes:
        follow: go on as long as the container runs.
        tail: last N lines; None for all.
        since_s: wall seconds, fractions allowed; None for the start.
        until_s: wall seconds; None for no end.
        timestamps: put an RFC 3339 time and a blank in front of each line.
        stdout: include standard output.
        stderr: include standard error.
    """

    follow: bool = False
    tail: int | None = None
    since_s: float | None = None
    until_s: float | None = None
    timestamps: bool = False
    stdout: bool = True
    stderr: bool = True


@dataclass(frozen=True, slots=True)
class OutputFrame:
    """A piece of a container's or a command's output."""

    stream: Literal["stdout", "stderr"]
    data: bytes


class ExecSession(Protocol):
    """A command running in a container, attached."""

    def output(self) -> AsyncIterator[OutputFrame]:
        """Yields output until the command ends; with a terminal everything is "stdout"."""
        ...

    async def write(self, data: bytes) -> None:
        """Writes to its standard input."""
        ...

    async def write_eof(self) -> None:
        """Ends its standard input; a terminal's, and one that others may attach to, goes on."""
        ...

    async def resize(self, width: int, height: int) -> None:
        """Sets the terminal's size in cells."""
        ...

    async def exit_code(self) -> int:
        """Waits for the end and returns the exit status."""
        ...

    async def close(self) -> None:
        """Drops the connection; the command itself is not killed. Idempotent."""
        ...


class Engine(Protocol):
    """One Docker Engine. Errors: EngineError (404 means no such object), ChannelLost."""

    async def ping(self) -> None:
        """Returns when the engine answers."""
        ...

    async def info(self) -> EngineInfo:
        """Facts of the engine and its host."""
        ...

    async def images(self) -> tuple[ImageInfo, ...]:
        """All tagged images on the host."""
        ...

    async def image(self, reference: str) -> ImageInfo | None:
        """One image, or None when the host does not have it."""
        ...

    async def pull(self, reference: str, auth: RegistryAuth | None = None) -> None:
        """Pulls an image. Raises EngineError with the registry's words."""
        ...

    async def import_image(self, tar: bytes, reference: str, command: Sequence[str]) -> None:
        """Makes an image of one layer from a tar archive; `command` is its entry point."""
        ...

    async def create_container(self, name: str, body: Mapping[str, Any]) -> str:
        """`POST /containers/create` with that JSON body; returns the id. 409: name taken."""
        ...

    async def start_container(self, container_id: str) -> None:
        """Starts it; starting a running container is no error."""
        ...

    async def stop_container(self, container_id: str, grace_s: int) -> None:
        """TERM (or the image's stop signal), then KILL after `grace_s`; returns when it ended."""
        ...

    async def kill_container(self, container_id: str, signal: str = "KILL") -> None:
        """Sends a signal; killing one that does not run is no error."""
        ...

    async def restart_container(self, container_id: str, grace_s: int) -> None:
        """Stops and starts the same container."""
        ...

    async def remove_container(self, container_id: str, *, force: bool = True) -> None:
        """Removes it with its anonymous volumes; removing one that is gone is no error."""
        ...

    async def rename_container(self, container_id: str, name: str) -> None:
        """Gives it another name."""
        ...

    async def inspect_container(self, container_id: str) -> ContainerInfo:
        """One container by id or name."""
        ...

    async def containers(self, labels: Mapping[str, str]) -> tuple[ContainerInfo, ...]:
        """All containers, stopped ones too, that carry these labels ("" matches any value)."""
        ...

    async def put_archive(self, container_id: str, path: str, tar: bytes) -> None:
        """Unpacks a tar archive into a container, which need not run: modes and owners as in it."""
        ...

    async def volumes(self, labels: Mapping[str, str]) -> tuple[VolumeInfo, ...]:
        """All named volumes that carry these labels ("" matches any value)."""
        ...

    async def remove_volume(self, name: str) -> None:
        """Removes a named volume; one that is gone is no error. 409: a container uses it."""
        ...

    def logs(self, container_id: str, options: LogOptions) -> AsyncIterator[OutputFrame]:
        """Yields a container's log."""
        ...

    async def exec(
        self,
        container_id: str,
        argv: Sequence[str],
        *,
        stdin: bool = False,
        tty: bool = False,
        size: tuple[int, int] | None = None,
    ) -> ExecSession:
        """Starts a command in a running container, attached.

        `size` is the terminal's first width and height in cells, where the engine knows of it
        (API 1.42); `resize` must be called for others.
        """
        ...

    async def attach(
        self,
        container_id: str,
        *,
        stdin: bool,
        tty: bool,
        once: bool = False,
        earlier: bool = False,
    ) -> ExecSession:
        """Attaches to a container's first process; output from now on, or all that it has `earlier`
        written before.

        `once` says that the container was made with `StdinOnce`: the end of this input is the end
        of the container's.
        """
        ...

    def events(self, labels: Mapping[str, str]) -> AsyncIterator[EngineEvent]:
        """Yields container events from now on, until the channel is lost (then raises).

        The first item is always `SUBSCRIBED`: once it is there, every later event will be, so
        that a list made after it misses nothing.
        """
        ...

    async def close(self) -> None:
        """Closes pooled channels; idempotent."""
        ...


# ---------------------------------------------------------------- shim


class Shim(Protocol):
    """The shim on one host, through its socket. Errors: ShimError, ChannelLost.

    Operations and their payloads are those of `agentshim.wire` and `agentshim.operations`.
    """

    @property
    def files_root(self) -> str:
        """Absolute path of the folder on the host below which the shim writes files."""
        ...

    async def call(self, operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Calls one operation and returns its result."""
        ...

    def subscribe(self, listener: Callable[[dict[str, Any]], None]) -> Callable[[], None]:
        """Calls `listener` for every event the shim pushes; returns what ends it."""
        ...

    async def close(self) -> None:
        """Closes the channel; the shim itself goes on. Idempotent."""
        ...


SILENT: Final = "no heartbeat"
"""What the reason of `Host.wait_lost` begins with when nothing but silence speaks for the loss."""


class Host(Protocol):
    """One connected host: transport, engine and shim together, torn down together."""

    @property
    def name(self) -> str:
        """The Node's name."""
        ...

    @property
    def transport(self) -> NodeTransport:
        """The SSH connection."""
        ...

    @property
    def engine(self) -> Engine:
        """The Docker Engine behind it."""
        ...

    @property
    def shim(self) -> Shim:
        """The shim on it."""
        ...

    async def wait_lost(self) -> str:
        """Returns the reason once the host is lost: SSH dead, or the shim's heartbeat stopped."""
        ...

    async def close(self) -> None:
        """Closes everything; nothing on the host is stopped. Idempotent."""
        ...


@dataclass(frozen=True, slots=True)
class HostAddress:
    """How to reach a host; what bootstrap writes into the Node (annotation `orch.dev/ssh`).

    Attributes:
        node: the Node's name.
        host: name or address.
        port: of sshd.
        user: login.
        identity_file: absolute path of a private key; "" for the agent and the defaults.
        jump: "user@host:port" hops, comma-separated; "" for none.
        become: whether `sudo -n` may be used.
        known_hosts: absolute path of our own known_hosts file.
        host_key_alias: name under which the key is pinned there.
        docker_socket: path of the engine's socket on the host.
    """

    node: str
    host: str
    port: int
    user: str
    identity_file: str = ""
    jump: str = ""
    become: bool = True
    known_hosts: str = ""
    host_key_alias: str = ""
    docker_socket: str = "/var/run/docker.sock"


class HostConnector(Protocol):
    """Opens hosts: connect, push and start the shim, open its socket, ping the engine."""

    async def connect(self, address: HostAddress) -> Host:
        """Returns a host that is ready. Raises the RemoteError that says which step failed."""
        ...
