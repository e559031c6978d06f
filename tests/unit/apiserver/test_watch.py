"""Watches: what is sent, in which order, and how they end."""

import asyncio
import time

import pytest

from orchestrator.api.labels import parse_label_selector
from orchestrator.apiserver.selectors import Filter
from orchestrator.apiserver.verbs.lines import SharedLines, seen_as
from orchestrator.kit.ids import ObjectKey, Revision
from orchestrator.store.objects import StoredObject, StoreEvent
from orchestrator.store.settings import StoreSettings
from tests.unit.apiserver.client import TABLE

MAPS = "/api/v1/namespaces/default/configmaps"


async def put(world, name, **labels):
    return await world.create(MAPS, {"metadata": {"name": name, "labels": labels}})


async def relabel(world, name, **labels):
    reply = await world.client(
        "PATCH",
        f"{MAPS}/{name}",
        {"metadata": {"labels": labels}},
        content_type="application/merge-patch+json",
    )
    assert reply.status == 200, reply.body
    return reply.json


def told(event):
    return event["type"], event["object"]["metadata"].get("name")


async def test_what_exists_then_what_happens(world):
    await put(world, "a")
    async with world.client.stream(f"{MAPS}?watch=true") as watch:
        assert told(await watch.line()) == ("ADDED", "a")
        made = await put(world, "b")
        event = await watch.line()
        assert told(event) == ("ADDED", "b")
        assert event["object"] == made
        await relabel(world, "b", x="1")
        assert told(await watch.line()) == ("MODIFIED", "b")
        await world.client("DELETE", f"{MAPS}/b")
        assert told(await watch.line()) == ("DELETED", "b")


async def test_from_a_revision_on(world):
    first = await put(world, "a")
    await put(world, "b")
    revision = first["metadata"]["resourceVersion"]
    async with world.client.stream(f"{MAPS}?watch=1&resourceVersion={revision}") as watch:
        assert told(await watch.line()) == ("ADDED", "b")


async def test_other_kinds_and_namespaces_are_not_seen(world):
    await world.create("/api/v1/namespaces", {"metadata": {"name": "other"}})
    async with world.client.stream(f"{MAPS}?watch=true") as watch:
        await world.create("/api/v1/namespaces/other/configmaps", {"metadata": {"name": "x"}})
        await put(world, "mine")
        assert told(await watch.line()) == ("ADDED", "mine")


async def test_selection_turns_changes_into_coming_and_going(world):
    await put(world, "a", tier="front")
    await put(world, "b", tier="back")
    async with world.client.stream(f"{MAPS}?watch=true&labelSelector=tier%3Dfront") as watch:
        assert told(await watch.line()) == ("ADDED", "a")
        changed = await relabel(world, "b", tier="front")
        assert told(await watch.line()) == ("ADDED", "b")
        gone = await relabel(world, "a", tier="back")
        event = await watch.line()
        assert told(event) == ("DELETED", "a")
        assert event["object"]["metadata"]["labels"] == {"tier": "front"}
        assert event["object"]["metadata"]["resourceVersion"] == gone["metadata"]["resourceVersion"]
        await relabel(world, "a", more="1")
        await world.client("DELETE", f"{MAPS}/a")
        await relabel(world, "b", more="1")
        assert told(await watch.line()) == ("MODIFIED", "b")
        assert changed["metadata"]["name"] == "b"


def stored(**labels):
    document = {"metadata": {"name": "a", "resourceVersion": "5", "labels": labels}}
    import msgspec

    return StoredObject(ObjectKey("pods", "d", "a"), Revision(5), msgspec.json.encode(document))


IN, OUT = stored(t="1"), stored(t="2")


@pytest.mark.parametrize(
    ("kind", "previous", "current", "seen"),
    [
        ("ADDED", None, IN, "ADDED"),
        ("ADDED", None, OUT, None),
        ("MODIFIED", IN, IN, "MODIFIED"),
        ("MODIFIED", OUT, IN, "ADDED"),
        ("MODIFIED", IN, OUT, "DELETED"),
        ("MODIFIED", OUT, OUT, None),
        ("DELETED", IN, IN, "DELETED"),
        ("DELETED", OUT, OUT, None),
        ("DELETED", IN, OUT, "DELETED"),
    ],
)
def test_transitions(kind, previous, current, seen):
    found = seen_as(StoreEvent(kind, current, previous), Filter(parse_label_selector("t=1")))
    assert (found[0] if found else None) == seen


async def test_one_object_by_path_and_by_field(world):
    await put(world, "a")
    await put(world, "b")
    for path in (
        f"{MAPS}/b?watch=true",
        f"{MAPS}?watch=true&fieldSelector=metadata.name%3Db",
    ):
        async with world.client.stream(path) as watch:
            assert told(await watch.line()) == ("ADDED", "b")


