"""uvicorn's HTTP protocol with five additions: certificates, bounds on a head, raw SPDY, answers
at once, and heads that are known from the request before (`heads`).

uvicorn 0.54 does not put the peer certificate into the ASGI scope, so each connection puts a
`Peer` into its own copy of the state that becomes `scope["state"]`. Nor does it bound the size of a
request's head, or the time until the first one, and both are open to clients without a credential.
ASGI knows no upgrade but to WebSockets, and older kubectl no WebSockets: a request with
`Upgrade: SPDY/3.1` has a way to take its connection over in its scope. Most requests are GETs of
one object, which is in memory: an application that has `asker` is asked for those first,
which spares a task, its turn of the event loop, and the messages between both. Drop the first when
uvicorn implements the ASGI TLS extension. Its minor version is pinned because of this module.
"""

import asyncio
import re
import ssl
from typing import Any, Final

import httptools
import msgspec
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from orchestrator.apiserver.at_once import Ask
from orchestrator.apiserver.authn import PEER_KEY, Peer
from orchestrator.apiserver.connect.upgrade import SPDY, TAKEOVER_KEY
from orchestrator.apiserver.cycle import LINGER_S, WHOLE_KEY, ApiCycle, Heads
from orchestrator.apiserver.errors import status_of
from orchestrator.apiserver.heads import HEAD_KEY, KnownHead
from orchestrator.apiserver.request import ARRIVED_KEY, PART_KEY
from orchestrator.kit.errors import BadRequest
from orchestrator.remote.dialer import SocketStream

MAX_HEAD_BYTES: Final = 128 * 1024
"""Longest request line with headers; kubectl's are under 4 KiB."""
HEAD_S: Final = 30.0
"""A head must be complete by then, a new connection's first one included."""
_NOT_PLAIN: Final = re.compile(rb"[?%#]|[^!-~]|^[^/]")
_heads: Final = Heads()
_MEANS_MORE: Final = frozenset({b"content-length", b"transfer-encoding", b"expect"})
FAREWELL_S: Final = 0.1
"""What a connection without a request has to end properly when the server stops."""


def _refusal(code: int, message: str) -> bytes:
    """A whole answer with a Status, after which the connection is closed."""
    status = status_of(BadRequest(message))
    if code != BadRequest.code:
        status = {**status, "reason": "", "code": code}
    body = msgspec.json.encode(status) + b"\n"
    head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
    return STATUS_LINE[code] + head % len(body) + body


_TOO_LARGE: Final = _refusal(431, "the request line and its headers are too large")
_SLOW_HEAD: Final = _refusal(408, "the request's headers took too long")


