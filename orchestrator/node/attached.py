"""The first client of a container that was made for one client: it must get all of the output.

An engine that is asked for what was written before gives that from the log, and then attaches;
what is written between the two is lost. So the short output of a container that has ended is
compared with its log, and what is missing at its end is added.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from typing import Final

from orchestrator.kit.errors import RemoteError
from orchestrator.remote.seams import Engine, ExecSession, LogOptions, OutputFrame

COMPARED_BYTES: Final = 64 * 1024
"""Longer outputs are let be: the moment in question is the container's first."""
_ENDING_S: Final = 5.0  # engines give a log driver some seconds to take the last lines


class WholeSession:
    """An `ExecSession` of a container's first process whose output lacks nothing at its end.

    Args:
        session: attached, with what was written before.
        engine: for the log.
        container_id: the container.
    """

    def __init__(self, session: ExecSession, engine: Engine, container_id: str) -> None:
        self._session = session
        self._engine = engine
        self._id = container_id

    async def output(self) -> AsyncIterator[OutputFrame]:
        """Yields output until the process ends."""
        given: dict[str, bytes] = {"stdout": b"", "stderr": b""}
        length = 0
        async for frame in self._session.output():
            length += len(frame.data)
            if length <= COMPARED_BYTES:
                given[frame.stream] += frame.data
            yield frame
        if length <= COMPARED_BYTES:
            with contextlib.suppress(RemoteError, TimeoutError):
                for frame in await self._missing(given):
                    yield frame

    async def _missing(self, given: dict[str, bytes]) -> list[OutputFrame]:
        async with asyncio.timeout(_ENDING_S):
            await self._session.exit_code()
            logged: list[OutputFrame] = []
            async for frame in self._engine.logs(self._id, LogOptions()):
                logged.append(frame)
                if sum(len(one.data) for one in logged) > COMPARED_BYTES:
                    return []
        return missing(given, logged)

    async def write(self, data: bytes) -> None:
        """Writes to its standard input."""
        await self._session.write(data)

    async def write_eof(self) -> None:
        """Ends its standard input."""
        await self._session.write_eof()

    async def resize(self, width: int, height: int) -> None:
        """Sets the terminal's size in cells."""
        await self._session.resize(width, height)

    async def exit_code(self) -> int:
        """Waits for the end and returns the exit status."""
        return await self._session.exit_code()

    async def close(self) -> None:
        """Drops the connection; idempotent."""
        await self._session.close()


def missing(given: dict[str, bytes], logged: list[OutputFrame]) -> list[OutputFrame]:
    """What of a log comes after what was given; nothing where that is not how the log begins.

    Args:
        given: the output so far, by stream.
        logged: the log, in order.
    """
    for stream, data in given.items():
        whole = b"".join(frame.data for frame in logged if frame.stream == stream)
        if not whole.startswith(data):
            return []
    left = Counter({stream: len(data) for stream, data in given.items()})
    found: list[OutputFrame] = []
    for frame in logged:
        known = min(left[frame.stream], len(frame.data))
        left[frame.stream] -= known
        if known < len(frame.data):
            found.append(OutputFrame(frame.stream, frame.data[known:]))
    return found
