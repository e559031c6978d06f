"""Requests that are answered at once get what they would get the usual way."""

import asyncio
import re

import pytest

from orchestrator.apiserver.ports import bind
from orchestrator.apiserver.serve import serve
from orchestrator.apiserver.settings import ApiServerSettings
from tests.unit.apiserver.client import TABLE

ONE = "/api/v1/namespaces/default/configmaps/one"


@pytest.fixture
async def port(world):
    """The whole server on loopback, with one object, and one that is big."""
    for name, size in (("one", 10), ("big", 5_000)):
        await world.create(
            "/api/v1/namespaces/default/configmaps",
            {"metadata": {"name": name}, "data": {"text": "x" * size}},
        )
    stop, listening = asyncio.Event(), asyncio.Event()
    listener = bind("127.0.0.1", 0)
    async with asyncio.TaskGroup() as group:
        group.create_task(
            serve(
                world.api,
                ApiServerSettings(host="127.0.0.1", port=0, shutdown_s=1),
                stop,
                tls=None,
                end_streams=world.api.end_streams,
                listener=listener,
                on_listening=lambda _host, _port: listening.set(),
            )
        )
        async with asyncio.timeout(5):
            await listening.wait()
        yield listener.getsockname()[1]
        stop.set()


@pytest.fixture
def at_once(world, monkeypatch):
    """The paths that were answered at once."""
    paths = []
    real = world.api.gate.answer_nowait

    def noting(scope):
        answer = real(scope)
        if answer is not None:
            paths.append(scope["path"])
        return answer

    monkeypatch.setattr(world.api.gate, "answer_nowait", noting)
    return paths


def request(path, method="GET", token="root", more="", version="1.1"):
    lines = [f"{method} {path} HTTP/{version}", "host: here"]
    if token:
        lines.append(f"authorization: Bearer {token}")
    return "\r\n".join([*lines, *filter(None, more.split("\n"))]) + "\r\n\r\n"


async def exchange(port, text, count=1):
    """Sends all of it, reads `count` answers: (status, headers, body) each."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(text.encode())
    found = []
    async with asyncio.timeout(5):
        for _ in range(count):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = re.search(r"content-length: (\d+)", head)
            headers = set(head.split("\r\n")[1:-2])
            headers = {line for line in headers if not line.startswith("date:")}
            body = await reader.readexactly(int(length[1])) if length else b""
            found.append((int(head.split()[1]), headers, body))
    writer.close()
    return found


async def test_both_ways_say_the_same(port, at_once):
    [usual] = await exchange(port, request(f"{ONE}?x=y"))
    assert at_once == []
    [now] = await exchange(port, request(ONE))
    assert at_once == [ONE]
    assert now == usual
    assert now[0] == 200
    assert b'"name":"one"' in now[2]


async def test_forms_are_negotiated_at_once_too(port, at_once):
    for accept in (TABLE, "application/yaml", "application/json"):
        [usual] = await exchange(port, request(f"{ONE}?x=y", more=f"accept: {accept}"))
        [now] = await exchange(port, request(ONE, more=f"accept: {accept}"))
        assert now == usual
    assert len(at_once) == 3


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (request("/api/v1/namespaces/default/configmaps/none"), 404),
        (request("/api/v1/namespaces/default/nothings/one"), 404),
        (request(ONE, token="wrong"), 401),
        (request(ONE, token="ann"), 403),
        (request(ONE, token=""), 403),
        (request(ONE, more="accept: text/html"), 406),
        (request(ONE, more="expect: 100-continue"), 200),
        (request(ONE, more="content-length: 0"), 200),
        (request(ONE, version="1.0"), 200),
        (request(ONE, more="connection: close"), 200),
        (request("/api/v1/namespaces/default/configmaps/big"), 200),
        (request("/api/v1/namespaces/default/configmaps"), 200),
        (request(f"{ONE}?resourceVersion=nonsense"), 422),
        (request(ONE, more="user-agent: curl/8.5.0"), 200),
        (request("/version"), 200),
        (request("/apis"), 200),
    ],
)
async def test_what_is_not_plain_goes_the_usual_way(port, at_once, text, status):
    [(found, _, body)] = await exchange(port, text)
    assert found == status
    assert at_once == []
    if status >= 400:
        assert b'"kind":"Status"' in body


async def test_answers_keep_their_order(port, at_once):
    listed = "/api/v1/namespaces/default/configmaps"
    paths = [ONE, listed, ONE, ONE, f"{ONE}?a=b", ONE]
    found = await exchange(port, "".join(request(path) for path in paths), len(paths))
    kinds = [b'"ConfigMapList"' in body for _, _, body in found]
    assert kinds == [False, True, False, False, False, False]
    assert [status for status, _, _ in found] == [200] * 6
    assert at_once, "the first finds a free line"


async def test_it_is_counted(port, world, at_once):
    before = world.api.services.metrics.collector.get_sample_value
    labels = {"verb": "GET", "resource": "configmaps", "code": "200"}
    await exchange(port, request(ONE) * 3, 3)
    assert len(at_once) == 3
    assert before("apiserver_request_total", labels) == 3


async def test_a_connection_is_used_again_and_closed_when_idle(port, at_once):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for number in range(3):
        writer.write(request(ONE if number != 1 else f"{ONE}?a=b").encode())
        async with asyncio.timeout(5):
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(re.search(rb"content-length: (\d+)", head)[1]))
    assert len(at_once) == 2
    writer.close()


async def test_full_lanes_are_waited_for(port, world, at_once):
    lanes = world.api.services.lanes
    lanes._free, kept = 0, lanes._free
    waiting = asyncio.ensure_future(exchange(port, request(ONE)))
    async with asyncio.timeout(5):
        while not lanes.waiting:
            await asyncio.sleep(0)
    lanes._free = kept - 1
    lanes.leave()
    [(status, _, _)] = await waiting
    assert (status, at_once) == (200, [])
