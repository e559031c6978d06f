"""The shim's socket: clients, frames, hand-shake, limits, heartbeats.

A client that sends nonsense, floods, or does not read is cut off; the others and the probes go on.
"""

from __future__ import annotations

import os
import selectors
import socket
import time
from typing import Any, Dict, Optional, Set

from agentshim.loop import Loop
from agentshim.service import MAX_IN_FLIGHT, Service, error_of, outcome
from agentshim.wire import Decoder, Failure, FrameError, Message, encode

MAX_CLIENTS = 16
MAX_UNREAD_BYTES = 16 * 1024 * 1024
"""What may wait for a client that does not read; then it is cut off."""
HELLO_S = 10.0
HEARTBEAT_S = 1.0
READ_BYTES = 64 * 1024


class Server:
    """Accepts clients on a Unix socket that only its owner can open."""

    def __init__(self, loop: Loop, service: Service, listener: socket.socket) -> None:
        self.loop = loop
        self.service = service
        self._listener = listener
        self.clients: Set["Client"] = set()
        self._beating = False
        listener.setblocking(False)
        loop.selector.register(listener, selectors.EVENT_READ, self._accept)
        service.journal.listeners.append(self._tell)

    def _accept(self, _events: int) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        if len(self.clients) >= MAX_CLIENTS:
            connection.close()
            return
        self.clients.add(Client(self, connection))

    def _tell(self, event: Message) -> None:
        for client in list(self.clients):
            client.tell(event)

    def ensure_heartbeat(self) -> None:
        """Sends heartbeats as long as somebody listens."""
        if not self._beating:
            self._beating = True
            self._beat(time.monotonic())

    def _beat(self, due: float) -> None:
        listening = [client for client in self.clients if client.greeted]
        if not listening:
            self._beating = False
            return
        event = self.service.heartbeat()
        for client in listening:
            client.tell(event)
        due = max(due + HEARTBEAT_S, time.monotonic())
        self.loop.call_later(due - time.monotonic(), lambda: self._beat(due))


class Client:
    """One connection."""

    def __init__(self, server: Server, connection: socket.socket) -> None:
        self._server = server
        self._connection: Optional[socket.socket] = connection
        self._decoder = Decoder()
        self._unsent = bytearray()
        self._in_flight: Dict[int, bool] = {}
        self.greeted = False
        connection.setblocking(False)
        server.loop.selector.register(connection, selectors.EVENT_READ, self._ready)
        self._patience = server.loop.call_later(HELLO_S, self.close)

    def tell(self, event: Message) -> None:
        """Sends an event, once the client has said hello."""
        if self.greeted:
            self._send(event)

    def close(self) -> None:
        """Ends the connection; idempotent. What it asked for and is under way is not answered."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._patience.cancel()
            self._server.loop.selector.unregister(connection)
            connection.close()
            self._server.clients.discard(self)
            self._unsent.clear()

    def _ready(self, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            self._flush()
        if events & selectors.EVENT_READ and self._connection is not None:
            self._read()

    def _read(self) -> None:
        if self._connection is None:
            return
        try:
            data = self._connection.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        try:
            for message in self._decoder.feed(data):
                self._take(message)
        except FrameError as error:
            self._send(dict(error_of(Failure("bad_request", str(error))), id=0))
            self.close()

    def _take(self, message: Message) -> None:
        request_id = message.get("id")
        if isinstance(request_id, bool) or not isinstance(request_id, int):
            raise FrameError("a message needs a number as its id")
        if message.get("cancel") is True:
            if self._in_flight.get(request_id):
                self._in_flight[request_id] = False
                self._answer(request_id, error_of(Failure("cancelled", "cancelled")))
            return
        operation, payload = message.get("op"), message.get("payload", {})
        if not isinstance(operation, str):
            raise FrameError("a message needs an operation")
        if operation == "hello":
            self._hello(request_id, payload)
        elif not self.greeted:
            words = "hello must come first"
            self._answer(request_id, error_of(Failure("hello_required", words)))
        elif request_id in self._in_flight:
            raise FrameError("id %d is in use" % request_id)
        elif len(self._in_flight) >= MAX_IN_FLIGHT:
            words = "%d requests are under way already" % MAX_IN_FLIGHT
            self._answer(request_id, error_of(Failure("busy", words)))
        else:
            self._in_flight[request_id] = True
            self._server.service.start(
                operation, payload, lambda rest: self._finished(request_id, rest)
            )

    def _finished(self, request_id: int, rest: Message) -> None:
        if self._in_flight.pop(request_id, False):
            self._answer(request_id, rest)

    def _hello(self, request_id: int, payload: Any) -> None:
        rest = outcome(lambda: self._server.service.hello(payload))
        self._answer(request_id, rest)
        if "error" in rest:
            return
        self._patience.cancel()
        first, self.greeted = not self.greeted, True
        if first:
            journal = self._server.service.journal
            for event in journal.missed(payload.get("epoch", ""), payload.get("after_seq", 0)):
                self._send(event)
            self._server.ensure_heartbeat()

    def _answer(self, request_id: int, rest: Message) -> None:
        self._send(dict(rest, id=request_id))

    def _send(self, message: Message) -> None:
        if self._connection is None:
            return
        try:
            self._unsent += encode(message)
        except FrameError as error:
            words = dict(error_of(Failure("too_large", str(error))), id=message.get("id", 0))
            self._unsent += encode(words)
        if len(self._unsent) > MAX_UNREAD_BYTES:
            self.close()
            return
        self._flush()

    def _flush(self) -> None:
        if self._connection is None:
            return
        try:
            while self._unsent:
                sent = self._connection.send(memoryview(self._unsent)[: 256 * 1024])
                del self._unsent[:sent]
        except BlockingIOError:
            pass
        except OSError:
            self.close()
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._unsent else 0)
        if self._server.loop.selector.get_key(self._connection).events != wanted:
            self._server.loop.selector.modify(self._connection, wanted, self._ready)


def listen(path: str, uid: int, gid: int) -> socket.socket:
    """The shim's socket at `path`, for its owner alone; one that is left over is replaced."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        listener.bind(path)
    finally:
        os.umask(mask)
    if (uid, gid) != (os.geteuid(), os.getegid()):
        os.chown(path, uid, gid)
    listener.listen(64)
    return listener
