"""Supervised tasks: the only place in orch that spawns.

`Tasks` wraps one root TaskGroup. A task is either *supervised* (it may fail; it is restarted with
back-off, and its failures are logged) or *essential* (its failure ends the process). Long-lived
parts take a `Tasks` and never call asyncio.create_task themselves.
"""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from types import TracebackType
from typing import Any

import structlog

from orchestrator.kit.backoff import Backoff

_log = structlog.get_logger("tasks")

RESTART_BACKOFF = Backoff(first_s=0.2, cap_s=30.0)
"""Between restarts of a supervised task; a run of over a minute resets it."""


class Tasks:
    """Spawns into one TaskGroup; enter it as an async context manager.

    Leaving the context waits for all tasks; an essential task that fails cancels the rest and the
    error leaves the context.
    """

    def __init__(self) -> None:
        self._group = asyncio.TaskGroup()
        self._supervised: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Tasks":
        """Enters the task group."""
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leaves the task group: waits for its tasks, raises what an essential one raised."""
        await self._group.__aexit__(kind, error, trace)

    def essential(self, name: str, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """Spawns work whose failure must end the whole group."""
        return self._group.create_task(work, name=name)

    def supervise(self, name: str, run: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        """Spawns `run` and runs it again, after a back-off, whenever it raises.

        A normal return ends the task. Cancel the returned task to stop it.
        """
        # a context of its own: whoever happens to spawn is not the cause of all that follows
        task = self._group.create_task(
            _supervised(name, run), name=name, context=contextvars.Context()
        )
        self._supervised = [*(t for t in self._supervised if not t.done()), task]
        return task

    def stop_supervised(self) -> None:
        """Cancels all supervised work; leaving the context waits for its end."""
        for task in self._supervised:
            task.cancel()


async def _supervised(name: str, run: Callable[[], Awaitable[None]]) -> None:
    loop = asyncio.get_running_loop()
    failures = 0
    while True:
        started = loop.time()
        try:
            await run()
            return
        except asyncio.CancelledError:
            raise
        except Exception as error:  # the supervisor's whole purpose
            if loop.time() - started > 60.0:
                failures = 0
            failures += 1
            delay_s = RESTART_BACKOFF.delay_s(failures)
            _log.warning(
                "task.restarting",
                task=name,
                error=f"{type(error).__name__}: {error}",
                delay_s=delay_s,
                exc_info=failures <= 3,
            )
            await asyncio.sleep(delay_s)


def spawn(
    work: Coroutine[object, object, None],
    *,
    name: str,
    context: contextvars.Context | None = None,
) -> asyncio.Task[None]:
    """Spawns work that its caller owns: keeps the handle, cancels it and awaits it.

    For parts that own child tasks with a lifetime of their own (one per host, one per request).
    """
    return asyncio.get_running_loop().create_task(work, name=name, context=context)


async def all_of(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Runs coroutines side by side and waits for all; then raises the first one's error, if any.

    A failure stops none of the others. Cancelling cancels and awaits them all.
    """
    coroutines = list(work)
    if len(coroutines) <= 1:
        for alone in coroutines:
            await alone
        return
    tasks = [spawn(each, name="side by side") for each in coroutines]
    try:
        await asyncio.wait(tasks)
    except asyncio.CancelledError:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        raise
    for task in tasks:
        await task
