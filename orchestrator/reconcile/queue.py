"""The work queue on the event loop: waits for keys, and wakes when a delayed key is due."""

import asyncio
import random
from collections import deque
from typing import Generic

from orchestrator.kit.backoff import Backoff
from orchestrator.kit.workqueue import RETRY_BACKOFF, Key, WorkQueue, WorkQueueStatistics


class KeyQueue(Generic[Key]):
    """`kit.workqueue.WorkQueue` in the loop's time; all methods belong to one event loop.

    Unbounded in keys by design: a key waits once, so there are never more than there are objects.
    """

    def __init__(self, backoff: Backoff = RETRY_BACKOFF, rng: random.Random | None = None) -> None:
        self._queue: WorkQueue[Key] = WorkQueue(backoff, rng)
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, key: Key) -> None:
        """The key needs work now."""
        self._queue.add(key)
        self._rouse()

    def add_after(self, key: Key, delay_s: float) -> None:
        """The key needs work after a delay, seconds."""
        self._queue.add_at(key, self._loop.time() + delay_s)
        self._arm()

    async def take(self) -> Key:
        """Waits for a key and marks it as being worked on; call `done` afterwards."""
        while True:
            key = self._queue.take_nowait()
            if key is not None:
                self._rouse()
                return key
            waiter = self._loop.create_future()
            self._waiting.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled():
                    self._rouse()  # hand the wake-up on: it was meant for some worker
                raise
            finally:
                if waiter in self._waiting:
                    self._waiting.remove(waiter)

    def done(self, key: Key) -> None:
        """The worker has finished with the key."""
        self._queue.done(key)
        self._rouse()

    def fail(self, key: Key) -> float:
        """The key's work failed: it comes back after a delay, which is returned in seconds."""
        delay_s = self._queue.fail(key, self._loop.time())
        self._arm()
        return delay_s

    def forget(self, key: Key) -> None:
        """The key's work succeeded."""
        self._queue.forget(key)

    def failures(self, key: Key) -> int:
        """How often the key has failed in a row."""
        return self._queue.failures(key)

    def statistics(self) -> WorkQueueStatistics:
        """A snapshot."""
        return self._queue.statistics()

    def close(self) -> None:
        """Ends the timer; keys stay."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _rouse(self) -> None:
        if len(self._queue) and self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)

    def _arm(self) -> None:
        self.close()
        due_s = self._queue.next_due_s()
        if due_s is not None:
            self._timer = self._loop.call_at(due_s, self._tick)

    def _tick(self) -> None:
        # the timer may fire a clock tick early: what is due is what it was set for
        self._queue.promote(max(self._loop.time(), self._queue.next_due_s() or 0.0))
        self._rouse()
        self._arm()
