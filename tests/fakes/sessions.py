"""Commands run in fake containers, and attached first processes."""

import asyncio
from collections.abc import AsyncIterator

from orchestrator.kit.errors import ChannelLost
from orchestrator.remote.seams import OutputFrame
from tests.fakes.containers import FakeContainer
from tests.fakes.programs import Program


class FakeExec:
    """A command in a container: writes its output, then runs as long as its program says."""

    def __init__(self, program: Program, *, tty: bool, size: tuple[int, int] | None = None) -> None:
        self._program = program
        self._frames: asyncio.Queue[OutputFrame | None] = asyncio.Queue()
        self._code: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.size = size
        self._echoed = 0
        for stream, data in program.output:
            self._frames.put_nowait(OutputFrame("stdout" if tty else stream, data))
        if program.runs_s is not None:
            asyncio.get_running_loop().call_later(program.runs_s, self._end, program.exit_code)

    def _end(self, code: int) -> None:
        if not self._code.done():
            self._code.set_result(code)
            self._frames.put_nowait(None)

    async def output(self) -> AsyncIterator[OutputFrame]:
        while (frame := await self._frames.get()) is not None:
            yield frame

    async def write(self, data: bytes) -> None:
        if self._code.done():
            raise ChannelLost("the command has ended", operation="exec")
        if self._program.echo:
            self._frames.put_nowait(OutputFrame("stdout", data))
            self._echoed += len(data)
            if self._echoed == self._program.echo_bytes:
                self._end(0)

    async def write_eof(self) -> None:
        if self._program.echo:
            self._end(0)

    async def resize(self, width: int, height: int) -> None:
        self.size = (width, height)

    async def exit_code(self) -> int:
        return await asyncio.shield(self._code)

    async def close(self) -> None:
        """The command goes on; nobody reads it any more."""
        self._frames.put_nowait(None)


class FakeAttach:
    """A container's first process, from now on or from its beginning."""

    def __init__(self, container: FakeContainer, *, ends: bool, earlier: bool) -> None:
        self._container = container
        self._ends = ends
        self._read = 0 if earlier else len(container.log)
        self._closed = False

    async def output(self) -> AsyncIterator[OutputFrame]:
        container = self._container
        while not self._closed:
            while self._read < len(container.log):
                stream, data = container.log[self._read][1]
                self._read += 1
                yield OutputFrame(stream, data)
            if container.state not in {"created", "running", "paused"}:
                return
            await container.wait_changed()

    async def write(self, data: bytes) -> None:
        if self._container.program.echo:
            self._container.write(("stdout", data))

    async def write_eof(self) -> None:
        if self._ends and self._container.program.echo:
            self._container.end(0)

    async def resize(self, width: int, height: int) -> None:
        pass

    async def exit_code(self) -> int:
        await self._container.wait_ended()
        return self._container.exit_code

    async def close(self) -> None:
        self._closed = True
