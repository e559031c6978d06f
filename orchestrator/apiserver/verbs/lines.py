"""What a watcher reads: store events as JSON lines, in the form that it asked for.

A thousand watchers of one collection want the same line when something changes, so lines that cost
something to make are kept for a while: forms other than whole objects, and converted objects.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import msgspec

from orchestrator.api.conversion.versions import converts
from orchestrator.api.resources import Resource
from orchestrator.apiserver.errors import status_of
from orchestrator.apiserver.forms import in_version, partial, partial_of, table
from orchestrator.apiserver.negotiation import AnswerFormat, Form
from orchestrator.apiserver.selectors import Filter
from orchestrator.kit.clock import Clock
from orchestrator.kit.errors import ApiError
from orchestrator.kit.ids import Revision
from orchestrator.store.objects import EventType, StoredObject, StoreEvent

_encode: Final = msgspec.json.Encoder().encode

INITIAL_EVENTS_END: Final = "k8s.io/initial-events-end"

_Key = tuple[object, ...]


class SharedLines:
    """The objects of recent lines, by what they were made of; the oldest are forgotten."""

    def __init__(self, most: int = 256) -> None:
        self._most = most
        self._made: dict[_Key, bytes] = {}

    def get(self, key: _Key, make: Callable[[], bytes]) -> bytes:
        """What `make` gave for this key, now or before."""
        found = self._made.get(key)
        if found is None:
            found = self._made[key] = make()
            if len(self._made) > self._most:
                del self._made[next(iter(self._made))]
        return found


class Lines:
    """Turns store events into the lines that one watcher sees."""

    def __init__(
        self,
        resource: Resource,
        chosen: Filter,
        wanted: AnswerFormat,
        include: str,
        clock: Clock,
        shared: SharedLines,
    ) -> None:
        self._resource = resource
        self._chosen = chosen
        self._wanted = wanted
        self._include = include
        self._clock = clock
        self._shared = shared
        self._columns_sent = False
        self._as_stored = wanted.form is Form.OBJECT and not converts(resource)

    def of(self, events: Iterable[StoreEvent]) -> Iterator[bytes]:
        """The lines for some events; events outside the selection have none."""
        for event in events:
            seen = seen_as(event, self._chosen)
            if seen is not None:
                yield self.event(*seen)

    def event(self, kind: EventType, item: StoredObject) -> bytes:
        """One event."""
        return b'{"type":"%b","object":%b}\n' % (kind.encode(), self._object(item))

    def bookmark(self, revision: Revision, *, end_of_initial: bool = False) -> bytes:
        """A BOOKMARK: everything up to `revision` was seen."""
        meta: dict[str, Any] = {"resourceVersion": str(revision)}
        if end_of_initial:
            meta["annotations"] = {INITIAL_EVENTS_END: "true"}
        body: dict[str, Any] = {
            "kind": self._resource.kind,
            "apiVersion": self._resource.api_version,
            "metadata": meta,
        }
        if self._wanted.form is Form.PARTIAL:
            body = partial(meta, self._wanted.version)
        elif self._wanted.form is Form.TABLE:
            body = table(self._resource, [], meta, self._wanted.version, "None", 0.0, columns=False)
        return _encode({"type": "BOOKMARK", "object": body}) + b"\n"

    @staticmethod
    def error(error: ApiError) -> bytes:
        """An ERROR event, after which the stream ends."""
        return _encode({"type": "ERROR", "object": status_of(error)}) + b"\n"

    def _object(self, item: StoredObject) -> bytes:
        if self._as_stored:
            return item.data
        columns = self._wanted.form is Form.TABLE and not self._columns_sent
        self._columns_sent = True
        now_s = self._clock.wall()
        key = (
            item.key, item.revision, item.data, self._resource.api_version, self._wanted,
            self._include, columns, int(now_s),
        )  # fmt: skip
        return self._shared.get(key, lambda: self._made(item, now_s, columns=columns))

    def _made(self, item: StoredObject, now_s: float, *, columns: bool) -> bytes:
        if self._wanted.form is Form.OBJECT:
            return in_version(self._resource, item).data
        if self._wanted.form is Form.PARTIAL:
            return _encode(partial_of(self._resource, item, self._wanted.version))
        meta = {"resourceVersion": str(item.revision)}
        return _encode(
            table(
                self._resource,
                [item],
                meta,
                self._wanted.version,
                self._include,
                now_s,
                columns=columns,
            )
        )


def seen_as(event: StoreEvent, chosen: Filter) -> tuple[EventType, StoredObject] | None:
    """What a watcher with a selection sees of an event: its type and object, or nothing.

    An object that stops matching is DELETED in its last matching state, at the new revision.
    """
    if not chosen:
        return event.type, event.object
    before = event.previous is not None and chosen.matches(event.previous)
    after = event.type != "DELETED" and chosen.matches(event.object)
    if event.type == "DELETED":
        return ("DELETED", event.object) if before else None
    if after:
        return ("MODIFIED" if before else "ADDED"), event.object
    if before and event.previous is not None:
        return "DELETED", _at_revision(event.previous, event.object.revision)
    return None


def _at_revision(item: StoredObject, revision: Revision) -> StoredObject:
    document = item.thawed()
    document["metadata"]["resourceVersion"] = str(revision)
    return StoredObject(item.key, revision, _encode(document))
