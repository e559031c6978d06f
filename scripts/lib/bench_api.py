"""The API server's speed, beside the raw limits of what it is made of, in one run on one machine.

One `orch server` (TLS, tokens, permissions, all controllers, SQLite on disk with full durability),
without hosts; its pods wait for a scheduler that is not ours. A load generator in a process of its
own waits for each answer before the next request, with 1 and with 64 connections.

bare        the same bytes from an ASGI application that does nothing, under the same uvicorn with
            TLS and the same load generator
echo        the load generator's own limit: the same bytes with no HTTP server at all
group       the least that SQLite needs for the same creates: 64 rows in a transaction, with the
            store's tables and settings
etcd        puts of the same size by the same generator over TLS (JSON gateway), where installed

Bounds: see `BOUNDS`; the status is 1 when one is missed.
"""

import asyncio
import json
import sqlite3
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from api_client import Target, ask, pod
from api_load import TABLE
from api_processes import Serving, etcd, orch_server, ordered, peer
from bench_rounds import arguments, conclude, machine, settle
from platform_rig import BenchmarkError

from orchestrator.store.sql import FileSqlite

Sample = dict[str, Any]

CLIENTS = (1, 64)
FORMS = {"json": "application/json", "table": TABLE}
SIZES = {"bench-1k": 1_000, "bench-10k": 10_000}
GROUP = 64
SECONDS = 3.0
LIST_SECONDS = 3.0
WATCHERS = 1_000
SLOW = 10
WRITES = 20


@dataclass
class Row:
    """One line of the table: the samples of its runs."""

    name: str
    clients: int
    samples: list[dict[str, Any]] = field(default_factory=list)

    def median(self, what: str) -> float:
        """Of the runs."""
        return statistics.median(s[what] for s in self.samples)

    def line(self) -> str:
        """For the table."""
        return (
            f"  {self.name:26}{self.clients:8}{self.median('rate'):12.1f}"
            f"{self.median('p50_ms'):10.2f}{self.median('p99_ms'):10.2f}"
            f"{self.median('client') * 100:9.0f}{self.median('server_us'):12.0f}"
        )


class Table:
    """All rows, in the order in which they first came."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, int], Row] = {}

    def add(self, name: str, clients: int, sample: dict[str, Any]) -> None:
        """Takes a sample and says so."""
        if sample.get("wrong"):
            raise BenchmarkError(f"{name}: answers that were not wanted: {sample['wrong']}")
        row = self._rows.setdefault((name, clients), Row(name, clients))
        row.samples.append(sample)
        print(row.line(), flush=True)

    def __getitem__(self, key: tuple[str, int]) -> Row:
        """A row by name and clients."""
        return self._rows[key]

    def __contains__(self, key: tuple[str, int]) -> bool:
        """Whether it was measured."""
        return key in self._rows

    def show(self) -> None:
        """The medians."""
        columns = "clients  requests/s    p50 ms    p99 ms  client %   server us"
        print(f"  {'what':27}{columns}")
        for row in self._rows.values():
            print(row.line())


def loaded(at: Serving, clients: int, seconds: float = SECONDS, **order: Any) -> dict[str, Any]:
    """One closed loop."""
    settle(5)
    return ordered(at, {"do": "load", "clients": clients, "seconds": seconds, **order})


def same(at: Serving, clients: int, path: str, seconds: float = SECONDS, **more: Any) -> Sample:
    """A closed loop of one and the same request."""
    return loaded(at, clients, seconds, kind="same", method="GET", path=path, **more)


def pods(at: Serving, clients: int, method: str, tag: str = "run") -> Sample:
    """A closed loop about pods of the smaller namespace; creates go to one of their own."""
    namespace = "bench-new" if method == "POST" else "bench-1k"
    return loaded(
        at, clients, kind="pods", method=method, namespace=namespace, tag=tag, names=1_000
    )


def fetched(server: Serving, method: str, path: str, body: bytes = b"", accept: str = "") -> bytes:
    """One answer's body."""
    target = Target(server.port, server.ca, server.token)
    request = target.request(method, path, body, accept or "application/json")
    code, answer = asyncio.run(ask(target, request))
    if code not in {200, 201}:
        raise BenchmarkError(f"{method} {path}: {code} {answer[:300]!r}")
    return answer


def fill(server: Serving) -> None:
    """Namespaces with their pods."""
    for namespace, count in {**SIZES, "bench-new": 0}.items():
        made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        fetched(server, "POST", "/api/v1/namespaces", json.dumps(made).encode())
        if count:
            ordered(server, {
                "do": "load", "clients": 64, "seconds": 300, "most": count, "warm": False,
                "kind": "pods", "method": "POST", "namespace": namespace, "tag": "pod",
            })  # fmt: skip


def answers(server: Serving, folder: Path) -> None:
    """What the server answers, for the bare peer."""
    folder.mkdir()
    path = "/api/v1/namespaces/bench-1k/pods/pod-000000"
    (folder / "get").write_bytes(fetched(server, "GET", path))
    for namespace in SIZES:
        for form, accept in FORMS.items():
            path = f"/api/v1/namespaces/{namespace}/pods"
            (folder / f"{namespace}-{form}").write_bytes(fetched(server, "GET", path, b"", accept))


