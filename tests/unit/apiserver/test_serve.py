"""The real server on a loopback port: TLS, client certificates, and a stop with open streams."""

import asyncio
import contextlib
import http.client
import ssl

import pytest

from orchestrator.apiserver.authn import PEER_KEY
from orchestrator.apiserver.ports import bind
from orchestrator.apiserver.serve import serve
from orchestrator.apiserver.settings import ApiServerSettings
from orchestrator.credentials.ensure import (
    client_ssl_context,
    ensure_credentials,
    server_ssl_context,
)


class TinyApp:
    """Answers with the peer's name; `/stream` sends until it is told to end."""

    def __init__(self):
        self.ended = asyncio.Event()
        self.streams = 0

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            while True:
                message = await receive()
                await send({"type": f"{message['type']}.complete"})
                if message["type"] == "lifespan.shutdown":
                    return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if scope["path"] == "/stream":
            self.streams += 1
            await send({"type": "http.response.body", "body": b"open\n", "more_body": True})
            await self.ended.wait()
            await send({"type": "http.response.body", "body": b"end\n", "more_body": False})
        else:
            identity = scope["state"][PEER_KEY].identity
            body = identity.user.encode() if identity else b"anonymous"
            await send({"type": "http.response.body", "body": body})


@pytest.fixture
async def served(tmp_path):
    credentials = ensure_credentials(tmp_path)
    app, stop, listening = TinyApp(), asyncio.Event(), asyncio.Event()
    listener = bind("127.0.0.1", 0)
    port = listener.getsockname()[1]
    async with asyncio.TaskGroup() as group:
        task = group.create_task(
            serve(
                app,
                ApiServerSettings(host="127.0.0.1", port=0, shutdown_s=1),
                stop,
                tls=server_ssl_context(credentials),
                end_streams=app.ended.set,
                listener=listener,
                on_listening=lambda _host, _port: listening.set(),
            )
        )
        async with asyncio.timeout(5):
            await listening.wait()
        yield port, credentials, app, stop, task
        stop.set()


async def get(port, tls, path):
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    async with asyncio.timeout(5):
        data = await reader.read()
    writer.close()
    return data.split(b"\r\n\r\n", 1)[1]


async def test_peer_certificate_reaches_the_application(served):
    port, credentials, *_ = served
    anonymous = ssl.create_default_context(cafile=str(credentials.ca_cert))
    assert b"orch-admin" in await get(port, client_ssl_context(credentials), "/")
    assert b"anonymous" in await get(port, anonymous, "/")


async def test_stop_ends_open_streams_at_once(served):
    port, credentials, app, stop, task = served
    tls = client_ssl_context(credentials)
    streaming = asyncio.ensure_future(get(port, tls, "/stream"))
    async with asyncio.timeout(5):
        while not app.streams:
            await asyncio.sleep(0)
        began = asyncio.get_running_loop().time()
        stop.set()
        await task
    assert b"end" in await streaming
    assert asyncio.get_running_loop().time() - began < 0.9  # not cut after shutdown_s


async def test_kept_alive_connection_does_not_hold_the_stop_up(served):
    port, credentials, _, stop, task = served
    tls = client_ssl_context(credentials)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    began = asyncio.get_running_loop().time()
    stop.set()
    async with asyncio.timeout(5):
        await task
    assert asyncio.get_running_loop().time() - began < 0.9
    writer.close()


async def test_a_client_that_sleeps_does_not_hold_the_stop_up(served):
    port, credentials, _, stop, task = served

    def ask() -> http.client.HTTPSConnection:
        context = client_ssl_context(credentials)
        client = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=5)
        client.request("GET", "/")
        client.getresponse().read()
        return client

    client = await asyncio.to_thread(ask)  # it will not answer the farewell of TLS
    began = asyncio.get_running_loop().time()
    stop.set()
    async with asyncio.timeout(5):
        await task
    assert asyncio.get_running_loop().time() - began < 0.9
    client.close()


async def test_endless_head_is_refused(served):
    port, credentials, *_ = served
    tls = client_ssl_context(credentials)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n")
    async with asyncio.timeout(5):
        with contextlib.suppress(ConnectionError):
            for _ in range(64):
                writer.write(b"X-Filler: " + b"x" * 8000 + b"\r\n")
                await writer.drain()
        assert (await reader.read()).startswith(b"HTTP/1.1 431 ")
    writer.close()


async def test_several_requests_on_one_connection(served):
    port, credentials, *_ = served
    tls = client_ssl_context(credentials)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
    async with asyncio.timeout(5):
        for _ in range(20):
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nX-Filler: " + b"x" * 9000 + b"\r\n\r\n")
            assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
            assert b"orch-admin" in await reader.readuntil(b"\r\n0\r\n\r\n")
    writer.close()
