"""A bounded load on the balancer: a few threads that ask, count and remember who answered."""

import http.client
import threading
import time
from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Result:
    """What the load saw; `failures` holds (seconds since start, what went wrong)."""

    requests: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[float, str]] = field(default_factory=list)
    slowest_s: float = 0.0


class Load:
    """Asks `path` from `threads` threads, each at most `rate` times a second, until stopped.

    Stops by itself after `limit_s`; a request that takes longer than `timeout_s` has failed. New
    connections only: the hardest case for a rolling update.
    """

    def __init__(
        self,
        port: int,
        path: str,
        *,
        host: str = "127.0.0.1",
        threads: int = 4,
        rate: float = 50.0,
        limit_s: float = 120.0,
        timeout_s: float = 10.0,
    ) -> None:
        self._target = (host, port, path)
        self._pause_s = 1.0 / rate
        self._limit_s = limit_s
        self._timeout_s = timeout_s
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.result = Result()
        self._threads = [threading.Thread(target=self._run) for _ in range(threads)]

    def __enter__(self) -> "Load":
        self._started = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while not self._stop.is_set() and time.monotonic() - self._started < self._limit_s:
            begun = time.monotonic()
            problem, body = ask(*self._target, timeout_s=self._timeout_s)
            took = time.monotonic() - begun
            with self._lock:
                self.result.requests += 1
                self.result.slowest_s = max(self.result.slowest_s, took)
                if problem:
                    self.result.failures.append((begun - self._started, problem))
                else:
                    self.result.answers[body] += 1
            self._stop.wait(max(0.0, self._pause_s - took))


def ask(host: str, port: int, path: str, timeout_s: float = 10.0) -> tuple[str, str]:
    """(what went wrong or "", the answer's text) of one request on a connection of its own."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read().decode(errors="replace").strip()
    except (OSError, http.client.HTTPException) as error:
        return f"{type(error).__name__}: {error}", ""
    finally:
        connection.close()
    return ("", body) if response.status == 200 else (f"HTTP {response.status}", body)
