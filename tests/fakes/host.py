"""Fake hosts: machines that go on, and connections to them that are lost and made again.

    machines = {"host-1": Machine("host-1")}
    connector = FakeConnector(machines)

A session is given the connector; a test uses the machine: its `engine`, its `shim`, and
`cut`, `vanish`, `reach`, `reboot`.
"""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any

from orchestrator.kit.errors import ChannelLost, Unreachable
from orchestrator.remote.seams import SILENT, ByteStream, CommandResult, HostAddress
from tests.fakes.engine import FakeEngine
from tests.fakes.faults import Faults
from tests.fakes.pipes import connected
from tests.fakes.shim import FakeShim

SILENCE_S = 3.5
"""After so long without a sign of life a connection says that its host is lost."""

_END = object()

Command = Callable[[Sequence[str], bytes], CommandResult]


class Line:
    """What one connection hangs on: whole, silent (nobody answers), or broken."""

    def __init__(self, node: str) -> None:
        self.node = node
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.silent = False
        self._late: set[asyncio.Future[Any]] = set()

    def cut(self, reason: str) -> None:
        """It breaks."""
        if not self.lost.done():
            self.lost.set_result(reason)

    async def over(self, work: Coroutine[Any, Any, Any], operation: str) -> Any:
        """Awaits a call to the other side; what was begun goes on there when the line breaks.

        Raises:
            ChannelLost: the line broke; the effect is unknown.
        """
        if self.lost.done() or self.silent:
            work.close()
        else:
            task = asyncio.ensure_future(work)
            self._late.add(task)
            task.add_done_callback(self._late.discard)
            task.add_done_callback(lambda t: t.cancelled() or t.exception())
            await asyncio.wait({task, self.lost}, return_when=asyncio.FIRST_COMPLETED)
            if not self.lost.done() and not self.silent:
                return task.result()
        await asyncio.shield(self.lost)
        raise self._error(operation)

    async def next_over(self, items: AsyncIterator[Any], operation: str) -> Any:
        """The next item of a stream from the other side, or `_END`; nothing goes on by itself.

        Raises:
            ChannelLost: the line broke.
        """
        task = asyncio.ensure_future(_next(items))
        try:
            await asyncio.wait({task, self.lost}, return_when=asyncio.FIRST_COMPLETED)
            if self.silent:
                await asyncio.shield(self.lost)
            if self.lost.done():
                raise self._error(operation)
            return task.result()
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait({task})

    def _error(self, operation: str) -> ChannelLost:
        return ChannelLost(self.lost.result(), node=self.node, operation=operation)


class OverLine:
    """An engine or a shim as one connection reaches it: calls and streams end with the line."""

    def __init__(self, inner: Any, line: Line) -> None:
        self._inner = inner
        self._line = line

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if inspect.isasyncgenfunction(found):
            return lambda *args, **more: self._stream(found(*args, **more), name)
        if inspect.iscoroutinefunction(found):
            return lambda *args, **more: self._line.over(found(*args, **more), name)
        return found

    async def _stream(self, items: AsyncIterator[Any], name: str) -> AsyncIterator[Any]:
        try:
            while (found := await self._line.next_over(items, name)) is not _END:
                yield found
        finally:
            await items.aclose()  # type: ignore[attr-defined]  # fakes' streams are generators

    def subscribe(self, listener: Callable[[dict[str, Any]], None]) -> Callable[[], None]:
        """Events come as long as the line is whole."""

        def pass_on(event: dict[str, Any]) -> None:
            if not self._line.lost.done() and not self._line.silent:
                listener(event)

        end: Callable[[], None] = self._inner.subscribe(pass_on)
        return end


async def _next(items: AsyncIterator[Any]) -> Any:
    return await anext(items, _END)


