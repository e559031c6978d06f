"""Follows the engine's events as long as somebody wants them, on a thread of its own."""

from __future__ import annotations

import functools
import threading
import time
from typing import Callable, Optional

from agentshim.engine import Engine, Watch
from agentshim.loop import Loop
from agentshim.wire import Failure

AGAIN_S = (0.5, 1.0, 2.0, 5.0)
"""Waits after the engine refused or ended the stream, one after the other."""


class EngineWatch:
    """Tells of starts, deaths and removals of containers.

    Args:
        loop: on whose thread everything is told.
        engine: whose events.
        wanted: whether to go on.
        resync: called whenever the stream begins (anew): what happened before is unknown.
        happened: called with action and container id.
    """

    def __init__(
        self,
        loop: Loop,
        engine: Engine,
        wanted: Callable[[], bool],
        resync: Callable[[], None],
        happened: Callable[[str, str], None],
    ) -> None:
        self._loop = loop
        self._engine = engine
        self._wanted = wanted
        self._resync = resync
        self._happened = happened
        self._running = False
        self._stream: Optional[Watch] = None

    def ensure(self) -> None:
        """Begins to follow, unless it does already; on the loop's thread."""
        if not self._running and self._wanted():
            self._running = True
            threading.Thread(target=self._follow, daemon=True).start()

    def end(self) -> None:
        """Stops following soon, if nobody wants it."""
        stream = self._stream
        if stream is not None and not self._wanted():
            stream.close()

    def _follow(self) -> None:
        failures = 0
        while self._wanted():
            try:
                stream = self._engine.watch()
            except (OSError, Failure, ValueError):
                time.sleep(AGAIN_S[min(failures, len(AGAIN_S) - 1)])
                failures += 1
                continue
            self._stream = stream
            failures = 0
            self._loop.call_soon(self._resync)
            try:
                for action, container_id in stream.events():
                    self._loop.call_soon(functools.partial(self._happened, action, container_id))
            except Failure:
                pass  # the engine's words are not its format: as if it had ended the stream
            self._stream = None
            if self._wanted():
                time.sleep(AGAIN_S[0])
        self._loop.call_soon(self._ended)

    def _ended(self) -> None:
        self._running = False
        self.ensure()
