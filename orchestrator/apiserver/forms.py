"""Objects in the form that a client asked for: as they are, as a Table, or metadata only.

What comes in here is as it is stored; what goes out is in the version that was asked for. Lists of
objects that are stored in that version splice the stored bytes and never decode them.
Source: Kubernetes API concepts, "Receiving resources as Tables"; meta/v1 Table,
PartialObjectMetadata.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from orchestrator.api.conversion.versions import converts, from_stored
from orchestrator.api.custom.convert import refreshed
from orchestrator.api.resources import Resource
from orchestrator.api.tables.table import printed, printer_for
from orchestrator.apiserver.negotiation import AnswerFormat, Form
from orchestrator.kit.errors import BadRequest
from orchestrator.kit.ids import Revision
from orchestrator.store.objects import StoredObject

_encode: Final = msgspec.json.Encoder().encode

PART_ITEMS: Final = 250
"""Rows that are made in one go: some milliseconds."""
INCLUDE_OBJECT: Final = frozenset({"", "Metadata", "Object", "None"})


@dataclass(frozen=True, slots=True)
class ListMeta:
    """Metadata of a list.

    Attributes:
        revision: of the snapshot.
        continue_token: "" at the end.
        remaining: how many items follow; None when not known.
    """

    revision: Revision
    continue_token: str = ""
    remaining: int | None = None

    def document(self) -> dict[str, Any]:
        """As JSON-like values, in wire order."""
        meta: dict[str, Any] = {"resourceVersion": str(self.revision)}
        if self.continue_token:
            meta["continue"] = self.continue_token
            if self.remaining is not None:
                meta["remainingItemCount"] = self.remaining
        return meta


def in_version(resource: Resource, item: StoredObject) -> StoredObject:
    """An object in the version that a row serves; the argument itself when it is stored so."""
    if not converts(resource):
        return item
    custom = resource.custom
    if custom is not None and item.revision >= custom.since:
        other = custom.renamed_head
        if other and item.data.startswith(other):
            return StoredObject(item.key, item.revision, custom.head + item.data[len(other) :])
    if custom is None or not item.data.startswith(custom.head):
        shown = from_stored(resource, item.doc)
    elif item.revision >= custom.since:
        return item
    else:
        shown = refreshed(custom, item.doc)
    if shown is item.doc:
        return item
    return StoredObject(item.key, item.revision, _encode(shown))


def list_bytes(resource: Resource, items: Sequence[StoredObject], meta: ListMeta) -> bytes:
    """A list of whole objects with a final newline, spliced from their stored bytes in one copy."""
    if converts(resource):
        items = [in_version(resource, item) for item in items]
    parts = [item.data for item in items] or [b""]
    parts[0] = b'{"kind":"%b","apiVersion":"%b","metadata":%b,"items":[%b' % (
        resource.list_kind.encode(),
        resource.api_version.encode(),
        _encode(meta.document()),
        parts[0],
    )
    parts[-1] += b"]}\n"
    return b",".join(parts)


def list_parts(
    resource: Resource,
    items: Sequence[StoredObject],
    meta: ListMeta,
    wanted: AnswerFormat,
    include: str,
    now_s: float,
) -> Iterator[bytes]:
    """A list in the wanted form, as JSON with a final newline.

    In parts, so that whoever puts it together can do something else in between: rows take time.
    """
    if wanted.form is Form.OBJECT:
        yield list_bytes(resource, items, meta)
        return
    head, name = _list_head(resource, meta, wanted)
    yield _encode(head)[:-1] + b',"%b":[' % name.encode()
    for start in range(0, len(items), PART_ITEMS):
        chosen = items[start : start + PART_ITEMS]
        found: list[dict[str, Any]]
        if wanted.form is Form.TABLE:
            found = _rows(resource, chosen, wanted.version, include, now_s)
        else:
            found = [partial_of(resource, item, wanted.version) for item in chosen]
        yield (b"," if start else b"") + _encode(found)[1:-1]
    yield b"]}\n"


def _list_head(
    resource: Resource, meta: ListMeta, wanted: AnswerFormat
) -> tuple[dict[str, Any], str]:
    """A list without its items, and the name of the field that holds them."""
    if wanted.form is Form.TABLE:
        head = table(resource, [], meta.document(), wanted.version, "None", 0.0)
        del head["rows"]
        return head, "rows"
    head = {
        "kind": "PartialObjectMetadataList",
        "apiVersion": f"meta.k8s.io/{wanted.version}",
        "metadata": meta.document(),
    }
    return head, "items"


def rendered_object(
    resource: Resource, item: StoredObject, wanted: AnswerFormat, include: str, now_s: float
) -> bytes:
    """One object in the wanted form, JSON bytes."""
    if wanted.form is Form.TABLE:
        meta = {"resourceVersion": str(item.revision)}
        return _encode(table(resource, [item], meta, wanted.version, include, now_s))
    if wanted.form is Form.PARTIAL:
        return _encode(partial_of(resource, item, wanted.version))
    return in_version(resource, item).data


class _Head(msgspec.Struct):
    """The part of an object that every kind has."""

    metadata: msgspec.Raw


_head: Final = msgspec.json.Decoder(_Head).decode


def partial_of(resource: Resource, item: StoredObject, version: str) -> dict[str, Any]:
    """An object's metadata as PartialObjectMetadata; its JSON is spliced, not decoded."""
    return partial(_head(in_version(resource, item).data).metadata, version)


