"""One task per key, at most: what is due while its task runs is done once more afterwards."""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from orchestrator.kit.aio.tasks import spawn
from orchestrator.kit.backoff import Backoff
from orchestrator.kit.errors import OrchError

_log: Final = structlog.get_logger("node")
RETRY: Final = Backoff(first_s=0.2, cap_s=20.0)


class KeyedRunner:
    """Runs `work(key)` for due keys; keys side by side, one key never twice at once.

    Work that raises an OrchError is done again after a back-off.
    """

    def __init__(self, name: str, work: Callable[[str], Awaitable[None]]) -> None:
        self._name = name
        self._work = work
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._failures: dict[str, int] = {}
        self._closed = False

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way or will be."""
        return not self._tasks and not self._timers

    def is_busy(self, key: str) -> bool:
        """Whether the key's work is under way, or about to begin."""
        return key in self._tasks

    def due(self, key: str) -> None:
        """The key needs work now."""
        if self._closed:
            return
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        if key in self._tasks:
            self._again.add(key)
        else:
            self._tasks[key] = spawn(
                self._run(key), name=f"{self._name} {key}", context=contextvars.Context()
            )

    def due_in(self, key: str, delay_s: float) -> None:
        """The key needs work after a delay, or earlier when something else makes it due."""
        if self._closed:
            return
        loop = asyncio.get_running_loop()
        old = self._timers.get(key)
        at = loop.time() + delay_s
        if old is not None:
            if old.when() <= at:
                return
            old.cancel()
        self._timers[key] = loop.call_at(at, self._fire, key)

    def _fire(self, key: str) -> None:
        self._timers.pop(key, None)
        self.due(key)

    async def _run(self, key: str) -> None:
        try:
            await self._work(key)
            self._failures.pop(key, None)
        except OrchError as error:
            count = self._failures[key] = self._failures.get(key, 0) + 1
            delay_s = RETRY.delay_s(count)
            _log.warning(
                "node.retrying", key=key, error=f"{type(error).__name__}: {error}", delay_s=delay_s
            )
            self.due_in(key, delay_s)
        except Exception:  # a bug in one pod's work must not take the host's other pods down
            _log.exception("node.work_failed", key=key)
            self.due_in(key, RETRY.cap_s)
        finally:
            self._tasks.pop(key, None)
            if key in self._again:
                self._again.discard(key)
                self.due(key)

    async def close(self) -> None:
        """Cancels everything and waits for it."""
        self._closed = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
