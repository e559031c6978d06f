"""Which events are too many: each source has so many about one object, then one now and then.

Without it a ReplicaSet of 5,000 pods would be told of 5,000 times, each a durable write that tells
nobody anything new. Source: client-go, tools/record, EventSourceObjectSpamFilter.
"""

from collections.abc import Hashable
from typing import Final

BURST: Final = 25
"""Events of one source about one object that are written at once."""
REFILL_S: Final = 300.0
"""Seconds until one more may follow."""
_MOST_KEPT: Final = 4096


class SpamFilter:
    """A token bucket for each source and object; those heard of longest ago are forgotten."""

    def __init__(self) -> None:
        self._buckets: dict[Hashable, tuple[float, float]] = {}

    def allows(self, about: Hashable, now_s: float) -> bool:
        """Whether one more event is to be written; counts it if so.

        Args:
            about: source and object.
            now_s: wall seconds.
        """
        tokens, at_s = self._buckets.pop(about, (float(BURST), now_s))
        tokens = min(float(BURST), tokens + max(0.0, now_s - at_s) / REFILL_S)
        allowed = tokens >= 1.0
        self._buckets[about] = (tokens - 1.0 if allowed else tokens, now_s)
        if len(self._buckets) > _MOST_KEPT:
            del self._buckets[next(iter(self._buckets))]
        return allowed
