"""Revisions of lists, watches and reads: which are served, which refused, and what pages show."""

import pytest

from orchestrator.store.settings import StoreSettings

MAPS = "/api/v1/namespaces/default/configmaps"
FUTURE = "resourceVersion=999999"
INITIAL = "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"


async def put(world, *names):
    """Makes config maps; the revisions of their writes."""
    made = [await world.create(MAPS, {"metadata": {"name": name}}) for name in names]
    return [item["metadata"]["resourceVersion"] for item in made]


async def change(world, name, value):
    path = f"{MAPS}/{name}"
    headers = {"content_type": "application/merge-patch+json"}
    reply = await world.client("PATCH", path, {"data": {"a": value}}, **headers)
    assert reply.status == 200, reply.body
    return reply.json["metadata"]["resourceVersion"]


async def listed(world, query=""):
    reply = await world.client.get(f"{MAPS}?{query}")
    assert reply.status == 200, reply.body
    return reply.json


def told(document):
    """Names with what is in them."""
    items = document["items"]
    return {item["metadata"]["name"]: (item.get("data") or {}).get("a") for item in items}


async def test_a_list_of_an_exact_revision_shows_how_things_were(world):
    await put(world, "a", "b")
    then = await change(world, "a", "1")
    await world.client("DELETE", f"{MAPS}/b")
    await put(world, "c", "b")
    await change(world, "a", "2")
    exact = f"resourceVersion={then}&resourceVersionMatch=Exact"
    found = await listed(world, exact)
    assert told(found) == {"a": "1", "b": None}
    assert found["metadata"]["resourceVersion"] == then
    everywhere = (await world.client.get(f"/api/v1/configmaps?{exact}")).json
    assert told(everywhere) == told(found)
    assert told(await listed(world, f"{exact}&fieldSelector=metadata.name%3Db")) == {"b": None}
    for query in ("", f"resourceVersion={then}", "resourceVersion=0"):
        assert told(await listed(world, query)) == {"a": "2", "b": None, "c": None}, query


async def test_all_pages_show_the_moment_of_the_first(world):
    await put(world, "a", "b", "c", "d", "e")
    first = await listed(world, "limit=2")
    await world.client("DELETE", f"{MAPS}/c")
    await change(world, "d", "later")
    await put(world, "c2")
    second = await listed(world, f"limit=2&continue={first['metadata']['continue']}")
    third = await listed(world, f"limit=2&continue={second['metadata']['continue']}")
    assert [told(page) for page in (first, second, third)] == [
        {"a": None, "b": None},
        {"c": None, "d": None},
        {"e": None},
    ]
    assert [page["metadata"].get("remainingItemCount") for page in (first, second, third)] == [
        3, 1, None,
    ]  # fmt: skip
    revisions = {page["metadata"]["resourceVersion"] for page in (first, second, third)}
    assert len(revisions) == 1


async def test_a_first_page_of_a_revision_is_of_exactly_that(world):
    (then,) = await put(world, "a")
    await put(world, "b", "c")
    assert told(await listed(world, f"limit=5&resourceVersion={then}")) == {"a": None}
    not_older = f"limit=5&resourceVersion={then}&resourceVersionMatch=NotOlderThan"
    assert len(told(await listed(world, not_older))) == 3


@pytest.mark.parametrize("world", [StoreSettings(history_events=3)], indirect=True)
async def test_a_token_outlives_the_history_and_an_exact_revision_does_not(world):
    first_write, *_ = await put(world, "a", "b", "c")
    first = await listed(world, "limit=1")
    for number in range(6):
        await change(world, "c", str(number))
    rest = await listed(world, f"limit=5&continue={first['metadata']['continue']}")
    assert told(rest) == {"b": None, "c": "5"}
    exact = f"{MAPS}?resourceVersion={first_write}&resourceVersionMatch=Exact"
    reply = await world.client.get(exact)
    assert (reply.status, reply.json["reason"]) == (410, "Expired")


