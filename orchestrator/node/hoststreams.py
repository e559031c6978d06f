"""`streams.PodStreams` of one host: finds a pod's containers there and opens what is asked for."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import cast

from orchestrator.api.types.pod import Pod
from orchestrator.kit.errors import RemoteError, Unreachable
from orchestrator.node import logs, running
from orchestrator.node.attached import WholeSession
from orchestrator.node.observed import Seen
from orchestrator.node.podstate import PodState
from orchestrator.node.streams import LogQuery
from orchestrator.node.worker import PodWorker
from orchestrator.remote.seams import ByteStream, ExecSession
from orchestrator.store.objects import StoredObject

WorkerOf = Callable[[str], PodWorker | None]


class SessionStreams:
    """See the module.

    Args:
        node: its name.
        worker: finds a pod's worker by uid.
    """

    def __init__(self, node: str, worker: WorkerOf) -> None:
        self._node = node
        self._worker = worker

    async def logs(
        self, pod: StoredObject, container: str, query: LogQuery
    ) -> AsyncIterator[bytes]:
        """Yields a container's log; see `streams.PodStreams`."""
        state = self._state(pod, "read a log")
        item, options = logs.choose(
            state.containers.values(), state.memory, pod.key.name, container, query
        )
        frames = state.context.engine.logs(item.info.id, options)
        try:
            async for frame in frames:
                yield frame.data
        finally:
            await frames.aclose()

    def require_running(self, pod: StoredObject, container: str) -> None:
        """Refuses a container that does not run; see `streams.PodStreams`."""
        _running(self._state(pod, "exec"), container)

    async def exec(
        self,
        pod: StoredObject,
        container: str,
        command: Sequence[str],
        *,
        stdin: bool,
        tty: bool,
        size: tuple[int, int] | None = None,
    ) -> ExecSession:
        """Starts a command; see `streams.PodStreams`."""
        state = self._state(pod, "exec")
        item = _running(state, container)
        engine = state.context.engine
        call = engine.exec(item.info.id, command, stdin=stdin, tty=tty, size=size)
        session: ExecSession = await state.context.call(call)
        if size is not None:
            try:
                with contextlib.suppress(RemoteError):  # it may have ended already
                    await state.context.call(session.resize(*size))
            except BaseException:
                await session.close()
                raise
        return session

    async def attach(
        self, pod: StoredObject, container: str, *, stdin: bool
    ) -> tuple[ExecSession, bool]:
        """A container's first process; see `streams.PodStreams`."""
        state = self._state(pod, "attach")
        item = _running(state, container)
        tty = item.info.tty
        once = running.stdin_once(pod.doc, container)
        # the client that a container was made for must not miss how it began
        earlier = item.info.id not in state.memory.attached and running.made_for_a_client(
            pod.doc, container, item, state.context.clock.wall()
        )
        session: ExecSession = await state.context.call(
            state.context.engine.attach(
                item.info.id, stdin=stdin, tty=tty, once=once, earlier=earlier
            )
        )
        state.memory.attached |= {item.info.id}
        if earlier:
            session = WholeSession(session, state.context.engine, item.info.id)
        try:
            # the engine attaches to what has just ended as well, and then waits for its next start
            await state.look(item.info.id)
            _running(state, container)
        except BaseException:
            await session.close()
            raise
        return session, tty

    async def open_port(self, pod: StoredObject, port: int) -> ByteStream:
        """Connects to a port of the pod; see `streams.PodStreams`."""
        state = self._state(pod, "forward a port")
        context = state.context
        found = running.port_targets(cast("Pod", pod.view), state.containers.values(), port)
        refused: RemoteError = Unreachable("nothing to dial", node=self._node)
        for host, number in found:
            opening: Awaitable[ByteStream] = context.host.transport.open_tcp(host, number)
            try:
                return await context.call(opening)
            except Unreachable as error:
                refused = error
        raise refused

    def _state(self, pod: StoredObject, operation: str) -> PodState:
        worker = self._worker(pod.uid)
        if worker is None:
            words = f"pod {pod.key.name} is not on the host yet, or no longer"
            raise Unreachable(words, node=self._node, operation=operation)
        return worker.state


def _running(state: PodState, container: str) -> Seen:
    return running.running_container(state.containers.values(), state.memory, container)
