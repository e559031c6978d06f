"""One HTTP request as the dispatcher sees it: decoded lazily from the ASGI scope.

Source: ASGI 3 HTTP specification.
"""

import asyncio
from typing import Any, Final
from urllib.parse import parse_qsl

from litestar.types import Receive, Scope, Send

from orchestrator.apiserver.heads import of_head
from orchestrator.apiserver.identity import Identity
from orchestrator.apiserver.settings import ApiServerSettings
from orchestrator.kit.errors import BadRequest, EntityTooLarge, RequestTimeout

ARRIVED_KEY: Final = "orch.body"
"""Extension: gives the whole body once, or None when it has not arrived yet."""
PART_KEY: Final = "orch.part"
"""Extension: sends a part of a chunked answer at once, or gives False where it has to wait."""
_OFF: Final = frozenset({"0", "false"})


class Query:
    """The query string; the first value of a repeated name counts, as in Go's `Values.Get`."""

    __slots__ = ("_first", "pairs")

    def __init__(self, raw: bytes) -> None:
        self._first: dict[str, str] = {}
        self.pairs: list[tuple[str, str]] = []
        if not raw:
            return
        try:
            self.pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, max_num_fields=200)
        except ValueError as error:
            raise BadRequest(f"the query string cannot be read: {error}") from error
        for name, value in self.pairs:
            self._first.setdefault(name, value)

    def __contains__(self, name: str) -> bool:
        """Whether the name occurs, with any value."""
        return name in self._first

    def text(self, name: str) -> str:
        """The value, "" when absent."""
        return self._first.get(name, "")

    def all(self, name: str) -> list[str]:
        """Every value of a repeated name, in order."""
        return [value for key, value in self.pairs if key == name]

    def flag(self, name: str) -> bool:
        """A boolean: only absent, "0" and "false" are off, as Kubernetes' parameters are read."""
        value = self._first.get(name)
        return value is not None and value.lower() not in _OFF

    def number(self, name: str) -> int | None:
        """A whole number, None when absent or empty.

        Raises:
            BadRequest: not a whole number of at most 63 bits.
        """
        value = self._first.get(name, "")
        if not value:
            return None
        digits = value.removeprefix("-")
        if not (digits.isascii() and digits.isdigit()) or len(digits) > 18:
            raise BadRequest(f'query parameter {name}: invalid value "{value}": must be an integer')
        return int(value)


def _by_name(scope: Scope) -> dict[bytes, str]:
    headers: dict[bytes, str] = {}
    for name, value in scope["headers"]:
        text = value.decode("latin-1")
        headers[name] = f"{headers[name]}, {text}" if name in headers else text
    return headers


class Request:
    """One request.

    Attributes:
        method: upper case.
        raw_path: the path as sent, still percent-encoded, without the query.
        identity: who asks.
        warnings: sentences for `Warning:` headers of the answer; verbs append.
    """

    __slots__ = (
        "_body", "_headers", "_query", "identity", "limits", "method", "raw_path",
        "receive", "scope", "send", "started", "warnings",
    )  # fmt: skip

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        identity: Identity,
        limits: ApiServerSettings,
    ) -> None:
        self.scope = scope
        self.receive = receive
        self.send = send
        self.identity = identity
        self.limits = limits
        fields: Any = scope
        self.method: str = fields.get("method", "GET")  # a WebSocket handshake is a GET
        raw: bytes = fields.get("raw_path") or fields["path"].encode()
        self.raw_path = raw.split(b"?", 1)[0].decode("latin-1")
        self.warnings: list[str] = []
        self.started = False
        self._headers: dict[bytes, str] | None = None
        self._query: Query | None = None
        self._body: bytes | None = None

    @property
    def query(self) -> Query:
        """The query string.

        Raises:
            BadRequest: it cannot be read.
        """
        if self._query is None:
            fields: Any = self.scope
            self._query = Query(fields.get("query_string", b""))
        return self._query

    def header(self, name: bytes) -> str:
        """A header's value (`name` in lower case), "" when absent; repeats joined by commas."""
        if self._headers is None:
            self._headers = of_head(self.scope, _by_name)
        return self._headers.get(name, "")

    async def body(self) -> bytes:
        """The whole body; read once, then remembered.

        Raises:
            EntityTooLarge: more than `max_body_bytes`.
            RequestTimeout: it took longer than `body_s`.
            BadRequest: the client went away before its end.
        """
        if self._body is None:
            self._body = self._body_nowait()
        if self._body is None:
            try:
                async with asyncio.timeout(self.limits.body_s):
                    self._body = await self._read_body()
            except TimeoutError as error:
                raise RequestTimeout(
                    "Timeout: request did not complete within the allotted timeout"
                ) from error
        return self._body

    def _body_nowait(self) -> bytes | None:
        """The body when all of it has come with the head, which spares a timer; None else."""
        extensions: Any = self.scope.get("extensions")
        arrived = (extensions or {}).get(ARRIVED_KEY)
        body: bytes | None = arrived() if arrived is not None else None
        return body if body is not None and len(body) <= self.limits.max_body_bytes else None

    async def _read_body(self) -> bytes:
        limit = self.limits.max_body_bytes
        announced = self.header(b"content-length")
        if announced.isdigit() and int(announced) > limit:
            raise EntityTooLarge(f"limit is {limit}: the request body has {announced} bytes")
        parts: list[bytes] = []
        size = 0
        while True:
            message: Any = await self.receive()
            if message["type"] == "http.disconnect":
                raise BadRequest("the client went away before the end of the request body")
            part = message.get("body", b"")
            size += len(part)
            if size > limit:
                raise EntityTooLarge(f"limit is {limit}: the request body is larger")
            parts.append(part)
            if not message.get("more_body", False):
                return b"".join(parts)
