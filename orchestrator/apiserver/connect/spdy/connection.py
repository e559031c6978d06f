"""One SPDY connection: streams that the client opens, each readable and writable by itself.

SPDY's flow control is not used by Kubernetes' clients, so a stream that nobody reads holds up the
whole connection once its buffer is full; nothing is lost and memory is bounded. Source: SPDY
Protocol, draft 3.1; Kubernetes, `httpstream/spdy`.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from orchestrator.apiserver.connect.pipes import Pipe
from orchestrator.apiserver.connect.remotecommand import ClientGone
from orchestrator.apiserver.connect.spdy.frames import (
    REFUSED,
    Data,
    Frame,
    FrameReader,
    FrameWriter,
    GoAway,
    Headers,
    Open,
    Ping,
    Reply,
    Reset,
    SpdyError,
)
from orchestrator.kit.aio.tasks import spawn

_log: Final = structlog.get_logger("apiserver.spdy")

STREAM_BYTES: Final = 256 * 1024
"""A stream with more than this unread holds up its connection."""
STREAMS: Final = 1024
"""Most streams open at once; the next one is refused."""
BEAT_S: Final = 5.0
"""Between pings of ours."""
_PIECE_BYTES: Final = 32 * 1024


class SpdyStream:
    """One stream; `seams.ByteStream` but for its errors.

    Attributes:
        number: odd, as the client opened it.
        headers: names in lower case.
    """

    def __init__(self, connection: "SpdyConnection", number: int, headers: Headers) -> None:
        self.number = number
        self.headers = headers
        self._connection = connection
        self._buffer = bytearray()
        self._ended = False  # by the client
        self._closed = False  # by us
        self._broken = False
        self._readable = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()

    async def read(self, limit: int = 65536) -> bytes:
        """At least one byte, at most `limit`; b"" at the end.

        Raises:
            ClientGone: the stream was reset, or the connection is gone.
        """
        while not self._buffer:
            if self._broken:
                raise ClientGone
            if self._ended:
                return b""
            self._readable.clear()
            await self._readable.wait()
        data = bytes(self._buffer[:limit])
        del self._buffer[:limit]
        if len(self._buffer) <= STREAM_BYTES // 2:
            self._drained.set()
        return data

    async def write(self, data: bytes) -> None:
        """Writes all of `data`, once there is room.

        Raises:
            ClientGone: the stream was reset, or the connection is gone.
        """
        view = memoryview(data)
        while view:
            if self._broken or self._closed:
                raise ClientGone
            piece, view = bytes(view[:_PIECE_BYTES]), view[_PIECE_BYTES:]
            await self._connection.put(Data(self.number, piece))

    async def write_eof(self) -> None:
        """Half-closes; idempotent."""
        if not self._closed and not self._broken:
            self._closed = True
            await self._connection.put(Data(self.number, b"", fin=True))
            self._connection.forget_ended(self)

    async def finish(self) -> None:
        """Writes the end, and drops what still arrives; idempotent."""
        if not self.done:
            await self.write_eof()
            self.break_off()
            self._connection.forget_ended(self)

    @property
    def done(self) -> bool:
        """Whether both sides have ended it."""
        return self._broken or (self._ended and self._closed)

    # ---- from the connection

    async def take(self, data: bytes, *, fin: bool) -> None:
        """Buffers what arrived; waits while there is too much."""
        if self._broken or self._ended:
            return
        self._buffer += data
        self._ended = fin
        self._readable.set()
        if len(self._buffer) > STREAM_BYTES:
            self._drained.clear()
            await self._drained.wait()

    def break_off(self) -> None:
        """Wakes whoever reads or waits: nothing more will come, and nothing can be written."""
        self._broken = True
        self._buffer.clear()
        self._readable.set()
        self._drained.set()

    def lost(self) -> None:
        """The connection is gone: what has arrived can still be read."""
        self._broken = self._broken or not self._ended
        self._closed = True
        self._readable.set()
        self._drained.set()


class SpdyConnection:
    """See the module. `run` reads; streams write whenever they like."""

    def __init__(self, pipe: Pipe, on_stream: Callable[[SpdyStream], bool]) -> None:
        self._pipe = pipe
        self._on_stream = on_stream
        self._reader = FrameReader()
        self._writer = FrameWriter()
        self._writing = asyncio.Lock()
        self._streams: dict[int, SpdyStream] = {}

    async def run(self) -> None:
        """Reads until the client is gone; then every stream is lost.

        `on_stream` is told of each new stream, once it was answered; it returns whether it is
        wanted.
        """
        tasks = [spawn(self._read(), name="spdy.read"), spawn(self._beat(), name="spdy.beat")]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            for stream in self._streams.values():
                stream.lost()
            self._streams.clear()
        for task in tasks:
            error = None if task.cancelled() else task.exception()
            if error is not None and not isinstance(error, ClientGone):
                raise error

    async def _read(self) -> None:
        try:
            while data := await self._pipe.read():
                for frame in self._reader.feed(data):
                    await self._take(frame)
        except SpdyError as error:
            _log.warning("spdy.unreadable", error=str(error))

    async def _beat(self) -> None:
        """Finds out that the client is gone while a stream that nobody reads holds `_read` up."""
        number = 0
        while True:
            await asyncio.sleep(BEAT_S)
            number += 2
            await self.put(Ping(number))

    async def put(self, frame: Frame) -> None:
        """Sends a frame, after those before it.

        Raises:
            ClientGone: the client went away.
        """
        async with self._writing:
            await self._pipe.write(self._writer.encode(frame))

    async def close(self) -> None:
        """Closes the connection; idempotent."""
        await self._pipe.close()

    def forget_ended(self, stream: SpdyStream) -> None:
        """Drops a stream that is done: what still arrives for it is dropped too."""
        if stream.done:
            self._streams.pop(stream.number, None)

    async def _take(self, frame: Frame) -> None:
        match frame:
            case Open(number, headers, fin):
                await self._open(number, headers, fin=fin)
            case Data(number, data, fin):
                stream = self._streams.get(number)
                if stream is not None:
                    await stream.take(data, fin=fin)
                    self.forget_ended(stream)
            case Reset(number):
                stream = self._streams.pop(number, None)
                if stream is not None:
                    stream.break_off()
            case Ping(number):
                if number % 2:  # the client's own; answers to ours would be even
                    await self.put(frame)
            case GoAway() | Reply():
                pass

    async def _open(self, number: int, headers: Headers, *, fin: bool) -> None:
        if number in self._streams or not number % 2:
            raise SpdyError(f"stream {number} is opened twice, or not the client's to open")
        if len(self._streams) >= STREAMS:
            await self.put(Reset(number, REFUSED))
            return
        stream = self._streams[number] = SpdyStream(self, number, headers)
        await self.put(Reply(number, {}))
        if fin:
            await stream.take(b"", fin=True)
        if not self._on_stream(stream):
            self._streams.pop(number, None)
            stream.break_off()
            await self.put(Reset(number, REFUSED))
