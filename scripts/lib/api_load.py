"""The load generator of the API benchmark, a process of its own: one order in, one line out.

    api_load.py ORDER

ORDER is JSON: {"do": "load", ...} for a closed loop of clients, or {"do": "watch", ...} for many
watchers of one collection and a writer. Prints one JSON object.
"""

import asyncio
import base64
import itertools
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvloop
from api_client import AnswerError, Caller, Target, ask, closed_loop, connect, pod

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
WARM_UP_S = 0.3
SETTLE_S = 30.0


def pods(
    target: Target, namespace: str, method: str, tag: str, names: int, first: dict[str, Any]
) -> Iterator[bytes]:
    """Requests about one pod each: POST makes new ones, PUT changes `names` like `first`."""
    path = f"/api/v1/namespaces/{namespace}/pods"
    if method == "POST":
        for number in itertools.count():
            yield target.request("POST", path, pod(namespace, f"{tag}-{number:06}"))
    for number in itertools.count():
        name = f"pod-{number % names:06}"
        yield target.request("PUT", f"{path}/{name}", changed(first, name, f"{tag} {number}"))


def changed(first: dict[str, Any], name: str, note: str) -> bytes:
    """What a client sends that has read a pod like `first` and changes one annotation."""
    meta = {**first["metadata"], "name": name, "annotations": {"note": note}}
    for own in ("uid", "resourceVersion"):
        meta.pop(own, None)
    return json.dumps({**first, "metadata": meta}, separators=(",", ":")).encode()


def etcd_puts(target: Target, size: int, tag: str) -> Iterator[bytes]:
    """Puts of new keys through etcd's JSON gateway."""
    value = base64.b64encode(b"x" * size).decode()
    for number in itertools.count():
        key = base64.b64encode(f"/registry/pods/{tag}/{number:06}".encode()).decode()
        yield target.request("POST", "/v3/kv/put", b'{"key":"%b","value":"%b"}' % (
            key.encode(), value.encode(),
        ))  # fmt: skip


def requests_of(target: Target, order: dict[str, Any], tag: str) -> Iterator[bytes]:
    """What the order wants sent."""
    kind = order["kind"]
    if kind == "same":
        one = target.request(
            order["method"], order["path"], order.get("body", "").encode(),
            order.get("accept") or "application/json", **order.get("headers", {}),
        )  # fmt: skip
        return itertools.repeat(one)
    if kind == "etcd":
        return etcd_puts(target, order["size"], tag)
    return pods(
        target,
        order["namespace"],
        order["method"],
        tag,
        order.get("names", 1),
        order.get("first", {}),
    )


async def first_pod(target: Target, namespace: str) -> dict[str, Any]:
    """The pod that all others of a namespace are like."""
    path = f"/api/v1/namespaces/{namespace}/pods/pod-000000"
    code, body = await ask(target, target.request("GET", path))
    if code != 200:
        raise AnswerError(f"{path}: {code} {body[:300]!r}")
    found: dict[str, Any] = json.loads(body)
    return found


async def load(target: Target, order: dict[str, Any]) -> dict[str, Any]:
    """A warm-up, then the measured loop."""
    clients, tag = order["clients"], order.get("tag", "run")
    most = order.get("most", 1_000_000)
    if order.get("method") == "PUT":
        order["first"] = await first_pod(target, order["namespace"])
    if order.get("warm", True):
        warm = requests_of(target, order, f"{tag}-warm")
        await closed_loop(target, clients, WARM_UP_S, most, warm, order["pid"])
    found = await closed_loop(
        target, clients, order["seconds"], most, requests_of(target, order, tag), order["pid"]
    )
    return found.summary()


