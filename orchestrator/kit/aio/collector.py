"""Python's garbage collector, made fit for a server that keeps much and makes hardly any garbage.

Reference counts free whatever is in no cycle, and a pod on its way through the server leaves less
than one object in a cycle. To find that, Python would walk through all new objects again and again:
a tenth of the processor while pods come, in pauses of a tenth of a second. So it looks only when
the process has grown, as it would by garbage too, and spends next to no time on it: a small server
looks soon; one with thousands of pods, where everything stands still for a second, seldom, and not
while there is much to do.

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
"""One part of so many more: then it looks in time,"""
_SELDOM: Final = 1000
"""which is so many times as long after the last time as that took,"""
_AT_REST: Final = 0.5
"""when so much of a processor, or less, was used since the last thought of it."""


def resident_bytes() -> int:
    """Memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


class Collector:
    """See the module. Made when all is built: what is there then stays, and is never looked at.

    Args:
        memory: bytes that the process holds.
        monotonic: seconds.
        processor: seconds that this process has used.
        collect: looks for garbage.
    """

    def __init__(
        self,
        memory: Callable[[], int] = resident_bytes,
        monotonic: Callable[[], float] = time.monotonic,
        processor: Callable[[], float] = time.process_time,
        collect: Callable[[], int] = gc.collect,
    ) -> None:
        self._memory = memory
        self._monotonic = monotonic
        self._processor = processor
        self._collect = collect
        gc.disable()
        self._look()
        gc.freeze()

    async def run(self) -> None:
        """Collects when it is due, until cancelled."""
        while True:
            used_s = self._processor()
            await asyncio.sleep(_LOOK_S)
            if self._due(self._processor() - used_s <= _AT_REST * _LOOK_S):
                self._look()

    def _look(self) -> None:
        began_s = self._monotonic()
        self._collect()
        self._looked_s = self._monotonic()
        self._took_s = self._looked_s - began_s
        self._kept_bytes = self._memory()

    def _due(self, at_rest: bool) -> bool:
        kept = self._kept_bytes
        grown = self._memory() - kept
        if grown >= max(kept, _AT_ONCE):
            return True
        passed_s = self._monotonic() - self._looked_s
        return at_rest and grown >= kept // _IN_TIME and passed_s >= _SELDOM * self._took_s
