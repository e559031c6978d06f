"""What the API server is held against: the same bytes with nothing behind them, on loopback.

    api_peers.py bare STATE_DIR FOLDER
        an ASGI application under the same uvicorn, with TLS: GET of /NAME answers FOLDER/NAME, POST
        reads and answers FOLDER/get
    api_peers.py echo STATE_DIR FOLDER
        no HTTP at all: every piece that arrives is answered with FOLDER/get; shows what the load
        generator could do

Prints "listening PORT" and serves until SIGTERM.
"""

import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

import uvloop

from orchestrator.apiserver.ports import bind
from orchestrator.apiserver.serve import serve
from orchestrator.apiserver.settings import ApiServerSettings
from orchestrator.credentials.ensure import paths_in, server_ssl_context
from orchestrator.kit.aio.logging import configure_logging


class Bare:
    """Answers the same bytes each time."""

    def __init__(self, folder: Path) -> None:
        self._bodies = {
            f"/{path.name}": (path.read_bytes(), str(path.stat().st_size).encode())
            for path in folder.iterdir()
        }

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for step in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{step}.complete"})
            return
        status, path = 200, scope["path"]
        if scope["method"] == "POST":
            status, path = 201, "/get"
            while (await receive()).get("more_body"):
                pass
        body, length = self._bodies[path]
        headers = [(b"content-type", b"application/json"), (b"content-length", length)]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})


class Echo(asyncio.Protocol):
    """Answers each piece with one and the same."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(self._answer)


def said(port: int) -> None:
    print(f"listening {port}", flush=True)


async def main(what: str, state_dir: Path, folder: Path) -> None:
    configure_logging("warning")  # what is printed is for the benchmark
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    tls = server_ssl_context(paths_in(state_dir))
    if what == "bare":
        settings = ApiServerSettings(host="127.0.0.1", port=0)
        await serve(
            Bare(folder), settings, stop, tls=tls, end_streams=lambda: None,
            on_listening=lambda _host, port: said(port),
        )  # fmt: skip
        return
    body = (folder / "get").read_bytes()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
    answer = head.encode() + b"\r\n\r\n" + body
    sock = bind("127.0.0.1", 0)
    server = await loop.create_server(lambda: Echo(answer), sock=sock, ssl=tls)
    said(sock.getsockname()[1])
    await stop.wait()
    server.close()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])))
