"""What the store holds and what it tells: stored objects, drafts, writes and events.

A stored object is its JSON document as bytes; readers share one decoded form, which nobody may
mutate. The revision is part of the document (`metadata.resourceVersion`) but is only known inside
the writing transaction, so a `Draft` keeps the bytes on both sides of it.
"""

import contextlib
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

import msgspec

from orchestrator.api.types.meta import View
from orchestrator.api.types.view import decode_view, field_reader, take_over, view_of
from orchestrator.kit.ids import ObjectKey, Revision, Uid

Document = dict[str, Any]
"""An object as decoded JSON. Documents that come out of the store are shared: never mutate."""

_json_encoder: Final = msgspec.json.Encoder()
_DOCUMENTS_KEPT: Final = 2_000
"""How many stored objects keep their decoded documents."""


class StoredObject:
    """One object at one revision.

    Attributes:
        key: its name.
        revision: of the write that produced it (for a deleted object: of the delete).
        data: the whole document as JSON bytes, `metadata.resourceVersion` included.
        view: the typed view that belongs to the resource (`api.types.view`); shared, immutable.

    A writer that knows the view gives it with the bytes. Documents are decoded when somebody asks,
    and kept while few others are asked for: those of all pods would be most of the server's memory,
    and most of what its garbage collector walks through.
    """

    __slots__ = ("_doc", "data", "key", "revision", "view")

    view: View

    def __init__(
        self, key: ObjectKey, revision: Revision, data: bytes, view: View | None = None
    ) -> None:
        self.key = key
        self.revision = revision
        self.data = data
        self._doc: Document | None = None
        if view is not None:
            self.view = view

    def __getattr__(self, name: str) -> View:
        """The view, when it is first asked for; from then on it is an attribute like the others."""
        if name != "view":
            raise AttributeError(name)
        self.view = decode_view(self.data, view_of(self.key.resource))
        return self.view

    def succeed(self, previous: "StoredObject") -> None:
        """Shares what it can with the state before; call before anybody else has it."""
        take_over(self.view, previous.view)

    def forget(self) -> None:
        """Drops what was decoded: it was replaced, and only the history holds it from now on."""
        self._doc = None
        with contextlib.suppress(AttributeError):
            del self.view

    @property
    def doc(self) -> Document:
        """The decoded document; shared, never mutate it (`thawed()` gives a copy)."""
        document = self._doc
        if document is None:
            document = self._doc = msgspec.json.decode(self.data)
            _with_documents.append(self)
            if len(_with_documents) > _DOCUMENTS_KEPT:
                _with_documents.popleft()._doc = None
        return document

    def thawed(self) -> Document:
        """A fresh document that the caller may change."""
        document: Document = msgspec.json.decode(self.data)
        return document

    def field(self, path: tuple[str, ...]) -> Any:
        """One value by its path in the document; None, or its zero value, when it is absent.

        Read from the view where that knows the field: to select among thousands of objects must
        not decode all their documents.
        """
        read = field_reader(view_of(self.key.resource), path) if self._doc is None else None
        if read is not None:
            return read(self.view)
        found: Any = self.doc
        for step in path:
            found = found.get(step) if isinstance(found, dict) else None
        return found

    @property
    def labels(self) -> Mapping[str, str]:
        """`metadata.labels`."""
        return self.view.metadata.labels or {}  # type: ignore[attr-defined]  # every view has it

    @property
    def uid(self) -> Uid:
        """`metadata.uid`."""
        if self._doc is not None:
            return Uid(self._doc["metadata"]["uid"])
        return Uid(self.view.metadata.uid)  # type: ignore[attr-defined]  # every view has it

    def __repr__(self) -> str:
        """Key and revision."""
        return f"StoredObject({self.key}@{self.revision})"


_with_documents: Final[deque[StoredObject]] = deque()
"""The objects that keep their documents, those decoded first come first."""


class Draft(msgspec.Struct, frozen=True):
    """A document to be written, without its revision.

    Attributes:
        head: the bytes up to and with the opening quote of resourceVersion's value.
        tail: the bytes from the closing quote on.
    """

    head: bytes
    tail: bytes

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Draft":
        """Encodes a document: kind, apiVersion, metadata first; any resourceVersion is dropped."""
        meta = {k: v for k, v in document["metadata"].items() if k != "resourceVersion"}
        body = {
            "kind": document["kind"],
            "apiVersion": document["apiVersion"],
            "metadata": {"resourceVersion": "", **meta},
            **{k: v for k, v in document.items() if k not in {"kind", "apiVersion", "metadata"}},
        }
        data = _json_encoder.encode(body)
        cut = data.index(b'"resourceVersion":"') + len(b'"resourceVersion":"')
        return cls(head=data[:cut], tail=data[cut:])

    def at(self, revision: Revision) -> bytes:
        """The document's bytes as written at `revision`."""
        return b"%b%d%b" % (self.head, revision, self.tail)


Viewed = Callable[[Revision], View]


class Put(msgspec.Struct, frozen=True):
    """Writes an object.

    Attributes:
        key: what to write.
        draft: the document.
        expected: the revision the object must be at; None when it must not exist.
        viewed: gives the view of the draft at a revision, where that is less work than to decode.
    """

    key: ObjectKey
    draft: Draft
    expected: Revision | None
    viewed: Viewed | None = None


class Delete(msgspec.Struct, frozen=True):
    """Removes an object.

    Attributes:
        key: what to remove.
        expected: the revision the object must be at.
        draft: its last state, which the DELETED event carries (at the delete's revision).
    """

    key: ObjectKey
    expected: Revision
    draft: Draft


Write = Put | Delete

EventType = Literal["ADDED", "MODIFIED", "DELETED"]


class StoreEvent(msgspec.Struct, frozen=True):
    """One committed write, in revision order.

    Attributes:
        type: ADDED, MODIFIED or DELETED.
        object: the object after the write; for DELETED its last state at the delete's revision.
        previous: the object before the write; None for ADDED.
    """

    type: EventType
    object: StoredObject
    previous: StoredObject | None