class ApiProtocol(HttpToolsProtocol):
    """Serves HTTP/1.1, remembers who is at the other end, and does not wait for ever."""

    _in_head = True
    _too_large = False
    _refused = False
    _piece_bytes = 0
    _head_bytes = 0
    _head_due: asyncio.TimerHandle | None = None
    _answered = False
    _between = True
    _messages = 0
    _known: KnownHead | None = None
    _ask: Ask | None = None
    _quiet_since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as upstream
        """Called once for a connection, after its TLS handshake."""
        super().connection_made(transport)
        tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        der = tls.getpeercert(binary_form=True) if tls is not None else None
        self.app_state = {**self.app_state, PEER_KEY: Peer(der)}
        self._head_due = self.loop.call_later(HEAD_S, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called once, when the connection is closed."""
        self._head_done()
        super().connection_lost(exc)
        cycle: Any = self.cycle
        if isinstance(cycle, ApiCycle):
            cycle.let_go()

    def shutdown(self) -> None:
        """Called when the server stops: an idle connection is closed, and cut a moment later.

        A client that sleeps on it would not answer the farewell of TLS before it wakes up.
        """
        super().shutdown()
        if self.transport.is_closing():
            self.loop.call_later(FAREWELL_S, self.transport.abort)

    def data_received(self, data: bytes) -> None:
        """Called for every piece that arrives."""
        if self._refused:
            return
        known = self._known
        if known is not None:
            found = known.again(data)
            if found is not None and len(data) - len(found[1]) <= MAX_HEAD_BYTES:
                if not self._answer_again(found[0]):
                    self._begin_again(known, *found)
                return
            self._known = None  # from here on the parser knows of another one
        began_between = self._between
        self._messages = 0
        self._piece_bytes = len(data)
        super().data_received(data)
        if self._in_head and not self._refused:
            if self._head_due is None and not self.transport.is_closing():
                self._head_due = self.loop.call_later(HEAD_S, self._head_late)
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
                self._too_large = True
                self.send_400_response("")
        elif began_between and self._between and self._messages == 1:
            self._keep_head(data)

    def _keep_head(self, piece: bytes) -> None:
        """Keeps the head of a request that came in one piece, if more of its kind may follow."""
        parser: Any = self.parser  # None when the connection is lost
        if (
            parser is not None
            and not self._refused
            and parser.get_http_version() == "1.1"
            and parser.should_keep_alive()
            and not parser.should_upgrade()
        ):
            self._known = KnownHead.of(piece, parser.get_method(), self.url, self.headers)

    def _begin_again(self, known: KnownHead, target: bytes, body: bytes) -> None:
        """What the parser would do with a request whose head it has just parsed.

        What it is asked about meanwhile (method, version, whether to keep the connection) it still
        knows from the request before, which was the last one that it was given.
        """
        self._unset_keepalive_if_required()
        self.on_message_begin()
        self.url = target
        self.headers.extend(known.headers)
        scope: Any = self.scope
        scope[HEAD_KEY] = known
        try:
            self.on_headers_complete()
            if body:
                self.on_body(body)
            self.on_message_complete()
        except httptools.HttpParserError:  # of the target
            self.send_400_response("Invalid HTTP request received.")

    def on_message_begin(self) -> None:
        """Called by the parser at a request's first byte."""
        self._between = False
        self._messages += 1
        self._ask = None
        self._in_head = True
        self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Called by the parser when a request's head is complete."""
        self._in_head = False
        self._head_done()
        arrived = self._head_bytes + self._piece_bytes  # some of it may be other requests'
        if arrived > MAX_HEAD_BYTES and self._head_size() > MAX_HEAD_BYTES:
            self._too_large = True
            raise ValueError("the head is too large")  # the parser passes it on as its own error
        self._answered = self._answer_nowait()
        if self._answered:
            return
        extensions: dict[str, Any] = {WHOLE_KEY: {}}
        if self.parser.should_upgrade() and self._get_upgrade() == SPDY:
            extensions[TAKEOVER_KEY] = {"take": self.take_over}
        self.scope["extensions"] = extensions
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is not before:
            # uvicorn has no place to name the class; the request's task has not begun yet
            cycle: Any = self.cycle
            cycle.__class__ = ApiCycle
            extensions[ARRIVED_KEY] = cycle.arrived
            extensions[PART_KEY] = cycle.part_nowait
            extensions[WHOLE_KEY] = {"send": cycle.whole_nowait}

    def on_body(self, body: bytes) -> None:
        """Called by the parser for a part of a body."""
        if not self._answered:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Called by the parser at a request's end."""
        self._between = True
        if not self._answered:
            super().on_message_complete()

    def _answer_nowait(self) -> bool:
        """Answers a GET of one object here and now; False where it has to go the usual way."""
        asker = getattr(self.app, "asker", None)
        if asker is None or self.parser.get_method() != b"GET" or not self._is_plain():
            return False
        scope: Any = self.scope
        scope["method"] = "GET"
        scope["raw_path"] = self.url
        scope["path"] = self.url.decode("ascii")
        scope["query_string"] = b""
        self._ask = asker(scope)
        if self._ask is None or not self._answered_by(self._ask, self.url):
            return False
        self.on_response_complete()
        return True

    def _answered_by(self, ask: Ask, target: bytes) -> bool:
        answer = ask(target.decode("ascii"))
        if answer is None:
            return False
        head = _heads.of(answer.status, answer.content_type, self.server_state.default_headers)
        self.transport.write(b"%b%d\r\n\r\n%b" % (head, len(answer.body), answer.body))
        return True

    def _answer_again(self, target: bytes) -> bool:
        """As `_answer_nowait`, where the head is known and its asker with it.

        The timer of the idle connection goes on; `timeout_keep_alive_handler` knows.
        """
        ask = self._ask
        if (
            ask is None
            or self.timeout_keep_alive_task is None  # it is not idle
            or self.flow.write_paused
            or _NOT_PLAIN.search(target)
            or not self._answered_by(ask, target)
        ):
            return False
        self.server_state.total_requests += 1
        self._quiet_since = self.loop.time()
        return True

    def timeout_keep_alive_handler(self) -> None:
        """Called when the connection may have been idle for long enough to be closed."""
        rest_s = self._quiet_since + self.timeout_keep_alive - self.loop.time()
        if rest_s > 0:
            again = self.timeout_keep_alive_handler
            self.timeout_keep_alive_task = self.loop.call_later(rest_s, again)
        else:
            super().timeout_keep_alive_handler()

    def _is_plain(self) -> bool:
        """Whether a request has no body, asks only for a path, and is next on a free line."""
        cycle: RequestResponseCycle | None = self.cycle  # none before the first request
        return (
            (cycle is None or cycle.response_complete)
            and not self.flow.write_paused
            and not _NOT_PLAIN.search(self.url)
            and self.parser.get_http_version() == "1.1"
            and self.parser.should_keep_alive()
            and not self.parser.should_upgrade()
            and all(name not in _MEANS_MORE for name, _ in self.headers)
        )

    def _unsupported_upgrade_warning(self) -> None:
        if self._get_upgrade() != SPDY:
            super()._unsupported_upgrade_warning()

    def take_over(self, head: bytes) -> SocketStream:
        """Answers the request with `head`; from here on the connection is the stream returned.

        The application closes it, and answers nothing more. Called before the request's answer.
        """
        stream = SocketStream("stream to a client")
        self.connections.discard(self)
        self._unset_keepalive_if_required()
        self.cycle.disconnected = True
        self.cycle.message_event.set()
        self.flow.resume_reading()
        stream.connection_made(self.transport)
        if self.transport.is_closing():
            stream.connection_lost(None)
        else:
            self.transport.set_protocol(stream)
            self.transport.write(head)
        return stream

    def send_400_response(self, msg: str) -> None:
        """Called for what is no HTTP: a Status like any other answer."""
        self._refuse(_TOO_LARGE if self._too_large else _refusal(400, msg))

    def _head_size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def _head_late(self) -> None:
        self._refuse(_SLOW_HEAD)

    def _refuse(self, answer: bytes) -> None:
        """Answers, and closes a moment later: who is cut off while sending does not read it."""
        if not self._refused:
            self._refused = True
            cycle: RequestResponseCycle | None = self.cycle  # none before the first request
            if cycle is not None and not cycle.response_complete:
                cycle.disconnected = True  # nothing may follow this answer
                cycle.message_event.set()
            self.transport.write(answer)
            self.loop.call_later(LINGER_S, self.transport.close)

    def _head_done(self) -> None:
        if self._head_due is not None:
            self._head_due.cancel()
            self._head_due = None