def group_commits(folder: Path, size: int) -> Sample:
    """Creates of `size` bytes straight into SQLite."""
    path = folder / f"bare-{time.monotonic_ns()}.db"
    engine = FileSqlite(path)
    engine.open()
    engine.close()
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    data, revision, times = b"x" * size, 0, []
    settle()
    began, used = time.perf_counter(), time.process_time()
    while time.perf_counter() < began + SECONDS:
        start = time.perf_counter()
        names = [(revision + n + 1, f"run-{revision + n:06}") for n in range(GROUP)]
        revision += GROUP
        database.execute("BEGIN IMMEDIATE")
        database.execute("UPDATE meta SET value = ? WHERE name = 'revision'", (revision,))
        database.executemany(
            "INSERT INTO log VALUES (?, 'ADDED', 'pods', 'bench-new', ?, NULL, ?)",
            [(*name, data) for name in names],
        )
        database.executemany(
            "INSERT INTO head VALUES ('pods', 'bench-new', ?, ?, ?)",
            [(name, number, data) for number, name in names],
        )
        database.execute("COMMIT")
        times.append(time.perf_counter() - start)
    seconds = time.perf_counter() - began
    database.close()
    times.sort()
    return {
        "rate": revision / seconds, "client": 0.0,
        "server_us": (time.process_time() - used) / revision * 1e6,
        "p50_ms": times[len(times) // 2] * 1000, "p99_ms": times[len(times) * 99 // 100] * 1000,
    }  # fmt: skip


def one_run(table: Table, server: Serving, state: Path, number: int) -> dict[str, Any]:
    """Everything once, peers beside what they are peers of; returns the watchers' figures."""
    folder = state.parent / "answers"
    size = (folder / "get").stat().st_size
    object_path = "/api/v1/namespaces/bench-1k/pods/pod-000000"
    with peer("bare", state, folder) as bare, peer("echo", state, folder) as echo:
        for clients in CLIENTS:
            table.add("echo", clients, same(echo, clients, "/get"))
            table.add("bare get", clients, same(bare, clients, "/get"))
            table.add("get", clients, same(server, clients, object_path))
        for clients in CLIENTS:
            body = pod("bench-new", "pod-000000").decode()
            posts = {"kind": "same", "method": "POST", "path": "/get", "body": body}
            table.add("bare post", clients, loaded(bare, clients, **posts))
            table.add("create", clients, pods(server, clients, "POST", f"run-{number}-{clients}"))
            table.add("update", clients, pods(server, clients, "PUT", f"run-{number}-{clients}"))
        for namespace in SIZES:
            for form, accept in FORMS.items():
                for clients in CLIENTS:
                    name = f"{namespace}-{form}"
                    found = same(bare, clients, f"/{name}", LIST_SECONDS)
                    table.add(f"bare list {name[6:]}", clients, found)
                    path = f"/api/v1/namespaces/{namespace}/pods"
                    found = same(server, clients, path, LIST_SECONDS, accept=accept)
                    table.add(f"list {name[6:]}", clients, found)
    table.add("group commits", GROUP, group_commits(state.parent, size))
    with (
        tempfile.TemporaryDirectory(dir=state.parent) as name_of_folder,
        etcd(Path(name_of_folder), state) as store,
    ):
        if store is not None:
            table.add("etcd put", 64, loaded(store, 64, kind="etcd", size=size))
    settle()
    return ordered(server, {
        "do": "watch", "watchers": WATCHERS, "slow": SLOW, "namespace": "bench-1k",
        "writes": WRITES,
    })  # fmt: skip


def judge(table: Table, fans: list[dict[str, Any]]) -> bool:
    """Prints every bound and whether it holds."""
    creates = table["create", 64].median("rate")
    grouped = creates / table["group commits", GROUP].median("rate")
    delays = [statistics.median(fan["delays_ms"]) for fan in fans]
    whole = [statistics.median(fan["sent_ms"]) for fan in fans]
    kib = statistics.median(fan["kib_each"] for fan in fans)
    print(
        f"\n  {WATCHERS} watchers and {SLOW} that do not read: the last has an event "
        f"{statistics.median(delays):.1f} ms after the write's answer, "
        f"{statistics.median(whole):.1f} ms after the write was sent; {kib:.1f} KiB of memory each"
    )
    p99 = table["get", 64].median("p99_ms")
    listed = table["list 10k-json", 1].median("rate") / table["bare list 10k-json", 1].median(
        "rate"
    )
    bounds = [
        (p99 <= 10, f"get, 64 clients: p99 {p99:.2f} ms, at most 10 wanted"),
        (listed >= 0.5, f"list of 10,000 pods: {listed:.2f} of the bare bytes, 0.5 wanted"),
        (
            statistics.median(whole) <= 100,
            f"fan-out to {WATCHERS}: {statistics.median(whole):.1f} ms, at most 100 wanted",
        ),
    ]
    words = f"creates a second: {creates:.0f}, {grouped:.2f} of group commits (0.7 wanted"
    if ("etcd put", 64) in table:
        puts = table["etcd put", 64].median("rate")
        text = f"{words}, or 1.00 of etcd's {puts:.0f}: {creates / puts:.2f})"
        bounds.append((grouped >= 0.7 or creates >= puts, text))
    else:
        bounds.append((grouped >= 0.7, f"{words}; no etcd here)"))
    for good, text in bounds:
        print(f"  {'ok    ' if good else 'MISSED'}  {text}")
    return all(good for good, _ in bounds)


def main() -> bool:
    flags = arguments(__doc__, runs=3)
    title = f"API server, {flags.runs} runs; {machine()}"
    table = Table()
    with tempfile.TemporaryDirectory(prefix="orch-api-") as name_of_folder:
        state = Path(name_of_folder) / "state"
        with orch_server(state) as server:
            fill(server)
            answers(server, state.parent / "answers")
            fans = [one_run(table, server, state, number) for number in range(flags.runs)]
    print(f"\n{title}\n")
    table.show()
    return judge(table, fans)


if __name__ == "__main__":
    conclude(main)
