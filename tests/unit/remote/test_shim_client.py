"""The client of the shim, against a shim made of a few lines."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agentshim import wire
from orchestrator.kit.errors import ChannelLost, ShimError
from orchestrator.remote.dialer import LocalDialer, SocketStream
from orchestrator.remote.shim.client import Memory, ShimClient

DEADLINE_S = 5.0


class FakeShim:
    """Answers by script: `hello` as told, "echo" at once, "slow" never."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.hello: dict[str, Any] = {"result": {"epoch": "e1", "seq": 0}}
        self.after_hello: list[dict[str, Any]] = []
        self.writers: list[asyncio.StreamWriter] = []
        self.arrived = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        decoder = wire.Decoder()
        while data := await reader.read(65536):
            for message in decoder.feed(data):
                self.got.append(message)
                self.arrived.set()
                self.answer(message, writer)
        writer.close()

    def answer(self, message: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        if message.get("op") == "hello":
            # In one write: events may come in the same read as the answer.
            frames = [{**self.hello, "id": message["id"]}, *self.after_hello]
            writer.write(b"".join(wire.encode(frame) for frame in frames))
        elif message.get("op") == "echo":
            writer.write(wire.encode({"id": message["id"], "result": message["payload"]}))
        elif message.get("op") == "refuse":
            error = {"code": "not_found", "message": "no such thing"}
            writer.write(wire.encode({"id": message["id"], "error": error}))

    def push(self, *events: dict[str, Any]) -> None:
        for event in events:
            self.writers[-1].write(wire.encode(event))

    async def until_got(self, **wanted: Any) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not any(wanted.items() <= message.items() for message in self.got):
                self.arrived.clear()
                await self.arrived.wait()


@pytest.fixture
async def shim(tmp_path: Path) -> AsyncIterator[FakeShim]:
    fake = FakeShim()
    listener = await asyncio.start_unix_server(fake.serve, tmp_path / "shim.sock")
    yield fake
    for writer in fake.writers:
        writer.close()
    listener.close()


@pytest.fixture
async def client(shim: FakeShim, tmp_path: Path) -> AsyncIterator[ShimClient]:
    client = await attach(tmp_path)
    yield client
    await client.close()


async def attach(tmp_path: Path, memory: Memory | None = None) -> ShimClient:
    path = str(tmp_path / "shim.sock")
    _, stream = await LocalDialer().dial(lambda: SocketStream("shim"), path)
    return await ShimClient.attach(stream, node="web-1", digest="d", memory=memory)


async def settle(client: ShimClient) -> None:
    """What the shim sent before this has been read when it returns."""
    await client.call("echo", {})


async def test_answers_find_their_calls(client: ShimClient) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(client.call("echo", {"n": n})) for n in range(20)]
    assert [task.result() for task in tasks] == [{"n": n} for n in range(20)]


async def test_a_typed_error(client: ShimClient) -> None:
    with pytest.raises(ShimError, match="no such thing") as caught:
        await client.call("refuse", {})
    assert (caught.value.code, caught.value.node) == ("not_found", "web-1")
    assert not caught.value.retryable


async def test_a_cancelled_call_is_told_to_the_shim(shim: FakeShim, client: ShimClient) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await client.call("slow", {})
    request = next(m for m in shim.got if m.get("op") == "slow")
    await shim.until_got(id=request["id"], cancel=True)
    assert await client.call("echo", {"still": 1}) == {"still": 1}


async def test_a_refused_hello_closes_the_stream(shim: FakeShim, tmp_path: Path) -> None:
    shim.hello = {"error": {"code": "version_mismatch", "message": "protocol 9"}}
    with pytest.raises(ShimError, match="protocol 9"):
        await attach(tmp_path)


async def test_events_before_the_first_listener_are_kept(shim: FakeShim, tmp_path: Path) -> None:
    shim.after_hello = [{"event": "probe", "seq": n, "replayed": True} for n in (1, 2)]
    client = await attach(tmp_path)
    await settle(client)
    seen: list[dict[str, Any]] = []
    end = client.subscribe(seen.append)
    shim.push({"event": "heartbeat", "seq": 2}, {"event": "probe", "seq": 3})
    await settle(client)
    assert [event["seq"] for event in seen] == [1, 2, 2, 3]
    end()
    shim.push({"event": "probe", "seq": 4})
    await settle(client)
    assert len(seen) == 4
    await client.close()


async def test_the_next_client_says_how_far_the_last_one_read(
    shim: FakeShim, tmp_path: Path
) -> None:
    client = await attach(tmp_path)
    shim.push({"event": "probe", "seq": 7}, {"event": "heartbeat", "seq": 99})
    await settle(client)
    assert client.memory == Memory("e1", 7)
    await client.close()
    again = await attach(tmp_path, client.memory)
    payload = [m for m in shim.got if m.get("op") == "hello"][-1]["payload"]
    assert (payload["epoch"], payload["after_seq"]) == ("e1", 7)
    assert again.memory == Memory("e1", 7)
    await again.close()


async def test_another_shim_process_begins_at_zero(shim: FakeShim, tmp_path: Path) -> None:
    shim.hello = {"result": {"epoch": "e2", "seq": 3}}
    client = await attach(tmp_path, Memory("e1", 40))
    assert client.memory == Memory("e2", 0)
    await client.close()


async def test_a_broken_stream_ends_calls_and_the_host(shim: FakeShim, client: ShimClient) -> None:
    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
        waiting = group.create_task(outcome(client.call("slow", {})))
        gone = group.create_task(client.wait_gone())
        await shim.until_got(op="slow")
        shim.writers[-1].close()
    assert isinstance(waiting.result(), ChannelLost)
    assert "closed its channel" in gone.result()
    with pytest.raises(ChannelLost):
        await client.call("echo", {})


async def outcome(call: Any) -> object:
    try:
        return await call
    except ChannelLost as error:
        return error


async def test_nonsense_ends_the_client(shim: FakeShim, client: ShimClient) -> None:
    shim.writers[-1].write(b"\xff\xff\xff\xff")
    async with asyncio.timeout(DEADLINE_S):
        assert "nonsense" in await client.wait_gone()


async def test_a_payload_over_the_limit_is_refused_here(client: ShimClient) -> None:
    with pytest.raises(ShimError) as caught:
        await client.call("echo", {"x": "a" * (wire.MAX_FRAME_BYTES + 1)})
    assert caught.value.code == "too_large"


async def test_close_is_idempotent(client: ShimClient) -> None:
    await client.close()
    await client.close()
    with pytest.raises(ChannelLost):
        await client.call("echo", {})