async def test_bookmarks_only_when_asked(world):
    await put(world, "a")
    path = f"{MAPS}?watch=true&allowWatchBookmarks=true"
    async with world.client.stream(path) as watch:
        await watch.line()
        bookmark = await watch.line()
        assert bookmark == {
            "type": "BOOKMARK",
            "object": {
                "kind": "ConfigMap",
                "apiVersion": "v1",
                "metadata": {"resourceVersion": str(world.store.revision)},
            },
        }


async def test_a_bookmark_never_covers_what_still_waits(world, settings):
    """A write that is committed in the very moment in which a bookmark is due comes first."""
    path = f"{MAPS}?watch=true&allowWatchBookmarks=true"
    async with world.client.stream(path) as watch:
        for number in range(10):
            making = asyncio.ensure_future(put(world, f"m{number}"))
            # so that the write and the bookmark's time fall into one turn of the loop
            time.sleep(settings.bookmark_interval_s * 2)
            covered = 0
            while (event := await watch.line())["type"] == "BOOKMARK":
                covered = int(event["object"]["metadata"]["resourceVersion"])
            assert covered < int(event["object"]["metadata"]["resourceVersion"])
            await making


async def test_streamed_list(world):
    await put(world, "a")
    path = (
        f"{MAPS}?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
        "&allowWatchBookmarks=true&resourceVersion="
    )
    async with world.client.stream(path) as watch:
        assert told(await watch.line()) == ("ADDED", "a")
        mark = await watch.line()
        assert mark["type"] == "BOOKMARK"
        assert mark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        await put(world, "b")
        while told(event := await watch.line()) == ("BOOKMARK", None):
            pass
        assert told(event) == ("ADDED", "b")


async def test_timeout_ends_cleanly(world, settings):
    async with world.client.stream(f"{MAPS}?watch=true&timeoutSeconds=1") as watch:
        assert await watch.text() == b""


@pytest.mark.parametrize("world", [StoreSettings(history_events=2)], indirect=True)
async def test_too_old_a_revision_is_one_error_event(world):
    for name in "abcde":
        await put(world, name)
    async with world.client.stream(f"{MAPS}?watch=true&resourceVersion=1") as watch:
        assert watch.status == 200
        event = await watch.line()
        assert event["type"] == "ERROR"
        assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")
        assert await watch.line() is None


async def test_revision_of_the_future_is_expired(world):
    async with world.client.stream(f"{MAPS}?watch=true&resourceVersion=999999") as watch:
        assert (await watch.line())["object"]["code"] == 410


@pytest.mark.parametrize("world", [StoreSettings(watch_events=3)], indirect=True)
async def test_slow_watcher_is_told(world):
    async with world.client.stream(f"{MAPS}?watch=true") as watch:
        await asyncio.sleep(0)
        async with asyncio.TaskGroup() as group:
            for number in range(40):
                group.create_task(put(world, f"m{number}"))
        events = []
        while (event := await watch.line()) is not None:
            events.append(event)
            if event["type"] == "ERROR":
                break
        names = [told(event)[1] for event in events if event["type"] == "ADDED"]
        assert names == [f"m{number}" for number in range(len(names))]
        assert events[-1]["type"] == "ERROR" or len(names) == 40


async def test_table_events(world):
    await put(world, "a")
    async with world.client.stream(f"{MAPS}?watch=true", accept=TABLE) as watch:
        first = (await watch.line())["object"]
        assert (first["kind"], first["apiVersion"]) == ("Table", "meta.k8s.io/v1")
        assert first["columnDefinitions"][0]["name"] == "Name"
        assert first["rows"][0]["cells"][0] == "a"
        assert first["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
        await put(world, "b")
        second = (await watch.line())["object"]
        assert second["columnDefinitions"] is None
        assert second["rows"][0]["cells"][0] == "b"


async def test_partial_events(world):
    accept = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
    await put(world, "a")
    async with world.client.stream(f"{MAPS}?watch=true", accept=accept) as watch:
        assert set((await watch.line())["object"]) == {"kind", "apiVersion", "metadata"}


async def test_head_comes_before_any_event(world):
    async with world.client.stream(f"{MAPS}?watch=true") as watch:
        assert watch.status == 200
        assert len(world.api.services.open_streams) == 1
    assert len(world.api.services.open_streams) == 0
    assert world.store.statistics().watchers == 0


async def test_server_stop_ends_watches(world):
    async with world.client.stream(f"{MAPS}?watch=true") as watch:
        world.api.end_streams()
        assert await watch.text() == b""
    refused = await world.client.get(f"{MAPS}?watch=true")
    assert (refused.status, refused.json["reason"]) == (503, "ServiceUnavailable")
    assert world.store.statistics().watchers == 0


def test_a_line_for_many_is_made_once_and_forgotten_in_time():
    shared, made = SharedLines(most=2), []

    def line(name):
        return shared.get((name,), lambda: made.append(name) or name.encode())

    assert [line("a"), line("a"), line("b"), line("a")] == [b"a", b"a", b"b", b"a"]
    assert made == ["a", "b"]
    line("c")
    assert line("a") == b"a"
    assert made == ["a", "b", "c", "a"]
