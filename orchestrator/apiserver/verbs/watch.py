"""Watches: events as JSON lines, from a revision on, for as long as the client stays.

What is seen is decided per event from the states before and after it, so an object that leaves the
selection is DELETED and one that enters it is ADDED. Events that wait are sent in one write. The
stream is opened (and its snapshot taken) in one go with reading the store's revision, so nothing is
missed in between. Source: Kubernetes API concepts, "Efficient detection of changes", "Watch
bookmarks", "Streaming lists".
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

from orchestrator.api.resources import Resource
from orchestrator.apiserver.answers import send_part, start_stream
from orchestrator.apiserver.forms import include_object
from orchestrator.apiserver.list_options import (
    parse_revision,
    require_known,
    require_watch_options,
)
from orchestrator.apiserver.negotiation import JSON, answer_format
from orchestrator.apiserver.paths import ObjectPath
from orchestrator.apiserver.request import Query, Request
from orchestrator.apiserver.selectors import read_filter
from orchestrator.apiserver.services import Services
from orchestrator.apiserver.streams import hang_up
from orchestrator.apiserver.verbs.lines import Lines
from orchestrator.kit.errors import (
    ApiError,
    BadRequest,
    Expired,
    NotAcceptable,
    RequestTimeout,
)
from orchestrator.kit.ids import Revision
from orchestrator.store.objects import StoredObject
from orchestrator.store.watch import Watch


async def open_watch(services: Services, request: Request, path: ObjectPath) -> "WatchStream":
    """A watch on a collection, or on one object of it.

    Raises:
        BadRequest: a selector or parameter that cannot be read.
        Invalid: parameters that do not go together.
    """
    wanted = answer_format(request.header(b"accept"))
    if wanted.encoding != "json":
        raise NotAcceptable(f"only the following media types are accepted for a watch: {JSON}")
    query = request.query
    chosen = read_filter(query, path.resource, path.name)
    plan = _plan(services, query)
    lines = Lines(
        path.resource,
        chosen,
        wanted,
        include_object(query.text("includeObject")),
        services.clock,
        services.lines,
    )
    store = services.store
    initial: Sequence[StoredObject] = ()
    revision = store.revision
    fault: ApiError | None = None
    watch: Watch | None = None
    try:
        if plan.initial:
            require_known(plan.since, revision)
        elif plan.since > revision:
            # only a client of a store that was set back knows such a revision: it lists again
            raise Expired(f"too large resource version: {plan.since}, current: {revision}")
        since = plan.since if plan.since and not plan.initial else revision
        watch = store.watch(path.resource.resource, path.namespace, since)
        if plan.initial:
            initial = [
                item
                for item in store.list(path.resource.resource, path.namespace)
                if chosen.matches(item)
            ]
    except (Expired, RequestTimeout) as error:
        fault = error
    return WatchStream(services, path.resource, lines, plan, watch, initial, revision, fault)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What the parameters ask for.

    Attributes:
        since: events after this revision; 0 for none given.
        initial: send what exists first.
        end_mark: mark the end of what exists with a bookmark.
        bookmarks: send bookmarks now and then.
        timeout_s: end the watch after this long.
    """

    since: Revision
    initial: bool
    end_mark: bool
    bookmarks: bool
    timeout_s: float


def _plan(services: Services, query: Query) -> _Plan:
    require_watch_options(query)
    since = parse_revision(query.text("resourceVersion"))
    bookmarks = query.flag("allowWatchBookmarks")
    initial, end_mark = since == 0, False
    if "sendInitialEvents" in query:
        initial = query.flag("sendInitialEvents")
        end_mark = initial and bookmarks
    seconds = query.number("timeoutSeconds")
    if seconds is not None and seconds < 0:
        raise BadRequest(f"timeoutSeconds: invalid value {seconds}: must be at least 0")
    settings = services.settings
    timeout_s = float(seconds or 0) or services.rng.uniform(
        settings.watch_min_s, settings.watch_max_s
    )
    return _Plan(since, initial, end_mark, bookmarks, min(timeout_s, settings.watch_max_s))


class WatchStream:
    """One open watch; `run` sends until the client leaves, time is up, or the server stops."""

    def __init__(
        self,
        services: Services,
        resource: Resource,
        lines: Lines,
        plan: _Plan,
        watch: Watch | None,
        initial: Sequence[StoredObject],
        revision: Revision,
        fault: ApiError | None,
    ) -> None:
        self._services = services
        self._resource = resource
        self._lines = lines
        self._plan = plan
        self._watch = watch
        self._initial = initial
        self._revision = revision
        self._fault = fault

    async def run(self, request: Request) -> None:
        """Sends everything; returns when the watch is over, however it ended."""
        watch = self._watch
        if watch is None:
            await start_stream(request, JSON)
            fault = self._fault or Expired("the watch could not be opened")
            await send_part(request, self._lines.error(fault), more=False)
            return
        plural = self._resource.plural
        with (
            closing(watch),
            self._services.open_streams.entered("WATCH", plural, watch.close),
        ):
            await start_stream(request, JSON)
            async with hang_up(request, watch.close):
                await self._send_initial(request)
                await self._send_events(request, watch)
            await send_part(request, b"", more=False)

    async def _send_initial(self, request: Request) -> None:
        at_once = self._services.settings.coalesce_events
        for start in range(0, len(self._initial), at_once):
            part = self._initial[start : start + at_once]
            await self._send(request, [self._lines.event("ADDED", item) for item in part])
        self._initial = ()
        if self._plan.end_mark:
            await send_part(request, self._lines.bookmark(self._revision, end_of_initial=True))

    async def _send_events(self, request: Request, watch: Watch) -> None:
        loop = asyncio.get_running_loop()
        settings = self._services.settings
        deadline = loop.time() + self._plan.timeout_s
        bookmark_due = loop.time() + settings.bookmark_interval_s
        alarm: asyncio.TimerHandle | None = None

        def ring() -> None:
            nonlocal alarm
            alarm = None
            watch.nudge()

        try:
            while loop.time() < deadline:
                if alarm is None:  # one for many events: setting it for each costs a fifth of all
                    wake = min(deadline, bookmark_due) if self._plan.bookmarks else deadline
                    alarm = loop.call_at(wake, ring)
                events = await watch.more()
                if events is None:
                    return
                seen = events[-1].object.revision if events else self._services.store.revision
                for part in _parts(self._lines.of(events), settings.coalesce_events):
                    await self._send(request, part)
                if self._plan.bookmarks and loop.time() >= bookmark_due:
                    await send_part(request, self._lines.bookmark(seen))
                    bookmark_due = loop.time() + settings.bookmark_interval_s
        except Expired as error:
            await send_part(request, self._lines.error(error))
        finally:
            if alarm is not None:
                alarm.cancel()

    async def _send(self, request: Request, lines: Sequence[bytes]) -> None:
        await send_part(request, b"".join(lines))
        self._services.metrics.events_sent(self._resource.plural, len(lines))


def _parts(lines: Iterator[bytes], size: int) -> Iterator[list[bytes]]:
    part: list[bytes] = []
    for line in lines:
        part.append(line)
        if len(part) >= size:
            yield part
            part = []
    if part:
        yield part
