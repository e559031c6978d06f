"""HTTP/1 in a few lines: requests to the engine's socket, and http probes.

The standard library's client pulls in ssl and the e-mail package (6 MB) and its time limit is per
read, so that a server that trickles could hold a worker for ever. Here the limit is for the whole
request. The engine is asked in HTTP/1.0, so that answers come without chunks and end by closing.
"""

from __future__ import annotations

import socket
import time
from typing import Any, Iterator, Mapping, NamedTuple, Optional, Tuple

MAX_HEAD_BYTES = 64 * 1024
MAX_BODY_BYTES = 4 * 1024 * 1024


class BadAnswer(Exception):
    """What came back is not HTTP, or is too large."""


class Answer(NamedTuple):
    """The head of an answer."""

    status: int
    location: str


class Exchange:
    """One request on one connection.

    Args:
        connection: connected; closed by `close`.
        deadline: monotonic time at which every read and write fails; None for no limit.
    """

    def __init__(self, connection: socket.socket, deadline: Optional[float]) -> None:
        self._connection = connection
        self._deadline = deadline
        self._rest = b""

    def request(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes, version: str
    ) -> Answer:
        """Sends the request, and reads the head of the answer."""
        lines = ["%s %s HTTP/%s" % (method, target, version)]
        lines += ["%s: %s" % item for item in headers.items()]
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")
        self._limit()
        self._connection.sendall(head + body)
        return self._read_head()

    def body(self) -> bytes:
        """The rest up to the end of the connection."""
        parts, size = [], 0
        for piece in self.pieces():
            size += len(piece)
            if size > MAX_BODY_BYTES:
                raise BadAnswer("the answer is too large")
            parts.append(piece)
        return b"".join(parts)

    def pieces(self) -> Iterator[bytes]:
        """The rest as it comes."""
        if self._rest:
            rest, self._rest = self._rest, b""
            yield rest
        while True:
            self._limit()
            piece = self._connection.recv(65536)
            if not piece:
                return
            yield piece

    def close(self) -> None:
        """Closes the connection; from another thread it ends a read."""
        try:
            self._connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._connection.close()

    def _limit(self) -> None:
        if self._deadline is None:
            return
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise socket.timeout("timed out")
        self._connection.settimeout(left)

    def _read_head(self) -> Answer:
        while True:
            while b"\r\n\r\n" not in self._rest:
                self._limit()
                piece = self._connection.recv(65536)
                if not piece:
                    raise BadAnswer("the connection was closed before the answer")
                self._rest += piece
                if len(self._rest) > MAX_HEAD_BYTES:
                    raise BadAnswer("the head of the answer is too large")
            head, _, self._rest = self._rest.partition(b"\r\n\r\n")
            status, location = parse_head(head)
            if status == 101 or not 100 <= status < 200:
                return Answer(status, location)


def parse_head(head: bytes) -> Tuple[int, str]:
    """Status and Location of an answer's head.

    Raises:
        BadAnswer: it is not HTTP/1.
    """
    lines = head.decode("latin-1").split("\r\n")
    words = lines[0].split(None, 2)
    if len(words) < 2 or not words[0].startswith("HTTP/1") or not words[1].isdigit():
        raise BadAnswer("the answer is not HTTP: %r" % lines[0][:80])
    location = ""
    for line in lines[1:]:
        name, _, value = line.partition(":")
        if name.strip().lower() == "location":
            location = value.strip()
    return int(words[1]), location


def connect_unix(path: str, deadline: Optional[float]) -> socket.socket:
    """A connected Unix socket."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    return _connected(connection, path, deadline)


def connect_tcp(host: str, port: int, deadline: float) -> socket.socket:
    """A connected TCP socket."""
    left = max(0.001, deadline - time.monotonic())
    return socket.create_connection((host, port), timeout=left)


def _connected(connection: socket.socket, address: Any, deadline: Optional[float]) -> socket.socket:
    try:
        if deadline is not None:
            connection.settimeout(max(0.001, deadline - time.monotonic()))
        connection.connect(address)
    except BaseException:
        connection.close()
        raise
    return connection
