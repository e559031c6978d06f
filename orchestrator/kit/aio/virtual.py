"""An event loop on virtual time: waiting takes no time, the clock jumps to whatever is due next.

What runs on it is as it is on the real one; hours pass in the time that the work takes. Everything
that is waited for must be a timer, or come from the loop's own process.
"""

import asyncio
import selectors
from typing import Final

_REAL_S: Final = 0.0


class VirtualLoop(asyncio.SelectorEventLoop):
    """See the module; for `asyncio.Runner(loop_factory=VirtualLoop)`."""

    def __init__(self) -> None:
        self._now_s = 0.0
        super().__init__(_Jumping(self))

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._now_s

    def jump(self, seconds: float) -> None:
        """Lets time pass."""
        self._now_s += seconds


class _Jumping(selectors.DefaultSelector):
    """A selector that never waits for the clock."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready now; when nothing is, time jumps by `timeout`.

        Without a timer there is nothing to jump to: then it waits for another thread's word.
        """
        if timeout is None:
            return super().select(None)
        ready = super().select(_REAL_S)
        if not ready and timeout > 0:
            self._loop.jump(timeout)
        return ready


class LoopClock:
    """Both clocks follow the running loop's time.

    Args:
        start_s: wall seconds when the loop's time was 0.
    """

    def __init__(self, start_s: float) -> None:
        self._start_s = start_s

    def wall(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        return self._start_s + asyncio.get_running_loop().time()

    def monotonic(self) -> float:
        """Seconds since the loop was made."""
        return asyncio.get_running_loop().time()
