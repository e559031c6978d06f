"""Watches over HTTP keep their laws while writers write and connections break; by seed.

`--seeds N` says how many histories: 10 unless told otherwise.
"""

import asyncio
import contextlib
import random
import ssl

import pytest

from tests.conformance.watch_laws import (
    QUIET_S,
    Watcher,
    check_truth,
    check_watcher,
    client,
    expected,
    seen,
    write,
)

WRITERS, WRITES, WATCHERS = 4, 40, 8


async def history(api, rng):
    """One history: (truth, answered, watchers)."""
    answered, truth = [], []
    _, empty = await api.call("GET")
    since = int(empty["metadata"]["resourceVersion"])

    async def log():
        async with api.watch(f"resourceVersion={since}&timeoutSeconds=600") as lines:
            async for line in lines:
                truth.append(seen(line))  # noqa: PERF401  # others read it meanwhile

    watchers = [
        Watcher(
            api,
            random.Random(rng.random()),
            app=rng.choice(["", "", "a", "b"]),
            start=rng.choice(["list", "stream"]),
            bookmarks=rng.random() < 0.5,
        )
        for _ in range(WATCHERS)
    ]
    async with asyncio.TaskGroup() as group:
        following = [group.create_task(log())]
        async with asyncio.TaskGroup() as writing:
            for number in range(WRITERS):
                if number == WRITERS // 2:
                    following += [group.create_task(watcher.run()) for watcher in watchers]
                writing.create_task(write(api, random.Random(rng.random()), WRITES, answered))
        for watcher in watchers:
            watcher.calm = True
        _, end = await api.call("GET")
        last = {o["metadata"]["name"]: o["metadata"]["resourceVersion"] for o in end["items"]}
        with contextlib.suppress(TimeoutError):  # the laws say what is missing then
            async with asyncio.timeout(QUIET_S):
                while not all(caught_up(watcher, truth, last) for watcher in watchers):
                    await asyncio.sleep(0.01)
        for task in following:
            task.cancel()
    return truth, answered, watchers


def caught_up(watcher, truth, last):
    """Whether truth has come to its end and the watcher has as many events as it must have."""
    states = {}
    for event in truth:
        states[event.name] = event
    live = {e.name: str(e.revision) for e in states.values() if e.type != "DELETED"}
    events = sum(1 for event in watcher.log if event.name)
    return (
        live == last
        and bool(watcher.since)
        and events >= len(expected(truth, watcher.app, watcher.since))
    )


@pytest.mark.timeout(600)
# a client that is cut off while it connects leaves its socket to the garbage collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
async def test_watches_keep_their_laws(server_process, http_seed):
    pki = server_process.state_dir / "pki"
    tls = ssl.create_default_context(cafile=pki / "ca.crt")
    token = (pki / "admin.token").read_text().strip()
    async with client(server_process.port, token, tls, f"laws-{http_seed}") as api:
        truth, answered, watchers = await history(api, random.Random(http_seed))
    assert len(answered) > WRITERS * WRITES // 8, "a history of next to nothing shows nothing"
    check_truth(truth, answered)
    for watcher in watchers:
        check_watcher(watcher, truth)
