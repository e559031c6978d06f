"""Tells the parts of the server what has changed, synchronously and in revision order.

One subscription on the store: for every committed write first the indices of the snapshot move,
then the handlers are called. A handler must not block; it enqueues keys. What happens between two
handlers of one event is nothing: no await, no other event.
"""

from collections.abc import Callable
from typing import Final

import structlog

from orchestrator.reconcile.snapshot import Snapshot
from orchestrator.store.objects import StoreEvent
from orchestrator.store.store import Store

_log: Final = structlog.get_logger("informers")

Handler = Callable[[StoreEvent], None]


class Informers:
    """The snapshot and its handlers. Make one per server; it works from the first moment on."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.snapshot: Final = Snapshot(store)
        self.snapshot.fill(store.resources())
        self._handlers: dict[str, list[Handler]] = {}
        self._for_all: list[Handler] = []
        self._unsubscribe = store.subscribe(self._apply)

    def on_event(
        self, resource: str, handler: Handler, *, replay: bool = True
    ) -> Callable[[], None]:
        """Calls `handler` for every write of one resource from now on; returns what ends it.

        Args:
            resource: group-resource.
            handler: must not block; an exception in it is logged and hurts nobody else.
            replay: first call it with an ADDED event for every object that is there already.
        """
        handlers = self._handlers.setdefault(resource, [])
        if replay:
            for item in self._store.list(resource):
                self._call(handler, StoreEvent("ADDED", item, None))
        handlers.append(handler)
        return lambda: _remove(handlers, handler)

    def on_any(self, handler: Handler, *, replay: bool = False) -> Callable[[], None]:
        """Calls `handler` for every write of every resource from now on; returns what ends it.

        Args:
            handler: as in `on_event`.
            replay: first call it with an ADDED event for every object that is there already.
        """
        if replay:
            for resource in self._store.resources():
                for item in self._store.list(resource):
                    self._call(handler, StoreEvent("ADDED", item, None))
        self._for_all.append(handler)
        return lambda: _remove(self._for_all, handler)

    def close(self) -> None:
        """Ends the subscription; idempotent."""
        self._unsubscribe()

    def _apply(self, event: StoreEvent) -> None:
        self.snapshot.apply(event)
        for handlers in (self._handlers.get(event.object.key.resource, ()), self._for_all):
            for handler in tuple(handlers):
                try:
                    handler(event)
                except Exception:  # a broken handler must not take the others' events away
                    _log.exception("informers.handler_failed", key=str(event.object.key))

    def _call(self, handler: Handler, event: StoreEvent) -> None:
        try:
            handler(event)
        except Exception:  # a broken handler must not take the others' events away
            _log.exception("informers.handler_failed", key=str(event.object.key))


def _remove(handlers: list[Handler], handler: Handler) -> None:
    if handler in handlers:
        handlers.remove(handler)
