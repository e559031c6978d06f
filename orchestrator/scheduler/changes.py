"""On which hosts pods came or went, oldest first, for those who keep something per host. Pure."""

from typing import Final

import numpy as np

from orchestrator.scheduler.columns import Numbers

_MOST: Final = 1 << 16


class Changes:
    """See the module. Long ago is forgotten: who looks too late has to look at everything."""

    def __init__(self) -> None:
        self._slots: Numbers = np.zeros(_MOST, dtype=np.int64)
        self._count = 0
        self._before = 0

    @property
    def now(self) -> int:
        """How many there have been; what `since` is asked with later."""
        return self._before + self._count

    def add(self, slot: int) -> None:
        """A pod came to a host, or left it."""
        if self._count == _MOST:
            self._before += _MOST
            self._count = 0
        self._slots[self._count] = slot
        self._count += 1

    def since(self, then: int) -> Numbers | None:
        """The slots, also more than once, until the next change; None when that is forgotten."""
        if then < self._before:
            return None
        return self._slots[then - self._before : self._count]
