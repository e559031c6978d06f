"""Requests whose head is, but for its first line, that of the request before, byte for byte.

A client's requests on one connection mostly differ in their path alone: the parser would find the
same headers in the same bytes, and tell of each by a call. So what it found is kept with the bytes
that it found it in, for as long as the next request brings the same. Only requests that came in one
piece, whole and alone, are kept and known again. Source: RFC 9112 §3.
"""

import re
from typing import Final

_TARGET: Final = re.compile(rb"/[A-Za-z0-9/._~:%?=&,+@-]*")
"""Targets that mean themselves, and that no parser refuses."""
_END: Final = b"\r\n\r\n"
_VERSION: Final = b" HTTP/1.1\r\n"
_MEANS_MORE: Final = frozenset({b"transfer-encoding", b"expect", b"upgrade"})

Headers = list[tuple[bytes, bytes]]


class KnownHead:
    """A request's head, but for its target.

    Attributes:
        headers: as the parser gave them.
        has_body: whether a body follows, be it an empty one that was announced.
    """

    __slots__ = ("_behind", "_length", "_method", "has_body", "headers")

    def __init__(self, method: bytes, behind: bytes, headers: Headers, length: int | None) -> None:
        self._method = method + b" "
        self._behind = _VERSION + behind
        self._length = length or 0
        self.has_body = length is not None
        self.headers = headers

    @classmethod
    def of(cls, piece: bytes, method: bytes, target: bytes, headers: Headers) -> "KnownHead | None":
        """The head of a request that was just parsed; None where it is not fit to be known again.

        Args:
            piece: the request's bytes: all of it, and nothing else.
            method: upper case.
            target: as sent.
            headers: names in lower case.
        """
        line = method + b" " + target + _VERSION
        end = piece.find(_END) + len(_END)
        if not piece.startswith(line) or end <= len(line):
            return None
        length: int | None = None
        for name, value in headers:
            if name in _MEANS_MORE:
                return None
            if name == b"content-length":
                length = int(value)  # the parser let only digits pass
        if len(piece) != end + (length or 0):
            return None
        return cls(method, piece[len(line) : end], headers, length)

    def again(self, piece: bytes) -> tuple[bytes, bytes] | None:
        """Target and body of a request with this head; None for any other piece."""
        behind = self._behind
        start = len(self._method)
        at = piece.find(b" ", start)
        end = at + len(behind)
        if (
            at < 0
            or len(piece) != end + self._length
            or not piece.startswith(behind, at)
            or not piece.startswith(self._method)
        ):
            return None
        target = piece[start:at]
        return (target, piece[end:]) if _TARGET.fullmatch(target) else None
