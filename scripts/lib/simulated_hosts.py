"""Hosts for the control plane's benchmark: everything is real but SSH and the engine.

Not a benchmark itself. A host is one of `tests/fakes` (whose engine and shim pass the contract
suites of the real ones); its shim is reached through the real client and the real frames, over a
pipe in memory, and beats once a second, as the real one does.
"""

import asyncio
import contextlib
from collections import deque
from typing import Any

from agentshim import wire
from orchestrator.kit.errors import ChannelLost, ShimError
from orchestrator.remote.connect import SshHost
from orchestrator.remote.seams import HostAddress
from orchestrator.remote.settings import RemoteSettings
from orchestrator.remote.shim.client import ShimClient
from tests.fakes.host import FakeHost, Machine

BEAT_S = 1.0


class Pipe:
    """One end of a byte stream in memory, as `ShimClient` uses it."""

    def __init__(self) -> None:
        self.peer: Pipe | None = None
        self._data: deque[bytes] = deque()
        self._closed = False
        self._waiter: asyncio.Future[None] | None = None

    async def read(self, _limit: int = 65536) -> bytes:
        while not self._data:
            if self._closed:
                return b""
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return self._data.popleft()

    def write_nowait(self, data: bytes) -> None:
        if self._closed or self.peer is None:
            raise ChannelLost("broken pipe", operation="write")
        self.peer._data.append(data)
        self.peer._wake()

    async def write(self, data: bytes) -> None:
        self.write_nowait(data)

    async def close(self) -> None:
        for end in (self, self.peer):
            if end is not None:
                end._closed = True
                end._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def pipes() -> tuple[Pipe, Pipe]:
    """Two ends."""
    one, other = Pipe(), Pipe()
    one.peer, other.peer = other, one
    return one, other


class ShimPeer:
    """What answers at the other end: the fake shim behind real frames, with a heartbeat."""

    def __init__(self, machine: Machine, stream: Pipe) -> None:
        self._shim = machine.shim
        self._stream = stream
        self._seq = 0
        self._timer: asyncio.TimerHandle | None = None
        self._end = self._shim.subscribe(self._pass_on)
        self._calls: set[asyncio.Task[None]] = set()
        self._task = asyncio.ensure_future(self._serve())

    def _pass_on(self, event: dict[str, Any]) -> None:
        with contextlib.suppress(ChannelLost):
            self._stream.write_nowait(wire.encode(event))

    def _beat(self) -> None:
        self._pass_on({"event": "heartbeat", "seq": self._seq, "time_s": 0.0})
        self._timer = asyncio.get_running_loop().call_later(BEAT_S, self._beat)

    async def _serve(self) -> None:
        decoder = wire.Decoder()
        while data := await self._stream.read():
            for message in decoder.feed(data):
                if message.get("op") == "hello":
                    result = {
                        "epoch": "e", "files_root": self._shim.files_root, "hash": "",
                        "protocol": wire.PROTOCOL,
                    }  # fmt: skip
                    self._stream.write_nowait(wire.encode({"id": message["id"], "result": result}))
                    self._beat()
                elif "op" in message:
                    call = asyncio.ensure_future(self._answer(message))
                    self._calls.add(call)
                    call.add_done_callback(self._calls.discard)
        self._end()
        if self._timer is not None:
            self._timer.cancel()

    async def _answer(self, message: dict[str, Any]) -> None:
        try:
            result = await self._shim.call(message["op"], message["payload"])
        except ShimError as error:
            said: dict[str, Any] = {"error": {"code": error.code, "message": error.message}}
        else:
            said = {"result": result}
        self._pass_on({"id": message["id"], **said})


class SimulatedConnector:
    """`seams.HostConnector` on simulated hosts, made when they are first asked for."""

    def __init__(self, cpus: int) -> None:
        self._cpus = cpus
        self._settings = RemoteSettings()
        self._memories: dict[str, Any] = {}
        self.machines: dict[str, Machine] = {}

    async def connect(self, address: HostAddress) -> SshHost:
        """A connection to a host."""
        name = address.node
        machine = self.machines.get(name)
        if machine is None:
            machine = self.machines[name] = Machine(name, address.host, cpus=self._cpus)
            machine.engine.images_here.add("bench/web:1")
            # no host keeps what it was asked, for tests to look at
            machine.engine.calls = deque(maxlen=0)  # type: ignore[assignment]
            machine.shim.calls = deque(maxlen=0)  # type: ignore[assignment]
        fake: FakeHost = await machine.connect()
        ours, theirs = pipes()
        ShimPeer(machine, theirs)
        client = await ShimClient.attach(ours, node=name, digest="")  # type: ignore[arg-type]
        engine = machine.engine  # without a line that tests can cut: that would cost as much again
        return SshHost(address, self._settings, fake.transport, engine, client, self._memories)  # type: ignore[arg-type]  # fakes
