"""On which hosts pods came or went, oldest first, for those who keep something per host. Pure."""

from typing import Final

import numpy as np

from orchestrator.scheduler.columns import Numbers

_MOST: Final = 1 << 16


class Changes:
    """See the module. Long ago is forgotten: who looks too late has to look at everything.

    Attributes:
        now: how many there have been; what `since` is asked with later.
    """

    def __init__(self) -> None:
        self.now = 0
        self._slots: Numbers = np.zeros(_MOST, dtype=np.int64)
        self._before = 0

    def add(self, slot: int) -> None:
        """A pod came to a host, or left it."""
        if self.now - self._before == _MOST:
            self._before = self.now
        self._slots[self.now - self._before] = slot
        self.now += 1

    def since(self, then: int) -> Numbers | None:
        """The slots, also more than once, until the next change; None when that is forgotten."""
        if then < self._before:
            return None
        return self._slots[then - self._before : self.now - self._before]
