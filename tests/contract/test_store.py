"""The store's contract, on every engine: order, concurrency control, resumption, durability."""

import asyncio
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.kit.errors import (
    AlreadyExists,
    Conflict,
    Expired,
    NotFound,
    ServiceUnavailable,
)
from orchestrator.kit.ids import ObjectKey, Revision
from orchestrator.store.objects import Delete, Draft, Put, StoreEvent
from orchestrator.store.settings import StoreSettings
from orchestrator.store.sql import (
    NO_UPKEEP,
    FileSqlite,
    InlineSqlite,
    LogRow,
    SqlEngine,
    Upkeep,
)
from orchestrator.store.store import Store


def key(name: str, namespace: str = "default", resource: str = "configmaps") -> ObjectKey:
    return ObjectKey(resource, namespace, name)


def draft(name: str, value: str = "") -> Draft:
    return Draft.of(
        {
            "kind": "ConfigMap",
            "apiVersion": "v1",
            "metadata": {"name": name, "resourceVersion": "1", "uid": "u"},
            "data": {"value": value},
        }
    )


def put(name: str, expected: int | None = None, value: str = "") -> Put:
    found = None if expected is None else Revision(expected)
    return Put(key(name), draft(name, value), found)


@pytest.fixture(params=["file", "inline"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> SqlEngine:
    return FileSqlite(tmp_path / "orch.db") if request.param == "file" else InlineSqlite()


@pytest.fixture
async def store(engine: SqlEngine) -> AsyncIterator[Store]:
    store = await Store.open(engine, StoreSettings(history_events=50))
    yield store
    await store.close()


async def test_a_write_is_visible_and_carries_its_revision(store: Store) -> None:
    made = await store.write(put("a"))
    assert made.revision == store.revision == 1
    assert made.doc["metadata"]["resourceVersion"] == "1"
    found = store.get(key("a"))
    assert found is not None
    assert found.data == made.data
    assert list(found.doc) == ["kind", "apiVersion", "metadata", "data"]


async def test_optimistic_concurrency(store: Store) -> None:
    await store.write(put("a"))
    with pytest.raises(AlreadyExists, match='configmaps "a" already exists'):
        await store.write(put("a"))
    await store.write(put("a", 1))
    with pytest.raises(Conflict, match="the object has been modified"):
        await store.write(put("a", 1))
    with pytest.raises(NotFound, match='configmaps "b" not found'):
        await store.write(put("b", 1))
    with pytest.raises(Conflict):
        await store.write(Delete(key("a"), Revision(1), draft("a")))
    gone = await store.write(Delete(key("a"), Revision(2), draft("a")))
    assert gone.revision == 3
    assert store.get(key("a")) is None
    assert (await store.write(put("a"))).revision == 4


async def test_writes_decided_in_one_batch_see_each_other(store: Store) -> None:
    results = await asyncio.gather(
        store.write(put("a")),
        store.write(put("a")),
        store.write(put("a", 1, "x")),
        store.write(Delete(key("a"), Revision(2), draft("a"))),
        store.write(put("a")),
        return_exceptions=True,
    )
    assert isinstance(results[1], AlreadyExists)
    assert [r.revision for i, r in enumerate(results) if i != 1] == [1, 2, 3, 4]


async def test_lists_are_sorted_and_resume_after_a_place(store: Store) -> None:
    for name, namespace in (("b", "x"), ("a", "y"), ("a", "x"), ("c", "x")):
        await store.write(Put(key(name, namespace), draft(name), None))
    everything = [(o.key.namespace, o.key.name) for o in store.list("configmaps")]
    assert everything == [("x", "a"), ("x", "b"), ("x", "c"), ("y", "a")]
    assert [o.key.name for o in store.list("configmaps", "x", ("x", "a"))] == ["b", "c"]
    assert [o.key.namespace for o in store.list("configmaps", "", ("x", "c"))] == ["y"]
    assert store.list("secrets") == []


async def test_subscribers_see_every_write_in_order_before_the_writer_does(store: Store) -> None:
    seen: list[StoreEvent] = []
    unsubscribe = store.subscribe(seen.append)
    await store.write(put("a"))
    assert [e.type for e in seen] == ["ADDED"]
    await store.write(put("a", 1, "2"))
    await store.write(Delete(key("a"), Revision(2), draft("a", "last")))
    assert [(e.type, e.object.revision) for e in seen] == [
        ("ADDED", 1),
        ("MODIFIED", 2),
        ("DELETED", 3),
    ]
    assert [e.previous.revision for e in seen[1:] if e.previous] == [1, 2]
    assert seen[2].object.doc["data"] == {"value": "last"}
    unsubscribe()
    await store.write(put("b"))
    assert len(seen) == 3


async def test_a_broken_subscriber_harms_nobody(store: Store) -> None:
    seen: list[StoreEvent] = []

    def broken(event: StoreEvent) -> None:
        raise ValueError(event)

    store.subscribe(broken)
    store.subscribe(seen.append)
    assert (await store.write(put("a"))).revision == 1
    assert len(seen) == 1


async def test_watches_resume_without_loss_or_repeat(store: Store) -> None:
    for i in range(5):
        await store.write(put(f"n{i}"))
    watch = store.watch("configmaps", since=Revision(2))
    await store.write(Put(key("other", resource="secrets"), draft("other"), None))
    await store.write(put("n5"))
    found = [(await anext(watch)).object.revision for _ in range(4)]
    assert found == [3, 4, 5, 7]
    watch.close()
    with pytest.raises(StopAsyncIteration):
        await anext(watch)


async def test_a_watch_of_one_namespace_sees_only_that(store: Store) -> None:
    watch = store.watch("configmaps", "x")
    await store.write(Put(key("a", "y"), draft("a"), None))
    await store.write(Put(key("b", "x"), draft("b"), None))
    assert (await anext(watch)).object.key == key("b", "x")
    assert store.statistics().watchers == 1
    watch.close()
    assert store.statistics().watchers == 0


async def test_a_revision_older_than_the_history_is_expired(store: Store) -> None:
    for i in range(60):
        await store.write(put(f"n{i}"))
    with pytest.raises(Expired, match="too old resource version"):
        store.watch("configmaps", since=Revision(5))
    watch = store.watch("configmaps", since=Revision(10))
    assert (await anext(watch)).object.revision == 11
    watch.close()


async def test_a_slow_watcher_is_cut_off_and_told(engine: SqlEngine) -> None:
    store = await Store.open(engine, StoreSettings(watch_events=3))
    watch = store.watch("configmaps")
    for i in range(5):
        await store.write(put(f"n{i}"))
    with pytest.raises(Expired, match="too far behind"):
        await anext(watch)
    await store.close()


async def test_a_cancelled_writer_loses_nothing(store: Store) -> None:
    task = asyncio.ensure_future(store.write(put("a")))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await store.write(put("b"))
    assert [o.key.name for o in store.list("configmaps")] == ["a", "b"]


async def reopened(path: Path, **bounds: int) -> Store:
    return await Store.open(FileSqlite(path), StoreSettings(**bounds))


async def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "orch.db"
    store = await reopened(path)
    for i in range(6):
        await store.write(put(f"n{i}"))
    await store.write(put("n0", 1, "new"))
    await store.write(Delete(key("n1"), Revision(2), draft("n1")))
    before = {o.key: o.data for o in store.list("configmaps")}
    await store.close()
    store = await reopened(path)
    assert store.revision == 8
    assert {o.key: o.data for o in store.list("configmaps")} == before
    watch = store.watch("configmaps", since=Revision(6))
    changed, deleted = await anext(watch), await anext(watch)
    assert (changed.type, changed.previous.revision if changed.previous else 0) == ("MODIFIED", 1)
    assert (deleted.type, deleted.object.revision) == ("DELETED", 8)
    assert (await store.write(put("n1"))).revision == 9
    await store.close()


async def test_batches_of_any_size_are_on_disk_as_they_were_decided(tmp_path: Path) -> None:
    path, rng, kept = tmp_path / "orch.db", random.Random(3), {}
    store = await Store.open(FileSqlite(path))
    for size in (1, 3, 4, 5, 63, 64, 65, 149):
        under_way = [store.write(put(f"{size}-{n}", None, "x" * n)) for n in range(size)]
        made = await asyncio.gather(*under_way)
        gone = rng.sample(made, size // 2)
        left = [item for item in made if item not in gone]
        changed = await asyncio.gather(
            *(store.write(Delete(item.key, item.revision, draft("gone"))) for item in gone),
            *(store.write(Put(i.key, draft(i.key.name, "new"), i.revision)) for i in left),
        )
        kept |= {item.key: item.data for item in changed[len(gone) :]}
    await store.close()
    again = await Store.open(FileSqlite(path))
    assert {item.key: item.data for item in again.list("configmaps")} == kept
    assert again.revision == store.revision
    await again.close()


class Failing:
    """An engine whose transactions fail while `broken` is set."""

    inline = True

    def __init__(self) -> None:
        self._inner = InlineSqlite()
        self.broken = False
        self.open = self._inner.open
        self.close = self._inner.close

    def commit(self, rows: Sequence[LogRow], upkeep: Upkeep = NO_UPKEEP) -> None:
        if self.broken:
            raise ServiceUnavailable("the store cannot write: database or disk is full")
        self._inner.commit(rows, upkeep)


async def test_a_full_disk_fails_the_writes_and_nothing_else() -> None:
    engine = Failing()
    store = await Store.open(engine)
    await store.write(put("a"))
    engine.broken = True
    results = await asyncio.gather(
        store.write(put("b")), store.write(put("a", 1)), return_exceptions=True
    )
    assert [type(r) for r in results] == [ServiceUnavailable] * 2
    assert store.statistics().failing.endswith("disk is full")
    assert (store.get(key("b")), store.revision) == (None, 1)
    engine.broken = False
    assert (await store.write(put("b"))).revision == 2
    assert store.statistics().failing == ""
    await store.close()


async def test_a_second_writer_on_one_file_cannot_write(tmp_path: Path) -> None:
    first = await reopened(tmp_path / "orch.db")
    second = await reopened(tmp_path / "orch.db")
    await first.write(put("a"))
    with pytest.raises(ServiceUnavailable, match="another process wrote"):
        await second.write(put("b"))
    await first.close()
    await second.close()


async def test_a_killed_writer_loses_no_acknowledged_write(tmp_path: Path) -> None:
    program = f"""
import asyncio, sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_store import put, FileSqlite, Store
async def main():
    store = await Store.open(FileSqlite(Path({str(tmp_path / "orch.db")!r})))
    async def writer(w):
        n = 0
        while True:
            done = await store.write(put(f"w{{w}}-{{store.revision}}-{{n}}"))
            print(done.revision, done.key.name, flush=True)
            n += 1
    async with asyncio.TaskGroup() as group:
        for w in range(8):
            group.create_task(writer(w))
asyncio.run(main())
"""
    rng = random.Random(7)
    acknowledged: dict[str, int] = {}
    highest = 0
    for _ in range(3):
        child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        for _ in range(rng.randrange(50, 200)):
            revision, name = child.stdout.readline().split()
            assert int(revision) > highest - 16  # concurrent writers print in any order
            acknowledged[name] = int(revision)
        child.send_signal(signal.SIGKILL)
        rest = child.stdout.read()
        for line in rest.splitlines(keepends=True):
            if line.endswith("\n"):
                revision, name = line.split()
                acknowledged[name] = int(revision)
        child.stdout.close()
        child.wait()
        highest = max(acknowledged.values())
        store = await reopened(tmp_path / "orch.db")
        there = {o.key.name: o.revision for o in store.list("configmaps")}
        assert acknowledged.items() <= there.items()
        assert len(set(there.values())) == len(there)
        assert store.revision >= highest
        await store.close()


Step = tuple[str, str]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    steps=st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["put", "delete", "stale"])), max_size=30
    )
)
def test_the_store_is_a_dict_with_revisions(steps: list[Step]) -> None:
    async def check() -> None:
        store = await Store.open(InlineSqlite(), StoreSettings(history_events=1000))
        watch = store.watch("configmaps", since=Revision(0))
        model: dict[str, int] = {}
        told: list[tuple[str, str, int]] = []
        revision = 0
        for name, action in steps:
            expected = model.get(name)
            if action == "stale":
                with pytest.raises((Conflict, NotFound)):
                    await store.write(put(name, (expected or 0) + 1000))
            elif action == "put":
                revision += 1
                made = await store.write(put(name, expected))
                told.append(("MODIFIED" if expected else "ADDED", name, revision))
                model[name] = revision
                assert made.revision == revision
            elif expected is not None:
                revision += 1
                await store.write(Delete(key(name), Revision(expected), draft(name)))
                told.append(("DELETED", name, revision))
                del model[name]
        assert {o.key.name: o.revision for o in store.list("configmaps")} == model
        seen = [(e.type, e.object.key.name, e.object.revision) for e in watch.pending_nowait()]
        assert seen == told
        await store.close()

    asyncio.run(check())
