"""Byte streams in memory: two ends, bounded, half-closable."""

import asyncio

from orchestrator.kit.errors import ChannelLost

ROOM_BYTES = 64 * 1024


class _Way:
    """One direction."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.ended = False
        self.broken = False
        self.changed = asyncio.Condition()

    async def change(self) -> None:
        async with self.changed:
            self.changed.notify_all()


class MemoryStream:
    """Implements `seams.ByteStream`: one end of a connection made by `connected`."""

    def __init__(self, incoming: _Way, outgoing: _Way) -> None:
        self._in = incoming
        self._out = outgoing

    async def read(self, limit: int = 65536) -> bytes:
        way = self._in
        async with way.changed:
            await way.changed.wait_for(lambda: way.data or way.ended or way.broken)
            if not way.data and way.broken:
                raise ChannelLost("connection reset by peer", operation="read")
            data = bytes(way.data[:limit])
            del way.data[:limit]
            way.changed.notify_all()
        return data

    async def write(self, data: bytes) -> None:
        way = self._out
        async with way.changed:
            if way.broken or way.ended:
                raise ChannelLost("broken pipe", operation="write")
            way.data += data
            way.changed.notify_all()
            await way.changed.wait_for(lambda: len(way.data) <= ROOM_BYTES or way.broken)
            if way.broken:
                raise ChannelLost("broken pipe", operation="write")

    async def write_eof(self) -> None:
        self._out.ended = True
        await self._out.change()

    async def close(self) -> None:
        self._out.ended = True
        self._in.broken = True
        await self._out.change()
        await self._in.change()


def connected() -> tuple[MemoryStream, MemoryStream]:
    """Two ends."""
    one, other = _Way(), _Way()
    return MemoryStream(one, other), MemoryStream(other, one)
