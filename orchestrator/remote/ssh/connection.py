"""One SSH connection to one host: `seams.NodeTransport` and `dialer.Dialer`.

Commands are sessions (few: sshd allows ten), sockets are `direct-streamlocal` channels (many).
The first thing opened on a connection must be a session: before OpenSSH 10.1 sshd sets
TCP_NODELAY only then, and tunnels alone suffer 40 ms stalls.
"""

import asyncio
import shlex
from collections.abc import Callable, Sequence
from typing import Final

import asyncssh
import structlog

from orchestrator.kit.errors import ChannelLost, ExecFailed, Unreachable
from orchestrator.remote.dialer import P, SocketStream
from orchestrator.remote.seams import ByteStream, CommandResult
from orchestrator.remote.ssh.bridge import ProtocolSession
from orchestrator.remote.ssh.explain import PROBE, explain, explain_tcp, forwarding_is_off

_log = structlog.get_logger("ssh")

_WINDOW_BYTES: Final = 2 * 1024 * 1024
_BULK_WINDOW_BYTES: Final = 512 * 1024
"""What a host may send ahead on a stream of bulk data: so much control traffic may queue behind."""
_BRIDGES: Final = 7
_RUNS_BESIDE_BRIDGES: Final = 2
"""Together with one in reserve these stay below sshd's default of ten sessions."""
POOL_OVER_BRIDGES: Final = 5
"""Engine connections over bridges: one more is the shim's, one is left for exec and attach."""

_PUT_FILE: Final = (
    'umask 077 && t="$1.$$.tmp" && trap \'rm -f "$t"\' EXIT && cat > "$t" && chmod "$2" "$t"'
    ' && mv -f "$t" "$1"'
)


class ConnectionWatch(asyncssh.SSHClient):
    """Learns from asyncssh what becomes of a connection.

    Attributes:
        shown: the key that the host showed and that is not pinned.
        reason: why the connection is gone.
        lost: set once it is.
        room: unset while more waits to be sent than the kernel takes.
    """

    def __init__(self) -> None:
        self.shown: asyncssh.SSHKey | None = None
        self.reason = ""
        self.lost = asyncio.Event()
        self.room = asyncio.Event()
        self.room.set()

    def validate_host_public_key(
        self, host: str, addr: str, port: int, key: asyncssh.SSHKey
    ) -> bool:
        """Called for keys that are not pinned: remembers the key, accepts none."""
        self.shown = key
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self.reason = (str(exc) or type(exc).__name__) if exc else "the SSH connection was closed"
        self.lost.set()
        self.room.set()


