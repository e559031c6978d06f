"""Who owns which field after a write: the entries of `metadata.managedFields`.

Source: Kubernetes concepts, "Server-Side Apply"; structured-merge-diff, Updater.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from orchestrator.api.managed.fieldset import (
    Fields,
    below,
    difference,
    intersection,
    is_member,
    node_of,
    parse,
    paths,
    union,
)
from orchestrator.api.managed.merging import merge, named, without
from orchestrator.api.managed.walking import (
    Comparison,
    MergeSchema,
    added_fields,
    applied_fields,
    compare,
)
from orchestrator.kit.errors import BadRequest, Cause, Conflict

Document = dict[str, Any]
Operation = Literal["Apply", "Update"]

MOST_UPDATERS: Final = 10
"""Further managers of plain updates are merged, oldest first, into one."""
ANCIENT: Final = "ancient-changes"
BEFORE_FIRST_APPLY: Final = "before-first-apply"
_NOBODYS: Final[Fields] = {
    "f:apiVersion": {},
    "f:kind": {},
    "f:metadata": {
        ".": {},
    }
    | {
        f"f:{name}": {}
        for name in (
            "creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp",
            "generation", "managedFields", "name", "namespace", "resourceVersion", "selfLink",
            "uid",
        )
    },
}  # fmt: skip
_SERVERS: Final = (
    "creationTimestamp", "deletionGracePeriodSeconds", "deletionTimestamp", "generation",
    "managedFields", "resourceVersion", "selfLink", "uid",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Manager:
    """Who writes.

    Attributes:
        name: "kubectl", ...
        operation: Apply or Update.
        api_version: of the request's body.
        subresource: "" or "status", "scale", ...
    """

    name: str
    operation: Operation
    api_version: str
    subresource: str = ""

    def is_same(self, other: "Manager") -> bool:
        """Whether both have one entry: an applier keeps its own whatever version it applies in."""
        mine, its = self, other
        if self.operation == "Apply":
            mine, its = replace(self, api_version=""), replace(other, api_version="")
        return mine == its

    def __str__(self) -> str:
        """As messages name it."""
        within = f' with subresource "{self.subresource}"' if self.subresource else ""
        using = f" using {self.api_version}" if self.operation == "Update" else ""
        return f'"{self.name}"{within}{using}'


@dataclass(frozen=True, slots=True)
class Entry:
    """What one manager owns.

    Attributes:
        manager: whose.
        time: RFC 3339 of its last change; "" unknown.
        fields: the set.
    """

    manager: Manager
    time: str
    fields: Fields


def decode(entries: Any, *, stored: bool = False) -> list[Entry]:
    """Entries out of a document.

    Args:
        entries: `metadata.managedFields`.
        stored: they were checked when they were stored, and their sets need no second look.

    Raises:
        ValueError: they are none.
    """
    found: list[Entry] = []
    for entry in entries or ():
        operation = entry.get("operation")
        if operation not in {"Apply", "Update"}:
            raise ValueError(f"operation {operation!r} is neither Apply nor Update")
        if entry.get("fieldsType", "FieldsV1") != "FieldsV1":
            raise ValueError("fieldsType must be FieldsV1")
        manager = Manager(
            entry.get("manager", ""), operation, entry.get("apiVersion", ""),
            entry.get("subresource", ""),
        )  # fmt: skip
        fields = entry.get("fieldsV1") or {}
        found.append(Entry(manager, entry.get("time", ""), fields if stored else parse(fields)))
    return found


def encode(entries: Iterable[Entry]) -> list[Document]:
    """Entries as a document shows them: appliers first, then by time."""
    ordered = sorted(
        entries,
        key=lambda e: (e.manager.operation, e.time, e.manager.name, e.manager.api_version),
    )
    return [_encoded(entry) for entry in ordered]


def _encoded(entry: Entry) -> Document:
    manager = entry.manager
    document: Document = {
        "manager": manager.name,
        "operation": manager.operation,
        "apiVersion": manager.api_version,
    }
    if entry.time:
        document["time"] = entry.time
    document |= {"fieldsType": "FieldsV1", "fieldsV1": entry.fields}
    if manager.subresource:
        document["subresource"] = manager.subresource
    return document


def updated(
    entries: Sequence[Entry],
    old: Mapping[str, Any] | None,
    new: Mapping[str, Any],
    schema: MergeSchema | None,
    who: Manager,
    now: str,
    ignored: Iterable[str] = (),
) -> list[Entry]:
    """The entries after a plain write: what it changed is the writer's from now on.

    Args:
        entries: those before it.
        old: the object before it; None for a create.
        new: the object after it.
        schema: of the kind.
        who: the writer.
        now: RFC 3339.
        ignored: fields of the object that such a write does not set ("status").
    """
    left_out = set(ignored)
    after = {k: v for k, v in new.items() if k not in left_out}
    if old is None:
        found = Comparison(added_fields(after, schema), {})
    else:
        found = compare({k: v for k, v in old.items() if k not in left_out}, after, schema)
    changed, removed = difference(found.changed, _NOBODYS), difference(found.removed, _NOBODYS)
    if not changed and not removed:
        return list(entries)
    mine = _entry_of(entries, who)
    others = [e for e in entries if e is not mine]
    kept = _dispossessed(others, changed, removed)
    had = mine.fields if mine is not None else {}
    fields = difference(union(had, changed), removed)
    if fields:
        time = mine.time if mine is not None and fields == had else now
        kept.append(Entry(who, time, fields))
    return _capped(kept)


def applied(
    entries: Sequence[Entry],
    live: Mapping[str, Any],
    config: Mapping[str, Any],
    schema: MergeSchema | None,
    who: Manager,
    now: str,
    *,
    force: bool,
) -> tuple[Document, list[Entry]]:
    """The object and the entries after a server-side apply.

    Args:
        entries: those before it.
        live: the object before it.
        config: what is applied.
        schema: of the kind.
        who: the applier.
        now: RFC 3339.
        force: take over what others own.

    Raises:
        BadRequest: an item of a list has no keys.
        Conflict: somebody else owns a field that would change.
    """
    config = without_server_fields(config)
    spoken = applied_fields(config, schema)
    mine = _entry_of(entries, who)
    others = [e for e in entries if e is not mine]
    merged = merge(live, config, schema)
    if mine is not None:
        owned = spoken
        for entry in others:
            owned = union(owned, entry.fields)
        gone = difference(named(mine.fields, schema), named(owned, schema))
        merged = without(merged, _topmost(gone), schema)
    found = compare(live, merged, schema)
    disputed = [
        (entry, both) for entry in others if (both := intersection(entry.fields, found.changed))
    ]
    if disputed and not force:
        raise _conflict(disputed)
    kept = _dispossessed(others, found.changed, found.removed)
    fields = difference(spoken, _NOBODYS)
    if fields:
        time = mine.time if mine is not None and mine.fields == fields else now
        kept.append(Entry(who, time, fields))
    return merged, kept


def first_applied(
    config: Mapping[str, Any], schema: MergeSchema | None, who: Manager, now: str
) -> list[Entry]:
    """The entries of an object that an apply creates.

    Raises:
        BadRequest: an item of a list has no keys.
    """
    fields = difference(applied_fields(without_server_fields(config), schema), _NOBODYS)
    return [Entry(who, now, fields)] if fields else []


def before_first_apply(
    live: Mapping[str, Any], schema: MergeSchema | None, api_version: str, now: str
) -> list[Entry]:
    """Entries for an object that nobody kept any for: all it has is somebody's."""
    desired = {key: value for key, value in live.items() if key != "status"}
    fields = difference(added_fields(desired, schema), _NOBODYS)
    return [Entry(Manager(BEFORE_FIRST_APPLY, "Update", api_version), now, fields)]


