"""The verbs of pods/exec and pods/attach.

What is wrong is said before the upgrade, as a Status: kubectl shows that of its last try. Source:
Kubernetes API, `pods/exec`, `pods/attach`.
"""

import asyncio
from collections.abc import Awaitable, Callable

from orchestrator.apiserver.connect import channels, statuses
from orchestrator.apiserver.connect.options import (
    CommandOptions,
    choose_target,
    read_command_options,
)
from orchestrator.apiserver.connect.pipes import StreamPipe
from orchestrator.apiserver.connect.remotecommand import (
    ClientGone,
    CommandClient,
    Input,
    first_size,
    run_command,
)
from orchestrator.apiserver.connect.spdy.commands import NAMES, VERSIONS, SpdyClient, Version
from orchestrator.apiserver.connect.upgrade import choose_version, take_over
from orchestrator.apiserver.connect.websocket import (
    WebSocket,
    WebSocketClient,
    is_websocket,
    offered,
)
from orchestrator.apiserver.paths import ObjectPath
from orchestrator.apiserver.request import Request
from orchestrator.apiserver.services import Services
from orchestrator.apiserver.verbs.read import key_of
from orchestrator.kit.errors import ApiError, RemoteError
from orchestrator.remote.seams import ExecSession


async def exec_in_pod(services: Services, request: Request, path: ObjectPath) -> "CommandStream":
    """A command in a container of a pod.

    Raises:
        NotFound: no such pod.
        BadRequest: no such container, it does not run, or the request is not an upgrade.
        RemoteError: there is no session with the pod's host.
    """
    pod = services.registry.get(key_of(path))
    options = read_command_options(request.query)
    container, node = choose_target(pod.doc, options.container)
    protocol = _protocol(request)
    streams = services.pod_streams.streams(node)

    async def start(size: Size | None) -> ExecSession:
        return await streams.exec(
            pod, container, options.command, stdin=options.stdin, tty=options.tty, size=size
        )

    if options.tty:  # started once the terminal's size is known, after the upgrade
        streams.require_running(pod, container)
        return CommandStream(services, start, protocol, options, tty=True, attach=False)
    session = await start(None)
    return CommandStream(services, session, protocol, options, tty=False, attach=False)


async def attach_to_pod(services: Services, request: Request, path: ObjectPath) -> "CommandStream":
    """The first process of a container of a pod; with a terminal if it was made with one.

    Raises:
        NotFound: no such pod.
        BadRequest: no such container, it does not run, or the request is not an upgrade.
        RemoteError: there is no session with the pod's host.
    """
    pod = services.registry.get(key_of(path))
    options = read_command_options(request.query, attach=True)
    container, node = choose_target(pod.doc, options.container)
    protocol = _protocol(request)
    session, tty = await services.pod_streams.streams(node).attach(
        pod, container, stdin=options.stdin
    )
    return CommandStream(services, session, protocol, options, tty=tty, attach=True)


Size = tuple[int, int]
Start = Callable[[Size | None], Awaitable[ExecSession]]
Protocol = channels.Subprotocol | Version


def _protocol(request: Request) -> Protocol:
    if is_websocket(request):
        return channels.choose(offered(request), channels.COMMANDS, channels.NONE)
    return VERSIONS[choose_version(request, NAMES, "")]


class CommandStream:
    """A command on its way between a host and a client."""

    def __init__(
        self,
        services: Services,
        session: ExecSession | Start,
        protocol: Protocol,
        options: CommandOptions,
        *,
        tty: bool,
        attach: bool,
    ) -> None:
        self._services = services
        self._session = session
        self._protocol = protocol
        self._options = options
        self._tty = tty
        self._attach = attach

    async def run(self, request: Request) -> None:
        """Upgrades the connection and serves it; returns when it is closed."""
        stop = asyncio.Event()
        resource = "pods/attach" if self._attach else "pods/exec"
        try:
            with self._services.open_streams.entered("CONNECT", resource, stop.set):
                client = await self._client(request)
                try:
                    await client.greet()
                    await self._copy(client, stop)
                except ClientGone:
                    return
                finally:
                    await client.close()
        finally:
            if not callable(self._session):
                await self._session.close()

    async def _copy(self, client: CommandClient, stop: asyncio.Event) -> None:
        session, first = self._session, list[Input]()
        if callable(session):
            size, first = await first_size(client)
            try:
                session = await session(size)
            except (ApiError, RemoteError) as error:
                await client.finish(
                    statuses.failed("executing command in container", error.message)
                )
                return
        await run_command(
            session,
            client,
            attach=self._attach,
            idle_s=self._services.settings.stream_idle_s,
            stop=stop,
            first=first,
        )

    async def _client(self, request: Request) -> WebSocketClient | SpdyClient:
        if isinstance(self._protocol, channels.Subprotocol):
            socket = WebSocket(request)
            return WebSocketClient(socket, self._protocol, self._options, tty=self._tty)
        pipe = StreamPipe(await take_over(request, self._protocol.name))
        return SpdyClient(pipe, self._options, self._protocol)
