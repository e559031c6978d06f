"""The watch hub: recent history to resume from, and one bounded queue per watcher.

Policy for a full queue: the watcher is told Expired and is cut off; the writer never waits.
Laws that hold for every watch: ordered, unique, reliable, resumable (tests/sim/laws.py).
Source: Kubernetes API concepts, "Efficient detection of changes".
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable

from orchestrator.kit.errors import Expired
from orchestrator.kit.ids import Revision
from orchestrator.store.objects import StoredObject, StoreEvent


class Watch:
    """One watcher's events; iterate it, and close it when done.

    Raises while iterating:
        Expired: the watcher was too slow; list again and watch from there.
    """

    def __init__(self, hub: "WatchHub", resource: str, namespace: str, capacity: int) -> None:
        self._hub = hub
        self._resource = resource
        self._namespace = namespace
        self._capacity = capacity
        self._events: deque[StoreEvent] = deque()
        self._wake: asyncio.Future[None] | None = None
        self._closed = False
        self._expired = False

    def __aiter__(self) -> "Watch":
        """Itself."""
        return self

    async def __anext__(self) -> StoreEvent:
        """The next event, in revision order; ends when the watch was closed."""
        while not self._events:
            if not await self._arrived():
                raise StopAsyncIteration
        return self._events.popleft()

    async def more(self) -> list[StoreEvent] | None:
        """All events that wait; waits for one if there is none, or for `nudge`.

        Returns:
            Events in revision order, an empty list when the watch was nudged before one came: then
            nothing that was committed so far is missing. None when the watch was closed.

        Raises:
            Expired: as when iterating.
        """
        return self.pending_nowait() if await self._arrived() else None

    def nudge(self) -> None:
        """Makes `more` return, if somebody waits in it."""
        self._rouse()

    def pending_nowait(self) -> list[StoreEvent]:
        """All events that wait right now, without blocking; for writers that coalesce."""
        events = list(self._events)
        self._events.clear()
        return events

    def close(self) -> None:
        """Ends the watch; idempotent."""
        self._closed = True
        self._hub.forget(self)
        self._rouse()

    def offer(self, event: StoreEvent) -> None:
        """Takes an event if it is this watcher's; a full queue cuts the watcher off."""
        key = event.object.key
        if key.resource != self._resource:
            return
        if self._namespace and key.namespace != self._namespace:
            return
        if len(self._events) >= self._capacity:
            self._expired = True
            self._events.clear()
            self._hub.forget(self)
        else:
            self._events.append(event)
        self._rouse()

    async def _arrived(self) -> bool:
        """Waits for an event or a nudge; False when the watch was closed and has no more."""
        if not (self._events or self._expired or self._closed):
            self._wake = asyncio.get_running_loop().create_future()
            try:
                await self._wake
            finally:
                self._wake = None
        if self._expired:  # what waited was dropped then
            raise Expired("the watch fell too far behind; list again and watch from there")
        return bool(self._events) or not self._closed

    def _rouse(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)


class WatchHub:
    """Keeps recent events and feeds the watchers.

    Args:
        history_events: how many.
        forgot: called with each event that is kept no more.
    """

    def __init__(self, history_events: int, forgot: Callable[[StoreEvent], None]) -> None:
        self._limit = history_events
        self._forgot = forgot
        self._events: deque[StoreEvent] = deque()
        self._floor = Revision(0)
        self._watchers: set[Watch] = set()

    @property
    def floor(self) -> Revision:
        """A watch can resume from this revision or any later one."""
        return self._floor

    @property
    def watchers(self) -> int:
        """How many watches are open."""
        return len(self._watchers)

    def restore(self, floor: Revision, events: Iterable[StoreEvent]) -> None:
        """Fills the history at start-up; events are in revision order, all after `floor`."""
        self._floor = floor
        for event in events:
            self._remember(event)

    def publish(self, event: StoreEvent) -> None:
        """Takes the next event in revision order."""
        self._remember(event)
        for watcher in tuple(self._watchers):
            watcher.offer(event)

    def _remember(self, event: StoreEvent) -> None:
        self._events.append(event)
        if len(self._events) > self._limit:
            oldest = self._events.popleft()
            self._floor = oldest.object.revision
            self._forgot(oldest)

    def open(self, resource: str, namespace: str, since: Revision | None, capacity: int) -> Watch:
        """A watch of later events; those after `since` first.

        Raises:
            Expired: `since` is older than the history.
        """
        watch = Watch(self, resource, namespace, capacity)
        if since is not None:
            if since < self._floor:
                raise Expired(f"too old resource version: {since} ({self._floor})")
            missed: list[StoreEvent] = []
            for event in reversed(self._events):  # hardly any, of some ten thousand
                if event.object.revision <= since:
                    break
                missed.append(event)
            missed.reverse()
            watch._capacity = max(capacity, len(missed) + 1)  # its own hub
            for event in missed:
                watch.offer(event)
        self._watchers.add(watch)
        return watch

    def before(
        self, resource: str, namespace: str, since: Revision
    ) -> dict[tuple[str, str], StoredObject | None]:
        """By namespace and name what was changed after `since`, as it was then; None: not there.

        Raises:
            Expired: `since` is older than the history.
        """
        if since < self._floor:
            raise Expired(f"The resourceVersion for the provided list is too old: {since}")
        found: dict[tuple[str, str], StoredObject | None] = {}
        for event in reversed(self._events):  # the earliest change is seen last and counts
            key = event.object.key
            if event.object.revision <= since:
                break
            if key.resource == resource and namespace in {"", key.namespace}:
                found[key.namespace, key.name] = event.previous
        return found

    def forget(self, watch: Watch) -> None:
        """Drops a watcher; idempotent."""
        self._watchers.discard(watch)

    def close(self) -> None:
        """Closes every watch."""
        for watcher in tuple(self._watchers):
            watcher.close()
