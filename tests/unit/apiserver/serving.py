"""An application on a port of loopback, by the server that serves ours."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from orchestrator.apiserver.ports import bind
from orchestrator.apiserver.serve import serve
from orchestrator.apiserver.settings import ApiServerSettings


@asynccontextmanager
async def serving(
    app: Any,
    settings: ApiServerSettings | None = None,
    end_streams: Callable[[], None] = lambda: None,
) -> AsyncIterator[int]:
    """Serves without TLS until the context is left; gives the port."""
    stop, listening = asyncio.Event(), asyncio.Event()
    listener = bind("127.0.0.1", 0)
    settings = replace(settings or ApiServerSettings(), host="127.0.0.1", port=0, shutdown_s=1)
    async with asyncio.TaskGroup() as group:
        group.create_task(
            serve(
                app,
                settings,
                stop,
                tls=None,
                end_streams=end_streams,
                listener=listener,
                on_listening=lambda _host, _port: listening.set(),
            )
        )
        async with asyncio.timeout(5):
            await listening.wait()
        yield listener.getsockname()[1]
        stop.set()
