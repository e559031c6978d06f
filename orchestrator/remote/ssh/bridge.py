"""An asyncio protocol on an asyncssh channel, which becomes its transport.

aiohttp's and our own protocols are plain `asyncio.Protocol`s; asyncssh calls sessions instead. The
two differ in names, so this forwards call by call and copies nothing; and in when they stop: see
`ChannelTransport.pause_reading`.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import asyncssh


class ChannelTransport(asyncio.Transport):
    """A channel as a transport."""

    def __init__(self, channel: Any) -> None:
        super().__init__()
        self._channel = channel
        self._pausing = False
        self._flushing = False

    def pause_reading(self) -> None:
        """Holds the other side up, after what a resumption delivers just now.

        asyncssh gives the other side the whole window again with the first piece that it delivers
        of those that it kept meanwhile; were it stopped between two of them, what it keeps would
        grow with every turn. So the protocol gets them all, which are no more than the window.
        """
        self._pausing = True
        if not self._flushing:
            self._channel.pause_reading()

    def resume_reading(self) -> None:
        """Delivers what was kept, and lets the other side go on unless that was too much again."""
        if not self._pausing or self._flushing:
            self._pausing = False
            return
        self._pausing = False
        self._flushing = True
        try:
            self._channel.resume_reading()
        finally:
            self._flushing = False
        if self._pausing:
            self._channel.pause_reading()

    def is_reading(self) -> bool:
        """Whether the protocol wants data."""
        return not self._pausing

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Sends, or keeps until the window has room."""
        self._channel.write(bytes(data))

    def can_write_eof(self) -> bool:
        """A channel can end one direction."""
        return True

    def write_eof(self) -> None:
        """Ends this side's direction."""
        self._channel.write_eof()

    def get_write_buffer_size(self) -> int:
        """Bytes that wait for the window."""
        return int(self._channel.get_write_buffer_size())

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """When the protocol is told to wait, in bytes."""
        self._channel.set_write_buffer_limits(high, low)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What asyncssh knows of the channel or its connection."""
        return self._channel.get_extra_info(name, default)

    def is_closing(self) -> bool:
        """Whether it is closed, or will be."""
        return bool(self._channel.is_closing())

    def close(self) -> None:
        """Closes once what waits is sent."""
        self._channel.close()

    def abort(self) -> None:
        """Closes; what waits is dropped."""
        self._channel.abort()


class ProtocolSession(
    asyncssh.SSHUNIXSession[bytes], asyncssh.SSHTCPSession[bytes], asyncssh.SSHClientSession[bytes]
):
    """Hands what an SSH channel does to an asyncio protocol.

    Args:
        protocol: gets the bytes.
        ended: called once, when the channel has ended.

    Attributes:
        transport: the channel, once it is open.
    """

    transport: ChannelTransport

    def __init__(self, protocol: asyncio.Protocol, ended: Callable[[], None] | None = None) -> None:
        self._protocol = protocol
        self._ended = ended

    def connection_made(self, chan: Any) -> None:
        """The channel is open, and is the protocol's transport from now on."""
        self.transport = ChannelTransport(chan)
        self._protocol.connection_made(self.transport)

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        """Bytes from the socket on the host; what a command says on standard error is not."""
        if datatype is None:
            self._protocol.data_received(data)

    def eof_received(self) -> bool:
        """The socket on the host writes no more."""
        return bool(self._protocol.eof_received())

    def pause_writing(self) -> None:
        """The channel's window is full."""
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """The channel's window has room."""
        self._protocol.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """The channel is closed; what broke it is an OSError to the protocol, as on any socket."""
        lost = None if exc is None else ConnectionResetError(str(exc) or type(exc).__name__)
        self._protocol.connection_lost(lost)
        if self._ended is not None:
            self._ended()
