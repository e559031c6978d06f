"""HTTP to one Docker Engine through a dialled Unix socket: pooling, API version, errors.

aiohttp's own UnixConnector opens local sockets only; `_DialConnector` replaces the one method that
opens the connection. That method is private: aiohttp's minor is pinned, and the contract suite
covers this. Nothing here knows what the calls mean; `engine.py` does.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp
import msgspec
from aiohttp.client_proto import ResponseHandler

from orchestrator.kit.errors import ChannelLost, EngineError
from orchestrator.remote.dialer import Dialer
from orchestrator.remote.docker import parse
from orchestrator.remote.seams import ByteStream

NEWEST_API: Final = (1, 47)
"""The newest API version that we were written against; a newer engine is asked for this one."""
OLDEST_API: Final = (1, 40)
"""Docker 19.03; older engines are refused with words."""

POOL_LIMIT: Final = 64
"""Connections per engine, streams included; a container that is followed needs one each."""

_NO_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=None, sock_read=None)


class _DialConnector(aiohttp.BaseConnector):
    def __init__(self, dialer: Dialer, path: str, limit: int) -> None:
        super().__init__(limit=limit, keepalive_timeout=60.0)
        self._dialer = dialer
        self._path = path

    async def _create_connection(
        self, req: aiohttp.ClientRequest, traces: list[Any], timeout: aiohttp.ClientTimeout
    ) -> ResponseHandler:
        loop = self._loop
        _, protocol = await self._dialer.dial(lambda: ResponseHandler(loop), self._path)
        return protocol


class EngineHttp:
    """Requests to one engine. Errors: EngineError for what it says, ChannelLost for silence."""

    def __init__(self, dialer: Dialer, socket_path: str, node: str, limit: int) -> None:
        self.node = node
        self._dialer = dialer
        self._path = socket_path
        self._limit = limit
        self._session: aiohttp.ClientSession | None = None
        self._prefix = ""
        self._closed = False

    async def version(self) -> parse.VersionDoc:
        """`GET /version`, without an API version in the path.

        Raises:
            EngineError: the engine is too old.
        """
        body = await self._raw("GET", "/version", "ask for the version")
        doc: parse.VersionDoc = self._decode(body, parse.VersionDoc, "ask for the version")
        theirs = _numbers(doc.api_version)
        if theirs < OLDEST_API:
            raise EngineError(
                f"Docker {doc.version or '?'} speaks API {doc.api_version or '?'}; orch needs"
                f" {OLDEST_API[0]}.{OLDEST_API[1]} (Docker 19.03) or newer",
                node=self.node,
                operation="ask for the version",
                status=400,
            )
        asked = min(theirs, NEWEST_API)
        self._prefix = f"/v{asked[0]}.{asked[1]}"
        return doc

    async def prefix(self) -> str:
        """The API version agreed on, once per engine, as a path: `/v1.41`."""
        if not self._prefix:
            await self.version()
        return self._prefix

    async def call(
        self,
        method: str,
        path: str,
        operation: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        expect: Any = None,
        ignore: frozenset[int] = frozenset(),
    ) -> Any:
        """One call; the decoded answer when `expect` is given, else None.

        Args:
            method: HTTP method.
            path: below the API version.
            operation: what it is for, in words; part of every error.
            query: query parameters.
            body: bytes are sent as a tar archive, anything else is encoded as JSON.
            expect: type to decode the answer as.
            ignore: error statuses that are no error here; the answer is then None.
        """
        path = await self.prefix() + path
        data = await self._raw(method, path, operation, query=query, body=body, ignore=ignore)
        if expect is None or data is None:
            return None
        return self._decode(data, expect, operation)

    async def _raw(
        self,
        method: str,
        path: str,
        operation: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        ignore: frozenset[int] = frozenset(),
    ) -> bytes | None:
        async with self._request(method, path, operation, query, body, {}) as response:
            data = await response.read()
            if response.status in ignore:
                return None
            self._check(response.status, data, operation)
            return data

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        operation: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """A call whose answer is read piece by piece; leaving the context drops the connection."""
        path = await self.prefix() + path
        async with self._request(method, path, operation, query, None, headers or {}) as response:
            if response.status >= 300:
                self._check(response.status, await response.read(), operation)
            yield self._pieces(response, operation)

    async def open(self) -> ByteStream:
        """A plain connection to the engine's socket, for calls that take over the stream."""
        return await self._dialer.open_unix(self._path)

    async def close(self) -> None:
        """Closes all connections; idempotent."""
        self._closed = True
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def decode_error(self, status: int, data: bytes, operation: str) -> EngineError:
        """The engine's error answer as an exception with its own words."""
        try:
            message = parse.decode(data, parse.ErrorDoc).message
        except msgspec.MsgspecError:
            message = ""
        words = message or data[:500].decode(errors="replace").strip() or f"HTTP {status}"
        return EngineError(words, node=self.node, operation=operation, status=status)

    def _check(self, status: int, data: bytes, operation: str) -> None:
        if status >= 400:
            raise self.decode_error(status, data, operation)

    def _decode(self, data: bytes | None, kind: Any, operation: str) -> Any:
        try:
            return parse.decode(data or b"null", kind)
        except msgspec.MsgspecError as error:
            raise EngineError(
                f"the engine's answer is not in the format of its API: {error}",
                node=self.node,
                operation=operation,
            ) from error

    @asynccontextmanager
    async def _request(
        self,
        method: str,
        path: str,
        operation: str,
        query: Mapping[str, str] | None,
        body: Any,
        headers: Mapping[str, str],
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        if self._closed:
            raise ChannelLost("the engine's channel is closed", node=self.node, operation=operation)
        if self._session is None:
            connector = _DialConnector(self._dialer, self._path, self._limit)
            self._session = aiohttp.ClientSession(
                "http://engine", connector=connector, timeout=_NO_TIMEOUT, auto_decompress=False
            )
        sent = dict(headers)
        data = None
        if body is not None:
            raw = isinstance(body, bytes)
            data = body if raw else msgspec.json.encode(body)
            sent["Content-Type"] = "application/x-tar" if raw else "application/json"
        try:
            async with self._session.request(
                method, path, params=query, data=data, headers=sent, allow_redirects=False
            ) as response:
                yield response
        except (aiohttp.ClientError, OSError) as error:
            raise self.lost(error, operation) from error

    async def _pieces(
        self, response: aiohttp.ClientResponse, operation: str
    ) -> AsyncIterator[bytes]:
        try:
            async for piece in response.content.iter_any():
                yield piece
        except (aiohttp.ClientError, OSError) as error:
            raise self.lost(error, operation) from error

    def lost(self, error: Exception, operation: str) -> ChannelLost:
        """A broken connection as an exception."""
        words = str(error) or type(error).__name__
        return ChannelLost(
            f"{operation}: the connection to the engine broke: {words}",
            node=self.node,
            operation=operation,
        )


async def lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Cuts a stream into its non-empty lines; a last one without a line end counts."""
    rest = b""
    async for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            if line.strip():
                yield line
    if rest.strip():
        yield rest


def _numbers(version: str) -> tuple[int, int]:
    major, _, minor = version.partition(".")
    return (int(major), int(minor)) if major.isdigit() and minor.isdigit() else (0, 0)
