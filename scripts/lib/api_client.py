"""HTTP/1.1 over TLS with as little work as Python allows: what loads the API server.

Not a benchmark itself. Requests are bytes that were made before; of an answer only its code and its
length are read. One connection carries one request at a time, as a client that waits.
"""

import asyncio
import json
import os
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CONNECT_S = 60.0


class AnswerError(Exception):
    """An answer that is not what the benchmark is about."""


@dataclass(frozen=True)
class Target:
    """Where to send requests.

    Attributes:
        port: on 127.0.0.1.
        ca: file with the root that the server's certificate is checked against; "" for plain HTTP.
        token: bearer token; "" for none.
    """

    port: int
    ca: str = ""
    token: str = ""

    def request(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        accept: str = "application/json",
        **more: str,
    ) -> bytes:
        """A request's bytes; further headers have _ for -."""
        lines = [f"{method} {path} HTTP/1.1", f"host: 127.0.0.1:{self.port}", f"accept: {accept}"]
        if self.token:
            lines.append(f"authorization: Bearer {self.token}")
        if body:
            lines += ["content-type: application/json", f"content-length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in more.items()]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    def tls(self) -> ssl.SSLContext | None:
        """The client's side."""
        return ssl.create_default_context(cafile=self.ca) if self.ca else None


class Connection(asyncio.Protocol):
    """One connection; `done` is called with each answer's code when its last byte is there."""

    def __init__(self, done: Callable[[int], None]) -> None:
        self.done = done
        self.transport: Any = None
        self.lost: Exception | None = None
        self.keep: bytearray | None = None
        self._head = b""
        self._code = 0
        self._left = -1

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = exc or ConnectionResetError("the server closed the connection")
        self.done(0)

    def data_received(self, data: bytes) -> None:
        if self._left < 0:
            if self._head:
                data = self._head + data
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._head = data
                return
            self._head = b""
            self._code = int(data[9:12])
            lower = data[:end].lower()
            at = lower.find(b"content-length:")
            if at < 0:
                raise AnswerError(f"an answer without a length: {data[:200]!r}")
            stop = lower.find(b"\r\n", at)
            self._left = int(lower[at + 15 : stop if stop > 0 else end])
            data = data[end + 4 :]
        self._left -= len(data)
        if self.keep is not None:
            self.keep += data
        if self._left <= 0:
            self._left = -1
            self.done(self._code)


async def connect(target: Target, make: Callable[[], asyncio.Protocol]) -> Any:
    """An open connection's protocol."""
    loop = asyncio.get_running_loop()
    tls = target.tls()
    async with asyncio.timeout(CONNECT_S):
        _, protocol = await loop.create_connection(
            make, "127.0.0.1", target.port, ssl=tls, server_hostname="localhost" if tls else None
        )
    return protocol


class Caller:
    """Asks one thing after the other on one connection, which is opened with `connect`."""

    def __init__(self) -> None:
        self._answer: asyncio.Future[int] | None = None
        self.connection = Connection(self._done)

    async def ask(self, request: bytes) -> int:
        """The answer's code; 0 when the connection was lost."""
        self._answer = asyncio.get_running_loop().create_future()
        self.connection.transport.write(request)
        async with asyncio.timeout(CONNECT_S):
            return await self._answer

    def _done(self, code: int) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(code)


async def ask(target: Target, request: bytes) -> tuple[int, bytes]:
    """One request on a connection of its own: code and body."""
    caller = Caller()
    caller.connection.keep = bytearray()
    await connect(target, lambda: caller.connection)
    code = await caller.ask(request)
    caller.connection.transport.abort()
    return code, bytes(caller.connection.keep)


@dataclass
class Load:
    """What a closed loop of clients saw.

    Attributes:
        seconds: of wall clock.
        cpu_s: processor time of this process meanwhile.
        server_s: processor time of the server.
        times_s: how long each request took.
        wrong: codes that were not wanted.
    """

    seconds: float = 0.0
    cpu_s: float = 0.0
    server_s: float = 0.0
    times_s: list[float] = field(default_factory=list)
    wrong: dict[int, int] = field(default_factory=dict)

    def summary(self) -> dict[str, Any]:
        """The figures, times in milliseconds."""
        ordered = sorted(self.times_s)
        count = len(ordered)
        if not count:
            raise AnswerError(f"no request was answered: {self.wrong}")
        return {
            "requests": count,
            "rate": count / self.seconds,
            "p50_ms": ordered[count // 2] * 1000,
            "p99_ms": ordered[min(count - 1, count * 99 // 100)] * 1000,
            "client": self.cpu_s / self.seconds,
            "server_us": self.server_s / count * 1e6,
            "wrong": self.wrong,
        }


def processor_s(pid: int) -> float:
    """Processor seconds that a process has used, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def closed_loop(
    target: Target, clients: int, seconds: float, most: int, requests: Iterator[bytes], pid: int
) -> Load:
    """`clients` that each wait for their answer before the next request, until time is up.

    Args:
        target: the server.
        clients: connections; all are open before the clock starts.
        seconds: of sending; requests under way are waited for.
        most: requests in all.
        requests: taken by whoever is next; when they end, so does the load.
        pid: the server's process.
    """
    load = Load()
    finished = asyncio.get_running_loop().create_future()
    open_now = clients
    clock = time.perf_counter
    end = 0.0
    left = most

    def client(connection: Connection) -> Callable[[int], None]:
        began = 0.0

        def send() -> None:
            nonlocal began, open_now, left
            request = next(requests, None) if left > 0 else None
            began = clock()
            if request is None or began >= end:
                open_now -= 1
                if not open_now and not finished.done():
                    finished.set_result(None)
                return
            left -= 1
            connection.transport.write(request)

        def done(code: int) -> None:
            if not began:
                send()
                return
            if code in (200, 201):
                load.times_s.append(clock() - began)
            else:
                load.wrong[code] = load.wrong.get(code, 0) + 1
                if not code:
                    if not finished.done():
                        finished.set_exception(connection.lost or ConnectionError("lost"))
                    return
            send()

        return done

    connections: list[Connection] = []
    for _ in range(clients):
        connection: Connection = await connect(target, lambda: Connection(lambda _code: None))
        connection.done = client(connection)
        connections.append(connection)
    cpu, used, began = time.process_time(), processor_s(pid), clock()
    end = began + seconds
    for connection in connections:
        connection.done(0)
    async with asyncio.timeout(seconds + 120):
        await finished
    load.seconds, load.cpu_s = clock() - began, time.process_time() - cpu
    load.server_s = processor_s(pid) - used
    for connection in connections:
        connection.done = lambda _code: None
        connection.transport.abort()
    return load


def pod(namespace: str, name: str, note: str = "") -> bytes:
    """A pod of usual size (1.4 kB as stored) that no scheduler of ours touches."""
    document = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"app": "web", "pod-template-hash": "7d4b8c6f5d", "tier": "front"},
            "annotations": {"note": note or "first"},
        },
        "spec": {
            "schedulerName": "nobody",
            "containers": [
                {
                    "name": "web",
                    "image": "registry.example/shop/web:1.25.3",
                    "ports": [{"name": "http", "containerPort": 8080}],
                    "env": [
                        {"name": "MODE", "value": "production"},
                        {"name": "HOST", "valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}},
                    ],
                    "resources": {
                        "requests": {"cpu": "100m", "memory": "128Mi"},
                        "limits": {"cpu": "500m", "memory": "256Mi"},
                    },
                    "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}},
                    "volumeMounts": [{"name": "cache", "mountPath": "/cache"}],
                }
            ],
            "volumes": [{"name": "cache", "emptyDir": {}}],
        },
    }
    return json.dumps(document, separators=(",", ":")).encode()
