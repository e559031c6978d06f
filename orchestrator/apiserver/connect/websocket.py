"""A WebSocket of an ASGI server, and a command's client at its other end.

Source: ASGI 3, WebSocket specification, with the `websocket.http.response` extension.
"""

import asyncio
from typing import Any, Final

from orchestrator.apiserver.connect import channels, statuses
from orchestrator.apiserver.connect.channels import Subprotocol
from orchestrator.apiserver.connect.options import CommandOptions
from orchestrator.apiserver.connect.remotecommand import (
    ClientGone,
    Input,
    Resize,
    Stdin,
    StdinEnd,
    StreamName,
)
from orchestrator.apiserver.connect.statuses import Status
from orchestrator.apiserver.request import Request
from orchestrator.kit.errors import BadRequest

SETTLE_S: Final = 0.025
"""So long a client is told nothing after its handshake. kubectl 1.29 to 1.33 begins to read before
it has made its streams, and drops what comes for one that is not there yet ("Unknown stream id
1, discarding message"): output would be lost. Source: kubernetes/kubernetes#131203."""

NORMAL: Final = 1000
GOING_AWAY: Final = 1001
UNREADABLE: Final = 1002
GONE_KEY: Final = "orch.gone"
"""In the extensions of a scope: an event that is set once the client is gone."""


def is_websocket(request: Request) -> bool:
    """Whether the request is a WebSocket handshake."""
    fields: Any = request.scope
    return bool(fields["type"] == "websocket")


def offered(request: Request) -> list[str]:
    """The subprotocols that the client offers."""
    fields: Any = request.scope
    return list(fields.get("subprotocols") or ())


class WebSocket:
    """One WebSocket; the request's handshake is answered by `accept`."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._receive: Any = request.receive
        self._send: Any = request.send
        self._closed = False

    async def accept(self, subprotocol: str) -> None:
        """Answers the handshake.

        Raises:
            ClientGone: nobody waits for it any more.
        """
        message: Any = await self._receive()
        if message["type"] != "websocket.connect":
            raise ClientGone
        self._request.started = True
        await self._put({"type": "websocket.accept", "subprotocol": subprotocol or None})

    async def receive(self) -> bytes | str:
        """The next message; the client is held up until it is asked for.

        Raises:
            ClientGone: there is none.
        """
        message: Any = await self._receive()
        if message["type"] != "websocket.receive":
            self._closed = True
            raise ClientGone
        data: bytes | str | None = message.get("bytes")
        return data if data is not None else str(message.get("text", ""))

    async def wait_gone(self) -> None:
        """Returns once the client is gone, also while nobody receives."""
        fields: Any = self._request.scope
        gone = (fields.get("extensions") or {}).get(GONE_KEY) or asyncio.Event()
        await gone.wait()

    async def send(self, data: bytes | str) -> None:
        """Sends a message, once there is room.

        Raises:
            ClientGone: the client went away.
        """
        if isinstance(data, str):
            await self._put({"type": "websocket.send", "text": data})
        else:
            await self._put({"type": "websocket.send", "bytes": data})

    async def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Says good-bye; idempotent."""
        if not self._closed:
            self._closed = True
            message = {"type": "websocket.close", "code": code, "reason": reason[:120]}
            try:
                await self._put(message)
            except ClientGone:
                return

    async def _put(self, message: dict[str, Any]) -> None:
        try:
            await self._send(message)
        except OSError as error:
            self._closed = True
            raise ClientGone from error


class WebSocketClient:
    """`remotecommand.CommandClient` on channels."""

    def __init__(
        self, socket: WebSocket, protocol: Subprotocol, options: CommandOptions, *, tty: bool
    ) -> None:
        self._socket = socket
        self._protocol = protocol
        self._options = options
        self._tty = tty

    async def greet(self) -> None:
        """Accepts, and says on the lowest channel that the connection is there.

        Everything else that is sent comes after it, so `SETTLE_S` holds for all of it.
        """
        await self._socket.accept(self._protocol.name)
        await asyncio.sleep(SETTLE_S)  # a time is waited for: the client says nothing by itself
        channel = channels.ERROR
        if self._options.stdout:
            channel = channels.STDOUT
        elif self._options.stderr and not self._tty:
            channel = channels.STDERR
        await self._socket.send(channels.encode(self._protocol, channel, b""))

    async def receive(self) -> Input:
        """See `CommandClient`; messages that mean nothing here are passed over."""
        while True:
            message = await self._socket.receive()
            try:
                found = self._read(channels.decode(self._protocol, message))
            except BadRequest as error:
                await self._socket.close(UNREADABLE, error.message)
                raise ClientGone from error
            if found is not None:
                return found

    def _read(self, message: channels.Message) -> Input | None:
        if message.channel == channels.STDIN and self._options.stdin:
            if message.closed:
                return StdinEnd()
            return Stdin(message.data) if message.data else None
        if message.channel == channels.RESIZE and not message.closed and self._tty:
            size = channels.decode_size(message.data)
            return Resize(*size) if size is not None else None
        return None

    async def send(self, stream: StreamName, data: bytes) -> None:
        """See `CommandClient`."""
        if stream == "stderr" and not self._tty:
            if self._options.stderr:
                await self._socket.send(channels.encode(self._protocol, channels.STDERR, data))
        elif self._options.stdout:
            await self._socket.send(channels.encode(self._protocol, channels.STDOUT, data))

    async def wait_gone(self) -> None:
        """See `CommandClient`."""
        await self._socket.wait_gone()

    async def finish(self, status: Status) -> None:
        """See `CommandClient`."""
        said = statuses.encoded(status, documents=self._protocol.documents)
        if said:
            await self._socket.send(channels.encode(self._protocol, channels.ERROR, said))
        await self._socket.close()

    async def close(self) -> None:
        """Closes what has not ended: the server goes away, or nobody used it."""
        await self._socket.close(GOING_AWAY)
