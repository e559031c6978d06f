"""Byte pipes that SPDY can run on: a connection taken over, or binary messages of a WebSocket."""

from typing import Protocol

from orchestrator.apiserver.connect.remotecommand import ClientGone
from orchestrator.apiserver.connect.websocket import WebSocket
from orchestrator.kit.errors import ChannelLost
from orchestrator.remote.seams import ByteStream


class Pipe(Protocol):
    """A duplex byte pipe to a client."""

    async def read(self) -> bytes:
        """At least one byte; b"" at the end, also when the client is gone."""
        ...

    async def write(self, data: bytes) -> None:
        """Writes, once there is room.

        Raises:
            ClientGone: the client went away.
        """
        ...

    async def close(self) -> None:
        """Closes it; idempotent."""
        ...


class StreamPipe:
    """A pipe on a byte stream."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream

    async def read(self) -> bytes:
        """See `Pipe`."""
        try:
            return await self._stream.read()
        except ChannelLost:
            return b""

    async def write(self, data: bytes) -> None:
        """See `Pipe`."""
        try:
            await self._stream.write(data)
        except ChannelLost as error:
            raise ClientGone from error

    async def close(self) -> None:
        """See `Pipe`."""
        await self._stream.close()


class WebSocketPipe:
    """A pipe in the binary messages of a WebSocket."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket

    async def read(self) -> bytes:
        """See `Pipe`."""
        try:
            while not (data := await self._socket.receive()):
                pass
        except ClientGone:
            return b""
        return data.encode() if isinstance(data, str) else data

    async def write(self, data: bytes) -> None:
        """See `Pipe`."""
        await self._socket.send(data)

    async def close(self) -> None:
        """See `Pipe`."""
        await self._socket.close()
