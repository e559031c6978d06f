"""Histories of watches over HTTP, and the laws that Kubernetes promises for them.

Writers change config maps at random; watchers list, watch, lose their connection, and resume from
the last revision that they know. One watcher stays connected: its log, which must hold every write
that was answered, is the truth that the others are held against.

Source: Kubernetes API concepts, "Efficient detection of changes", "Watch bookmarks"; the watch
guarantees of etcd: ordered, unique, reliable, atomic, resumable, bookmarkable.
"""

import asyncio
import contextlib
import json
import random
import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

NAMES = [f"map-{n}" for n in range(6)]
APPS = ["a", "b"]
QUIET_S = 60.0
"""How long watchers may take to see everything after the last write, on a busy machine."""


@dataclass(frozen=True)
class Seen:
    """One event, or a bookmark (name "")."""

    type: str
    name: str
    revision: int
    app: str = ""
    count: str = ""


def seen(event: dict[str, Any]) -> Seen:
    """A line of a watch."""
    meta = event["object"]["metadata"]
    revision = int(meta["resourceVersion"])
    if event["type"] == "BOOKMARK":
        ends = "k8s.io/initial-events-end" in (meta.get("annotations") or {})
        return Seen("END" if ends else "BOOKMARK", "", revision)
    return item(event["type"], event["object"])


def item(kind: str, document: dict[str, Any]) -> Seen:
    """An object as an event of a kind."""
    meta = document["metadata"]
    return Seen(
        kind,
        meta["name"],
        int(meta["resourceVersion"]),
        meta["labels"]["app"],
        document["data"]["count"],
    )


@dataclass
class Api:
    """The server, as one client of it."""

    session: aiohttp.ClientSession
    maps: str

    async def call(self, method: str, path: str = "", document: Any = None) -> tuple[int, Any]:
        """Code and document of one answer."""
        async with self.session.request(method, self.maps + path, json=document) as answer:
            return answer.status, await answer.json(content_type=None)

    @asynccontextmanager
    async def watch(self, query: str):
        """A watch that is open, as its events; leaving the context cuts the connection."""
        async with self.session.get(f"{self.maps}?watch=1&{query}") as answer:
            assert answer.status == 200, await answer.text()
            yield (json.loads(line) async for line in answer.content)


@asynccontextmanager
async def client(port: int, token: str, tls: ssl.SSLContext, namespace: str):
    """An API in a namespace of its own."""
    url = f"https://localhost:{port}/api/v1/namespaces"
    headers = {"Authorization": f"Bearer {token}"}
    connector = aiohttp.TCPConnector(ssl=tls, limit=0)
    async with aiohttp.ClientSession(headers=headers, connector=connector) as session:
        async with session.post(url, json={"metadata": {"name": namespace}}) as answer:
            assert answer.status == 201, await answer.text()
        yield Api(session, f"{url}/{namespace}/configmaps")


async def write(api: Api, rng: random.Random, writes: int, answered: list[Seen]) -> None:
    """Creates, changes and deletes at random; notes what was answered."""
    for number in range(writes):
        name, app = rng.choice(NAMES), rng.choice(APPS)
        document = {
            "metadata": {"name": name, "labels": {"app": app}},
            "data": {"count": f"{id(answered)}-{number}-{rng.random()}"},
        }
        kind = rng.choice(["ADDED", "MODIFIED", "MODIFIED", "DELETED"])
        if kind == "ADDED":
            code, found = await api.call("POST", "", document)
        elif kind == "MODIFIED":
            code, found = await api.call("PUT", f"/{name}", document)
        else:
            code, found = await api.call("DELETE", f"/{name}")
        assert code in {200, 201, 404, 409}, found
        if code in {200, 201} and kind != "DELETED":
            answered.append(item(kind, found))
        if rng.random() < 0.2:
            await asyncio.sleep(rng.random() * 0.01)