def without_server_fields(config: Mapping[str, Any]) -> Document:
    """A configuration without the metadata that is the server's."""
    meta = {k: v for k, v in (config.get("metadata") or {}).items() if k not in _SERVERS}
    return {**config, "metadata": meta}


def _entry_of(entries: Iterable[Entry], who: Manager) -> Entry | None:
    return next((entry for entry in entries if entry.manager.is_same(who)), None)


def _dispossessed(entries: Iterable[Entry], changed: Fields, removed: Fields) -> list[Entry]:
    """What is left to managers whose fields another one changed or took away."""
    kept: list[Entry] = []
    for entry in entries:
        fields = difference(difference(entry.fields, changed), removed)
        if fields:
            kept.append(entry if fields == entry.fields else replace(entry, fields=fields))
    return kept


def _topmost(fields: Fields) -> Fields:
    """The set with nothing below its members: what goes takes along what is in it."""
    result: Fields = {}
    for key, node in fields.items():
        made = {} if is_member(node) else node_of(_topmost(below(node)), member=False)
        if made is not None:
            result[key] = made
    return result


def _capped(entries: list[Entry]) -> list[Entry]:
    updaters = sorted((e for e in entries if e.manager.operation == "Update"), key=lambda e: e.time)
    over = len(updaters) - MOST_UPDATERS
    if over <= 0:
        return entries
    oldest = updaters[: over + 1]
    fields: Fields = {}
    for entry in oldest:
        fields = union(fields, entry.fields)
    manager = Manager(ANCIENT, "Update", oldest[-1].manager.api_version)
    kept = [e for e in entries if e not in oldest]
    return [*kept, Entry(manager, oldest[-1].time, fields)]


def _conflict(disputed: Sequence[tuple[Entry, Fields]]) -> Conflict:
    """Source: apimachinery managedfields, NewConflictError."""
    every = [(str(entry.manager), path) for entry, both in disputed for path in paths(both)]
    causes = tuple(
        Cause("FieldManagerConflict", f"conflict with {manager}", path) for manager, path in every
    )
    if len(every) == 1:
        manager, path = every[0]
        text = f"Apply failed with 1 conflict: conflict with {manager}: {path}"
    else:
        by_manager: dict[str, list[str]] = {}
        for manager, path in sorted(every):
            by_manager.setdefault(manager, []).append(path)
        told = [
            f"conflicts with {manager}:\n" + "\n".join(f"- {path}" for path in listed)
            for manager, listed in by_manager.items()
        ]
        text = f"Apply failed with {len(every)} conflicts: " + "\n".join(told)
    return Conflict(text, causes=causes)


def require_absent(config: Mapping[str, Any]) -> None:
    """Refuses a configuration that brings entries along.

    Raises:
        BadRequest: it does.
    """
    meta = config.get("metadata")
    if isinstance(meta, Mapping) and meta.get("managedFields"):
        raise BadRequest("metadata.managedFields must be nil")
