"""uvicorn's WebSocket protocol with two additions: who has gone is told, and who waits is kept.

uvicorn stops reading while the application does not, and then answers no pings and does not see
the client go. So the scope has an event for the latter, and clients that give up without pongs
(kubectl after a minute) get some unasked, which RFC 6455, section 5.5.3 allows. uvicorn's minor
version is pinned because of this module and `protocol`.
"""

import asyncio
from typing import Any

from uvicorn.protocols.websockets.wsproto_impl import WSProtocol
from wsproto import events

from orchestrator.apiserver.connect.websocket import GONE_KEY


class ApiWebSocket(WSProtocol):
    """Serves one WebSocket."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.gone = asyncio.Event()

    def handle_connect(self, event: events.Request) -> None:
        """Called at the handshake: starts the application, which looks at its scope later."""
        super().handle_connect(event)
        extensions: Any = self.scope["extensions"]
        extensions[GONE_KEY] = self.gone

    def connection_lost(self, exc: Exception | None) -> None:
        """Called once, when the connection is closed."""
        super().connection_lost(exc)
        self.gone.set()

    def send_keepalive_ping(self) -> None:
        """Called every `ws_ping_interval`: also finds out whether the client is still there."""
        super().send_keepalive_ping()
        if self.read_paused and not self.close_sent and not self.transport.is_closing():
            self.transport.write(self.conn.send(events.Pong()))
