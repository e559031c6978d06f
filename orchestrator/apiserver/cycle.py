"""One request on its connection: whole answers in one write, and no client that reads for ever.

uvicorn writes an answer's head and body apart: two TLS records, two system calls, and two wake-ups
of the client. A scope with `WHOLE_KEY` among its extensions takes both in one message of that type,
or by a call of that extension's "send", which spares the coroutines on the way.
Big bodies leave in pieces, so that a slow client holds a piece in memory and not all of it; one
that takes nothing for `STALLED_S` is cut off, or its answer would never end.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, Final

import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from orchestrator.apiserver.request import ARRIVED_KEY, PART_KEY

_log: Final = structlog.get_logger("apiserver")

WHOLE_KEY: Final = "orch.answer"
"""Extension, and type of a message with `status`, `headers` and `body`: a whole answer."""
PIECE_BYTES: Final = 256 * 1024
"""Most of a body that is given to the connection at once."""
STALLED_S: Final = 60.0
"""How long a client may take nothing of what waits for it."""
LINGER_S: Final = 0.5
"""How long a connection stays open when its request was answered before it was read."""

_BODILESS: Final = frozenset({204, 304})


Headers = Iterable[tuple[bytes, bytes]]


def head_of(status: int, headers: Headers, length: int | None) -> list[bytes]:
    """The lines of an answer's head, without the empty one at its end; no `length` for no body."""
    parts = [STATUS_LINE[status]]
    for name, value in headers:
        parts += (name, b": ", value, b"\r\n")
    if length is not None:
        parts.append(b"content-length: %d\r\n" % length)
    return parts


class Heads:
    """Heads of whole answers, up to their length: few, until their date changes."""

    def __init__(self) -> None:
        self._defaults: object = None
        self._known: dict[tuple[int, str], bytes] = {}

    def of(self, status: int, content_type: str, defaults: list[tuple[bytes, bytes]]) -> bytes:
        """A head that wants its body's length, an empty line, and the body."""
        if defaults is not self._defaults:  # the server makes another one each second
            self._defaults, self._known = defaults, {}
        place = status, content_type
        found = self._known.get(place)
        if found is None:
            headers = (*defaults, (b"content-type", content_type.encode()))
            found = b"".join(head_of(status, headers, None)) + b"content-length: "
            self._known[place] = found
        return found


class ApiCycle(RequestResponseCycle):
    """As uvicorn's, with whole answers and an end to waiting."""

    def arrived(self) -> bytes | None:
        """The request's whole body, for `request.ARRIVED_KEY`; None when some is to come."""
        if self.more_body or self.disconnected or self.response_complete:
            return None
        if not self.message_event.is_set() or self.waiting_for_100_continue:
            return None  # it was taken before
        self.message_event.clear()
        self.flow.resume_reading()
        body, self.body = bytes(self.body), bytearray()
        return body

    def part_nowait(self, body: bytes) -> bool:
        """Sends a part of a streamed answer, for `request.PART_KEY`; False where it has to wait.

        A thousand watches have an event each at once: the five coroutines of the usual way would be
        a good part of what that costs.
        """
        if not self.chunked_encoding or self.flow.write_paused or self.response_complete:
            return False
        if not self.disconnected and body and self.scope["method"] != "HEAD":
            self.transport.write(b"%x\r\n%b\r\n" % (len(body), body))
        return True

    def whole_nowait(self, status: int, headers: Headers, body: bytes) -> bool:
        """As a message with a whole answer; False, and nothing sent, where it has to wait."""
        if len(body) > PIECE_BYTES or self.flow.write_paused or self.disconnected:
            return False
        self._begin_whole(status, headers, body)
        self._end_whole()
        self.let_go()
        return True

    async def send(self, message: Any) -> None:
        """Sends a message; waits while the client reads too slowly, though not for ever."""
        if self.flow.write_paused and not self.disconnected:
            await self._drained()
        if message["type"] == WHOLE_KEY:
            await self._send_whole(message)
        else:
            await super().send(message)
        if self.response_complete or self.disconnected:
            self.let_go()

    def let_go(self) -> None:
        """Takes from the scope what leads back here: only the collector could free such a ring."""
        extensions: Any = self.scope.get("extensions")
        if extensions:
            extensions.pop(ARRIVED_KEY, None)
            extensions.pop(PART_KEY, None)
            extensions.pop(WHOLE_KEY, None)

    async def _send_whole(self, message: Any) -> None:
        if self.disconnected:
            return
        body: bytes = message["body"]
        sent = self._begin_whole(message["status"], message["headers"], body)
        if not sent and not await self._send_rest(memoryview(body)):
            return
        self._end_whole()

    def _begin_whole(self, status: int, headers: Headers, body: bytes) -> bool:
        """Sends the head with the body or its first piece; whether that was all."""
        if self.response_started:
            raise RuntimeError("an answer was under way already")
        if self.more_body:
            self.keep_alive = False  # what is still to come of the request is of no use
        length = None if status in _BODILESS else len(body)
        parts = head_of(status, (*self.default_headers, *headers), length)
        parts.append(b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n")
        self.response_started = True
        self.waiting_for_100_continue = False
        if self.scope["method"] == "HEAD" or status in _BODILESS:
            body = b""
        in_pieces = len(body) > PIECE_BYTES
        parts.append(body[:PIECE_BYTES] if in_pieces else body)
        self.transport.write(b"".join(parts))
        return not in_pieces

    def _end_whole(self) -> None:
        self.response_complete = True
        self.message_event.set()
        if self.more_body:
            # to close on a client that still sends would take the answer from it
            asyncio.get_running_loop().call_later(LINGER_S, self.transport.close)
        elif not self.keep_alive:
            self.transport.close()
        self.on_response()

    async def _send_rest(self, body: memoryview) -> bool:
        """Whether the client is there still."""
        for start in range(PIECE_BYTES, len(body), PIECE_BYTES):
            if self.flow.write_paused:
                await self._drained()
            if self.disconnected:
                return False
            self.transport.write(body[start : start + PIECE_BYTES])
        return True

    async def _drained(self) -> None:
        try:
            async with asyncio.timeout(STALLED_S):
                await self.flow.drain()
        except TimeoutError:
            _log.warning("request.stalled", path=self.scope["path"], seconds=STALLED_S)
            self.disconnected = True
            self.message_event.set()
            self.transport.abort()