class FakeTransport:
    """Commands answer as the machine says; files are kept."""

    def __init__(self, machine: "Machine", line: Line) -> None:
        self._machine = machine
        self._line = line

    async def open_unix(self, path: str) -> ByteStream:
        raise Unreachable(f"{path}: no such socket", node=self._machine.name, operation=path)

    async def open_tcp(self, host: str, port: int) -> ByteStream:
        async def work() -> ByteStream:
            serve = self._machine.listening.get((host, port))
            operation = f"dial tcp {host}:{port}"
            if serve is None:
                words = f"{operation}: connect: connection refused"
                raise Unreachable(words, node=self._machine.name, operation=operation)
            ours, theirs = connected()
            serving = asyncio.ensure_future(serve(theirs))
            self._machine.serving.add(serving)
            serving.add_done_callback(self._machine.serving.discard)
            return ours

        found: ByteStream = await self._line.over(work(), "open tcp")
        return found

    async def run(
        self, argv: Sequence[str], *, stdin: bytes = b"", privileged: bool = False
    ) -> CommandResult:
        async def work() -> CommandResult:
            return self._machine.run(argv, stdin)

        found: CommandResult = await self._line.over(work(), "run")
        return found

    async def put_file(self, path: str, data: bytes, *, mode: int = 0o600) -> None:
        async def work() -> None:
            self._machine.files[path] = data

        await self._line.over(work(), "put file")

    async def wait_closed(self) -> str:
        return await asyncio.shield(self._line.lost)

    async def close(self) -> None:
        self._line.cut("closed")


class FakeHost:
    """Implements `seams.Host`: one connection to a machine."""

    def __init__(self, machine: "Machine") -> None:
        self.name = machine.name
        self.line = Line(machine.name)
        self.engine: Any = OverLine(machine.engine, self.line)
        self.shim: Any = OverLine(machine.shim, self.line)
        self.transport = FakeTransport(machine, self.line)

    async def wait_lost(self) -> str:
        return await asyncio.shield(self.line.lost)

    async def close(self) -> None:
        self.line.cut("closed")


class Machine:
    """A host as it is, whoever is connected.

    Attributes:
        engine: its Docker Engine.
        shim: its shim.
        run: what a command gives; tests replace it.
        files: written by `put_file`.
        listening: what serves a connection to an address and port, as seen from the host.
        serving: what does so now.
        refusing: why a connection cannot be made; None when it can.
        connects: how many connections were made.
    """

    def __init__(
        self, name: str, address: str = "10.0.0.1", faults: Faults | None = None, cpus: int = 4
    ) -> None:
        self.name = name
        self.engine = FakeEngine(name, faults, cpus)
        self.shim = FakeShim(self.engine, name, address)
        self.run: Command = lambda argv, stdin: CommandResult(0, "", "")
        self.files: dict[str, bytes] = {}
        self.listening: dict[tuple[str, int], Callable[[ByteStream], Awaitable[None]]] = {}
        self.serving: set[asyncio.Future[None]] = set()
        self.refusing: Exception | None = None
        self.connects = 0
        self._connected: list[FakeHost] = []
        self._vanished = False

    # ------------------------------------------------------------ faults

    def cut(self, reason: str = "connection reset by peer") -> None:
        """All connections break; new ones can be made."""
        for host in self._connected:
            host.line.cut(reason)
        self._connected.clear()

    def vanish(self) -> None:
        """Nobody answers any more; connections notice after `SILENCE_S`."""
        self._vanished = True
        loop = asyncio.get_running_loop()
        for host in self._connected:
            host.line.silent = True
            loop.call_later(SILENCE_S, host.line.cut, f"{SILENT} for {SILENCE_S:g} s")
        self._connected.clear()

    def reach(self) -> None:
        """The host answers again; connections that fell silent are lost for good."""
        self._vanished = False

    def reboot(self) -> None:
        """Everything ends; containers whose policy says so run again, under a new boot id."""
        self.cut("the host was booted")
        self.engine.crash()
        self.engine.recover(died=True)
        self.shim.trees.clear()
        self.shim.reset()
        self.shim.facts["boot_id"] += "+"

    # ------------------------------------------------------------ connections

    async def connect(self) -> FakeHost:
        """A new connection.

        Raises:
            Unreachable: the host does not answer, or what `refusing` says.
        """
        if self._vanished:
            await asyncio.sleep(3600)
            raise Unreachable("timed out", node=self.name, operation="connect")
        if self.refusing is not None:
            raise self.refusing
        host = FakeHost(self)
        await host.engine.ping()
        self.connects += 1
        self._connected.append(host)
        return host


class FakeConnector:
    """Implements `seams.HostConnector` on machines by name."""

    def __init__(self, machines: Mapping[str, Machine]) -> None:
        self.machines = machines

    async def connect(self, address: HostAddress) -> FakeHost:
        machine = self.machines.get(address.node)
        if machine is None:
            raise Unreachable("no such host", node=address.node, operation="connect")
        return await machine.connect()
