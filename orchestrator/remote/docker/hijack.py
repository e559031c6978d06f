"""Exec and attach: calls that turn the connection into a plain stream in both directions.

The request and the head of the answer are read and written by hand, because an HTTP client has no
use for a connection afterwards. Source: Docker Engine API, "Attach to a container", hijacking.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec

from orchestrator.kit.errors import ChannelLost, RemoteError
from orchestrator.remote.docker.frames import Demultiplexer
from orchestrator.remote.docker.http import EngineHttp
from orchestrator.remote.seams import ByteStream, OutputFrame

_HEAD_LIMIT_BYTES = 64 * 1024


async def hijack(http: EngineHttp, path: str, body: object, operation: str) -> "Hijacked":
    """Sends a POST that takes over the connection; returns it with what was read already.

    Raises:
        EngineError: the engine refused.
        ChannelLost: the connection broke.
    """
    data = msgspec.json.encode(body) if body is not None else b""
    target = await http.prefix() + path
    stream = await http.open()
    request = (
        f"POST {target} HTTP/1.1\r\nHost: engine\r\nContent-Type: application/json\r\n"
        f"Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    try:
        await stream.write(request.encode() + data)
        head, rest = await _read_head(stream, operation, http.node)
        status = int(head.split(None, 2)[1])
        if status not in {101, 200}:
            rest += await _drain(stream, _content_length(head) - len(rest))
            raise http.decode_error(status, rest, operation)
    except BaseException:
        await stream.close()
        raise
    return Hijacked(stream, rest)


class Hijacked:
    """A taken-over connection."""

    def __init__(self, stream: ByteStream, rest: bytes) -> None:
        self.stream = stream
        self._rest = rest

    async def read(self) -> bytes:
        """The next piece; b"" at the end."""
        if self._rest:
            data, self._rest = self._rest, b""
            return data
        return await self.stream.read()


class HijackedSession:
    """An `ExecSession` on a taken-over connection.

    `resize` and `exit_code` go over ordinary calls, which differ between exec and attach. Unless
    the input `ends` with the client's, the end is kept from the engine: it would take it for the
    wish to detach, and close the output too. The same goes for a terminal's.
    """

    def __init__(
        self,
        connection: Hijacked,
        *,
        tty: bool,
        ends: bool = True,
        resize: Callable[[int, int], Awaitable[None]],
        exit_code: Callable[[], Awaitable[int]],
    ) -> None:
        self._connection = connection
        self._tty = tty
        self._ends = ends and not tty
        self._resize = resize
        self._exit_code = exit_code
        self._reading = False
        self._ended = asyncio.Event()

    async def output(self) -> AsyncIterator[OutputFrame]:
        """Yields output until the command ends."""
        demultiplexer = Demultiplexer(tty=self._tty)
        self._reading = True
        try:
            while data := await self._connection.read():
                for frame in demultiplexer.feed(data):
                    yield frame
            self._ended.set()
        finally:
            self._reading = False

    async def write(self, data: bytes) -> None:
        """Writes to its standard input."""
        await self._connection.stream.write(data)

    async def write_eof(self) -> None:
        """Ends its standard input; a terminal's, and one that others may attach to, goes on."""
        if self._ends:
            await self._connection.stream.write_eof()

    async def resize(self, width: int, height: int) -> None:
        """Sets the terminal's size in cells."""
        await self._resize(width, height)

    async def exit_code(self) -> int:
        """Waits for the end and returns the exit status; output that nobody reads is dropped."""
        if not self._reading and not self._ended.is_set():
            async for _ in self.output():
                pass
        await self._ended.wait()
        return await self._exit_code()

    async def close(self) -> None:
        """Drops the connection; idempotent."""
        await self._connection.stream.close()


async def _read_head(stream: ByteStream, operation: str, node: str) -> tuple[str, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = await stream.read()
        if not piece or len(data) > _HEAD_LIMIT_BYTES:
            raise ChannelLost(
                f"{operation}: the engine closed the connection", node=node, operation=operation
            )
        data += piece
    head, _, rest = data.partition(b"\r\n\r\n")
    return head.decode("latin-1"), rest


def _content_length(head: str) -> int:
    for line in head.split("\r\n"):
        name, _, value = line.partition(":")
        if name.lower() == "content-length" and value.strip().isdigit():
            return min(int(value.strip()), _HEAD_LIMIT_BYTES)
    return 0


async def _drain(stream: ByteStream, left: int) -> bytes:
    data = b""
    try:
        while len(data) < left:
            piece = await stream.read()
            if not piece:
                break
            data += piece
    except RemoteError:
        return data
    return data
