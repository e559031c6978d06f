"""How a Unix socket is opened, wherever it is: on this machine, or on a host through SSH.

Everything above (engine, shim client) speaks asyncio protocols and does not know which it is. The
SSH connection implements `Dialer` in `remote.ssh.connection`; `LocalDialer` serves a local engine
and the contract tests.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeVar, cast

from orchestrator.kit.errors import ChannelLost, RemoteError, Unreachable
from orchestrator.remote.seams import ByteStream

P = TypeVar("P", bound=asyncio.Protocol)

HIGH_WATER_BYTES = 256 * 1024
"""A stream holds at most about this much unread data; then the other side has to wait."""


class Dialer(Protocol):
    """Connects protocols to Unix sockets."""

    async def dial(self, factory: Callable[[], P], path: str) -> tuple[asyncio.Transport, P]:
        """Connects to the socket at `path` as `loop.create_unix_connection` does.

        Raises:
            RemoteError: it cannot be opened; the message says why (missing, no permission, ...).
        """
        ...

    async def open_unix(self, path: str) -> ByteStream:
        """Connects to the socket at `path` for much data: others go first. Errors as `dial`."""
        ...


class LocalDialer:
    """Unix sockets of this machine."""

    async def dial(self, factory: Callable[[], P], path: str) -> tuple[asyncio.Transport, P]:
        """Connects to a local socket."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.create_unix_connection(factory, path)
        except OSError as error:
            raise Unreachable(
                f"cannot open {path}: {error.strerror or error}", operation=f"open {path}"
            ) from error

    async def open_unix(self, path: str) -> ByteStream:
        """Connects to a local socket."""
        _, stream = await self.dial(lambda: SocketStream(f"stream to {path}"), path)
        return stream


class SocketStream(asyncio.Protocol):
    """A connected socket as a `seams.ByteStream`, with back-pressure in both directions.

    Args:
        operation: for errors.
        room: unset while what carries the stream, and others, has more than enough to send.
    """

    def __init__(self, operation: str = "stream", room: asyncio.Event | None = None) -> None:
        self._operation = operation
        self._room = room
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._ended = False
        self._lost: Exception | None = None
        self._closed = False
        self._readable = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()

    # ---- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Buffers; stops the other side once there is enough."""
        self._buffer += data
        self._readable.set()
        if len(self._buffer) > HIGH_WATER_BYTES and self._transport is not None:
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """The other side writes no more; ours stays open."""
        self._ended = True
        self._readable.set()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Wakes every reader and writer."""
        self._ended = True
        self._lost = exc
        self._closed = True
        self._readable.set()
        self._writable.set()

    def pause_writing(self) -> None:
        """The window is full."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """The window has room."""
        self._writable.set()

    # ---- seams.ByteStream

    async def read(self, limit: int = 65536) -> bytes:
        """At least one byte, at most `limit`; b"" at the end.

        Raises:
            ChannelLost: the connection broke (what was read before it is given first).
        """
        while not self._buffer:
            if self._lost is not None:
                raise self._broken()
            if self._ended:
                return b""
            self._readable.clear()
            await self._readable.wait()
        data = bytes(self._buffer[:limit])
        del self._buffer[:limit]
        if len(self._buffer) <= HIGH_WATER_BYTES // 2 and self._transport is not None:
            self._transport.resume_reading()
        return data

    def write_nowait(self, data: bytes) -> None:
        """Hands all of `data` over without waiting for room.

        Raises:
            ChannelLost: the connection is gone.
        """
        if self._transport is None or self._closed or self._transport.is_closing():
            raise self._broken()
        self._transport.write(data)

    async def write(self, data: bytes) -> None:
        """Writes all of `data`; waits while the window is full.

        `data` is handed over before the wait: a cancelled writer has never written half of it.

        Raises:
            ChannelLost: the connection is gone.
        """
        self.write_nowait(data)
        await self._writable.wait()
        if self._room is not None:
            await self._room.wait()
        if self._lost is not None:
            raise self._broken()

    async def write_eof(self) -> None:
        """Half-closes; no error when it is closed already."""
        if self._transport is not None and not self._closed and self._transport.can_write_eof():
            self._transport.write_eof()

    async def close(self) -> None:
        """Closes both directions; idempotent. What the other side would not take is dropped."""
        if self._transport is not None:
            if self._transport.get_write_buffer_size():
                self._transport.abort()  # a close would wait until it takes that
            else:
                self._transport.close()
        self._ended = True
        self._readable.set()
        self._writable.set()

    def _broken(self) -> RemoteError:
        reason = str(self._lost or "") or "closed by the other side"
        return ChannelLost(f"{self._operation}: {reason}", operation=self._operation)
