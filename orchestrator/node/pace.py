"""Lets pods begin one after the other while the server is behind with its work.

A pod that begins costs the server milliseconds of work in many small steps. When five thousand
begin at once, everybody else's next step waits behind one step of each of them: requests, the
scheduler, heartbeats. So they begin at the pace at which the loop stays on time; the whole takes
as long as before, since the loop is never idle while one waits. Nothing is held back while the
server keeps up.

While many more come to their hosts, few begin: that all have a host is soon done, and what is done
in one go costs a fraction of the same work in turns with other work, since it stays in the
processor's caches. For the same reason they begin in groups.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from orchestrator.kit.clock import Clock

_TICK_S: Final = 0.01
_LATE_S: Final = 0.06
"""A tick that comes so much too late says that the loop is behind."""
_AT_ONCE: Final = 32
"""How many may begin after a rest."""
_ON_TIME: Final = 24
"""How many may begin after a tick that came on time: more than the server can start."""
_BEHIND: Final = 1
"""The same after one that came late: the server works for many, but the hosts go on."""
_MANY: Final = 128
"""So many had to wait, one soon after the other: more are expected."""
_COMING_S: Final = 0.5
"""How soon; and so long after the last."""
_COMING_TICK_S: Final = 0.05
"""Between two that begin meanwhile."""


class Pace:
    """See the module. One for all hosts; belongs to the event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: dict[str, Callable[[], None]] = {}
        self._left = _AT_ONCE
        self._came, self._came_s = 0, 0.0
        self._ticks: asyncio.TimerHandle | None = None

    def begin(self, uid: str, go: Callable[[], None]) -> None:
        """Calls `go` now, or when the pod's turn comes; one that waits already keeps its turn."""
        if self._left > 0 and not self._waiting:
            self._left -= 1
            go()
        else:
            self._waiting[uid] = go
            now_s = self._clock.monotonic()
            self._came = self._came + 1 if now_s < self._came_s + _COMING_S else 1
            self._came_s = now_s
        if self._ticks is None:
            self._next()

    def drop(self, uid: str) -> None:
        """The pod need not wait any more."""
        self._waiting.pop(uid, None)

    def _next(self, delay_s: float = _TICK_S) -> None:
        due_s = self._clock.monotonic() + delay_s
        self._ticks = asyncio.get_running_loop().call_later(delay_s, self._tick, due_s)

    def _tick(self, due_s: float) -> None:
        now_s = self._clock.monotonic()
        coming = self._came >= _MANY and now_s < self._came_s + _COMING_S
        late = now_s - due_s > _LATE_S
        self._left = _BEHIND if coming or late else _ON_TIME
        while self._waiting and self._left > 0:
            self._left -= 1
            uid = next(iter(self._waiting))
            self._waiting.pop(uid)()
        if self._waiting or self._left < _ON_TIME:
            self._next(_COMING_TICK_S if coming else _TICK_S)
        else:
            self._left, self._ticks = _AT_ONCE, None
