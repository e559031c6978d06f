"""Opens hosts: SSH, shim, engine, in that order; and knows when a host is lost.

The shim's session is the first thing on a connection (see `ssh.connection`). Everything of a host
goes down together: a new connection starts from nothing but the memory of the shim's events.
"""

import asyncio
import random
from collections.abc import Awaitable

from orchestrator.kit.aio.tasks import spawn
from orchestrator.kit.errors import ShimError
from orchestrator.remote.dialer import SocketStream
from orchestrator.remote.docker.engine import DockerEngine
from orchestrator.remote.docker.http import POOL_LIMIT
from orchestrator.remote.seams import SILENT, Engine, Host, HostAddress, NodeTransport, Shim
from orchestrator.remote.settings import RemoteSettings
from orchestrator.remote.shim.build import build_shim
from orchestrator.remote.shim.client import Memory, ShimClient
from orchestrator.remote.shim.launch import launch_shim
from orchestrator.remote.silence import Silence
from orchestrator.remote.ssh.connection import POOL_OVER_BRIDGES, SshTransport
from orchestrator.remote.ssh.login import banner, login
from orchestrator.remote.ssh.pool import Handshakes


class SshHostConnector:
    """`seams.HostConnector` over SSH; one for the whole server.

    Args:
        settings: see `RemoteSettings`.
        rng: draws the jitter of handshakes.
    """

    def __init__(
        self, settings: RemoteSettings | None = None, rng: random.Random | None = None
    ) -> None:
        self._settings = settings or RemoteSettings()
        self._handshakes = Handshakes(self._settings, rng or random.Random())  # noqa: S311
        self._memories: dict[str, Memory] = {}

    async def connect(self, address: HostAddress) -> Host:
        """Connects, makes sure that the shim runs, attaches to it, and pings the engine.

        Raises:
            Unreachable: no connection, or a socket on the host cannot be opened.
            AuthFailed, HostKeyMismatch, ConfigError: see `ssh.login`.
            ShimError: the shim cannot be started.
            EngineError: the engine does not answer as it should.
        """
        transport = await login(address, self._settings, self._handshakes)
        shim: ShimClient | None = None
        engine: DockerEngine | None = None
        try:
            shim = await self._attach(transport, address)
            engine = DockerEngine(
                transport,
                address.docker_socket,
                address.node,
                connections=POOL_OVER_BRIDGES if transport.bridging else POOL_LIMIT,
            )
            await engine.ping()
        except BaseException:
            await _close(shim, engine, transport)
            raise
        return SshHost(address, self._settings, transport, engine, shim, self._memories)

    async def _attach(self, transport: SshTransport, address: HostAddress) -> ShimClient:
        build = build_shim()
        try:
            async with asyncio.timeout(self._settings.shim_start_s):
                launched = await launch_shim(
                    transport,
                    build,
                    node=address.node,
                    directory=self._settings.runtime_dir,
                    engine_socket=address.docker_socket,
                    privileged=address.become or address.user == "root",
                    python=self._settings.python,
                )
                python = self._settings.python
                transport.use_bridge([python, "-I", "-S", launched.zip, "bridge"])
                _, stream = await transport.dial(lambda: SocketStream("shim"), launched.socket)
                return await ShimClient.attach(
                    stream,
                    node=address.node,
                    digest=build.digest,
                    memory=self._memories.get(address.node),
                )
        except TimeoutError as error:
            raise ShimError(
                f"the shim did not start within {self._settings.shim_start_s:g} s",
                node=address.node,
                operation="start the shim",
                code="timeout",
            ) from error


class SshHost:
    """`seams.Host`: one connected host."""

    def __init__(
        self,
        address: HostAddress,
        settings: RemoteSettings,
        transport: SshTransport,
        engine: DockerEngine,
        shim: ShimClient,
        memories: dict[str, Memory],
    ) -> None:
        self._address = address
        self._settings = settings
        self._transport = transport
        self._engine = engine
        self._shim = shim
        self._memories = memories

    @property
    def name(self) -> str:
        """The Node's name."""
        return self._address.node

    @property
    def transport(self) -> NodeTransport:
        """The SSH connection."""
        return self._transport

    @property
    def engine(self) -> Engine:
        """The Docker Engine behind it."""
        return self._engine

    @property
    def shim(self) -> Shim:
        """The shim on it."""
        return self._shim

    async def wait_lost(self) -> str:
        """Returns the reason once the host is lost.

        Lost means: the SSH connection or the shim's channel has ended, or nothing was heard for
        `heartbeat_silence_s`. When at that moment a new TCP connection finds sshd answering, the
        link was cut and is back: then the old connection has until `heartbeat_patience_s` for its
        retransmissions. A stall of this process is not counted as the host's silence.
        """
        reasons: list[str] = []
        lost = asyncio.Event()

        async def watch_for(reason: Awaitable[str]) -> None:
            reasons.append(await reason)
            lost.set()

        watches = [
            spawn(watch_for(self._transport.wait_closed()), name=f"{self.name} ssh"),
            spawn(watch_for(self._shim.wait_gone()), name=f"{self.name} shim"),
            spawn(watch_for(self._wait_silent()), name=f"{self.name} heartbeat"),
        ]
        try:
            await lost.wait()
            return reasons[0]
        finally:
            for watch in watches:
                watch.cancel()

    async def _wait_silent(self) -> str:
        loop = asyncio.get_running_loop()
        silence = Silence(
            limit_s=self._settings.heartbeat_silence_s,
            patience_s=self._settings.heartbeat_patience_s,
            heard_s=self._shim.last_heard_s,
        )
        while True:
            delay_s = silence.next_tick_s(loop.time())
            due_s = loop.time() + delay_s
            await asyncio.sleep(delay_s)
            silence.tick(self._shim.last_heard_s, loop.time() - due_s)
            if silence.is_suspicious(loop.time()) and await self._answers():
                silence.answered(loop.time())
            silence.tick(self._shim.last_heard_s, 0.0)
            if silence.is_lost(loop.time()):
                return f"{SILENT} from the host for {silence.silent_s(loop.time()):.1f} s"

    async def _answers(self) -> bool:
        if self._address.jump:
            return False  # a new connection would take a login at the jump host
        try:
            async with asyncio.timeout(0.5):
                return await banner(self._address.host, self._address.port)
        except TimeoutError:
            return False

    async def close(self) -> None:
        """Closes everything; nothing on the host is stopped. Idempotent."""
        self._memories[self.name] = self._shim.memory
        await _close(self._shim, self._engine, self._transport)


async def _close(
    shim: ShimClient | None, engine: DockerEngine | None, transport: SshTransport
) -> None:
    # the connection first: on a dead one the channels above would wait for an answer
    await transport.close()
    if shim is not None:
        await shim.close()
    if engine is not None:
        await engine.close()