@dataclass
class Watcher:
    """Follows a selection over many connections.

    Attributes:
        app: only objects with this label; "" for all.
        start: "list" (and watch from there) or "stream" (WatchList).
        bookmarks: whether it asks for bookmarks.
        since: the revision of what it started with.
        began_with: what existed then.
        log: events and bookmarks since, in the order of their arrival.
        connections: how many it took.
        calm: whether its connections last: when no more is written, it only has to catch up.
    """

    api: Api
    rng: random.Random
    app: str
    start: str
    bookmarks: bool
    since: int = 0
    began_with: list[Seen] = field(default_factory=list)
    log: list[Seen] = field(default_factory=list)
    connections: int = 0
    calm: bool = False
    _known: int = 0

    async def run(self) -> None:
        """Until cancelled."""
        if self.start == "list":
            code, found = await self.api.call("GET", f"?{self._selection()}")
            assert code == 200, found
            self.since = self._known = int(found["metadata"]["resourceVersion"])
            self.began_with = [item("ADDED", document) for document in found["items"]]
        while True:
            self.connections += 1
            if self.calm:
                await self._connected(QUIET_S, 0)
            else:
                seconds = self.rng.choice([0.01, 0.05, 0.3, 60.0])
                await self._connected(seconds, self.rng.randrange(30))

    async def _connected(self, seconds: float, events: int) -> None:
        """One connection, until the time is up or it brought so many events (0: any number)."""
        # connecting has all the time it needs: on a busy machine it takes longer than most stay
        async with self.api.watch(self._query()) as lines:
            with contextlib.suppress(TimeoutError):
                await self._follow(lines, seconds, events)

    async def _follow(self, lines: Any, seconds: float, events: int) -> None:
        async with asyncio.timeout(seconds):
            fresh = not self._known
            if fresh:
                self.began_with = []
            async for line in lines:
                assert line["type"] != "ERROR", line
                self._take(seen(line))
                events -= self.start == "list" or bool(self._known)
                if not events:
                    return

    def _take(self, event: Seen) -> None:
        if self._known:
            self.log.append(event)
            self._known = event.revision
        elif event.type == "END":
            self.since = self._known = event.revision
        else:
            self.began_with.append(event)

    def _selection(self) -> str:
        return f"labelSelector=app%3D{self.app}" if self.app else ""

    def _query(self) -> str:
        query = [self._selection(), "timeoutSeconds=600"]
        if self.bookmarks or self.start == "stream":
            query.append("allowWatchBookmarks=true")
        if self._known:
            query.append(f"resourceVersion={self._known}")
        elif self.start == "stream":
            query += ["sendInitialEvents=true", "resourceVersionMatch=NotOlderThan"]
        return "&".join(part for part in query if part)


def expected(truth: list[Seen], app: str, since: int) -> list[Seen]:
    """What a watcher of a selection must see after a revision."""
    states: dict[str, Seen] = {}
    events: list[Seen] = []
    for event in truth:
        before = states.pop(event.name, None)
        if event.type != "DELETED":
            states[event.name] = event
        found = _projected(event, before, app)
        if found is not None and event.revision > since:
            events.append(found)
    return events


def _projected(event: Seen, before: Seen | None, app: str) -> Seen | None:
    if not app:
        return event
    was = before is not None and before.app == app
    now = event.type != "DELETED" and event.app == app
    if now:
        kind = "MODIFIED" if was else "ADDED"
        return Seen(kind, event.name, event.revision, event.app, event.count)
    if was and before is not None:
        return Seen("DELETED", event.name, event.revision, before.app, before.count)
    return None


def state_at(truth: list[Seen], app: str, revision: int) -> dict[str, Seen]:
    """The selected objects as they were, by name."""
    states: dict[str, Seen] = {}
    for event in truth:
        if event.revision > revision:
            break
        if event.type == "DELETED":
            states.pop(event.name, None)
        else:
            states[event.name] = event
    return {name: state for name, state in states.items() if not app or state.app == app}


def check_truth(truth: list[Seen], answered: list[Seen]) -> None:
    """The log itself: in order, each revision once, and nothing that was answered is missing."""
    revisions = [event.revision for event in truth]
    assert revisions == sorted(set(revisions)), "ordered and unique"
    known = {event.revision: event for event in truth}
    for write in answered:
        found = known.get(write.revision)
        assert found is not None, f"reliable: {write} was answered and never seen"
        assert (found.name, found.app, found.count) == (write.name, write.app, write.count), (
            "atomic"
        )
    objects: set[str] = set()
    for event in truth:
        assert (event.type == "ADDED") is (event.name not in objects), f"whole: {event}"
        (objects.discard if event.type == "DELETED" else objects.add)(event.name)


def check_watcher(watcher: Watcher, truth: list[Seen]) -> None:
    """Everything that a watcher saw, over all its connections."""
    story = f"{watcher.start} app={watcher.app!r}, {watcher.connections} connections"
    began = {event.name: event for event in watcher.began_with}
    assert len(began) == len(watcher.began_with), f"{story}: unique at the start"
    state = state_at(truth, watcher.app, watcher.since)
    assert {n: (e.revision, e.count) for n, e in began.items()} == {
        n: (e.revision, e.count) for n, e in state.items()
    }, f"{story}: what it began with was so at {watcher.since}"
    wanted = expected(truth, watcher.app, watcher.since)
    events = [event for event in watcher.log if event.name]
    assert events == wanted, f"{story}: ordered, unique, reliable, resumable, atomic"
    arrived = 0
    for event in watcher.log:
        if event.name:
            arrived += 1
            continue
        due = sum(1 for one in wanted if one.revision <= event.revision)
        assert arrived == due, f"{story}: bookmarkable: {event} came before what it covers"
