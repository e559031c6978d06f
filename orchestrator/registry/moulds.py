"""Pods of one make: worked out for one of them, filled in for the others.

The pods of a workload, of a Job with a thousand completions or of a script's loop differ in name,
uid and times. All that admission does to such a document (types, defaults, what the namespace
gives, validation, warnings, owners of fields) follows from the rest of it, so it is done once; what
is remembered are the bytes around those few values. Pure; `creator` knows when it may be used.

Views of such pods share everything but their metadata, which also spares memory.
"""

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from orchestrator.api.types.meta import ObjectMeta
from orchestrator.api.types.pod import Pod
from orchestrator.api.types.view import decode_view
from orchestrator.kit.ids import Revision
from orchestrator.registry.options import WriteOptions
from orchestrator.store.objects import Document, Draft

_MOST_BYTES: Final = 16 * 1024
"""Longest document that is remembered."""
_MOST_MOULDS: Final = 256
_MOST_SEEN: Final = 4096

_encode: Final = msgspec.json.Encoder().encode
_replace: Final = msgspec.structs.replace

_NAME, _UID, _TIME = (uuid.uuid4().hex for _ in range(3))
"""Stand for what differs; no document holds them, for nobody can know them."""
_SLOTS: Final = re.compile(f"({_NAME}|{_UID}|{_TIME})".encode())
_ORDER: Final = {_NAME.encode(): 0, _UID.encode(): 1, _TIME.encode(): 2}

Make = tuple[object, ...]
"""All that decides what becomes of a document but for its name."""


@dataclass(frozen=True, slots=True)
class Mould:
    """What pods of one make become.

    Attributes:
        head: the draft's head, which is the same for all.
        parts: the draft's tail around the slots.
        slots: what stands between two parts: 0 name, 1 uid, 2 time.
        warnings: for whoever makes one.
        view: of one of them; all but its metadata is everyone's.
        metadata: of the view.
    """

    head: bytes
    parts: tuple[bytes, ...]
    slots: tuple[int, ...]
    warnings: tuple[str, ...]
    view: Pod
    metadata: ObjectMeta

    def draft(self, name: str, uid: str, created: str) -> Draft:
        """The document of another one; the name must be a valid one."""
        values = (name.encode(), uid.encode(), created.encode())
        parts = self.parts
        tail = bytearray(parts[0])
        for slot, part in zip(self.slots, parts[1:], strict=True):
            tail += values[slot]
            tail += part
        return Draft(self.head, bytes(tail))

    def view_of(self, name: str, uid: str, created: str, revision: Revision) -> Pod:
        """What `draft` at a revision is decoded to."""
        meta = _replace(
            self.metadata, name=name, uid=uid, creation_timestamp=created,
            resource_version=str(revision),
        )  # fmt: skip
        return _replace(self.view, metadata=meta)


def make_of(
    source: Mapping[str, Any], namespace: str, options: WriteOptions, *surroundings: object
) -> Make | None:
    """The make of a pod that somebody wants; None when it has none that could be remembered.

    Args:
        source: as it came; not changed.
        namespace: to create it in.
        options: of the request.
        surroundings: whatever else decides, as values that compare equal while it is the same.
    """
    meta = source.get("metadata")
    if type(meta) is not dict or meta.get("uid") or meta.get("resourceVersion"):
        return None
    rest = {key: value for key, value in meta.items() if key != "name" and value is not None}
    try:
        data = _encode({**source, "metadata": rest})
    except (TypeError, UnicodeEncodeError):
        return None
    if len(data) > _MOST_BYTES or b"null" in data:
        return None
    return (
        data, namespace, "name" in meta, options.field_manager, options.field_validation,
        options.recorded_as, *surroundings,
    )  # fmt: skip


def cast_mould(document: Document, warnings: Sequence[str]) -> Mould:
    """The mould of a finished document.

    Args:
        document: as it is to be stored; not changed.
        warnings: what its maker was told.
    """
    meta = document["metadata"]
    created = meta["creationTimestamp"]
    hollow = {**meta, "name": _NAME, "uid": _UID, "creationTimestamp": _TIME}
    if "managedFields" in meta:
        hollow["managedFields"] = [
            {**entry, "time": _TIME} if entry.get("time") == created else entry
            for entry in meta["managedFields"]
        ]
    draft = Draft.of({**document, "metadata": hollow})
    pieces = _SLOTS.split(draft.tail)
    view = decode_view(draft.at(Revision(0)), Pod)
    return Mould(
        head=draft.head,
        parts=tuple(pieces[::2]),
        slots=tuple(_ORDER[token] for token in pieces[1::2]),
        warnings=tuple(warnings),
        view=view,
        metadata=view.metadata,
    )


class Moulds:
    """The moulds of the makes that were used last; a make is remembered when it comes again."""

    def __init__(self) -> None:
        self._moulds: dict[Make, Mould] = {}
        self._seen: dict[int, None] = {}

    def get(self, make: Make) -> Mould | None:
        """The mould of a make, if there is one."""
        found = self._moulds.get(make)
        if found is not None and len(self._moulds) > _MOST_MOULDS // 2:
            self._moulds[make] = self._moulds.pop(make)  # the latest is last
        return found

    def note(self, make: Make, document: Document, warnings: Sequence[str]) -> None:
        """Takes a finished document of a make that has no mould yet."""
        known = hash(make)
        if known not in self._seen:
            if len(self._seen) >= _MOST_SEEN:
                self._seen.clear()
            self._seen[known] = None
            return
        if len(self._moulds) >= _MOST_MOULDS:
            del self._moulds[next(iter(self._moulds))]
        self._moulds[make] = cast_mould(document, warnings)
