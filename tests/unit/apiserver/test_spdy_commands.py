"""exec over raw SPDY: the upgrade, the streams, the last word, and how it ends."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest

from orchestrator.apiserver.connect.spdy.frames import Data, Open, Ping
from tests.fakes.pipes import connected
from tests.fakes.programs import CAT, FOREVER, ends
from tests.unit.apiserver.spdyclient import SpdyPeer
from tests.unit.apiserver.test_exec import EXEC, PODS, pods  # noqa: F401

V4, V3, V1 = "v4.channel.k8s.io", "v3.channel.k8s.io", "channel.k8s.io"


@asynccontextmanager
async def upgraded(app, path, *versions):
    """POSTs an upgrade to SPDY; the peer and the head that it was answered with."""
    ours, theirs = connected()
    head = asyncio.get_running_loop().create_future()

    def take(data):
        head.set_result(data)
        return theirs

    raw, _, query = path.partition("?")
    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1",
        "method": "POST", "scheme": "https", "path": raw, "raw_path": raw.encode(),
        "query_string": query.encode(), "root_path": "",
        "headers": [(b"authorization", b"Bearer root"),
                    *[(b"x-stream-protocol-version", v.encode()) for v in versions]],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8080), "state": {},
        "extensions": {"orch.takeover": {"take": take}},
    }  # fmt: skip
    answer = []

    async def send(message):
        answer.append(message)

    task = asyncio.ensure_future(app(scope, asyncio.Event().wait, send))
    try:
        async with asyncio.timeout(5):
            await asyncio.wait({task, head}, return_when=asyncio.FIRST_COMPLETED)
            if not head.done():
                raise AssertionError(answer[1]["body"])
            peer = SpdyPeer(ours)
            yield peer, head.result()
            await peer.leave()
            await task
            assert not answer, "nothing goes out as HTTP any more"
    finally:
        task.cancel()


async def test_streams_and_exit_code(world, pods):  # noqa: F811
    await pods(ends(3, 0.0, ("stdout", b"out"), ("stderr", b"err")))
    async with upgraded(world.api, EXEC, V4, V3) as (peer, head):
        assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
        assert b"\r\nUpgrade: SPDY/3.1\r\n" in head
        assert b"\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\n" in head
        error, out, err = [await peer.open(streamtype=k) for k in ("error", "stdout", "stderr")]
        assert await peer.whole(out) == b"out"
        assert await peer.whole(err) == b"err"
        status = json.loads(await peer.whole(error))
        assert status["details"]["causes"] == [{"reason": "ExitCode", "message": "3"}]
        assert peer.replied == {error, out, err}
        await peer.until(lambda: peer.over)


@pytest.mark.parametrize(("version", "words"), [
    (V3, b"command terminated with non-zero exit code: exit status 3"), (V1, None)])  # fmt: skip
async def test_before_v4_the_error_is_a_sentence(world, pods, version, words):  # noqa: F811
    await pods(ends(3 if words else 0))
    async with upgraded(world.api, EXEC, version) as (peer, _):
        error = await peer.open(streamtype="error")
        for kind in ("stdout", "stderr"):
            await peer.open(streamtype=kind)
        assert await peer.whole(error) == (words or b"")


async def test_input_ends_with_its_stream(world, pods):  # noqa: F811
    asked = await pods(CAT)
    async with upgraded(world.api, f"{EXEC}&stdin=true", V4) as (peer, _):
        kinds = ("error", "stdin", "stdout", "stderr")
        numbers = {kind: await peer.open(streamtype=kind) for kind in kinds}
        await peer.send(Data(numbers["stdin"], b"hello "))
        await peer.send(Data(numbers["stdin"], b"world", fin=True))
        assert await peer.whole(numbers["stdout"]) == b"hello world"
        assert json.loads(await peer.whole(numbers["error"]))["status"] == "Success"
    assert asked.sessions[0].closed


async def test_terminal_sizes_in_any_pieces(world, pods):  # noqa: F811
    asked = await pods(FOREVER)
    path = f"{PODS}/web/exec?command=sh&stdin=true&stdout=true&tty=true"
    async with upgraded(world.api, path, V4) as (peer, _):
        kinds = ("error", "stdin", "stdout", "resize")
        numbers = {kind: await peer.open(streamtype=kind) for kind in kinds}
        for piece in (b'{"Width":80,"Hei', b'ght":24}\n{"Width":90', b',"Height":30}\n'):
            await peer.send(Data(numbers["resize"], piece))
        async with asyncio.timeout(5):
            while not asked.sessions or asked.sessions[0].size != (90, 30):
                await asyncio.sleep(0)


async def test_unwanted_streams_are_refused_and_pings_answered(world, pods):  # noqa: F811
    await pods(FOREVER)
    async with upgraded(world.api, EXEC, V4) as (peer, _):
        first = await peer.open(streamtype="error")
        again = await peer.open(streamtype="error")
        stdin = await peer.open(streamtype="stdin")
        await peer.send(Ping(7))
        await peer.until(lambda: peer.pings == [7])
        assert set(peer.reset) == {again, stdin}
        assert first in peer.replied


async def test_leaving_and_nonsense_end_the_session(world, pods):  # noqa: F811
    asked = await pods(FOREVER)
    async with upgraded(world.api, EXEC, V4) as (peer, _):
        await peer.open(streamtype="error")
    assert asked.sessions[0].closed
    async with upgraded(world.api, EXEC, V4) as (peer, _):
        await peer.send(Open(2, {"streamtype": "error"}))
        await peer.until(lambda: peer.over)
    assert asked.sessions[1].closed
    assert len(world.api.services.open_streams) == 0


async def test_the_servers_stop_ends_it(world, pods):  # noqa: F811
    asked = await pods(FOREVER)
    async with upgraded(world.api, EXEC, V4) as (peer, _):
        for kind in ("error", "stdout", "stderr"):
            await peer.open(streamtype=kind)
        world.api.end_streams()
        await peer.until(lambda: peer.over)
    assert asked.sessions[0].closed


async def test_no_version_in_common(world, pods):  # noqa: F811
    await pods(FOREVER)
    with pytest.raises(AssertionError, match="unable to negotiate protocol: client supports"):
        async with upgraded(world.api, EXEC, "v9.channel.k8s.io"):
            pass
