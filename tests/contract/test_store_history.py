"""What the log keeps of the past: enough to resume over, across restarts and failures; no more."""

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from orchestrator.kit.errors import Expired, ServiceUnavailable
from orchestrator.kit.ids import Revision
from orchestrator.store.objects import Delete, Put, StoreEvent
from orchestrator.store.settings import StoreSettings
from orchestrator.store.sql import NO_UPKEEP, FileSqlite, LogRow, Upkeep
from orchestrator.store.store import Store
from tests.contract.test_store import draft, key, put

HISTORY = 10


class Unreliable(FileSqlite):
    """A log whose transactions fail while `broken` is set; counts what leaves with each."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.broken = False
        self.left: list[int] = []

    def commit(self, rows: Sequence[LogRow], upkeep: Upkeep = NO_UPKEEP) -> None:
        if self.broken:
            raise ServiceUnavailable("the store cannot write: database or disk is full")
        self.left.append(len(upkeep.leaving))
        super().commit(rows, upkeep)


async def opened(path: Path, history: int = HISTORY) -> tuple[Store, Unreliable]:
    engine = Unreliable(path)
    return await Store.open(engine, StoreSettings(history_events=history)), engine


def rows_of(path: Path) -> list[LogRow]:
    log = FileSqlite(path)
    try:
        return list(log.open().rows)
    finally:
        log.close()


def history_of(store: Store) -> list[StoreEvent]:
    since = Revision(max(0, store.revision - HISTORY))
    watch = store.watch("configmaps", since=since)
    events = watch.pending_nowait()
    watch.close()
    return events


def told(events: list[StoreEvent]) -> list[tuple[str, int, bytes, bytes | None]]:
    return [
        (e.type, e.object.revision, e.object.data, e.previous.data if e.previous else None)
        for e in events
    ]


async def test_old_rows_leave_a_few_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "orch.db"
    store, engine = await opened(path)
    await store.write(put("old"))
    last = (await store.write(put("hot"))).revision
    for i in range(100):
        last = (await store.write(put("hot", last, str(i)))).revision
    await store.close()
    # the history, the state before its first write, and what the last write's commit still had
    assert len(rows_of(path)) <= HISTORY + 2
    assert max(engine.left) <= 2
    store, _ = await opened(path)
    assert store.get(key("old")) is not None
    assert store.revision == 102
    watch = store.watch("configmaps", since=Revision(92))
    assert [(await anext(watch)).object.revision for _ in range(10)] == list(range(93, 103))
    with pytest.raises(Expired):
        store.watch("configmaps", since=Revision(3))
    await store.close()


async def test_a_shorter_history_does_not_keep_writers_waiting(tmp_path: Path) -> None:
    path = tmp_path / "orch.db"
    store, _ = await opened(path, 1000)
    await asyncio.gather(*(store.write(put(f"a{i}")) for i in range(500)))
    await store.close()
    store, engine = await opened(path)
    for i in range(20):
        await store.write(put(f"b{i}"))
    await store.close()
    assert max(engine.left) <= 66
    assert len(rows_of(path)) <= HISTORY + 2


async def test_a_change_of_an_old_object_leaves_the_history_whole_after_a_restart(
    tmp_path: Path,
) -> None:
    path = tmp_path / "orch.db"
    store, _ = await opened(path)
    old = await store.write(put("old", value="first"))
    for i in range(30):
        await store.write(put(f"n{i}"))
    assert old.revision not in {row.revision for row in rows_of(path)}
    await store.write(put("old", old.revision, "second"))
    for i in range(5):
        await store.write(put(f"m{i}"))
    before = told(history_of(store))
    await store.close()
    store, _ = await opened(path)
    assert told(history_of(store)) == before
    assert [e.previous.data for e in history_of(store) if e.previous] == [old.data]
    await store.close()


@pytest.mark.parametrize("seed", range(12))
async def test_any_run_keeps_what_is_needed_and_nothing_else(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    path = tmp_path / "orch.db"
    store, engine = await opened(path)
    for _ in range(60):
        engine.broken = rng.random() < 0.15
        live = store.list("configmaps")
        wishes: list[Put | Delete] = [put(f"p{rng.randrange(25)}") for _ in range(rng.randrange(4))]
        for item in rng.sample(live, min(len(live), rng.randrange(4))):
            value = draft(item.key.name, str(rng.random()))
            wishes.append(
                Delete(item.key, item.revision, value)
                if rng.random() < 0.3
                else Put(item.key, value, item.revision)
            )
        await asyncio.gather(*(store.write(wish) for wish in wishes), return_exceptions=True)
        if rng.random() < 0.1:
            before, revision = told(history_of(store)), store.revision
            await store.close()
            store, engine = await opened(path)
            assert store.revision == revision
            assert told(history_of(store)) == before
    engine.broken = False
    for i in range(3):
        await store.write(put(f"last{i}"))
    events = history_of(store)
    await store.close()
    needed = {e.object.revision for e in events} | {
        e.previous.revision for e in events if e.previous
    }
    found = {row.revision for row in rows_of(path)}
    assert needed <= found
    assert len(found - needed) <= 4, found - needed
