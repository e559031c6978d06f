"""A command's client on SPDY streams: one each for input, outputs, errors and the terminal's size.

Source: Kubernetes, remotecommand protocols `v4.channel.k8s.io` and before.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

from orchestrator.apiserver.connect import statuses
from orchestrator.apiserver.connect.channels import decode_size
from orchestrator.apiserver.connect.options import CommandOptions
from orchestrator.apiserver.connect.pipes import Pipe
from orchestrator.apiserver.connect.remotecommand import (
    ClientGone,
    Input,
    Resize,
    Stdin,
    StdinEnd,
    StreamName,
)
from orchestrator.apiserver.connect.spdy.connection import SpdyConnection, SpdyStream
from orchestrator.apiserver.connect.statuses import Status
from orchestrator.kit.aio.tasks import spawn

STREAMS_S: Final = 30.0
"""A client must have opened all of its streams by then."""
_MAX_SIZE_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class Version:
    """A version of the protocol.

    Attributes:
        name: as it is negotiated; "" when the client named none.
        documents: the error stream carries a Status document, also for success.
        sizes: there is a stream for the terminal's size.
    """

    name: str
    documents: bool
    sizes: bool


VERSIONS: Final = {
    version.name: version
    for version in (
        Version("v4.channel.k8s.io", documents=True, sizes=True),
        Version("v3.channel.k8s.io", documents=False, sizes=True),
        Version("v2.channel.k8s.io", documents=False, sizes=False),
        Version("channel.k8s.io", documents=False, sizes=False),
        Version("", documents=False, sizes=False),
    )
}
NAMES: Final = tuple(name for name in VERSIONS if name)


def expected(options: CommandOptions, version: Version) -> frozenset[str]:
    """The types of the streams that the client opens."""
    wanted = {
        "error": True,
        "stdin": options.stdin,
        "stdout": options.stdout,
        "stderr": options.stderr,
        "resize": options.tty and version.sizes,
    }
    return frozenset(name for name, is_wanted in wanted.items() if is_wanted)


class SpdyClient:
    """`remotecommand.CommandClient` on a pipe that speaks SPDY."""

    def __init__(self, pipe: Pipe, options: CommandOptions, version: Version) -> None:
        self._connection = SpdyConnection(pipe, self._opened)
        self._wanted = expected(options, version)
        self._version = version
        self._streams: dict[str, SpdyStream] = {}
        self._complete = asyncio.Event()
        self._gone = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._inputs: asyncio.Queue[Input | None] = asyncio.Queue(1)
        self._readers: list[asyncio.Task[None]] = []

    def _opened(self, stream: SpdyStream) -> bool:
        kind = stream.headers.get("streamtype", "")
        if kind not in self._wanted or kind in self._streams:
            return False
        self._streams[kind] = stream
        if len(self._streams) == len(self._wanted):
            self._complete.set()
        return True

    async def greet(self) -> None:
        """Waits for the client's streams.

        Raises:
            ClientGone: they did not come in time.
        """
        self._running = spawn(self._run(), name="connect.spdy")
        try:
            async with asyncio.timeout(STREAMS_S):
                await self._complete.wait()
        except TimeoutError as error:
            raise ClientGone from error
        if len(self._streams) < len(self._wanted):
            raise ClientGone
        if "stdin" in self._streams:
            self._readers.append(spawn(self._read_stdin(), name="connect.stdin"))
        if "resize" in self._streams:
            self._readers.append(spawn(self._read_sizes(), name="connect.resize"))

    async def _run(self) -> None:
        await self._connection.run()
        self._gone.set()
        self._complete.set()
        await self._inputs.put(None)

    async def _read_stdin(self) -> None:
        stream = self._streams["stdin"]
        try:
            while data := await stream.read():
                await self._inputs.put(Stdin(data))
            await self._inputs.put(StdinEnd())
        except ClientGone:
            await self._inputs.put(None)

    async def _read_sizes(self) -> None:
        stream, rest = self._streams["resize"], b""
        try:
            while data := await stream.read():
                *lines, rest = (rest + data).replace(b"}", b"}\n").split(b"\n")
                if len(rest) > _MAX_SIZE_BYTES:
                    return
                for size in map(decode_size, lines):
                    if size is not None:
                        await self._inputs.put(Resize(*size))
        except ClientGone:
            return

    async def receive(self) -> Input:
        """See `CommandClient`."""
        found = await self._inputs.get()
        if found is None:
            raise ClientGone
        return found

    async def send(self, stream: StreamName, data: bytes) -> None:
        """See `CommandClient`."""
        found = self._streams.get(stream)
        if found is not None:
            await found.write(data)

    async def wait_gone(self) -> None:
        """See `CommandClient`."""
        await self._gone.wait()

    async def finish(self, status: Status) -> None:
        """See `CommandClient`."""
        said = statuses.encoded(status, documents=self._version.documents)
        if said:
            await self._streams["error"].write(said)
        for stream in self._streams.values():
            await stream.write_eof()

    async def close(self) -> None:
        """Closes the connection, and ends the tasks on it; idempotent."""
        await self._connection.close()
        tasks = [*self._readers, *([self._running] if self._running else [])]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
