"""A SPDY client on one end of a memory stream, as kubectl's: opens streams, reads them."""

import asyncio
from typing import Any

from orchestrator.apiserver.connect.spdy.frames import (
    Data,
    FrameReader,
    FrameWriter,
    Open,
    Ping,
    Reply,
    Reset,
)
from orchestrator.kit.errors import ChannelLost


class SpdyPeer:
    """`stream` is a ByteStream."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.writer = FrameWriter()
        self.got: dict[int, bytearray] = {}
        self.ended: set[int] = set()
        self.reset: dict[int, int] = {}
        self.replied: set[int] = set()
        self.pings: list[int] = []
        self.changed = asyncio.Condition()
        self.next = 1
        self.over = False
        self.task = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        reader = FrameReader()
        try:
            while data := await self.stream.read():
                for frame in reader.feed(data):
                    match frame:
                        case Data(number, piece, fin):
                            self.got.setdefault(number, bytearray()).extend(piece)
                            if fin:
                                self.ended.add(number)
                        case Reset(number, status):
                            self.reset[number] = status
                        case Reply(number):
                            self.replied.add(number)
                        case Ping(number):
                            self.pings.append(number)
                await self._tell()
        except ChannelLost:
            pass
        self.over = True
        await self._tell()

    async def _tell(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(5), self.changed:
            await self.changed.wait_for(condition)

    async def send(self, frame: Any) -> None:
        await self.stream.write(self.writer.encode(frame))

    async def open(self, fin: bool = False, **headers: str) -> int:
        number, self.next = self.next, self.next + 2
        await self.send(Open(number, headers, fin))
        return number

    async def whole(self, number: int) -> bytes:
        """All of a stream, once it has ended."""
        await self.until(lambda: number in self.ended or self.over)
        assert number in self.ended, (self.got, self.reset)
        return bytes(self.got.get(number, b""))

    async def leave(self) -> None:
        await self.stream.close()
        await self.task
