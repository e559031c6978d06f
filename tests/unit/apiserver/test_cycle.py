"""Whole answers on a real connection: one write, big ones in pieces, no client that never reads."""

import asyncio
import gc
import re
import socket

import pytest

from orchestrator.apiserver import cycle
from orchestrator.apiserver.cycle import PIECE_BYTES, WHOLE_KEY
from tests.unit.apiserver.serving import serving

BIG = bytes(range(256)) * (PIECE_BYTES // 256 * 40) + b"the end"


class WholeApp:
    """Answers /N with N bytes and /big with a big body; says how its last send ended."""

    def __init__(self):
        self.sent = asyncio.Event()

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            for step in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{step}.complete"})
            return
        assert WHOLE_KEY in scope["extensions"]
        path = scope["path"][1:]
        body = BIG if path == "big" else b"x" * int(path)
        status = 304 if path == "304" else 200
        headers = [(b"content-type", b"text/plain")]
        await send({"type": WHOLE_KEY, "status": status, "headers": headers, "body": body})
        self.sent.set()


@pytest.fixture
async def served():
    app = WholeApp()
    async with serving(app) as port:
        yield port, app


async def exchange(port, text):
    """Sends and reads until the server closes: head and body of the last answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(text.encode())
    async with asyncio.timeout(5):
        data = await reader.read()
    writer.close()
    head, _, body = data.partition(b"\r\n\r\n")
    return head.decode().lower(), body


@pytest.mark.parametrize(
    ("method", "path", "length", "body"),
    [
        ("GET", "/0", 0, b""),
        ("GET", "/5", 5, b"xxxxx"),
        ("HEAD", "/5", 5, b""),
        ("GET", "/big", len(BIG), BIG),
        ("GET", "/304", None, b""),
    ],
    ids=["empty", "small", "head", "big", "no body"],
)
async def test_an_answer_is_whole(served, method, path, length, body):
    port, _ = served
    request = f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    head, got = await exchange(port, request)
    assert got == body
    assert "connection: close" in head
    assert (f"content-length: {length}" in head) is (length is not None)


async def test_pipelined_requests_are_answered_in_order(served):
    port, _ = served
    lines = "".join(f"GET /{n} HTTP/1.1\r\nHost: x\r\n\r\n" for n in range(1, 6))
    last = "GET /0 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    head, rest = await exchange(port, lines + last)
    lengths = re.findall(r"content-length: (\d)", head + rest.decode())
    assert lengths == ["1", "2", "3", "4", "5", "0"]


async def test_a_client_that_takes_nothing_is_cut_off(served, monkeypatch):
    monkeypatch.setattr(cycle, "STALLED_S", 0.05)
    port, app = served
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(slow, ("127.0.0.1", port))
        await loop.sock_sendall(slow, b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(5):
            await app.sent.wait()  # the application is not held up for ever
        received = 0
        try:
            while piece := await asyncio.wait_for(loop.sock_recv(slow, 65536), 5):
                received += len(piece)
        except ConnectionResetError:
            pass
        assert received < len(BIG)


class Watcher(WholeApp):
    """Begins a streamed answer, and goes on until the client has left."""

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http" or scope["path"] != "/watch":
            await super().__call__(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"1", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
        self.sent.set()


@pytest.mark.parametrize("path", ["/5", "/big", "/watch"])
async def test_a_request_leaves_nothing_that_only_the_garbage_collector_could_free(served, path):
    port, app = served
    app.__class__ = Watcher

    async def client():
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await reader.read(100)
        writer.close()
        await asyncio.wait_for(app.sent.wait(), 5)
        app.sent.clear()

    await client()
    gc.collect()
    gc.freeze()  # what tests have made before
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        for _ in range(3):
            await client()
        await asyncio.sleep(0.05)  # connections are closed in a later turn of the loop
        gc.collect()
        ours = [one for one in gc.garbage if isinstance(one, cycle.ApiCycle)]
        assert ours == []
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
        gc.unfreeze()
