"""Python's garbage collector, made fit for a server that keeps much and makes hardly any garbage.

Reference counts free whatever is in no cycle, and a pod on its way through the server leaves less
than one object in a cycle. To find that, Python would walk through all new objects again and again:
a tenth of the processor while pods come, in pauses of a tenth of a second. So it looks only when
the process has grown by much, as it would by garbage too.

Source: Python documentation, `gc.disable`, `gc.freeze`.
"""

import asyncio
import gc
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

_LOOK_S: Final = 1.0
_AT_ONCE: Final = 512 << 20
"""Bytes more than after the last time, and twice as many: then it looks at once."""
_IN_TIME: Final = 8
"""One part of so many more, and an hour later: then as well."""
_LONG_S: Final = 3600.0


def resident_bytes() -> int:
    """Memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


class Collector:
    """See the module. Made when all is built: what is there then stays, and is never looked at.

    Args:
        memory: bytes that the process holds.
        monotonic: seconds.
    """

    def __init__(
        self,
        memory: Callable[[], int] = resident_bytes,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._memory = memory
        self._monotonic = monotonic
        gc.disable()
        gc.collect()
        gc.freeze()
        self._kept_bytes, self._kept_s = memory(), monotonic()

    async def run(self) -> None:
        """Collects when it is due, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_S)
            if self._due():
                gc.collect()
                self._kept_bytes, self._kept_s = self._memory(), self._monotonic()

    def _due(self) -> bool:
        kept = self._kept_bytes
        grown = self._memory() - kept
        if grown >= max(kept, _AT_ONCE):
            return True
        return grown >= kept // _IN_TIME and self._monotonic() - self._kept_s >= _LONG_S
