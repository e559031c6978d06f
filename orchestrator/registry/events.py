"""Event objects: what a user must know, repeats counted instead of multiplied.

The name follows from what is said about whom, so the same thing said again finds its event.
Source: Kubernetes API, core/v1 Event; client-go's EventCorrelator.
"""

import asyncio
import hashlib
from collections.abc import Callable
from typing import Any, Final, Literal, cast

from orchestrator.api import metadata
from orchestrator.api.types.config import Event
from orchestrator.kit.clock import Clock, parse_rfc3339, rfc3339
from orchestrator.kit.errors import AlreadyExists, Forbidden, NotFound
from orchestrator.kit.ids import ObjectKey, Uid
from orchestrator.registry import faults
from orchestrator.registry.catalog import LiveCatalog
from orchestrator.registry.creator import Creator
from orchestrator.registry.deletion import Deleter
from orchestrator.registry.options import DeleteOptions, WriteOptions
from orchestrator.registry.spam import SpamFilter
from orchestrator.registry.writer import Writer
from orchestrator.store.objects import Document, StoredObject
from orchestrator.store.store import Store

_EVENTS: Final = faults.resource_of("events")

EventType = Literal["Normal", "Warning"]

_MOST_MESSAGE: Final = 1024
_LOOKED_AT_ONCE: Final = 1000
_MOST_NAME: Final = 253 - 17
_HOME: Final = "default"
"""Namespace of events about cluster-scoped objects."""


class EventRecorder:
    """Writes and expires events."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        creator: Creator,
        writer: Writer,
        deleter: Deleter,
        ttl_s: float,
        catalog: LiveCatalog,
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._clock = clock
        self._creator = creator
        self._writer = writer
        self._deleter = deleter
        self._ttl_s = ttl_s
        self._spam = SpamFilter()

    async def record(
        self,
        about: ObjectKey,
        event_type: EventType,
        reason: str,
        message: str,
        component: str,
        host: str = "",
        uid: Uid | None = None,
    ) -> StoredObject | None:
        """See `Registry.record`."""
        event = self._event(about, event_type, reason, message, component, host, uid)
        written = await self._write(component, host, about, event)
        if written is not None:
            written.forget()  # most are never looked at; decoded they were as big as all pods
        return written

    async def _write(
        self, component: str, host: str, about: ObjectKey, event: Document
    ) -> StoredObject | None:
        source = (component, host, about, event["involvedObject"].get("uid"))
        if not self._spam.allows(source, self._clock.wall()):
            return None
        key = ObjectKey("events", event["metadata"]["namespace"], event["metadata"]["name"])
        try:
            if self._store.get(key) is None:
                return await self._creator.create_own(key, event)
        except AlreadyExists:
            pass  # somebody said it at the same time: count it
        except (NotFound, Forbidden):
            return None  # the namespace is gone or going, and its events with it
        try:
            return await self._writer.change(_EVENTS, key, self._again, "", WriteOptions())
        except NotFound:
            return None  # expired or deleted in between: the next one starts anew

    def _again(self, fresh: Callable[[], Document]) -> Document:
        event = fresh()
        event["count"] = event.get("count", 1) + 1
        event["lastTimestamp"] = rfc3339(self._clock.wall())
        return event

    def _event(
        self,
        about: ObjectKey,
        event_type: EventType,
        reason: str,
        message: str,
        component: str,
        host: str,
        uid: Uid | None,
    ) -> Document:
        message = message if len(message) <= _MOST_MESSAGE else f"{message[: _MOST_MESSAGE - 3]}..."
        involved = self._reference(about, uid)
        said = "\0".join((
            *(involved.get(k, "") for k in ("kind", "namespace", "name", "uid")),
            event_type, reason, message, component, host,
        ))  # fmt: skip
        digest = hashlib.sha256(said.encode()).hexdigest()[:16]
        now = rfc3339(self._clock.wall())
        name = f"{about.name[:_MOST_NAME]}.{digest}"
        if metadata.name_faults(_EVENTS, name):
            name = f"{involved['kind'].lower()}.{digest}"  # names of some kinds are none of events
        return {
            "kind": "Event",
            "apiVersion": "v1",
            "metadata": {
                "name": name,
                "namespace": about.namespace or _HOME,
                "uid": self._creator.new_uid(),
                "creationTimestamp": now,
            },
            "involvedObject": involved,
            "reason": reason,
            "message": message,
            "source": {"component": component, **({"host": host} if host else {})},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
            "type": event_type,
            "reportingComponent": component,
            "reportingInstance": host,
        }

    def _reference(self, about: ObjectKey, uid: Uid | None) -> dict[str, Any]:
        resource = faults.resource_of(about.resource, self._catalog.current)
        reference: dict[str, Any] = {"kind": resource.kind, "name": about.name}
        if about.namespace:
            reference["namespace"] = about.namespace
        reference["apiVersion"] = resource.api_version
        found = self._store.get(about)
        if uid is not None:
            reference["uid"] = uid
        elif found is not None:
            reference["uid"] = found.uid
        return reference

    async def prune(self, now_s: float) -> int:
        """See `Registry.prune_events`."""
        items, old = self._store.list("events"), []
        for start in range(0, len(items), _LOOKED_AT_ONCE):
            part = items[start : start + _LOOKED_AT_ONCE]
            old += [item for item in part if self._age_s(item, now_s) > self._ttl_s]
            await asyncio.sleep(0)  # there may be a hundred thousand
        return len(await self._deleter.delete_all(old, DeleteOptions()))

    @staticmethod
    def _age_s(item: StoredObject, now_s: float) -> float:
        event = cast("Event", item.view)
        last = (
            event.series.last_observed_time
            or event.last_timestamp
            or event.event_time
            or event.metadata.creation_timestamp
        )
        return now_s - parse_rfc3339(last)
