"""Exponential back-off as a value: the next delay follows from the number of failures."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Delays that double from `first_s` up to `cap_s`.

    Attributes:
        first_s: delay after the first failure, seconds.
        cap_s: the longest delay, seconds.
        jitter: fraction of the delay that is drawn at random on top, 0..1.
    """

    first_s: float
    cap_s: float
    jitter: float = 0.0

    def delay_s(self, failures: int, rng: random.Random | None = None) -> float:
        """Seconds to wait after `failures` failures in a row (0 means none: no delay)."""
        if failures <= 0:
            return 0.0
        base = min(self.cap_s, self.first_s * 2.0 ** min(failures - 1, 40))
        if rng is None or not self.jitter:
            return base
        return base * (1.0 + self.jitter * rng.random())