class Watcher(asyncio.Protocol):
    """One watch; tells when the text that everybody waits for has arrived."""

    def __init__(self, crowd: "Crowd", request: bytes, *, reads: bool = True) -> None:
        self._crowd = crowd
        self._request = request
        self._reads = reads
        self._tail = b""
        self._started = False
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if not self._started:
            self._started = True
            if not data.startswith(b"HTTP/1.1 200"):
                self._crowd.fail(f"a watch was refused: {data[:300]!r}")
            self._crowd.opened()
            if not self._reads:
                self.transport.pause_reading()
        wanted = self._crowd.wanted
        if wanted and wanted in self._tail + data:
            self._tail = b""
            self._crowd.arrived()
        else:
            self._tail = data[-64:]

    def connection_lost(self, exc: Exception | None) -> None:
        if self._reads and not self._crowd.over:
            self._crowd.fail(f"a watch ended early: {exc}")


class Crowd:
    """All watchers together."""

    def __init__(self, readers: int, watches: int) -> None:
        self.readers = readers
        self.complete = asyncio.get_running_loop().create_future()
        self._missing = watches
        self.wanted = b""
        self.over = False
        self.all_there: asyncio.Future[float] | None = None
        self._arrived = 0

    def expect(self, text: bytes) -> "asyncio.Future[float]":
        """Done, with the time, when every watcher has seen the text."""
        self.wanted, self._arrived = text, 0
        self.all_there = asyncio.get_running_loop().create_future()
        return self.all_there

    def opened(self) -> None:
        """Called once by each watcher, when its answer has begun."""
        self._missing -= 1
        if not self._missing:
            self.complete.set_result(None)

    def arrived(self) -> None:
        """Called once by each watcher."""
        self._arrived += 1
        if self._arrived == self.readers and self.all_there is not None:
            self.all_there.set_result(time.perf_counter())

    def fail(self, why: str) -> None:
        """Ends the measurement."""
        for waited in (self.complete, self.all_there):
            if waited is not None and not waited.done():
                waited.set_exception(AnswerError(why))
                return


def memory_of(pid: int) -> float:
    """Resident memory of a process in KiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("VmRSS"))


async def watch(target: Target, order: dict[str, Any]) -> dict[str, Any]:
    """Opens watches, then writes one pod again and again and waits for the last receipt."""
    count, slow, namespace = order["watchers"], order["slow"], order["namespace"]
    path = f"/api/v1/namespaces/{namespace}/pods"
    crowd = Crowd(count, count + slow)
    code, body = await ask(target, target.request("GET", f"{path}?limit=1"))
    if code != 200:
        raise AnswerError(f"list: {code} {body[:300]!r}")
    revision = json.loads(body)["metadata"]["resourceVersion"]
    query = f"watch=1&resourceVersion={revision}&timeoutSeconds=600"
    request = target.request("GET", f"{path}?{query}")
    before = memory_of(order["pid"])
    watchers: list[Watcher] = []
    for number in range(count + slow):
        reads = number < count
        watchers.append(
            await connect(target, lambda reads=reads: Watcher(crowd, request, reads=reads))
        )
    async with asyncio.timeout(SETTLE_S):
        await crowd.complete
    await asyncio.sleep(0.5)  # the server's side settles as well
    taken = memory_of(order["pid"]) - before
    delays, whole = [], []
    first = await first_pod(target, namespace)
    writer = Caller()
    await connect(target, lambda: writer.connection)
    for number in range(order["writes"] + 3):
        note = f"fan-out {number:06}"
        done = crowd.expect(note.encode())
        sent = time.perf_counter()
        body = changed(first, "pod-000000", note)
        code = await writer.ask(target.request("PUT", f"{path}/pod-000000", body))
        answered = time.perf_counter()
        if code != 200:
            raise AnswerError(f"update: {code}")
        async with asyncio.timeout(SETTLE_S):
            last = await done
        if number >= 3:  # the first ones warm up
            delays.append((last - answered) * 1000)
            whole.append((last - sent) * 1000)
        await asyncio.sleep(0.05)
    crowd.over = True
    for watcher in watchers:
        watcher.transport.abort()
    return {"delays_ms": delays, "sent_ms": whole, "kib_each": taken / (count + slow)}


def main(order: dict[str, Any]) -> None:
    target = Target(order["port"], order.get("ca", ""), order.get("token", ""))
    run = watch if order["do"] == "watch" else load
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(run(target, order))))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