@pytest.mark.parametrize(
    "path",
    [
        f"{MAPS}?{FUTURE}",
        f"{MAPS}?{FUTURE}&limit=1",
        f"{MAPS}?{FUTURE}&resourceVersionMatch=NotOlderThan",
        f"{MAPS}?{FUTURE}&resourceVersionMatch=Exact",
        f"{MAPS}/a?{FUTURE}",
    ],
)
async def test_a_revision_that_is_not_there_yet(world, path):
    await put(world, "a")
    now = world.store.revision
    reply = await world.client.get(path)
    assert (reply.status, reply.json["reason"]) == (504, "Timeout")
    assert reply.json["message"] == f"Timeout: Too large resource version: 999999, current: {now}"
    assert reply.json["details"] == {
        "causes": [
            {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
        ],
        "retryAfterSeconds": 1,
    }  # fmt: skip
    assert reply.header("retry-after") == "1"


async def test_a_streamed_list_of_a_revision_that_is_not_there_yet(world):
    query = f"{INITIAL}&allowWatchBookmarks=true&{FUTURE}"
    async with world.client.stream(f"{MAPS}?{query}") as watch:
        event = await watch.line()
        assert (event["type"], event["object"]["code"]) == ("ERROR", 504)
        assert await watch.line() is None


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("resourceVersionMatch=Exact", ["resourceVersionMatch"]),
        ("resourceVersionMatch=Never&resourceVersion=1", ["resourceVersionMatch"]),
        ("resourceVersionMatch=Exact&resourceVersion=0", ["resourceVersionMatch"]),
        ("resourceVersionMatch=Exact&resourceVersion=1&continue=x", ["resourceVersionMatch"]),
        ("resourceVersionMatch=Never&continue=x", ["resourceVersionMatch"] * 3),
        ("sendInitialEvents=true", ["sendInitialEvents"]),
        ("sendInitialEvents=false&resourceVersionMatch=Exact",
         ["resourceVersionMatch", "sendInitialEvents"]),
        ("watch=1&sendInitialEvents=true", ["resourceVersionMatch"]),
        ("watch=1&resourceVersionMatch=NotOlderThan", ["resourceVersionMatch"]),
        ("watch=1&resourceVersionMatch=Exact", ["resourceVersionMatch"] * 2),
        ("watch=1&sendInitialEvents=1&resourceVersionMatch=Exact", ["resourceVersionMatch"] * 2),
        (f"{INITIAL}&continue=x", ["resourceVersionMatch"]),
        ("resourceVersion=x", ["resourceVersion"]),
        ("watch=1&resourceVersion=x", ["resourceVersion"]),
    ],
)  # fmt: skip
async def test_what_does_not_go_together(world, query, fields):
    reply = await world.client.get(f"{MAPS}?{query}")
    assert (reply.status, reply.json["details"]["kind"]) == (422, "ListOptions")
    assert [cause["field"] for cause in reply.json["details"]["causes"]] == fields
    if not query.startswith("watch"):
        assert (await world.client("DELETE", f"{MAPS}?{query}")).status == 422


async def test_a_token_and_a_revision_are_too_many(world):
    await put(world, "a", "b")
    token = (await listed(world, "limit=1"))["metadata"]["continue"]
    assert told(await listed(world, f"continue={token}&resourceVersion=0")) == {"b": None}
    reply = await world.client.get(f"{MAPS}?continue={token}&resourceVersion=5")
    assert (reply.status, reply.json["message"]) == (
        400,
        "specifying resource version is not allowed when using continue",
    )


async def test_a_time_that_is_none_is_refused_for_lists_too(world):
    assert (await world.client.get(f"{MAPS}?timeoutSeconds=soon")).status == 400


async def test_a_streamed_list_without_bookmarks_ends_without_a_mark(world):
    await put(world, "a")
    async with world.client.stream(f"{MAPS}?{INITIAL}") as watch:
        assert (await watch.line())["type"] == "ADDED"
        await put(world, "b")
        assert (await watch.line())["object"]["metadata"]["name"] == "b"


async def test_a_watch_may_say_that_it_wants_no_initial_events(world):
    await put(world, "a")
    no_initial = INITIAL.replace("Events=true", "Events=false")
    for revision in ("", "&resourceVersion=0"):
        async with world.client.stream(f"{MAPS}?{no_initial}{revision}") as watch:
            name = f"b{len(revision)}"
            await put(world, name)
            assert (await watch.line())["object"]["metadata"]["name"] == name


@pytest.mark.parametrize(
    ("value", "watches"),
    [("true", True), ("1", True), ("True", True), ("yes", True), ("", True),
     ("false", False), ("0", False), ("FALSE", False)],
)  # fmt: skip
async def test_flags_are_read_as_kubernetes_reads_them(world, value, watches):
    """Only "false" and "0" are off: whoever writes just `?watch` means it."""
    await put(world, "a")
    async with world.client.stream(f"{MAPS}?watch={value}&timeoutSeconds=1") as answer:
        assert ((await answer.line()).get("type") == "ADDED") is watches
