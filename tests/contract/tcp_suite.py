"""What `NodeTransport.open_tcp` promises, whoever implements it."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from orchestrator.kit.errors import ChannelLost, Unreachable
from orchestrator.remote.seams import ByteStream, NodeTransport

DEADLINE_S = 30.0


@dataclass
class TcpRig:
    """A host, and a way to make it listen.

    Attributes:
        transport: the connection to the host.
        echo: starts a server that gives everything back and then ends; its port.
        silent: starts a server that never reads; its port.
        free: a port that nobody listens on.
        refused: what is said of it, after "connect: ".
    """

    transport: NodeTransport
    echo: Callable[[], Awaitable[int]]
    silent: Callable[[], Awaitable[int]]
    free: int
    refused: tuple[str, ...] = ("connection refused",)


async def read_all(stream: ByteStream) -> bytes:
    found = b""
    while data := await stream.read():
        found += data
    return found


class TcpSuite:
    """Subclass it where a fixture `tcp` gives a TcpRig."""

    async def test_what_is_written_comes_back_until_the_end(self, tcp: TcpRig) -> None:
        port = await tcp.echo()
        async with asyncio.timeout(DEADLINE_S):
            stream = await tcp.transport.open_tcp("127.0.0.1", port)
            await stream.write(b"hello ")
            assert await stream.read() == b"hello "
            await stream.write(b"world")
            await stream.write_eof()
            assert await read_all(stream) == b"world"
            assert await stream.read() == b""
            await stream.close()
            await stream.close()

    async def test_much_data_both_ways_at_once(self, tcp: TcpRig) -> None:
        port = await tcp.echo()
        piece, count = bytes(range(256)) * 256, 200
        sent, got = hashlib.sha256(), hashlib.sha256()

        async def feed(stream: ByteStream) -> None:
            for _ in range(count):
                sent.update(piece)
                await stream.write(piece)
            await stream.write_eof()

        async with asyncio.timeout(DEADLINE_S):
            stream = await tcp.transport.open_tcp("127.0.0.1", port)
            feeding = asyncio.ensure_future(feed(stream))
            while data := await stream.read():
                got.update(data)
            await feeding
            await stream.close()
        assert got.digest() == sent.digest()

    async def test_several_at_once(self, tcp: TcpRig) -> None:
        port = await tcp.echo()

        async def talk(number: int) -> bytes:
            stream = await tcp.transport.open_tcp("127.0.0.1", port)
            await stream.write(b"%d" % number)
            await stream.write_eof()
            found = await read_all(stream)
            await stream.close()
            return found

        async with asyncio.timeout(DEADLINE_S):
            found = await asyncio.gather(*(talk(number) for number in range(20)))
        assert found == [b"%d" % number for number in range(20)]

    async def test_a_server_that_does_not_read_holds_the_writer_up(self, tcp: TcpRig) -> None:
        port = await tcp.silent()
        written = 0
        async with asyncio.timeout(DEADLINE_S):
            stream = await tcp.transport.open_tcp("127.0.0.1", port)
            try:
                async with asyncio.timeout(1.0):
                    while written < 1 << 30:
                        await stream.write(bytes(65536))
                        written += 65536
            except TimeoutError:
                pass
            await stream.close()  # drops what was not taken, and does not wait for it
            echo = await tcp.transport.open_tcp("127.0.0.1", await tcp.echo())
            await echo.write(b"still here")
            assert await echo.read() == b"still here"
            await echo.close()
        assert written < 64 << 20

    async def test_nobody_listens(self, tcp: TcpRig) -> None:
        async with asyncio.timeout(DEADLINE_S):
            with pytest.raises(Unreachable) as caught:
                await tcp.transport.open_tcp("127.0.0.1", tcp.free)
        begin = f"dial tcp 127.0.0.1:{tcp.free}: connect: "
        assert caught.value.message.startswith(begin)
        assert caught.value.message.removeprefix(begin) in tcp.refused

    async def test_a_closed_stream_takes_nothing(self, tcp: TcpRig) -> None:
        async with asyncio.timeout(DEADLINE_S):
            stream = await tcp.transport.open_tcp("127.0.0.1", await tcp.echo())
            await stream.close()
            with pytest.raises(ChannelLost):
                await stream.write(b"x")