class SshTransport:
    """An open SSH connection.

    Args:
        connections: the chain of connections, jump hosts first, the host's own last.
        watch: of the last one.
        node: the Node's name, for errors.
        user: the login.
        become: whether `sudo -n` may be used.
        python: command that starts Python on the host.
        sessions: how many commands may run at once.
    """

    def __init__(
        self,
        connections: Sequence[asyncssh.SSHClientConnection],
        watch: ConnectionWatch,
        *,
        node: str,
        user: str,
        become: bool,
        python: str,
        sessions: int,
    ) -> None:
        self._connections = tuple(connections)
        self._connection = connections[-1]
        # asyncssh does nothing when its socket is full, and a channel's window is 2 MiB: streams
        # of bulk data wait here, so that what controls the host never queues behind megabytes
        self._connection.pause_writing = watch.room.clear  # type: ignore[method-assign]  # its hook
        self._connection.resume_writing = watch.room.set  # type: ignore[method-assign]  # as above
        self._watch = watch
        self.node = node
        self.user = user
        self.become = become
        self.python = python
        self._sessions = asyncio.Semaphore(sessions)
        self._bridge: tuple[str, ...] = ()
        self._bridging = False
        self._bridges = asyncio.Semaphore(_BRIDGES)

    async def run(
        self, argv: Sequence[str], *, stdin: bytes = b"", privileged: bool = False
    ) -> CommandResult:
        """Runs one command; its exit status is the caller's to judge.

        The words are quoted, so that whatever login shell the user has passes them on unchanged.
        A command ended by a signal has the status 128.

        Raises:
            ChannelLost: the connection broke, or sshd would open no session.
        """
        words = shlex.join(self._raised(argv, privileged=privileged))
        operation = f"run {argv[0]}"
        try:
            async with self._sessions:
                done = await self._connection.run(words, input=stdin, encoding=None, check=False)
        except (asyncssh.Error, OSError) as error:
            raise self._lost(error, operation) from error
        if done.exit_status is None:
            raise self._lost(ConnectionError("no exit status"), operation)
        return CommandResult(
            status=done.exit_status if done.exit_status >= 0 else 128,
            stdout=_text(done.stdout),
            stderr=_text(done.stderr),
        )

    async def converse(
        self, argv: Sequence[str], *, when: bytes, send: bytes, privileged: bool
    ) -> CommandResult:
        """Runs a command that may ask for data: sends it once a line of its output is `when`.

        Raises:
            ChannelLost: the connection broke, or sshd would open no session.
        """
        words = shlex.join(self._raised(argv, privileged=privileged))
        operation = f"run {argv[0]}"
        output: list[bytes] = []
        try:
            async with (
                self._sessions,
                self._connection.create_process(words, encoding=None) as process,
            ):
                async for line in process.stdout:
                    output.append(line)
                    if line == when:
                        process.stdin.write(send)
                errors = await process.stderr.read()
                done = await process.wait()
        except (asyncssh.Error, OSError) as error:
            raise self._lost(error, operation) from error
        if done.exit_status is None:
            raise self._lost(ConnectionError("no exit status"), operation)
        return CommandResult(
            status=done.exit_status if done.exit_status >= 0 else 128,
            stdout=_text(b"".join(output)),
            stderr=_text(errors),
        )

    def _raised(self, argv: Sequence[str], *, privileged: bool) -> Sequence[str]:
        if privileged and self.become and self.user != "root":
            return ("sudo", "-n", "--", *argv)
        return argv

    async def put_file(self, path: str, data: bytes, *, mode: int = 0o600) -> None:
        """Writes a file on the host atomically; the directory must exist.

        Raises:
            ExecFailed: the host refused; the message has its words.
        """
        done = await self.run(["sh", "-c", _PUT_FILE, "sh", path, f"{mode:o}"], stdin=data)
        if done.status != 0:
            raise ExecFailed(
                f"cannot write {path} on the host: {done.stderr.strip()[-500:]}",
                node=self.node,
                operation=f"write {path}",
                status=done.status,
                stderr=done.stderr[-4096:],
            )

    async def dial(
        self, factory: Callable[[], P], path: str, *, window: int = _WINDOW_BYTES
    ) -> tuple[asyncio.Transport, P]:
        """Connects a protocol to a Unix socket on the host.

        Raises:
            Unreachable: the socket cannot be opened; the message says why and what to do.
            ChannelLost: the SSH connection is gone.
        """
        if self._bridging:
            return await self._dial_session(factory, path)
        protocol = factory()
        session = ProtocolSession(protocol)
        try:
            await self._connection.create_unix_connection(
                lambda: session, path, encoding=None, window=window
            )
        except asyncssh.ChannelOpenError as error:
            if self._watch.lost.is_set():
                raise self._lost(error, f"open {path}") from error
            verdict = await self._verdict(path)
            if forwarding_is_off(verdict) and self._bridge:
                _log.warning("ssh.forwarding_off", node=self.node, path=path)
                self._bridging = True
                self._sessions = asyncio.Semaphore(_RUNS_BESIDE_BRIDGES)
                return await self._dial_session(factory, path)
            raise Unreachable(
                explain(verdict, path, self.user), node=self.node, operation=f"open {path}"
            ) from error
        except (asyncssh.Error, OSError) as error:
            raise self._lost(error, f"open {path}") from error
        return session.transport, protocol

    def use_bridge(self, argv: Sequence[str]) -> None:
        """Gives a command that, with a path added, copies between its stdio and that socket.

        It is what `dial` falls back to where sshd does not forward Unix sockets; it then costs one
        of sshd's few sessions per stream.
        """
        self._bridge = tuple(argv)

    @property
    def bridging(self) -> bool:
        """Whether `dial` has to use sessions."""
        return self._bridging

    async def _dial_session(
        self, factory: Callable[[], P], path: str
    ) -> tuple[asyncio.Transport, P]:
        protocol = factory()
        session = ProtocolSession(protocol, self._bridges.release)
        await self._bridges.acquire()
        try:
            await self._connection.create_session(
                lambda: session,
                shlex.join((*self._bridge, path)),
                encoding=None,
            )
        except BaseException as error:
            self._bridges.release()
            if isinstance(error, (asyncssh.Error, OSError)):
                raise self._lost(error, f"open {path}") from error
            raise
        return session.transport, protocol

    async def open_unix(self, path: str) -> ByteStream:
        """Connects to a Unix socket on the host for much data; errors as `dial`."""
        stream = SocketStream(f"stream to {path}", self._watch.room)
        await self.dial(lambda: stream, path, window=_BULK_WINDOW_BYTES)
        return stream

    async def open_tcp(self, host: str, port: int) -> ByteStream:
        """Connects to a TCP port as seen from the host.

        Raises:
            Unreachable: nobody listens there, or sshd may not forward; the message says which.
            ChannelLost: the SSH connection is gone.
        """
        operation = f"dial tcp {host}:{port}"
        stream = SocketStream(operation, self._watch.room)
        try:
            await self._connection.create_connection(
                lambda: ProtocolSession(stream),
                host,
                port,
                encoding=None,
                window=_BULK_WINDOW_BYTES,
            )
        except asyncssh.ChannelOpenError as error:
            if self._watch.lost.is_set():
                raise self._lost(error, operation) from error
            prohibited = error.code == asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED
            why = explain_tcp(error.reason, prohibited=prohibited)
            raise Unreachable(f"{operation}: {why}", node=self.node, operation=operation) from error
        except (asyncssh.Error, OSError) as error:
            raise self._lost(error, operation) from error
        return stream

    async def wait_closed(self) -> str:
        """Returns the reason once the connection is gone."""
        await self._watch.lost.wait()
        return self._watch.reason

    @property
    def closed(self) -> bool:
        """Whether the connection is gone."""
        return self._watch.lost.is_set()

    async def close(self) -> None:
        """Closes the connection and its jump hosts'; idempotent. Waits for nobody."""
        for connection in reversed(self._connections):
            connection.abort()
        # asyncssh ends its tasks in the next rounds of the loop; a bounded wait for them.
        async with asyncio.timeout(5.0):
            for connection in reversed(self._connections):
                await connection.wait_closed()

    async def _verdict(self, path: str) -> str:
        try:
            return (await self.run([self.python, "-c", PROBE, path])).stderr
        except ChannelLost:
            return ""

    def _lost(self, error: Exception, operation: str) -> ChannelLost:
        words = self._watch.reason or str(error) or type(error).__name__
        return ChannelLost(f"{operation}: {words}", node=self.node, operation=operation)


def _text(output: bytes | str | None) -> str:
    return output.decode(errors="replace") if isinstance(output, bytes) else (output or "")
