"""Durable writes a second through the store, beside bare SQLite, on one disk.

store           64 tasks that each wait for one write before the next: `orchestrator.store.Store`
                with its file engine; every write checks its expected revision, is durable when it
                returns, and is in memory, history and watches by then. A watch reads along.
group commits   the least that SQLite needs for the same: prepared rows, one connection, 64 of them
                in a transaction, into the same two tables with the same settings (WAL,
                synchronous=FULL, the revision's counter); no checks, no memory, nobody told.
one by one      the same rows, each in a transaction of its own: what no grouping would give.

Documents of 1.5 kB; one write in four makes an object, the others change it.
"""

import asyncio
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench_rounds import Bound, Contestant, arguments, conclude, machine, measure, report
from platform_rig import BenchmarkError

from orchestrator.kit.ids import ObjectKey, Revision
from orchestrator.store.objects import Draft, Put
from orchestrator.store.sql import FileSqlite
from orchestrator.store.store import Store
from orchestrator.store.watch import Watch

WRITES = 24_576
WRITERS = 64
CHANGES = 4
RESOURCE = "pods"
MESSAGE = "x" * 1300


def name(writer: int, number: int) -> str:
    """Of the object that a writer's n-th write is about."""
    return f"writer-{writer:03}-{number // CHANGES:05}"


def document(writer: int, number: int) -> dict[str, object]:
    """An object of 1.5 kB."""
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {"name": name(writer, number), "namespace": "default"},
        "status": {"phase": "Running", "message": f"{number} {MESSAGE}"},
    }


async def write_all(folder: Path) -> None:
    """Through the store, and back from its watch."""
    store = await Store.open(FileSqlite(folder / "state.db"))

    async def writer(number: int) -> None:
        revision: Revision | None = None
        for turn in range(WRITES // WRITERS):
            if turn % CHANGES == 0:
                revision = None
            key = ObjectKey(RESOURCE, "default", name(number, turn))
            draft = Draft.of(document(number, turn))
            revision = (await store.write(Put(key, draft, revision))).revision

    async def reader(watch: Watch) -> int:
        seen = 0
        async for _ in watch:
            seen += 1
            if seen == WRITES:
                break
        return seen

    async with asyncio.timeout(300), asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(reader(store.watch(RESOURCE)))
        for number in range(WRITERS):
            tasks.create_task(writer(number))
    if watching.result() != WRITES or store.revision != WRITES:
        raise BenchmarkError("the store lost writes")
    await store.close()


def rows() -> Iterator[tuple[int, str, str, str, str, int | None, bytes]]:
    """The log's rows as the store would write them: writers take turns."""
    last: dict[str, int] = {}
    revision = 0
    for turn in range(WRITES // WRITERS):
        for writer in range(WRITERS):
            revision += 1
            key = name(writer, turn)
            operation = "MODIFIED" if key in last else "ADDED"
            data = Draft.of(document(writer, turn)).at(Revision(revision))
            yield revision, operation, RESOURCE, "default", key, last.get(key), data
            last[key] = revision


class Bare:
    """The database of the peers; the tables are the store's."""

    def __init__(self, folder: Path, group: int) -> None:
        self._folder, self._group = folder, group
        self._rows = list(rows())
        self._number = 0

    def prepare(self) -> None:
        """A database of its own for every run."""
        self._number += 1
        path = self._folder / f"bare-{self._group}-{self._number}.db"
        engine = FileSqlite(path)
        engine.open()
        engine.close()
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")

    def measure(self) -> None:
        """Writes all rows."""
        database = self._database
        for start in range(0, WRITES, self._group):
            batch = self._rows[start : start + self._group]
            database.execute("BEGIN IMMEDIATE")
            database.execute("UPDATE meta SET value = ? WHERE name = 'revision'", (batch[-1][0],))
            database.executemany("INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?)", batch)
            database.executemany(
                "INSERT INTO head VALUES (?, ?, ?, ?, ?) ON CONFLICT (resource, namespace, name)"
                " DO UPDATE SET rev = excluded.rev, data = excluded.data",
                [(r[2], r[3], r[4], r[0], r[6]) for r in batch],
            )
            database.execute("COMMIT")

    def clean(self) -> None:
        """Closes it."""
        self._database.close()


def main() -> bool:
    flags = arguments(__doc__)
    title = f"{WRITES} durable writes by {WRITERS} writers, {flags.runs} runs; {machine()}"
    with tempfile.TemporaryDirectory(prefix="orch-store-") as name_of_folder:
        folder = Path(name_of_folder)
        numbers = iter(range(flags.runs))

        def through_store() -> None:
            asyncio.run(write_all(folder / f"store-{next(numbers)}"))

        grouped, single = Bare(folder, WRITERS), Bare(folder, 1)
        contestants = [
            Contestant("store", through_store),
            Contestant("group commits", grouped.measure, grouped.prepare, grouped.clean),
            Contestant("one by one", single.measure, single.prepare, single.clean),
        ]
        measure(contestants, flags.runs)
    held = report(title, contestants, [Bound("group commits", 3.0), Bound("one by one", 1.0)])
    for contestant in contestants:
        print(
            f"  {contestant.name:13}  {WRITES / contestant.median_s:8.0f} durable writes a second"
        )
    return held


if __name__ == "__main__":
    conclude(main)
