"""The store: one writer, revisions without gaps, reads and watches from memory.

A write is decided on the event loop: its expected revision is compared with the newest state,
committed or under way, and it takes the next revision at once. Decided writes queue; whatever has
queued while the disk was busy is committed in one transaction (group commit). When a transaction is
durable its writes are applied in revision order: memory, then subscribers, then watchers, then the
writers' futures. When one fails, everything decided on top of it fails too, and memory never shows
what the disk does not hold.

Source: architecture decisions D3 and D4; etcd's revision model.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import structlog

from orchestrator.kit.errors import (
    AlreadyExists,
    ApiError,
    Conflict,
    NotFound,
    OrchError,
    ServiceUnavailable,
    TooManyRequests,
)
from orchestrator.kit.ids import ObjectKey, Revision
from orchestrator.store.memory import Memory, Place
from orchestrator.store.objects import (
    Delete,
    EventType,
    Put,
    StoredObject,
    StoreEvent,
    Viewed,
    Write,
)
from orchestrator.store.retention import Retention
from orchestrator.store.settings import StoreSettings
from orchestrator.store.sql import Contents, LogRow, SqlEngine, Upkeep
from orchestrator.store.watch import Watch, WatchHub

_log: Final = structlog.get_logger("store")

_NOT_KEPT: Final = Revision(0)
"""In a row that is there only as the state before a later one: what was before it is not known."""

Listener = Callable[[StoreEvent], None]


@dataclass(frozen=True, slots=True)
class StoreStatistics:
    """A snapshot for health and metrics.

    Attributes:
        revision: of the last committed write.
        objects: how many live objects there are, by resource.
        watchers: open watches.
        queued: writes that wait for the disk.
        commits: transactions so far.
        writes: writes so far.
        failing: the last transaction's error; "" when it worked.
    """

    revision: Revision
    objects: dict[str, int]
    watchers: int
    queued: int
    commits: int
    writes: int
    failing: str


@dataclass(slots=True)
class _Decided:
    row: LogRow
    viewed: Viewed | None
    done: "asyncio.Future[StoredObject]"


_Batch = list[_Decided]
_Objects = list[StoredObject]


class Store:
    """See the module. Make one with `Store.open`; all methods belong to one event loop.

    Attributes:
        get: one object as last committed, or None. Asked some dozens of times for each write, so it
            is the dictionary's own.
    """

    get: Callable[[ObjectKey], StoredObject | None]

    def __init__(self, engine: SqlEngine, settings: StoreSettings, contents: Contents) -> None:
        self._engine = engine
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._executor: ThreadPoolExecutor | None = None
        if not engine.inline:
            self._executor = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._memory = Memory()
        self.get = self._memory.objects.get
        self._retention = Retention()
        self._hub = WatchHub(settings.history_events, self._retention.forgot)
        self._listeners: list[Listener] = []
        self._revision = contents.revision
        self._next = contents.revision
        # newest decided write per key that is not applied yet: its revision, and what it leaves
        self._ahead: dict[ObjectKey, tuple[Revision, Revision | None]] = {}
        self._queue: _Batch = []
        self._committing = False
        self._idle: asyncio.Future[None] | None = None
        self._closed = False
        self._commits = self._writes = 0
        self._failing = ""
        self._restore(contents)

    @classmethod
    async def open(cls, engine: SqlEngine, settings: StoreSettings | None = None) -> "Store":
        """Opens the log and reads it into memory.

        Raises:
            ServiceUnavailable: the log cannot be opened.
        """
        loop = asyncio.get_running_loop()
        contents = engine.open() if engine.inline else await loop.run_in_executor(None, engine.open)
        return cls(engine, settings or StoreSettings(), contents)

    # ------------------------------------------------------------ reading

    @property
    def revision(self) -> Revision:
        """The revision of the last committed write."""
        return self._revision

    def is_under_way(self, key: ObjectKey) -> bool:
        """Whether a write of the object is decided and not committed yet."""
        return key in self._ahead

    def list(self, resource: str, namespace: str = "", after: Place | None = None) -> _Objects:
        """Objects sorted by namespace and name.

        Args:
            resource: group-resource.
            namespace: "" for all.
            after: only those behind this (namespace, name).
        """
        return self._memory.table(resource).items(namespace, after)

    def changed(self, resource: str) -> Revision:
        """Revision of the last write of any object of a resource since the start; 0 for none."""
        return self._memory.changed(resource)

    def list_at(
        self, resource: str, revision: Revision, namespace: str = "", after: Place | None = None
    ) -> _Objects:
        """As `list`, with the objects as they were at a revision.

        Raises:
            Expired: it is older than the kept history.
        """
        found = self._memory.table(resource).items(namespace, after)
        undone = self._hub.before(resource, namespace, revision)
        if not undone:
            return found
        items = {(item.key.namespace, item.key.name): item for item in found} | undone
        return [
            item
            for place, item in sorted(items.items(), key=lambda pair: pair[0])
            if item is not None and (after is None or place > after)
        ]

    def resources(self) -> tuple[str, ...]:
        """The group-resources of which there are objects, sorted."""
        return tuple(sorted(self._memory.counts()))

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Calls `listener` for every committed write, in revision order, on the event loop.

        It is called when memory has just changed and must not block. Returns what ends it.
        """
        self._listeners.append(listener)

        def unsubscribe() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return unsubscribe

    def watch(self, resource: str, namespace: str = "", since: Revision | None = None) -> Watch:
        """Committed writes of one resource as an async iterator; close it when done.

        Args:
            resource: group-resource.
            namespace: "" for all.
            since: start with the events after this revision; None for those from now on.

        Raises:
            Expired: `since` is older than the kept history.
        """
        return self._hub.open(resource, namespace, since, self._settings.watch_events)

    def statistics(self) -> StoreStatistics:
        """A snapshot for health and metrics."""
        return StoreStatistics(
            revision=self._revision,
            objects=self._memory.counts(),
            watchers=self._hub.watchers,
            queued=len(self._queue),
            commits=self._commits,
            writes=self._writes,
            failing=self._failing,
        )

    # ------------------------------------------------------------ writing

    async def write(self, op: Write) -> StoredObject:
        """Writes durably; returns the object at its new revision (for Delete its last state).

        Cancelling the caller does not undo the write: it may still be committed; only the future
        that tells of it is cancelled.

        Raises:
            AlreadyExists: a Put that expects no object found one.
            NotFound: the object that the write expects is not there.
            Conflict: it is at another revision than expected.
            TooManyRequests: too many writes wait for the disk.
            ServiceUnavailable: the log could not be written; nothing happened.
        """
        return await self._submit(op)

    def _submit(self, op: Write) -> "asyncio.Future[StoredObject]":
        if self._closed:
            raise ServiceUnavailable("the store is closed")
        if len(self._queue) >= self._settings.queue_writes:
            raise TooManyRequests("too many writes wait for the disk", retry_after_s=1)
        current = self._newest(op.key)
        self._check(op, current)
        revision = Revision(self._next + 1)
        operation: EventType = "MODIFIED"
        if isinstance(op, Delete):
            operation = "DELETED"
        elif current is None:
            operation = "ADDED"
        row = LogRow(revision, operation, op.key, current, op.draft.at(revision))
        self._next = revision
        self._ahead[op.key] = (revision, None if operation == "DELETED" else revision)
        viewed = op.viewed if isinstance(op, Put) else None
        decided = _Decided(row, viewed, self._loop.create_future())
        self._queue.append(decided)
        self._pump()
        return decided.done

    def _newest(self, key: ObjectKey) -> Revision | None:
        if key in self._ahead:
            return self._ahead[key][1]
        found = self.get(key)
        return found.revision if found else None

    @staticmethod
    def _check(op: Write, current: Revision | None) -> None:
        if current == op.expected:
            return
        resource, name = op.key.resource, op.key.name
        plural, _, group = resource.partition(".")
        if isinstance(op, Put) and op.expected is None:
            raise AlreadyExists(
                f'{resource} "{name}" already exists', name=name, group=group, kind=plural
            )
        if current is None:
            raise NotFound(f'{resource} "{name}" not found', name=name, group=group, kind=plural)
        raise Conflict(
            f'Operation cannot be fulfilled on {resource} "{name}": the object has been modified; '
            "please apply your changes to the latest version and try again",
            name=name,
            group=group,
            kind=plural,
        )

    def _pump(self) -> None:
        if self._committing or not self._queue:
            return
        self._committing = True
        if self._executor is None:
            self._loop.call_soon(self._commit_inline)
            return
        batch, upkeep = self._take()
        rows = [d.row for d in batch]
        future = self._loop.run_in_executor(self._executor, self._engine.commit, rows, upkeep)
        future.add_done_callback(lambda f: self._committed(batch, upkeep, f.exception()))

    def _take(self) -> tuple[_Batch, Upkeep]:
        batch = self._queue[: self._settings.batch_writes]
        del self._queue[: len(batch)]
        returning: list[LogRow] = []
        for decided in batch:
            key, replaced = decided.row.key, decided.row.previous
            if replaced is None:
                continue
            self._retention.replaced(replaced)
            if replaced <= self._hub.floor:  # so it is in memory, and nothing newer of its key is
                item = self._memory.objects[key]
                returning.append(LogRow(replaced, "MODIFIED", key, _NOT_KEPT, item.data))
        return batch, Upkeep(self._retention.take(len(batch)), returning)

    def _commit_inline(self) -> None:
        batch, upkeep = self._take()
        error: OrchError | None = None
        try:
            self._engine.commit([d.row for d in batch], upkeep)
        except OrchError as caught:
            error = caught
        self._committed(batch, upkeep, error)

    def _committed(self, batch: _Batch, upkeep: Upkeep, error: BaseException | None) -> None:
        self._committing = False
        if error is not None:
            replaced = [d.row.previous for d in batch if d.row.previous is not None]
            self._retention.give_back(upkeep.leaving, replaced)
            self._fail(batch, error)
        else:
            self._failing = ""
            self._commits += 1
            self._pump()  # the disk has the next ones meanwhile; what fails then comes after these
            for decided in batch:
                self._apply(decided)
        self._pump()
        if self._idle is not None and not self._committing and not self._idle.done():
            self._idle.set_result(None)

    def _fail(self, batch: _Batch, error: BaseException) -> None:
        # later writes were decided on top of these: none of them can stand
        doomed = batch + self._queue
        self._queue = []
        self._ahead.clear()
        self._next = self._revision
        self._failing = str(error)
        _log.error("store.write_failed", error=str(error), writes=len(doomed))
        answer = error if isinstance(error, ApiError) else ServiceUnavailable(str(error))
        for decided in doomed:
            if not decided.done.cancelled():
                decided.done.set_exception(answer)

    def _apply(self, decided: _Decided) -> None:
        row = decided.row
        view = decided.viewed(row.revision) if decided.viewed is not None else None
        item = StoredObject(row.key, row.revision, row.data, view)
        previous = self.get(row.key)
        if previous is not None:
            item.succeed(previous)
        if row.operation == "DELETED":
            self._memory.remove(row.key, row.revision)
        else:
            self._memory.put(item)
        self._revision = row.revision
        self._writes += 1
        if self._ahead[row.key][0] == row.revision:
            del self._ahead[row.key]
        event = StoreEvent(row.operation, item, previous)
        for listener in tuple(self._listeners):
            try:
                listener(event)
            except Exception:  # a broken listener must not take the others' events away
                _log.exception("store.listener_failed", key=str(row.key), rev=row.revision)
        self._hub.publish(event)
        if previous is not None:
            previous.forget()
        if not decided.done.cancelled():
            decided.done.set_result(item)

    # ------------------------------------------------------------ history

    def _restore(self, contents: Contents) -> None:
        for key, revision, data in contents.heads:
            self._memory.put(StoredObject(key, revision, data))
        states = {row.revision: row for row in contents.rows}
        events: list[StoreEvent] = []
        floor = Revision(contents.rows[0].revision - 1) if contents.rows else contents.revision
        for row in contents.rows:
            previous = None
            if row.previous is not None:
                before = states.get(row.previous)
                if before is None:  # kept only as a later row's previous state: no history here
                    floor, events = row.revision, []
                    continue
                previous = StoredObject(row.key, before.revision, before.data)
            item = StoredObject(row.key, row.revision, row.data)
            if events and row.revision != events[-1].object.revision + 1:
                floor, events = Revision(row.revision - 1), []
            events.append(StoreEvent(row.operation, item, previous))
        for event in events:
            if event.previous is not None:
                self._retention.replaced(event.previous.revision)
        self._hub.restore(floor, events)
        self._retention.unneeded(row.revision for row in contents.rows if row.revision <= floor)

    async def close(self) -> None:
        """Waits for the writes under way, ends all watches, closes the log; idempotent."""
        if self._closed:
            return
        self._closed = True
        while self._committing:
            self._idle = self._loop.create_future()
            await self._idle
        self._hub.close()
        if self._executor is None:
            self._engine.close()
        else:
            await self._loop.run_in_executor(self._executor, self._engine.close)
            self._executor.shutdown(wait=False)
