"""A queue of keys that each need work, without a clock of its own: `now` is passed in.

A key waits once however often it is added; a key that is being worked on and is added again runs
once more when its worker is done, never at the same time. Keys can be added for later, and a key
that failed comes back after a delay that grows with its failures.

Source: client-go's workqueue (dirty and processing sets, delaying and rate limiting queues).
"""

import heapq
import random
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from orchestrator.kit.backoff import Backoff

Key = TypeVar("Key", bound=Hashable)

RETRY_BACKOFF: Final = Backoff(first_s=0.05, cap_s=30.0, jitter=0.2)
"""Between tries of a key that fails."""


@dataclass(frozen=True, slots=True)
class WorkQueueStatistics:
    """A snapshot.

    Attributes:
        ready: keys that wait for a worker.
        processing: keys that a worker has.
        delayed: keys that wait for their time.
        failing: keys whose last try failed.
    """

    ready: int
    processing: int
    delayed: int
    failing: int


class WorkQueue(Generic[Key]):
    """See the module. All times are seconds on one monotonic clock of the caller's."""

    def __init__(self, backoff: Backoff = RETRY_BACKOFF, rng: random.Random | None = None) -> None:
        self._backoff = backoff
        self._rng = rng
        self._ready: dict[Key, None] = {}
        self._processing: set[Key] = set()
        self._again: dict[Key, None] = {}
        self._due: dict[Key, float] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._count = 0
        self._failures: dict[Key, int] = {}

    def add(self, key: Key) -> None:
        """The key needs work now; a key that is being worked on runs once more afterwards."""
        if key in self._processing:
            self._again[key] = None
        else:
            self._ready[key] = None

    def add_at(self, key: Key, due_s: float) -> None:
        """The key needs work at `due_s`; of several such times the earliest counts."""
        if due_s < self._due.get(key, float("inf")):
            self._due[key] = due_s
            self._count += 1
            heapq.heappush(self._heap, (due_s, self._count, key))

    def promote(self, now: float) -> None:
        """Adds the keys whose time has come."""
        while self._heap and self._heap[0][0] <= now:
            due_s, _, key = heapq.heappop(self._heap)
            if self._due.get(key) == due_s:
                del self._due[key]
                self.add(key)

    def next_due_s(self) -> float | None:
        """When `promote` has something to do next; None when nothing is delayed."""
        while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take_nowait(self) -> Key | None:
        """The key that has waited longest, now being worked on; None when none waits."""
        if not self._ready:
            return None
        key = next(iter(self._ready))
        del self._ready[key]
        self._processing.add(key)
        return key

    def done(self, key: Key) -> None:
        """The worker has finished with the key; if it was added meanwhile it waits again."""
        self._processing.discard(key)
        if key in self._again:
            del self._again[key]
            self._ready[key] = None

    def fail(self, key: Key, now: float) -> float:
        """The key's work failed: it comes back after a delay, which is returned in seconds."""
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        delay_s = self._backoff.delay_s(failures, self._rng)
        self.add_at(key, now + delay_s)
        return delay_s

    def forget(self, key: Key) -> None:
        """The key's work succeeded: its failures do not count any more."""
        self._failures.pop(key, None)

    def failures(self, key: Key) -> int:
        """How often the key has failed in a row."""
        return self._failures.get(key, 0)

    def statistics(self) -> WorkQueueStatistics:
        """A snapshot."""
        return WorkQueueStatistics(
            len(self._ready), len(self._processing), len(self._due), len(self._failures)
        )

    def __len__(self) -> int:
        """Keys that wait for a worker now."""
        return len(self._ready)
