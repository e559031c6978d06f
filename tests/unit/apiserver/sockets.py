"""A WebSocket client that talks to an ASGI application in the same event loop, without sockets."""

import asyncio
import json
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote


class Refused(Exception):
    """The handshake was refused, with a Status."""

    def __init__(self, code: int, status: Any) -> None:
        super().__init__(f"{code}: {status}")
        self.code = code
        self.status = status


class Socket:
    """An open WebSocket."""

    def __init__(self) -> None:
        self.to_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.from_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue(4)
        self.subprotocol: str | None = None
        self.closed: int | None = None

    def send(self, data: bytes | str) -> None:
        kind = "text" if isinstance(data, str) else "bytes"
        self.to_app.put_nowait({"type": "websocket.receive", kind: data})

    def leave(self) -> None:
        self.to_app.put_nowait({"type": "websocket.disconnect", "code": 1006})

    async def receive(self) -> bytes | str | None:
        """The next message; None when the server has closed."""
        message = await self.from_app.get()
        if message["type"] == "websocket.close":
            self.closed = message["code"]
            return None
        found: bytes | str = message.get("bytes") or message.get("text") or b""
        return found

    async def rest(self) -> dict[int, bytes]:
        """All that comes until the server closes, by channel."""
        found: dict[int, bytes] = {}
        while (message := await self.receive()) is not None:
            assert isinstance(message, bytes)
            found[message[0]] = found.get(message[0], b"") + message[1:]
        return found


@asynccontextmanager
async def websocket(app: Any, path: str, *subprotocols: str, token: str = "root", **headers: str):
    """Opens a WebSocket; leaving the context is the client going away."""
    raw, _, query = path.partition("?")
    pairs = [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()]
    if token:
        pairs.append((b"authorization", f"Bearer {token}".encode()))
    scope = {
        "type": "websocket", "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1", "scheme": "wss", "path": unquote(raw), "raw_path": raw.encode(),
        "query_string": query.encode(), "root_path": "", "headers": pairs,
        "subprotocols": list(subprotocols), "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8080), "state": {},
        "extensions": {"websocket.http.response": {}},
    }  # fmt: skip
    socket = Socket()
    socket.to_app.put_nowait({"type": "websocket.connect"})
    task = asyncio.ensure_future(app(scope, socket.to_app.get, socket.from_app.put))
    try:
        async with asyncio.timeout(5):
            first = await socket.from_app.get()
            if first["type"] != "websocket.accept":
                assert first["type"] == "websocket.http.response.start", first
                body = await socket.from_app.get()
                await task
                raise Refused(first["status"], json.loads(body["body"]))
            socket.subprotocol = first["subprotocol"]
            yield socket
            socket.leave()
            while not task.done():
                while not socket.from_app.empty():
                    socket.from_app.get_nowait()
                await asyncio.sleep(0)
            await task
    finally:
        task.cancel()
