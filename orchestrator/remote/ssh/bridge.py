"""An asyncio protocol on an asyncssh channel: the channel is its transport.

aiohttp's and our own protocols are plain `asyncio.Protocol`s; asyncssh calls sessions instead. The
two differ in names only, so this forwards call by call and copies nothing.
"""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import asyncssh


class ProtocolSession(
    asyncssh.SSHUNIXSession[bytes], asyncssh.SSHTCPSession[bytes], asyncssh.SSHClientSession[bytes]
):
    """Hands what an SSH channel does to an asyncio protocol.

    Args:
        protocol: gets the bytes.
        ended: called once, when the channel has ended.
    """

    def __init__(self, protocol: asyncio.Protocol, ended: Callable[[], None] | None = None) -> None:
        self._protocol = protocol
        self._ended = ended

    def connection_made(self, chan: Any) -> None:
        """The channel is open, and is the protocol's transport from now on."""
        self._protocol.connection_made(cast("asyncio.Transport", chan))

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
