"""Port-forwarding on SPDY: a stream for data and one for errors for each connection.

Source: Kubernetes, `portforward.k8s.io`: headers streamtype, port, requestid.
"""

import asyncio
from typing import Final

from orchestrator.apiserver.connect.forwarding import Target, copy_both
from orchestrator.apiserver.connect.pipes import Pipe
from orchestrator.apiserver.connect.remotecommand import ClientGone
from orchestrator.apiserver.connect.spdy.connection import SpdyConnection, SpdyStream
from orchestrator.kit.aio.tasks import spawn
from orchestrator.kit.errors import ApiError, RemoteError

PROTOCOL: Final = "portforward.k8s.io"
PAIR_S: Final = 30.0
"""Both streams of a connection must be open by then."""
_KINDS: Final = frozenset({"data", "error"})


class SpdyForwarding:
    """See the module. `run` serves until the client is gone."""

    def __init__(self, pipe: Pipe, target: Target) -> None:
        self._connection = SpdyConnection(pipe, self._opened)
        self._target = target
        self._waiting: dict[str, _Pair] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Serves until the client is gone; cancel it to end it sooner."""
        try:
            await self._connection.run()
        finally:
            await self._connection.close()
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)

    def _opened(self, stream: SpdyStream) -> bool:
        kind, port = stream.headers.get("streamtype", ""), stream.headers.get("port", "")
        if kind not in _KINDS or not port.isdecimal() or not 0 < int(port[:6]) < 65536:
            return False
        # a client without request ids opens the error stream and then, two on, the data stream
        number = stream.number - 2 if kind == "data" else stream.number
        request = stream.headers.get("requestid") or f"#{number}"
        pair = self._waiting.get(request)
        if pair is None:
            pair = self._waiting[request] = _Pair(int(port[:6]))
            task = spawn(self._serve(request, pair), name="forward.pair")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return pair.add(kind, stream)

    async def _serve(self, request: str, pair: "_Pair") -> None:
        try:
            try:
                async with asyncio.timeout(PAIR_S):
                    await pair.complete.wait()
            finally:
                del self._waiting[request]
            await self._forward(pair.port, pair.streams["data"], pair.streams["error"])
        except (TimeoutError, ClientGone):
            return
        finally:
            try:
                for stream in pair.streams.values():
                    await stream.finish()
            except ClientGone:
                pass

    async def _forward(self, port: int, data: SpdyStream, errors: SpdyStream) -> None:
        try:
            backend = await self._target.open(port)
        except (ApiError, RemoteError) as error:
            await errors.write(self._target.explain(port, error).encode())
            return

        async def ended() -> None:
            await data.write_eof()
            await errors.write_eof()

        await copy_both(data, backend, self._target.idle, ended)


class _Pair:
    """The two streams of one connection."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.streams: dict[str, SpdyStream] = {}
        self.complete = asyncio.Event()

    def add(self, kind: str, stream: SpdyStream) -> bool:
        """Takes a stream; False when it has one of that kind."""
        if kind in self.streams:
            return False
        self.streams[kind] = stream
        if len(self.streams) == len(_KINDS):
            self.complete.set()
        return True
