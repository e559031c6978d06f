"""Time as a value: what needs the time is given a Clock or a `now`.

All times are seconds. `wall` is since the epoch (for timestamps that people read),
`monotonic` only measures distances.
"""

import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol


class Clock(Protocol):
    """Reads the time."""

    def wall(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since some fixed point; never goes back."""
        ...


class SystemClock:
    """The machine's clocks."""

    def wall(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds since some fixed point; never goes back."""
        return time.monotonic()


def rfc3339(wall_s: float) -> str:
    """Whole-second RFC 3339 in UTC with `Z`, as `metadata.creationTimestamp` is written."""
    return _rfc3339(int(wall_s))


@lru_cache(maxsize=16)
def _rfc3339(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rfc3339_micro(wall_s: float) -> str:
    """Microsecond RFC 3339 in UTC with `Z`, as MicroTime fields (Lease, Event) are written."""
    second, micro = divmod(round(wall_s * 1_000_000), 1_000_000)
    return f"{_rfc3339(second)[:-1]}.{micro:06}Z"


@lru_cache(maxsize=4096)
def parse_rfc3339(text: str) -> float:
    """Seconds since the epoch of an RFC 3339 time; fractions beyond microseconds are cut.

    Raises:
        ValueError: `text` is no RFC 3339 time.
    """
    head, dot, tail = text.partition(".")
    if dot:
        digits = len(tail) - len(tail.lstrip("0123456789"))
        text = f"{head}.{tail[: min(digits, 6)]:0<6}{tail[digits:]}"
    return datetime.fromisoformat(text).timestamp()
