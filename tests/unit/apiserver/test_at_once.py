"""Requests that are answered at once get what they would get the usual way."""

import asyncio
import re

import pytest

from orchestrator.apiserver.at_once import Asker
from orchestrator.apiserver.settings import ApiServerSettings
from tests.unit.apiserver.client import TABLE
from tests.unit.apiserver.serving import serving

ONE = "/api/v1/namespaces/default/configmaps/one"


@pytest.fixture
async def port(world):
    """The whole server on loopback, with one object, and one that is big."""
    for name, size in (("one", 10), ("big", 5_000)):
        await world.create(
            "/api/v1/namespaces/default/configmaps",
            {"metadata": {"name": name}, "data": {"text": "x" * size}},
        )
    async with serving(world.api, end_streams=world.api.end_streams) as port:
        yield port


@pytest.fixture
def at_once(world, monkeypatch):
    """The paths that were answered at once."""
    paths = []
    real = Asker.__call__

    def noting(asker, path):
        answer = real(asker, path)
        if answer is not None:
            paths.append(path)
        return answer

    monkeypatch.setattr(Asker, "__call__", noting)
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


class Line:
    """One connection on which every request has the same head."""

    def __init__(self, reader, writer):
        self._reader = reader
        self._writer = writer

    async def get(self, path, token="root"):
        self._writer.write(request(path, token=token).encode())
        async with asyncio.timeout(5):
            head = await self._reader.readuntil(b"\r\n\r\n")
            length = int(re.search(rb"content-length: (\d+)", head.lower())[1])
            return int(head.split()[1]), await self._reader.readexactly(length)


@pytest.fixture
async def line(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    yield Line(reader, writer)
    writer.close()


async def test_a_known_head_brings_each_path_its_own_answer(world, line, at_once):
    await world.create("/api/v1/namespaces/default/configmaps", {"metadata": {"name": "two"}})
    two = ONE.replace("one", "two")
    for path, status, word in [
        (ONE, 200, b'"one"'),
        (two, 200, b'"two"'),
        (ONE.replace("one", "none"), 404, b'"NotFound"'),
        (f"{two}?x=y", 200, b'"two"'),
        ("/api/v1/namespaces/default/configmaps", 200, b"ConfigMapList"),
        ("/version", 200, b"gitVersion"),
        (two, 200, b'"two"'),
        (ONE, 200, b'"one"'),
    ]:
        code, body = await line.get(path)
        assert (code, word in body) == (status, True), path
    assert at_once == [ONE, two, two, ONE]


async def test_a_known_head_shows_what_is_there_now(world, line, at_once):
    assert b"xxxx" in (await line.get(ONE))[1]
    reply = await world.client("DELETE", ONE)
    assert reply.status == 200
    assert (await line.get(ONE))[0] == 404
    await world.create(
        "/api/v1/namespaces/default/configmaps", {"metadata": {"name": "one"}, "data": {"b": "new"}}
    )
    assert b'"new"' in (await line.get(ONE))[1]
    assert at_once == [ONE, ONE]


async def test_permission_is_asked_for_each_time(world, line, at_once):
    kind = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}
    await world.create(f"{kind}/roles", {"metadata": {"name": "r"}, "rules": [rule]})
    binding = {
        "metadata": {"name": "b"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "ann"}],
    }
    await world.create(f"{kind}/rolebindings", binding)
    assert [(await line.get(ONE, "ann"))[0] for _ in range(2)] == [200, 200]
    assert at_once == [ONE, ONE]
    await world.client("DELETE", f"{kind}/rolebindings/b")
    assert (await line.get(ONE, "ann"))[0] == 403
    assert at_once == [ONE, ONE]


async def test_a_token_that_is_taken_away_is_good_no_more(world, line, at_once, monkeypatch):
    assert [(await line.get(ONE))[0] for _ in range(2)] == [200, 200]
    tokens = world.api.services.authenticator.tokens
    monkeypatch.setattr(type(tokens), "owner_of", lambda _self, _token: None)
    assert (await line.get(ONE))[0] == 401
    assert at_once == [ONE, ONE]


async def test_acting_as_somebody_else_goes_the_usual_way(port, at_once):
    [(status, _, _)] = await exchange(port, request(ONE, more="impersonate-user: ann"))
    assert status == 403
    assert at_once == []


async def test_a_line_that_is_used_is_not_idle(world, at_once):
    await world.create("/api/v1/namespaces/default/configmaps", {"metadata": {"name": "one"}})
    loop = asyncio.get_running_loop()
    settings = ApiServerSettings(keep_alive_s=0.3)
    async with serving(world.api, settings, world.api.end_streams) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        line = Line(reader, writer)
        began_s = loop.time()
        while loop.time() < began_s + 0.5:
            assert (await line.get(ONE))[0] == 200
            await asyncio.sleep(0.02)
        last_s = loop.time()
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        assert loop.time() - last_s > 0.2
        assert len(at_once) > 5
        writer.close()
