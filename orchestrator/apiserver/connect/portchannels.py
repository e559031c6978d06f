"""Port-forwarding on the channels of a WebSocket, one connection for each port of the request.

Port i has the channels 2i for data and 2i+1 for errors; the server begins both with the port's
number, two bytes, low byte first. A channel cannot be half-closed. Source: Kubernetes,
`v4.channel.k8s.io` of `pods/portforward`.
"""

import asyncio
import struct
from typing import Final

from orchestrator.apiserver.connect import channels
from orchestrator.apiserver.connect.channels import V4, V4_TEXT, Subprotocol
from orchestrator.apiserver.connect.forwarding import Target
from orchestrator.apiserver.connect.remotecommand import ClientGone
from orchestrator.apiserver.connect.websocket import UNREADABLE, WebSocket
from orchestrator.apiserver.request import Query
from orchestrator.kit.aio.tasks import spawn
from orchestrator.kit.errors import ApiError, BadRequest, RemoteError
from orchestrator.remote.seams import ByteStream

PROTOCOLS: Final = (V4, V4_TEXT)
MOST_PORTS: Final = 64
"""Channels are numbered by one byte, in text by one digit."""


def read_ports(query: Query) -> list[int]:
    """The ports of a request: `ports=80&ports=81` or `ports=80,81`.

    Raises:
        BadRequest: there is none, or one is no port.
    """
    words = [word for value in query.all("ports") for word in value.split(",") if word]
    if not words:
        raise BadRequest('query parameter "ports" is required')
    found: list[int] = []
    for word in words:
        if not word.isdecimal() or len(word) > 5 or not 0 < int(word) < 65536:
            raise BadRequest(f'unable to parse "{word}" as a port: it must be from 1 to 65535')
        found.append(int(word))
    if len(found) > MOST_PORTS:
        raise BadRequest(f"at most {MOST_PORTS} ports can be forwarded at once")
    return found


class ChannelForwarding:
    """See the module. `run` serves until every port's connection has ended."""

    def __init__(
        self, socket: WebSocket, protocol: Subprotocol, ports: list[int], target: Target
    ) -> None:
        self._socket = socket
        self._protocol = protocol
        self._ports = ports
        self._target = target
        self._backends: list[asyncio.Future[ByteStream | None]] = []

    async def run(self) -> None:
        """Serves until all has ended, or the client is gone; cancel it to end it sooner."""
        loop = asyncio.get_running_loop()
        self._backends = [loop.create_future() for _ in self._ports]
        await self._socket.accept(self._protocol.name)
        for index, port in enumerate(self._ports):
            number = struct.pack("<H", port)
            await self._send(2 * index, number)
            await self._send(2 * index + 1, number)
        downs = [spawn(self._down(i, p), name="forward.down") for i, p in enumerate(self._ports)]
        up = spawn(self._up(), name="forward.up")
        gone = spawn(self._socket.wait_gone(), name="forward.gone")
        every_down = asyncio.ensure_future(asyncio.wait(downs))
        try:
            await asyncio.wait({up, gone, every_down}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            every_down.cancel()
            tasks = [up, gone, *downs]
            for task in tasks:
                task.cancel()
            await asyncio.wait([*tasks, every_down])
            for backend in self._backends:
                found = backend.result() if backend.done() else None
                if found is not None:
                    await found.close()
        for task in tasks:
            error = None if task.cancelled() else task.exception()
            if error is not None and not isinstance(error, ClientGone):
                raise error
        await self._socket.close()

    async def _down(self, index: int, port: int) -> None:
        future = self._backends[index]
        try:
            backend = await self._target.open(port)
        except (ApiError, RemoteError) as error:
            future.set_result(None)
            await self._send(2 * index + 1, self._target.explain(port, error).encode())
            return
        future.set_result(backend)
        try:
            while data := await backend.read():
                self._target.idle.touch()
                await self._send(2 * index, data)
        except RemoteError as error:
            await self._send(2 * index + 1, self._target.explain(port, error).encode())

    async def _up(self) -> None:
        while True:
            message = await self._socket.receive()
            self._target.idle.touch()
            try:
                piece = channels.decode(self._protocol, message)
            except BadRequest as error:
                await self._socket.close(UNREADABLE, error.message)
                return
            index, is_error = divmod(piece.channel, 2)
            if is_error or index >= len(self._backends) or not piece.data:
                continue
            backend = await asyncio.shield(self._backends[index])
            if backend is not None:
                try:
                    await backend.write(piece.data)
                except RemoteError:
                    continue  # it has closed: what it wrote before is on its way down

    async def _send(self, channel: int, data: bytes) -> None:
        await self._socket.send(channels.encode(self._protocol, channel, data))
