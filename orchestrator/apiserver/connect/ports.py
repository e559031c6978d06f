"""The verb of pods/portforward: SPDY (raw, or in a WebSocket), or channels of a WebSocket.

Source: Kubernetes API, `pods/portforward`; KEP-4006.
"""

import asyncio
from typing import Final

from orchestrator.apiserver.connect import channels
from orchestrator.apiserver.connect.channels import Subprotocol
from orchestrator.apiserver.connect.forwarding import Target
from orchestrator.apiserver.connect.options import node_of
from orchestrator.apiserver.connect.pipes import StreamPipe, WebSocketPipe
from orchestrator.apiserver.connect.portchannels import PROTOCOLS, ChannelForwarding, read_ports
from orchestrator.apiserver.connect.remotecommand import ClientGone, Idle
from orchestrator.apiserver.connect.spdy.forwarding import PROTOCOL, SpdyForwarding
from orchestrator.apiserver.connect.upgrade import choose_version, take_over
from orchestrator.apiserver.connect.websocket import (
    GOING_AWAY,
    WebSocket,
    is_websocket,
    offered,
)
from orchestrator.apiserver.paths import ObjectPath
from orchestrator.apiserver.request import Request
from orchestrator.apiserver.services import Services
from orchestrator.apiserver.verbs.read import key_of
from orchestrator.kit.aio.tasks import spawn
from orchestrator.kit.errors import BadRequest
from orchestrator.remote.seams import ByteStream
from orchestrator.store.objects import StoredObject

TUNNEL: Final = Subprotocol(f"SPDY/3.1+{PROTOCOL}")


async def forward_ports(services: Services, request: Request, path: ObjectPath) -> "PortForward":
    """Connections to ports of a pod.

    Raises:
        NotFound: no such pod.
        BadRequest: it does not run, or the request is not an upgrade.
        RemoteError: there is no session with the pod's host.
    """
    pod = services.registry.get(key_of(path))
    node = node_of(pod.doc)
    phase = (pod.doc.get("status") or {}).get("phase", "Pending")
    if phase != "Running":
        raise BadRequest(
            f"unable to forward port because pod is not running. Current status={phase}"
        )
    services.pod_streams.streams(node)
    protocol: Subprotocol | None = None
    ports: list[int] = []
    if is_websocket(request):
        known = (TUNNEL, *PROTOCOLS)
        protocol = channels.choose(offered(request), known, channels.NONE)
        ports = read_ports(request.query) if protocol is not TUNNEL else []
    else:
        choose_version(request, (PROTOCOL,), PROTOCOL)
    return PortForward(services, pod, node, protocol, ports)


class PortForward:
    """A forwarding on its way between a host and a client."""

    def __init__(
        self,
        services: Services,
        pod: StoredObject,
        node: str,
        protocol: Subprotocol | None,
        ports: list[int],
    ) -> None:
        self._services = services
        self._pod = pod
        self._node = node
        self._protocol = protocol
        self._ports = ports

    async def run(self, request: Request) -> None:
        """Upgrades the connection and serves it; returns when it is closed."""
        stop = asyncio.Event()
        key = self._pod.key
        idle = Idle(self._services.settings.stream_idle_s)
        target = Target(f"{key.name}_{key.namespace}", str(self._pod.uid), self._open, idle)
        with self._services.open_streams.entered("CONNECT", "pods/portforward", stop.set):
            tasks = [
                spawn(self._serve(request, target), name="connect.forward"),
                spawn(idle.wait(), name="connect.idle"),
                spawn(_wait(stop), name="connect.stop"),
            ]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)
            error = None if tasks[0].cancelled() else tasks[0].exception()
            if error is not None and not isinstance(error, ClientGone):
                raise error

    async def _open(self, port: int) -> ByteStream:
        """Finds the host's session anew: it may have been connected again."""
        return await self._services.pod_streams.streams(self._node).open_port(self._pod, port)

    async def _serve(self, request: Request, target: Target) -> None:
        if self._protocol is None:
            pipe = StreamPipe(await take_over(request, PROTOCOL))
            await SpdyForwarding(pipe, target).run()
            return
        socket = WebSocket(request)
        try:
            if self._protocol is TUNNEL:
                await socket.accept(TUNNEL.name)
                await SpdyForwarding(WebSocketPipe(socket), target).run()
            else:
                await ChannelForwarding(socket, self._protocol, self._ports, target).run()
        finally:
            await socket.close(GOING_AWAY)


async def _wait(event: asyncio.Event) -> None:
    await event.wait()
