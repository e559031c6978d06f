"""A head that is known from the request before means what the parser would find in it."""

import asyncio
import random

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from orchestrator.apiserver.heads import KnownHead
from orchestrator.apiserver.protocol import ApiProtocol

HEADERS = [(b"host", b"here"), (b"accept", b"*/*")]


def piece(target=b"/a", method=b"GET", more=b"", body=b""):
    return (
        method
        + b" "
        + target
        + b" HTTP/1.1\r\nHost: here\r\nAccept: */*\r\n"
        + more
        + b"\r\n"
        + body
    )


def known(method=b"GET", headers=HEADERS, **parts):
    return KnownHead.of(piece(b"/a", method, **parts), method, b"/a", headers)


def test_only_the_target_may_differ():
    head = known()
    assert head.again(piece(b"/api/v1/pods?watch=1&x=%20")) == (
        b"/api/v1/pods?watch=1&x=%20",
        b"",
    )
    for other in (
        piece(method=b"PUT"),
        piece(more=b"x: y\r\n"),
        piece().replace(b"here", b"HERE"),
        piece().replace(b"HTTP/1.1", b"HTTP/1.0"),
        piece()[:-1],
        piece() + b"G",
        piece() + piece(),
        b"GET",
        b"",
    ):
        assert head.again(other) is None, other


@pytest.mark.parametrize(
    "target", [b"a", b"", b"*", b"http://here/a", b"/a b", b"/a\r\nx:", b"/\xff", b"/a#b", b'/"']
)
def test_strange_targets_are_the_parsers_business(target):
    assert known().again(piece(target)) is None


def test_a_body_is_as_long_as_the_one_before():
    more = b"Content-Length: 4\r\n"
    headers = [*HEADERS, (b"content-length", b"4")]
    head = known(b"POST", headers, more=more, body=b"1234")
    assert head.again(piece(b"/b", b"POST", more, b"\r\n\r\n")) == (b"/b", b"\r\n\r\n")
    assert head.again(piece(b"/b", b"POST", more, b"123")) is None
    assert head.again(piece(b"/b", b"POST", more, b"12345")) is None


@pytest.mark.parametrize("name", [b"transfer-encoding", b"expect", b"upgrade"])
def test_what_means_more_than_it_says_is_not_kept(name):
    assert known(headers=[*HEADERS, (name, b"x")]) is None


def test_a_piece_that_is_not_one_whole_request_is_not_kept():
    for other in (piece() + piece(), piece(body=b"1"), b"\r\n" + piece(), piece(b"/other")):
        assert KnownHead.of(other, b"GET", b"/a", HEADERS) is None


class Transport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self):
        super().__init__()
        self.written = b""
        self.closed = False

    def write(self, data):
        self.written += bytes(data)

    def is_closing(self):
        return self.closed

    def close(self):
        self.closed = True

    abort = close

    def pause_reading(self):
        pass

    def resume_reading(self):
        pass


async def turns():
    """What can go on goes on; some requests never come to their end."""
    for _ in range(20):
        await asyncio.sleep(0)


async def seen(pieces, *, keep, monkeypatch):
    """What an application is asked when a connection brings these pieces, and what is answered."""
    asked = []

    async def app(scope, receive, send):
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        what = {name: scope[name] for name in ("method", "path", "raw_path", "query_string")}
        asked.append((what, scope["http_version"], list(scope["headers"]), body))
        headers = [(b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"ok"})

    again = []
    if keep:
        real = ApiProtocol._begin_again
        monkeypatch.setattr(
            ApiProtocol, "_begin_again", lambda self, *a: (again.append(a), real(self, *a))
        )
    else:
        monkeypatch.setattr(KnownHead, "of", lambda *_: None)
    config = Config(app=app, http=ApiProtocol, log_config=None, lifespan="off", proxy_headers=False)
    config.load()
    protocol = ApiProtocol(config=config, server_state=ServerState(), app_state={})
    transport = Transport()
    protocol.connection_made(transport)
    for data, waits in pieces:
        if transport.closed:
            break
        protocol.data_received(data)
        if waits:
            await turns()
    await turns()
    protocol.connection_lost(None)
    await turns()
    assert not protocol.tasks
    monkeypatch.undo()
    return (asked, transport.written, transport.closed), len(again)


def conversation(rng):
    """Pieces, and after which the client waits for its answers."""
    bodies = [b"", b"", b"1234", b"12\r\n\r\n78"]
    heads = [(rng.choice([b"GET", b"POST", b"PUT"]), b"", b"")]
    for _ in range(3):
        body = rng.choice(bodies)
        more = b"Content-Length: %d\r\n" % len(body) if body else b""
        more += rng.choice([b"", b"", b"X-One: 1\r\n", b"Connection: close\r\n", b"Expect: x\r\n"])
        heads.append((rng.choice([b"GET", b"POST", b"PUT"]), more, body))
    targets = [b"/a", b"/a/b?c=%2Fd", b"/a%20b", b"/long/" + b"x" * 50, b"//a", b"/?"]
    sent, method, more, body = [], b"GET", b"", b""
    for _ in range(rng.randrange(3, 14)):
        if not sent or rng.random() < 0.35:
            method, more, body = rng.choice(heads)
        data = piece(rng.choice(targets), method, more, body)
        how = rng.random()
        if how < 0.1:
            cut = rng.randrange(1, len(data))
            sent += [(data[:cut], False), (data[cut:], True)]
        elif how < 0.2:
            sent.append((data + data, True))
        elif how < 0.25:
            sent.append((b"\r\n" + data, True))
        elif how < 0.28:
            sent.append((data.replace(b"Host", b"Ho st"), True))
        else:
            sent.append((data, rng.random() < 0.8))
    return sent


async def test_a_connection_is_served_as_if_everything_was_parsed(monkeypatch):
    known_again = 0
    for seed in range(150):
        pieces = conversation(random.Random(seed))
        usual, _ = await seen(pieces, keep=False, monkeypatch=monkeypatch)
        found, again = await seen(pieces, keep=True, monkeypatch=monkeypatch)
        assert found == usual, seed
        known_again += again
    assert known_again > 200
