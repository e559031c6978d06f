"""Copies between a client's streams and TCP ports of a pod. Knows of no transport.

Source: Kubernetes, `portforward.k8s.io`; the sentence for errors is kubelet's.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from orchestrator.apiserver.connect.remotecommand import ClientGone, Idle
from orchestrator.kit.aio.tasks import spawn
from orchestrator.kit.errors import ApiError, RemoteError
from orchestrator.remote.seams import ByteStream

_log: Final = structlog.get_logger("apiserver.forward")


@dataclass(frozen=True, slots=True)
class Target:
    """A pod whose ports are forwarded.

    Attributes:
        name: NAME_NAMESPACE, as kubelet names pods.
        uid: of the pod.
        open: connects to one of its ports.
        idle: what ends a forwarding that nobody uses.
    """

    name: str
    uid: str
    open: Callable[[int], Awaitable[ByteStream]]
    idle: Idle

    def explain(self, port: int, error: ApiError | RemoteError) -> str:
        """Why a port could not be forwarded."""
        return f"error forwarding port {port} to pod {self.name}, uid {self.uid}: {error.message}"


class Duplex(Protocol):
    """The client's end of one connection. Every call may raise ClientGone."""

    async def read(self) -> bytes:
        """At least one byte; b"" at the end."""
        ...

    async def write(self, data: bytes) -> None:
        """Writes, once there is room."""
        ...


async def copy_both(
    client: Duplex, backend: ByteStream, idle: Idle, ended: Callable[[], Awaitable[None]]
) -> None:
    """Copies until both sides have ended, or one is broken or gone; closes the backend.

    `ended` is called once the backend will write no more: the client waits for that, and not all
    clients end their side before they know.
    """

    async def down() -> None:
        while data := await backend.read():
            idle.touch()
            await client.write(data)
            await asyncio.sleep(0)  # others' turn: neither end need ever wait while data is there
        await ended()

    async def up() -> None:
        while data := await client.read():
            idle.touch()
            await backend.write(data)
            await asyncio.sleep(0)
        await backend.write_eof()

    tasks = [spawn(down(), name="forward.down"), spawn(up(), name="forward.up")]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await backend.close()
    for task in tasks:
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, (ClientGone, RemoteError)):
            raise error
        if error is not None:
            _log.debug("forward.cut", error=f"{type(error).__name__}: {error}")
