"""The shim's one loop: sockets, timers and calls from worker threads; and the workers.

A loop by selectors rather than asyncio: it costs a third of the memory. State is only touched on
the loop's thread; workers hand their results back with `call_soon`.
"""

from __future__ import annotations

import functools
import heapq
import itertools
import queue
import selectors
import socket
import sys
import threading
import time
import traceback
from typing import Any, Callable, List, Optional, Tuple

MAX_WORKERS = 16
"""Threads for what blocks: probe attempts, files, engine calls."""
MAX_WAITING = 1024
"""Jobs in the queue; more are refused, so that a flood cannot fill memory."""
IDLE_WORKER_S = 20.0
"""A worker without work ends after this long."""

Callback = Callable[[], None]


class Timer:
    """A call in the future."""

    __slots__ = ("_callback",)

    def __init__(self, callback: Callback) -> None:
        self._callback: Optional[Callback] = callback

    def cancel(self) -> None:
        """It will not be made; idempotent."""
        self._callback = None

    def fire(self) -> None:
        """Makes it, unless it was cancelled."""
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()


class Loop:
    """Runs callbacks until stopped; one bad callback does not end it."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self._timers: List[Tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._soon: "queue.SimpleQueue[Callback]" = queue.SimpleQueue()
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_read.setblocking(False)
        self._wake_write.setblocking(False)
        self.selector.register(self._wake_read, selectors.EVENT_READ, self._woken)
        self._running = True
        self.workers = Workers(self)

    def call_soon(self, callback: Callback) -> None:
        """Calls on the loop's thread, from any thread."""
        self._soon.put(callback)
        try:
            self._wake_write.send(b"\0")
        except BlockingIOError:
            pass  # it is full of wake-ups already

    def call_later(self, delay_s: float, callback: Callback) -> Timer:
        """Calls after a delay; only from the loop's thread."""
        timer = Timer(callback)
        entry = (time.monotonic() + max(0.0, delay_s), next(self._order), timer)
        heapq.heappush(self._timers, entry)
        return timer

    def stop(self) -> None:
        """Ends `run` after the callbacks of this round."""
        self._running = False

    def run(self) -> None:
        """Runs until stopped."""
        while self._running:
            for key, events in self.selector.select(self._patience()):
                self._guard(functools.partial(key.data, events))
            while not self._soon.empty():
                self._guard(self._soon.get())
            now = time.monotonic()
            while self._timers and self._timers[0][0] <= now:
                self._guard(heapq.heappop(self._timers)[2].fire)

    def _patience(self) -> Optional[float]:
        if not self._timers:
            return None
        return max(0.0, self._timers[0][0] - time.monotonic())

    def _woken(self, _events: int) -> None:
        try:
            while self._wake_read.recv(4096):
                pass
        except BlockingIOError:
            pass

    @staticmethod
    def _guard(callback: Callback) -> None:
        try:
            callback()
        except Exception:  # one client's fault must not end everybody's probes
            traceback.print_exc(file=sys.stderr)


class Workers:
    """Threads on demand; they end when there is nothing to do."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._jobs: "queue.Queue[Callback]" = queue.Queue(MAX_WAITING)
        self._lock = threading.Lock()
        self._threads = 0
        self._idle = 0

    def submit(self, work: Callable[[], Any], done: Callable[[Any, Any], None]) -> bool:
        """Runs `work` on a thread, then `done(result, error)` on the loop.

        Returns False, and does nothing, when too much is waiting already.
        """

        def job() -> None:
            result, error = None, None
            try:
                result = work()
            except Exception as caught:
                error = caught
            self._loop.call_soon(lambda: done(result, error))

        try:
            self._jobs.put_nowait(job)
        except queue.Full:
            return False
        with self._lock:
            if self._idle < self._jobs.qsize() and self._threads < MAX_WORKERS:
                self._threads += 1
                threading.Thread(target=self._work, daemon=True).start()
        return True

    def _work(self) -> None:
        while True:
            with self._lock:
                self._idle += 1
            try:
                job: Optional[Callback] = self._jobs.get(timeout=IDLE_WORKER_S)
            except queue.Empty:
                job = None
            with self._lock:
                self._idle -= 1
                if job is None and self._jobs.empty():
                    self._threads -= 1
                    return
            if job is not None:
                job()
