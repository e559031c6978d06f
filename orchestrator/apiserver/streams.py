"""Open watches and log streams: counted, and ended together when the server stops."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from orchestrator.apiserver.metrics import ApiMetrics
from orchestrator.apiserver.request import Request
from orchestrator.kit.aio.tasks import spawn
from orchestrator.kit.errors import ServiceUnavailable


class OpenStreams:
    """Knows how to end each open stream; after `stop` it lets no new one in."""

    def __init__(self, metrics: ApiMetrics) -> None:
        self._metrics = metrics
        self._enders: set[Callable[[], None]] = set()
        self._stopped = False

    def __len__(self) -> int:
        """How many are open."""
        return len(self._enders)

    @contextmanager
    def entered(self, verb: str, resource: str, end: Callable[[], None]) -> Iterator[None]:
        """Registers a stream for the duration of the context.

        Args:
            verb: "WATCH" or "CONNECT", for the metrics.
            resource: plural.
            end: makes the stream end soon; called at most once, on the event loop.

        Raises:
            ServiceUnavailable: the server is stopping.
        """
        if self._stopped:
            raise ServiceUnavailable("the server is stopping", retry_after_s=1)
        self._enders.add(end)
        self._metrics.stream_opened(verb, resource)
        try:
            yield
        finally:
            self._enders.discard(end)
            self._metrics.stream_closed(verb, resource)

    def stop(self) -> None:
        """Ends every open stream and refuses new ones; idempotent."""
        self._stopped = True
        for end in list(self._enders):
            end()


@asynccontextmanager
async def hang_up(request: Request, end: Callable[[], None]) -> AsyncIterator[None]:
    """Calls `end` once, soon, if the client goes away while the context lasts."""
    listener = spawn(_until_gone(request, end), name="apiserver.hang_up")
    try:
        yield
    finally:
        listener.cancel()
        await asyncio.wait([listener])


async def _until_gone(request: Request, end: Callable[[], None]) -> None:
    while True:
        message: Any = await request.receive()
        if message["type"] == "http.disconnect":
            end()
            return
