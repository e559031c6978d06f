"""Small HTTP backends on loopback for tests of the balancer; each answers with its own name."""

import asyncio


class Backend:
    """One backend: `hold` keeps requests open until it is cleared; counts what it served."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.served = 0
        self.paths: list[str] = []
        self.release = asyncio.Event()
        self.release.set()
        self.waiting = 0
        self._server: asyncio.Server | None = None
        self._port = 0

    async def start(self, port: int = 0) -> "Backend":
        """Listens on loopback."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self._port = int(self._server.sockets[0].getsockname()[1])
        return self

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._port

    async def stop(self) -> None:
        """Stops listening; idempotent."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                while (await reader.readline()).strip():
                    pass
                self.paths.append(line.split()[1].decode())
                self.waiting += 1
                await self.release.wait()
                self.waiting -= 1
                self.served += 1
                body = self.name.encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()


async def ask(port: int, path: str = "/", host: str = "x") -> tuple[int, str]:
    """(status, body) of one request on a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        writer.write(request.encode())
        head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
        return int(head.split()[1]), body.decode()
    finally:
        writer.close()


async def eventually(condition, limit_s: float = 10.0) -> None:  # type: ignore[no-untyped-def]
    """Polls an async condition until it is true."""
    async with asyncio.timeout(limit_s):
        while not await condition():
            await asyncio.sleep(0.01)
