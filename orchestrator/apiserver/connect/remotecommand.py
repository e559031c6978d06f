"""Copies between a client and a command in a container, until either ends.

Nothing is read that cannot be passed on: a slow client holds up the command, a slow command the
client, and neither costs memory. Knows of no transport. Source: Kubernetes, remotecommand.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

import structlog

from orchestrator.apiserver.connect import statuses
from orchestrator.apiserver.connect.statuses import Status
from orchestrator.kit.aio.tasks import spawn
from orchestrator.kit.errors import RemoteError
from orchestrator.remote.seams import ExecSession

_log: Final = structlog.get_logger("apiserver.connect")

FIRST_SIZE_S: Final = 0.25
"""So long a command with a terminal waits for its size: kubectl says it first of all."""
CALL_S: Final = 30.0
"""The engine must have answered a question about a command by then."""

StreamName = Literal["stdout", "stderr"]


class ClientGone(Exception):
    """The client went away."""


@dataclass(frozen=True, slots=True)
class Stdin:
    """A piece of standard input."""

    data: bytes


@dataclass(frozen=True, slots=True)
class StdinEnd:
    """The end of standard input."""


@dataclass(frozen=True, slots=True)
class Resize:
    """The terminal's new size in cells."""

    width: int
    height: int


Input = Stdin | StdinEnd | Resize


class CommandClient(Protocol):
    """The client's end, whatever carries it. Every call may raise ClientGone."""

    async def receive(self) -> Input:
        """What the client sent next; does not read on before it is called again."""
        ...

    async def send(self, stream: StreamName, data: bytes) -> None:
        """Passes output on, once there is room; drops what the client did not ask for."""
        ...

    async def wait_gone(self) -> None:
        """Returns once the client is gone, also while nobody receives."""
        ...

    async def finish(self, status: Status) -> None:
        """Says how it ended, and closes."""
        ...


class Idle:
    """Ends what nobody uses: kubelet's `streamingConnectionIdleTimeout`."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._clock = asyncio.get_running_loop().time
        self._used_at = self._clock()

    def touch(self) -> None:
        """Something was sent or received."""
        self._used_at = self._clock()

    async def wait(self) -> None:
        """Returns once nothing was for the whole time."""
        left_s = self._limit_s
        while left_s > 0:  # a time is waited for, not a state
            await asyncio.sleep(left_s)
            left_s = self._used_at + self._limit_s - self._clock()


async def first_size(client: CommandClient) -> tuple[tuple[int, int] | None, list[Input]]:
    """The terminal's size, if the client says it at once; and what it said instead.

    Raises:
        ClientGone: the client went away.
    """
    try:
        async with asyncio.timeout(FIRST_SIZE_S):
            received = await client.receive()
    except TimeoutError:
        return None, []
    if isinstance(received, Resize):
        return (received.width, received.height), []
    return None, [received]


async def run_command(
    session: ExecSession,
    client: CommandClient,
    *,
    attach: bool,
    idle_s: float,
    stop: asyncio.Event,
    first: Sequence[Input] = (),
) -> None:
    """Copies until the command ends, the client is gone, nothing happens, or `stop` is set.

    `first` is what was received already. The session is closed in any case; a command that has not
    ended goes on.
    """
    idle = Idle(idle_s)
    showing = spawn(_show(session, client, attach=attach, idle=idle), name="connect.output")
    tasks = [
        showing,
        spawn(_feed(session, client, idle, first), name="connect.input"),
        spawn(client.wait_gone(), name="connect.gone"),
        spawn(idle.wait(), name="connect.idle"),
        spawn(_wait(stop), name="connect.stop"),
    ]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await session.close()
    for task in tasks:
        if not task.cancelled():
            error = task.exception()
            if error is not None and not isinstance(error, ClientGone):
                raise error


async def _show(session: ExecSession, client: CommandClient, *, attach: bool, idle: Idle) -> None:
    try:
        async for frame in session.output():
            idle.touch()
            await client.send(frame.stream, frame.data)
            idle.touch()
            await asyncio.sleep(0)  # others' turn: neither end need ever wait while data is there
        status = statuses.SUCCESS
        if not attach:
            async with asyncio.timeout(CALL_S):
                status = statuses.exited(await session.exit_code())
    except (RemoteError, TimeoutError) as error:
        _log.warning("connect.lost", error=f"{type(error).__name__}: {error}")
        what = "attaching to container" if attach else "executing command in container"
        why = error.message if isinstance(error, RemoteError) else "the engine does not answer"
        status = statuses.failed(what, why)
    await client.finish(status)


async def _feed(
    session: ExecSession, client: CommandClient, idle: Idle, first: Sequence[Input]
) -> None:
    """Passes input on until the client is gone (then raises ClientGone)."""
    deaf, early = False, list(reversed(first))
    while True:
        received = early.pop() if early else await client.receive()
        idle.touch()
        try:
            match received:
                case Stdin(data):
                    if not deaf:
                        await session.write(data)
                case StdinEnd():
                    await session.write_eof()
                case Resize(width, height):
                    async with asyncio.timeout(CALL_S):
                        await session.resize(width, height)
        except (
            RemoteError,
            TimeoutError,
        ) as error:  # the command has ended or reads no more: the output tells
            deaf = deaf or not isinstance(received, Resize)
            _log.debug("connect.input_refused", error=f"{type(error).__name__}: {error}")
        idle.touch()
        await asyncio.sleep(0)


async def _wait(event: asyncio.Event) -> None:
    await event.wait()
