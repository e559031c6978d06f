"""What clients do to a server, by mistake or not: real connections to the whole application."""

import asyncio
import json
import re
import socket
from dataclasses import replace

import pytest

from orchestrator.apiserver import cycle, protocol
from orchestrator.apiserver.lanes import Lanes
from tests.unit.apiserver.client import TABLE
from tests.unit.apiserver.serving import serving

MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
POD = (
    b'{"kind":"Pod","apiVersion":"v1","metadata":{"name":"p"},'
    b'"spec":{"containers":[{"name":"c","image":"i"}]}}'
)


@pytest.fixture
async def served(world):
    """The world's application on a port of loopback, without TLS."""
    settings = world.api.services.settings
    async with serving(world.api, settings, world.api.end_streams) as port:
        yield port


def request(method, path, body=b"", *headers):
    lines = [f"{method} {path} HTTP/1.1", "Host: x", "Authorization: Bearer root", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def exchange(port, *parts, read_s=5.0):
    """Sends the parts and reads until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for part in parts:
        writer.write(part)
        await writer.drain()
    async with asyncio.timeout(read_s):
        data = await reader.read()
    writer.close()
    return data


def statuses(data):
    """(code, Status document or None) of each answer in a stream of answers."""
    found = []
    while data:
        head, _, rest = data.partition(b"\r\n\r\n")
        length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
        body, data = rest[:length], rest[length:]
        found.append((int(head[9:12]), json.loads(body) if body else None))
    return found


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\n: empty\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"GET / HTTP/1.1\r\nx: " + b"a" * 200_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"x: a\r\n" * 40_000, 431),
        (b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\n\r\n", 431),
    ],
    ids=["no http", "bytes in path", "no name", "length", "chunks", "header", "headers", "path"],
)
async def test_what_is_no_http_is_a_status_too(served, sent, code):
    answered = statuses(await exchange(served, sent))
    assert answered[-1][0] == code
    assert (answered[-1][1]["kind"], answered[-1][1]["code"]) == ("Status", code)


async def test_a_slow_head_is_not_waited_for(served, monkeypatch):
    monkeypatch.setattr(protocol, "HEAD_S", 0.05)
    first = request("GET", MAPS)
    data = await exchange(served, first, b"GET / HTTP/1.1\r\nHo")
    assert [code for code, _ in statuses(data)] == [200, 408]


async def test_a_slow_body_is_not_waited_for(served, world):
    services = world.api.services
    object.__setattr__(services, "settings", replace(services.settings, body_s=0.05))
    head = request("POST", PODS, POD)[: -len(POD)]
    ((code, status),) = statuses(await exchange(served, head, POD[:10]))
    assert (code, status["reason"]) == (504, "Timeout")


async def test_a_body_that_is_too_big_is_refused_unread(served):
    head = request("POST", MAPS, b"", f"Content-Length: {2**40}")
    ((code, status),) = statuses(await exchange(served, head, b"x" * 100_000))
    assert (code, status["reason"]) == (413, "RequestEntityTooLarge")


async def test_a_chunked_body_that_grows_is_refused(served):
    head = request("POST", MAPS, b"", "Transfer-Encoding: chunked")
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    ((code, status),) = statuses(await exchange(served, head, chunk * 64))
    assert (code, status["reason"]) == (413, "RequestEntityTooLarge")


async def test_clients_that_leave_do_no_harm(served):
    for sent in (b"", b"GET", request("POST", MAPS, b"x" * 50)[:-10], request("GET", MAPS)):
        _, writer = await asyncio.open_connection("127.0.0.1", served)
        writer.write(sent)
        writer.close()
    last = request("GET", MAPS, b"", "Connection: close")
    assert [code for code, _ in statuses(await exchange(served, last))] == [200]


@pytest.mark.parametrize("how", ["close", "half-close", "reset"])
async def test_a_watch_ends_with_its_client(served, world, how):
    reader, writer = await asyncio.open_connection("127.0.0.1", served)
    writer.write(request("GET", f"{MAPS}?watch=1"))
    async with asyncio.timeout(5):
        await reader.readuntil(b"\r\n\r\n")
        assert world.store.statistics().watchers == 1
        match how:
            case "close":
                writer.close()
            case "half-close":
                writer.write_eof()
            case _:
                writer.transport.abort()
        while world.store.statistics().watchers:
            await asyncio.sleep(0.001)
    writer.close()


async def test_pipelined_requests_keep_their_order(served):
    asked = [request("GET", f"{MAPS}/{n}") for n in range(20)]
    data = await exchange(served, *asked, request("GET", MAPS, b"", "Connection: close"))
    names = [(s.get("details") or {}).get("name") for _, s in statuses(data)]
    assert names == [*map(str, range(20)), None]


async def test_a_flood_is_told_to_come_back_and_watch_and_health_go_on(served, world):
    lanes = Lanes(1, 3, 5)
    object.__setattr__(world.api.services, "lanes", lanes)
    assert lanes.enter_nowait()  # somebody's write takes long
    close = ("Connection: close",)
    flood = [
        asyncio.ensure_future(exchange(served, request("GET", MAPS, b"", *close)))
        for _ in range(10)
    ]
    done, waiting = await asyncio.wait(flood, timeout=0.3)
    refused = [task.result() for task in done]
    assert len(refused) == 7
    for data in refused:
        ((code, status),) = statuses(data)
        assert (code, status["reason"]) == (429, "TooManyRequests")
        assert status["message"] == "Too many requests, please try again later."
        assert status["details"]["retryAfterSeconds"] == 1
        assert b"retry-after: 1\r\n" in data
    assert (await exchange(served, request("GET", "/livez", b"", *close))).startswith(
        b"HTTP/1.1 200"
    )
    async with world.client.stream(f"{MAPS}?watch=1") as watch:
        assert watch.status == 200
    lanes.leave()
    for task in waiting:
        assert statuses(await task)[0][0] == 200


DOUBLED = POD.replace(b'"image":"i"', b'"image":"i","image":"j"')
SENTENCE = 'duplicate field "spec.containers[0].image"'


async def test_a_field_that_comes_twice_is_named(world):
    warned = await world.client("POST", f"{PODS}?dryRun=All", DOUBLED)
    assert warned.status == 201
    assert warned.all("warning") == [f'299 - "{SENTENCE}"'.replace('d "s', 'd \\"s')[:-2] + '\\""']
    refused = await world.client("POST", f"{PODS}?fieldValidation=Strict", DOUBLED)
    assert refused.status == 400
    assert refused.json["message"] == (
        f'Pod in version "v1" cannot be handled as a Pod: strict decoding error: {SENTENCE}'
    )
    silent = await world.client("POST", f"{PODS}?fieldValidation=Ignore", DOUBLED)
    assert (silent.status, silent.all("warning")) == (201, [])
    assert silent.json["spec"]["containers"][0]["image"] == "j"


async def test_a_patch_that_says_it_twice_is_refused(world):
    assert (await world.client("POST", PODS, POD)).status == 201
    patch = b'{"metadata":{"labels":{"a":"b","a":"c"}}}'
    reply = await world.client(
        "PATCH",
        f"{PODS}/p?fieldValidation=Strict",
        patch,
        content_type="application/merge-patch+json; charset=utf-8",
    )
    assert reply.status == 400
    assert 'duplicate field "metadata.labels.a"' in reply.json["message"]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b'"i"', b"NaN", "json parse error"),
        (b'"i"', b"1e999", "json parse error"),
        (b'"containers"', b'"priority":1e999,"containers"', "json parse error"),
        (b'"containers"', b'"priority":%d,"containers"' % 2**70, "of type int32"),
        (b'"i"', b'"\xff"', "json parse error"),
        (b'"i"}]}}', b'"i"}]}} {}', "json parse error"),
    ],
    ids=["nan", "infinity", "infinite number", "huge", "no text", "two"],
)
async def test_numbers_and_texts_that_are_none(world, old, new, words):
    reply = await world.client("POST", PODS, POD.replace(old, new))
    assert (reply.status, reply.json["kind"]) == (400, "Status")
    assert words in reply.json["message"]


EVENTS = 24


@pytest.mark.slow
@pytest.mark.parametrize("form", ["application/json", TABLE], ids=["objects", "tables"])
async def test_watchers_that_do_not_read_hold_nobody_up(served, world, monkeypatch, form):
    monkeypatch.setattr(cycle, "STALLED_S", 0.3)
    ask = request("GET", f"{MAPS}?watch=1&includeObject=Object", b"", f"Accept: {form}")

    async def reads():
        reader, writer = await asyncio.open_connection("127.0.0.1", served, limit=2**20)
        writer.write(ask)
        found = []
        while len(found) < EVENTS:
            line = await reader.readline()
            found += re.findall(rb'"name":"(map-\d+)"', line)[:1]
        writer.close()
        return found

    slow = []
    for _ in range(5):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(sock, ("127.0.0.1", served))
        await loop.sock_sendall(sock, ask)
        slow.append(sock)
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        fast = [group.create_task(reads()) for _ in range(20)]
        while world.store.statistics().watchers < 25:
            await asyncio.sleep(0.01)
        for number in range(EVENTS):
            name = f"map-{number:02}"
            document = {"metadata": {"name": name}, "data": {"a": "x" * 400_000}}
            assert (await world.client("POST", MAPS, document)).status == 201
    assert all(task.result() == [b"map-%02d" % n for n in range(EVENTS)] for task in fast)
    async with asyncio.timeout(10):
        while world.store.statistics().watchers:
            await asyncio.sleep(0.01)  # the slow ones are cut off
    for sock in slow:
        sock.close()
