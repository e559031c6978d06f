"""Small HTTP backends on loopback for tests of the balancer, and clients that count losses."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

ANSWER_S = 8.0
"""Longest wait for one answer; what takes longer is lost."""


class Backend:
    """One backend: `release` keeps requests open while it is cleared; counts what it served."""

    def __init__(self, name: str, port: int = 0) -> None:
        self.name = name
        self.served = 0
        self.paths: list[str] = []
        self.release = asyncio.Event()
        self.release.set()
        self.waiting = 0
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._port = port

    async def start(self) -> "Backend":
        """Listens on loopback."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)
        self._port = int(self._server.sockets[0].getsockname()[1])
        return self

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._port

    async def stop(self) -> None:
        """Ends like a killed process: listener and connections at once; idempotent."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        tasks = dict(self._connections)
        for task, writer in tasks.items():
            writer.transport.abort()
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # a task of our own: one that asyncio's server started cannot be ended without noise
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._connections[task] = writer
        task.add_done_callback(self._connections.pop)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                headers = await _headers(reader)
                await reader.readexactly(int(headers.get("content-length", "0")))
                self.paths.append(line.split()[1].decode())
                self.waiting += 1
                try:
                    await self.release.wait()
                finally:
                    self.waiting -= 1
                self.served += 1
                body = self.name.encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
                await writer.drain()
                if headers.get("connection") == "close":
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the other side went away, as health checks do
        finally:
            writer.close()


class Client:
    """An HTTP client that opens a connection when it has none that is kept alive."""

    def __init__(self, port: int, *, keep: bool) -> None:
        self._port = port
        self._keep = keep
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, path: str = "/", host: str = "x", method: str = "GET") -> tuple[int, str]:
        """(status, body) of one request.

        Raises:
            OSError: the connection fails, or no answer comes in time (TimeoutError).
            asyncio.IncompleteReadError: the connection ends within the answer.
        """
        try:
            async with asyncio.timeout(ANSWER_S):
                return await self._ask(path, host, method)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Closes its connection; idempotent."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _ask(self, path: str, host: str, method: str) -> tuple[int, str]:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        content = b"data" if method == "POST" else b""
        head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(content)}\r\n"
        connection = "" if self._keep else "Connection: close\r\n"
        writer.write(f"{head}{connection}\r\n".encode() + content)
        status = int((await reader.readuntil(b"\r\n")).split()[1])
        headers = await _headers(reader)
        body = await reader.readexactly(int(headers["content-length"]))
        if not self._keep or headers.get("connection") == "close":
            self.close()
        return status, body.decode()


@dataclass
class Load:
    """Clients that ask without a pause until told to stop; used as an async context.

    Attributes:
        port: where they ask.
        path: what they ask for.
        answers: bodies of answers with status 200.
        failures: everything else.
    """

    port: int
    path: str = "/web/"
    answers: list[str] = field(default_factory=list)
    failures: list[object] = field(default_factory=list)

    async def __aenter__(self) -> "Load":
        self._going = True
        kinds = [(keep, method) for keep in (True, False) for method in ("GET", "POST")]
        self._tasks = [asyncio.ensure_future(self._run(*kind)) for kind in kinds * 2]
        await eventually(lambda: len(self.answers) >= len(self._tasks))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._going = False
        await asyncio.wait(self._tasks)
        self.failures += [e for t in self._tasks if (e := t.exception())]

    async def answered_by(self, *names: str) -> None:
        """Waits until each of those names has answered from now on."""
        seen = len(self.answers)
        await eventually(lambda: set(names) <= set(self.answers[seen:]))

    async def _run(self, keep: bool, method: str) -> None:
        client = Client(self.port, keep=keep)
        while self._going:
            try:
                status, body = await client.ask(self.path, method=method)
            except (OSError, asyncio.IncompleteReadError) as error:
                self.failures.append((keep, method, error))
                continue
            if status == 200:
                self.answers.append(body)
            else:
                self.failures.append((keep, method, status, body))
        client.close()


async def ask(port: int, path: str = "/", host: str = "x") -> tuple[int, str]:
    """(status, body) of one request on a connection of its own."""
    return await Client(port, keep=False).ask(path, host)


async def eventually(
    condition: Callable[[], bool | Awaitable[bool]], limit_s: float = 10.0
) -> None:
    """Polls a condition until it is true."""
    async with asyncio.timeout(limit_s):
        while True:
            value = condition()
            if value if isinstance(value, bool) else await value:
                return
            await asyncio.sleep(0.01)


async def _headers(reader: asyncio.StreamReader) -> dict[str, str]:
    """Headers up to the empty line, names in lower case."""
    found: dict[str, str] = {}
    while line := (await reader.readuntil(b"\r\n")).strip():
        name, _, value = line.decode().partition(":")
        found[name.lower()] = value.strip()
    return found
