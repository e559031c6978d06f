"""Bodies that are, but for `metadata.name`, the one that the same client sent before.

Whoever makes a thousand pods in a loop sends the same bytes a thousand times around a name. What
was found out of one such body (that it is JSON, not too deep, without doubled fields, and what it
says) holds for the next as well. Kept with the head that they came with (`heads.of_head`).
"""

import re
from typing import Any, Final

import msgspec
from litestar.types import Scope

from orchestrator.apiserver.heads import HEAD_KEY, of_head
from orchestrator.store.objects import Document

_MOST_BYTES: Final = 16 * 1024
_MOST_MISSES: Final = 4
"""Bodies in a row that were like none before: then it is not tried any more with that head."""
_PLAIN: Final = re.compile(rb"[a-z0-9.-]+")
"""Names that stand in JSON as they are."""
_OTHER: Final = "another-name"

_decode: Final = msgspec.json.decode


class _Body:
    """A body around its name."""

    __slots__ = ("_after", "_before", "_document", "_metadata")

    def __init__(self, before: bytes, after: bytes, document: Document) -> None:
        self._before = before
        self._after = after
        self._document = document
        self._metadata = document["metadata"]

    def again(self, data: bytes) -> Document | None:
        """What a body says that is like this one; only its top and metadata are the caller's."""
        if not (data.startswith(self._before) and data.endswith(self._after)):
            return None
        name = data[len(self._before) : len(data) - len(self._after)]
        if not _PLAIN.fullmatch(name):
            return None
        return {**self._document, "metadata": {**self._metadata, "name": name.decode("ascii")}}


def body_of(data: bytes) -> _Body | None:
    """A JSON object's body around its name; None where that is not in one plain place."""
    document: Any = _decode(data)
    meta = document.get("metadata") if isinstance(document, dict) else None
    name = meta.get("name") if isinstance(meta, dict) else None
    if not isinstance(name, str) or len(data) > _MOST_BYTES:
        return None
    text = f'"{name}"'.encode()
    if data.count(text) != 1 or not _PLAIN.fullmatch(name.encode()):
        return None
    before, after = data.split(text)
    body = _Body(before + b'"', b'"' + after, document)
    # that one place might be another's than the name's: what it decides is looked at
    proof = before + b'"' + _OTHER.encode() + b'"' + after
    return body if body.again(proof) == _decode(proof) else None


class Alike:
    """The last body that came with a head."""

    def __init__(self) -> None:
        self._body: _Body | None = None
        self._misses = 0

    def find(self, data: bytes) -> Document | None:
        """What a body says, when it is like the one before."""
        found = self._body.again(data) if self._body is not None else None
        if found is not None:
            self._misses = 0
        return found

    def keep(self, data: bytes) -> None:
        """Keeps a JSON body that was found to be good, and to have no field twice."""
        self._misses += 1
        if self._misses <= _MOST_MISSES:
            self._body = body_of(data)


def alike(scope: Scope) -> Alike | None:
    """What a request's head was sent with before; None for a new head."""
    fields: Any = scope
    return of_head(scope, _fresh) if HEAD_KEY in fields else None


def _fresh(_scope: Scope) -> Alike:
    return Alike()
