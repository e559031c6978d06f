"""Connections that leave HTTP, on a real server: raw SPDY, and WebSockets that are held up."""

import asyncio
import contextlib

import pytest
from wsproto import ConnectionType, WSConnection, events

from orchestrator.apiserver.connect.upgrade import TAKEOVER_KEY
from orchestrator.apiserver.connect.websocket import GONE_KEY
from orchestrator.apiserver.websocket_protocol import ApiWebSocket
from tests.unit.apiserver.serving import serving

HEAD = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n"


class Upgrading:
    """/echo gives back what comes on a taken-over connection; WebSockets are never read."""

    def __init__(self):
        self.ended = asyncio.Event()
        self.gone = asyncio.Event()
        self.left = asyncio.Event()

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            while True:
                message = await receive()
                await send({"type": f"{message['type']}.complete"})
                if message["type"] == "lifespan.shutdown":
                    return
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept", "subprotocol": "SPDY/3.1+portforward.k8s.io"})
            stop = asyncio.ensure_future(self.ended.wait())
            gone = asyncio.ensure_future(scope["extensions"][GONE_KEY].wait())
            await asyncio.wait({stop, gone}, return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                self.gone.set()
            stop.cancel()
            gone.cancel()
            return
        take = (scope.get("extensions") or {}).get(TAKEOVER_KEY)
        if take is None or scope["path"] == "/no":
            await send({"type": "http.response.start", "status": 400, "headers": []})
            await send({"type": "http.response.body", "body": b"no"})
            return
        stream = take["take"](HEAD)
        while data := await stream.read():
            await stream.write(data)
        await stream.close()
        self.left.set()


@pytest.fixture
async def served():
    app = Upgrading()
    async with serving(app, end_streams=app.ended.set) as port:
        yield port, app


async def post(port, path, upgrade="SPDY/3.1"):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: {upgrade}\r\n"
        "Content-Length: 0\r\n\r\n".encode()
    )
    return reader, writer


async def test_a_connection_is_taken_over_and_echoes(served):
    port, app = served
    async with asyncio.timeout(5):
        reader, writer = await post(port, "/echo")
        assert await reader.readuntil(b"\r\n\r\n") == HEAD
        data = bytes(range(256)) * 4096
        writer.write(data)
        assert await reader.readexactly(len(data)) == data
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
        await app.left.wait()


async def test_what_is_not_taken_over_is_answered_as_http(served):
    port, _ = served
    for path, upgrade in (("/no", "SPDY/3.1"), ("/echo", "tcp")):
        async with asyncio.timeout(5):
            reader, writer = await post(port, path, upgrade)
            assert (await reader.readline()).startswith(b"HTTP/1.1 400")
            writer.close()


@contextlib.asynccontextmanager
async def websocket(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    connection = WSConnection(ConnectionType.CLIENT)
    request = events.Request("x", "/", subprotocols=["SPDY/3.1+portforward.k8s.io"])
    writer.write(connection.send(request))

    async def received():
        while True:
            for event in connection.events():
                return event
            connection.receive_data(await reader.read(65536) or None)

    accepted = await received()
    assert accepted.subprotocol == "SPDY/3.1+portforward.k8s.io"
    assert not accepted.extensions, "no compression"
    yield connection, writer, received
    writer.close()


async def test_a_client_that_is_held_up_gets_pongs_and_is_seen_to_go(served, monkeypatch):
    port, app = served
    schedule = ApiWebSocket.schedule_ping

    def soon(self):
        self.ping_interval = 0.05
        schedule(self)

    monkeypatch.setattr(ApiWebSocket, "schedule_ping", soon)
    async with asyncio.timeout(10):
        async with websocket(port) as (connection, writer, received):
            writer.write(connection.send(events.BytesMessage(bytes(1000))))
            seen = set()
            while not {events.Ping, events.Pong} <= seen:
                seen.add(type(await received()))
            writer.write(connection.send(events.BytesMessage(bytes(1000))))  # never read
        await app.gone.wait()
