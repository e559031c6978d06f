"""Requests whose head is, but for its first line, that of the request before, byte for byte.

A client's requests on one connection mostly differ in their path alone: the parser would find the
same headers in the same bytes, and tell of each by a call. So what it found is kept with the bytes
that it found it in, for as long as the next request brings the same. Only requests that came in one
piece, whole and alone, are kept and known again. Source: RFC 9112 §3.
"""

import re
from collections.abc import Callable
from typing import Any, Final, TypeVar

from litestar.types import Scope

_TARGET: Final = re.compile(rb"/[A-Za-z0-9/._~:%?=&,+@-]*")
"""Targets that mean themselves, and that no parser refuses."""
_END: Final = b"\r\n\r\n"
_VERSION: Final = b" HTTP/1.1\r\n"
_MEANS_MORE: Final = frozenset({b"transfer-encoding", b"expect", b"upgrade"})

Headers = list[tuple[bytes, bytes]]
HEAD_KEY: Final = "orch.head"
"""Where the scope of a request with a known head has it."""
_T = TypeVar("_T")


def of_head(scope: Scope, read: Callable[[Scope], _T]) -> _T:
    """What follows from a request's method, connection and headers alone; worked out once a head.

    Args:
        scope: of the request.
        read: works it out; what it gives is shared. What it raises is not kept.
    """
    fields: Any = scope
    known: KnownHead | None = fields.get(HEAD_KEY)
    if known is None:
        return read(scope)
    facts = known.facts
    if read not in facts:
        facts[read] = read(scope)
    found: _T = facts[read]
    return found


class KnownHead:
    """A request's head, but for its target.

    Attributes:
        headers: as the parser gave them.
        facts: what was found to follow from it, see `of_head`.
    """

    __slots__ = ("_behind", "_length", "_method", "facts", "headers")

    def __init__(self, method: bytes, behind: bytes, headers: Headers, length: int) -> None:
        self._method = method + b" "
        self._behind = _VERSION + behind
        self._length = length
        self.headers = headers
        self.facts: dict[Callable[[Scope], Any], Any] = {}

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
        length = 0
        for name, value in headers:
            if name in _MEANS_MORE:
                return None
            if name == b"content-length":
                length = int(value)  # the parser let only digits pass
        if len(piece) != end + length:
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
