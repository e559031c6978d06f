"""A client that talks to an ASGI application in the same event loop, without sockets."""

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


@dataclass(frozen=True)
class Reply:
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def header(self, name: str) -> str:
        return next((v.decode() for k, v in self.headers if k == name.encode()), "")

    def all(self, name: str) -> list[str]:
        return [v.decode() for k, v in self.headers if k == name.encode()]


class Streaming:
    """An answer under way."""

    def __init__(self) -> None:
        self.messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.gone = asyncio.Event()
        self.rest = b""
        self.status = 0
        self.ended = False

    async def line(self) -> Any:
        """The next line as JSON; None at the end of the body."""
        while b"\n" not in self.rest:
            if self.ended:
                return None
            await self._take()
        line, self.rest = self.rest.split(b"\n", 1)
        return json.loads(line)

    async def text(self) -> bytes:
        """All of the body from here on."""
        while not self.ended:
            await self._take()
        return self.rest

    async def _take(self) -> None:
        message = await self.messages.get()
        self.rest += message["body"]
        self.ended = not message.get("more_body")


class Client:
    """Sends requests as the administrator unless told otherwise.

    Attributes:
        more: further keys of each request's scope.
    """

    def __init__(self, app: Any, token: str = "root") -> None:
        self.app = app
        self.token = token
        self.more: dict[str, Any] = {}

    async def __call__(
        self, method: str, path: str, body: Any = None, *, token: str | None = None, **headers: str
    ) -> Reply:
        """One request. Header names have _ for -. Dicts are sent as JSON, bytes as they are."""
        data = b""
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = [data]
        answered = asyncio.Event()

        async def receive() -> dict[str, Any]:
            if sent:
                return {"type": "http.request", "body": sent.pop(), "more_body": False}
            await answered.wait()
            return {"type": "http.disconnect"}

        parts: list[dict[str, Any]] = []

        async def send(message: dict[str, Any]) -> None:
            parts.append(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                answered.set()

        await self.app(self._scope(method, path, token, headers), receive, send)
        body_bytes = b"".join(part.get("body", b"") for part in parts[1:])
        return Reply(parts[0]["status"], parts[0]["headers"], body_bytes)

    async def get(self, path: str, **headers: str) -> Reply:
        return await self("GET", path, **headers)

    @asynccontextmanager
    async def stream(self, path: str, **headers: str):
        """A GET whose answer goes on; leaving the context is the client going away."""
        streaming = Streaming()
        first = [b""]
        started: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def receive() -> dict[str, Any]:
            if first:
                return {"type": "http.request", "body": first.pop(), "more_body": False}
            await streaming.gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                started.set_result(message["status"])
            else:
                streaming.messages.put_nowait(message)

        scope = self._scope("GET", path, None, headers)
        task = asyncio.ensure_future(self.app(scope, receive, send))
        try:
            async with asyncio.timeout(5):
                await asyncio.wait({task, started}, return_when=asyncio.FIRST_COMPLETED)
                streaming.status = await started
                yield streaming
                streaming.gone.set()
                await task
        finally:
            task.cancel()

    def _scope(
        self, method: str, path: str, token: str | None, headers: dict[str, str]
    ) -> dict[str, Any]:
        raw, _, query = path.partition("?")
        pairs = [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()]
        token = self.token if token is None else token
        if token:
            pairs.append((b"authorization", f"Bearer {token}".encode()))
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "https",
            "path": unquote(raw),
            "raw_path": raw.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": pairs,
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8080),
            "state": {},
            **self.more,
        }
