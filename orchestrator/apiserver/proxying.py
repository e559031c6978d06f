"""One HTTP request over a byte stream to a pod: sent, and its answer given back as it comes.

Source: RFC 9112; Kubernetes API, `pods/proxy`, `services/proxy`.
"""

from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass
from typing import Final

import h11

from orchestrator.kit.errors import RemoteError, ServiceUnavailable
from orchestrator.remote.seams import ByteStream

Header = tuple[bytes, bytes]

_HOP_BY_HOP: Final = frozenset({
    b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"te", b"trailer",
    b"transfer-encoding", b"upgrade",
})  # fmt: skip
_NOT_FOR_PODS: Final = _HOP_BY_HOP | {b"authorization", b"host", b"content-length"}
"""The caller's credential is for the API server alone."""


@dataclass(frozen=True, slots=True)
class Forwarded:
    """What goes to the pod.

    Attributes:
        method: "GET", ...
        target: path and query.
        host: for the Host header.
        headers: of the caller, names in lower case.
        body: the whole body.
    """

    method: str
    target: str
    host: str
    headers: tuple[Header, ...]
    body: bytes


class Exchange:
    """One request and its answer; `start` first, then `pieces`, then `close`."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._http = h11.Connection(h11.CLIENT)

    async def start(self, request: Forwarded) -> tuple[int, list[Header]]:
        """Sends the request; status and headers of the answer.

        Raises:
            ServiceUnavailable: the pod does not answer in HTTP.
        """
        headers: list[Header] = [(b"host", request.host.encode()), (b"connection", b"close")]
        headers += _without(request.headers, _NOT_FOR_PODS)
        if request.body or request.method in {"POST", "PUT", "PATCH"}:
            headers.append((b"content-length", str(len(request.body)).encode()))
        first = h11.Request(method=request.method, target=request.target, headers=headers)
        try:
            await self._send(first)
            if request.body:
                await self._send(h11.Data(data=request.body))
            await self._send(h11.EndOfMessage())
            while True:
                event = await self._next()
                if isinstance(event, h11.Response):
                    found = [(bytes(name), bytes(value)) for name, value in event.headers]
                    return event.status_code, _without(found, _HOP_BY_HOP)
                if not isinstance(event, h11.InformationalResponse):
                    raise ServiceUnavailable("error trying to reach service: EOF")
        except (h11.RemoteProtocolError, h11.LocalProtocolError, RemoteError) as error:
            raise ServiceUnavailable(f"error trying to reach service: {error}") from error

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """The answer's body.

        Raises:
            ServiceUnavailable: it broke off.
        """
        try:
            while True:
                event = await self._next()
                if isinstance(event, h11.Data):
                    yield bytes(event.data)
                elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
                    return
        except (h11.RemoteProtocolError, RemoteError) as error:
            raise ServiceUnavailable(f"error trying to reach service: {error}") from error

    async def close(self) -> None:
        """Closes the stream; idempotent."""
        await self._stream.close()

    async def _send(self, event: h11.Event) -> None:
        data = self._http.send(event)
        if data:
            await self._stream.write(data)

    async def _next(self) -> object:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(await self._stream.read())
        return event


def _without(headers: Iterable[Header], names: frozenset[bytes]) -> list[Header]:
    return [(name, value) for name, value in headers if name.lower() not in names]
