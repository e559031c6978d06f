"""The verbs of pods/exec and pods/attach.

What is wrong is said before the upgrade, as a Status: kubectl shows that of its last try. Source:
Kubernetes API, `pods/exec`, `pods/attach`.
"""

import asyncio
from typing import Final

from orchestrator.apiserver.connect import channels
from orchestrator.apiserver.connect.options import (
    CommandOptions,
    choose_target,
    read_command_options,
)
from orchestrator.apiserver.connect.remotecommand import ClientGone, run_command
from orchestrator.apiserver.connect.websocket import (
    GOING_AWAY,
    WebSocket,
    WebSocketClient,
    is_websocket,
    offered,
)
from orchestrator.apiserver.paths import ObjectPath
from orchestrator.apiserver.request import Request
from orchestrator.apiserver.services import Services
from orchestrator.apiserver.verbs.read import key_of
from orchestrator.kit.errors import BadRequest
from orchestrator.remote.seams import ExecSession

UPGRADE_REQUIRED: Final = "Upgrade request required"


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
    session = await services.pod_streams.streams(node).exec(
        pod, container, options.command, stdin=options.stdin, tty=options.tty
    )
    return CommandStream(services, session, protocol, options, tty=options.tty, attach=False)


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


def _protocol(request: Request) -> channels.Subprotocol:
    if not is_websocket(request):
        raise BadRequest(UPGRADE_REQUIRED)
    return channels.choose(offered(request), channels.COMMANDS, channels.NONE)


class CommandStream:
    """A command on its way between a host and a client."""

    def __init__(
        self,
        services: Services,
        session: ExecSession,
        protocol: channels.Subprotocol,
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
        socket = WebSocket(request)
        client = WebSocketClient(socket, self._protocol, self._options, tty=self._tty)
        try:
            with self._services.open_streams.entered("CONNECT", resource, stop.set):
                try:
                    await client.greet()
                except ClientGone:
                    return
                await run_command(
                    self._session,
                    client,
                    attach=self._attach,
                    idle_s=self._services.settings.stream_idle_s,
                    stop=stop,
                )
                await socket.close(GOING_AWAY)
        finally:
            await self._session.close()