def partial(metadata: msgspec.Raw | dict[str, Any], version: str) -> dict[str, Any]:
    """Metadata as PartialObjectMetadata."""
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": metadata,
    }


def table(
    resource: Resource,
    items: Sequence[StoredObject],
    meta: dict[str, Any],
    version: str,
    include: str,
    now_s: float,
    *,
    columns: bool = True,
) -> dict[str, Any]:
    """A Table; `columns=False` leaves the definitions out, as later watch events do."""
    definitions = printer_for(resource).definitions if columns else None
    return table_of(definitions, _rows(resource, items, version, include, now_s), meta, version)


def table_of(
    definitions: Sequence[Any] | None,
    rows: Sequence[dict[str, Any]],
    meta: dict[str, Any],
    version: str,
) -> dict[str, Any]:
    """A Table of rows that are made already."""
    return {
        "kind": "Table",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": meta,
        "columnDefinitions": definitions,
        "rows": rows,
    }


def row(
    cells: Sequence[Any],
    whole: msgspec.Raw | dict[str, Any],
    metadata: msgspec.Raw | dict[str, Any],
    version: str,
    include: str,
) -> dict[str, Any]:
    """One row of a Table, with its object as `include` says."""
    if include == "Object":
        return {"cells": cells, "object": whole}
    return {"cells": cells, "object": partial(metadata, version) if include == "Metadata" else None}


def include_object(value: str) -> str:
    """The `includeObject` parameter, "Metadata" by default.

    Raises:
        BadRequest: not one of the three.
    """
    if value not in INCLUDE_OBJECT:
        raise BadRequest(
            f'unrecognized includeObject value: "{value}": must be None, Metadata or Object'
        )
    return value or "Metadata"


def _rows(
    resource: Resource, items: Sequence[StoredObject], version: str, include: str, now_s: float
) -> list[dict[str, Any]]:
    """One object after the other, so that what was decoded of one is gone before the next."""
    cells_of, found = printer_for(resource).cells, []
    for item in items:
        shown = in_version(resource, item)
        source = item if resource.custom is None else shown
        document, metadata = printed(resource, source.data)
        if shown is not source:
            metadata = _head(shown.data).metadata
        found.append(
            row(cells_of(document, now_s), msgspec.Raw(shown.data), metadata, version, include)
        )
    return found
