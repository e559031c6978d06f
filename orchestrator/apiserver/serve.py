"""Runs the application on uvicorn with TLS, inside a task group that somebody else owns.

No signal handlers and no event loop of its own: the composition root owns both. A stop first ends
watches and log streams (uvicorn would wait for them for ever), then waits for ordinary requests, at
most `shutdown_s`.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Generator
from typing import Any, Final

import structlog
from litestar.types import ASGIApp
from uvicorn import Config, Server

from orchestrator.apiserver.ports import bind
from orchestrator.apiserver.protocol import ApiProtocol
from orchestrator.apiserver.settings import ApiServerSettings
from orchestrator.apiserver.websocket_protocol import ApiWebSocket
from orchestrator.kit.aio.tasks import spawn

_log: Final = structlog.get_logger("apiserver")


class _QuietServer(Server):
    """uvicorn's server without its signal handlers; tells when it listens."""

    def __init__(self, config: Config, on_listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_listening = on_listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts the application, then accepts connections."""
        await super().startup(sockets)
        self._on_listening()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leaves signals alone."""
        yield


async def serve(
    app: ASGIApp,
    settings: ApiServerSettings,
    stop: asyncio.Event,
    *,
    tls: ssl.SSLContext | None,
    end_streams: Callable[[], None],
    listener: socket.socket | None = None,
    on_listening: Callable[[str, int], None] | None = None,
) -> None:
    """Serves until `stop` is set; returns when the last request ended or was cut.

    Args:
        app: the ASGI application.
        settings: where to listen, and limits.
        stop: set it to stop.
        tls: from `credentials.ensure.server_ssl_context`; None serves plain HTTP (tests).
        end_streams: ends open watches and log streams, and refuses new ones (`ApiServer.stop`).
        listener: a bound socket (`ports.bind`), so that a taken port is reported before anything
            else is started; bound here when None.
        on_listening: called with address and port once requests are accepted.

    Raises:
        ConfigError: the port cannot be bound.
    """
    sock = listener or bind(settings.host, settings.port)
    config = Config(
        app=app,
        loop="none",
        http=ApiProtocol,
        ws=ApiWebSocket,
        ws_per_message_deflate=False,  # costs more than it saves, and what is sent is files
        ws_ping_interval=5.0,
        ws_ping_timeout=None,  # a slow command holds up its client's pongs; TCP tells the dead
        lifespan="on",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=settings.keep_alive_s,
        timeout_graceful_shutdown=settings.shutdown_s,
        ssl_context_factory=None if tls is None else lambda _config, _default: tls,
    )

    def announce() -> None:
        address: Any = sock.getsockname()
        _log.info("apiserver.listening", address=address[0], port=address[1])
        if on_listening is not None:
            on_listening(address[0], address[1])

    server = _QuietServer(config, announce)
    watcher = spawn(_stop_when_asked(server, stop, end_streams), name="apiserver.stop")
    try:
        await server.serve(sockets=[sock])
    finally:
        watcher.cancel()
        sock.close()


async def _stop_when_asked(
    server: Server, stop: asyncio.Event, end_streams: Callable[[], None]
) -> None:
    await stop.wait()
    _log.info("apiserver.stopping", connections=len(server.server_state.connections))
    end_streams()
    server.should_exit = True
