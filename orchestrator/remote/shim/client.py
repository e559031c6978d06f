"""`seams.Shim`: calls to the shim on one host, and its events, over one stream.

One task reads; calls wait for their answer by request id. A cancelled call tells the shim, which
drops the work. Nothing is sent again after a break: the connection as a whole is replaced.
"""

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from agentshim import wire
from orchestrator.kit.aio.tasks import spawn
from orchestrator.kit.errors import ChannelLost, RemoteError, ShimError
from orchestrator.remote.dialer import SocketStream

_RETRYABLE: Final = frozenset({"busy", "engine", "cancelled", "failed"})

_EARLY_EVENTS: Final = 4096
"""Events kept for the first subscriber: more than a replay can be."""

Event = dict[str, Any]
Listener = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Memory:
    """How far a client had read; given to the next one, so that it misses nothing."""

    epoch: str = ""
    seq: int = 0


class ShimClient:
    """One attached client. Make it with `attach`.

    Attributes:
        hello: the shim's answer to the hand-shake.
        last_heard_s: loop time of the last frame of any kind.
    """

    def __init__(self, stream: SocketStream, node: str) -> None:
        self._stream = stream
        self._node = node
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Event]] = {}
        self._listeners: list[Listener] = []
        self._early: list[Event] = []
        self._seq = 0
        self._epoch_before = ""
        self._lost: RemoteError | None = None
        self._gone = asyncio.Event()
        self.hello: dict[str, Any] = {}
        self.last_heard_s = asyncio.get_running_loop().time()
        self._reader = spawn(self._read(), name=f"shim {node}")

    @classmethod
    async def attach(
        cls, stream: SocketStream, *, node: str, digest: str, memory: Memory | None = None
    ) -> "ShimClient":
        """Shakes hands on an open stream. Events are kept until the first `subscribe`.

        Args:
            stream: connected to the shim's socket; closed with the client.
            node: the host's name, for errors.
            digest: hash of the zip that we have.
            memory: of the client before, if there was one.

        Raises:
            ShimError: another protocol.
            ChannelLost: the stream broke.
        """
        client = cls(stream, node)
        memory = memory or Memory()
        client._seq, client._epoch_before = memory.seq, memory.epoch
        try:
            await client.call(
                "hello",
                {
                    "protocol": wire.PROTOCOL,
                    "hash": digest,
                    "epoch": memory.epoch,
                    "after_seq": memory.seq,
                },
            )
        except BaseException:
            await client.close()
            raise
        return client

    @property
    def memory(self) -> Memory:
        """What to give to the next client of this host."""
        return Memory(str(self.hello.get("epoch", "")), self._seq)

    @property
    def files_root(self) -> str:
        """Absolute path of the folder on the host below which the shim writes files."""
        return str(self.hello.get("files_root", ""))

    async def call(self, operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Calls one operation and returns its result.

        Raises:
            ShimError: the shim's typed error.
            ChannelLost: the stream is gone; whether the operation was done is unknown.
        """
        request_id = next(self._ids)
        try:
            frame = wire.encode({"id": request_id, "op": operation, "payload": dict(payload)})
        except wire.FrameError as error:
            raise self._error("too_large", str(error), operation) from error
        answer: asyncio.Future[Event] = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = answer
        try:
            if self._lost is not None:
                raise self._again(operation)
            await self._stream.write(frame)
            message = await answer
        except asyncio.CancelledError:
            if self._lost is None:
                with contextlib.suppress(ChannelLost):
                    self._stream.write_nowait(wire.encode({"id": request_id, "cancel": True}))
            raise
        finally:
            self._waiting.pop(request_id, None)
            answer.cancel()
        refused = message.get("error")
        if refused is not None:
            raise self._error(str(refused.get("code")), str(refused.get("message")), operation)
        result = message.get("result")
        return result if isinstance(result, dict) else {}

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Calls `listener` for every event, those before the first subscription included."""
        self._listeners.append(listener)
        early, self._early = self._early, []
        for event in early:
            listener(event)

        def end() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return end

    async def wait_gone(self) -> str:
        """Returns the reason once the stream is gone."""
        await self._gone.wait()
        return str(self._lost)

    async def close(self) -> None:
        """Closes the channel; the shim itself goes on. Idempotent."""
        self._end(ChannelLost("the shim's channel was closed", node=self._node))
        self._reader.cancel()
        await self._stream.close()

    async def _read(self) -> None:
        decoder = wire.Decoder()
        loop = asyncio.get_running_loop()
        try:
            while data := await self._stream.read():
                self.last_heard_s = loop.time()
                for message in decoder.feed(data):
                    self._take(message)
            self._end(ChannelLost("the shim closed its channel", node=self._node))
        except wire.FrameError as error:
            self._end(ChannelLost(f"the shim sends nonsense: {error}", node=self._node))
        except RemoteError as error:
            self._end(error)

    def _take(self, message: Event) -> None:
        if "event" in message:
            if message["event"] != "heartbeat":
                self._seq = int(message.get("seq", 0))
            if not self._listeners:
                self._early.append(message)
                del self._early[:-_EARLY_EVENTS]
            for listener in list(self._listeners):
                listener(message)
            return
        answer = self._waiting.get(int(message.get("id", 0)))
        if not self.hello and "result" in message:
            # The first answer; what was missed follows at once, maybe in the same read.
            self.hello = dict(message["result"])
            if self.hello.get("epoch") != self._epoch_before:
                self._seq = 0
        if answer is not None and not answer.done():
            answer.set_result(message)

    def _end(self, reason: RemoteError) -> None:
        if self._lost is None:
            self._lost = reason
            self._gone.set()
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(self._again("call the shim"))

    def _again(self, operation: str) -> ChannelLost:
        return ChannelLost(f"{operation}: {self._lost}", node=self._node, operation=operation)

    def _error(self, code: str, message: str, operation: str) -> ShimError:
        error = ShimError(message, node=self._node, operation=operation, code=code)
        error.retryable = code in _RETRYABLE
        return error
