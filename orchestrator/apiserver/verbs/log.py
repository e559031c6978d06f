"""GET pods/NAME/log: a container's log as text, streamed from the pod's host.

What is wrong is said before the first byte, as a Status. Source: Kubernetes API, `pods/log`;
core/v1 PodLogOptions.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any, Final

from orchestrator.apiserver.answers import send_part, start_stream
from orchestrator.apiserver.paths import ObjectPath
from orchestrator.apiserver.request import Query, Request
from orchestrator.apiserver.services import Services
from orchestrator.apiserver.streams import hang_up
from orchestrator.apiserver.verbs.read import key_of
from orchestrator.kit.aio.tasks import spawn
from orchestrator.kit.clock import parse_rfc3339
from orchestrator.kit.errors import BadRequest, Cause, Invalid, OrchError
from orchestrator.node.streams import LogQuery
from orchestrator.store.objects import Document

HEAD_WAIT_S: Final = 0.5
"""How long a followed log without a line yet holds the answer's head back for errors."""
_READ_AHEAD: Final = 16
_LISTS: Final = (
    ("containers", "containerStatuses"),
    ("initContainers", "initContainerStatuses"),
    ("ephemeralContainers", "ephemeralContainerStatuses"),
)
_WAITING: Final = {
    "ErrImagePull": "image can't be pulled",
    "ImagePullBackOff": "trying and failing to pull image",
}


async def open_log(services: Services, request: Request, path: ObjectPath) -> "LogStream":
    """The log of one container of a pod.

    Raises:
        NotFound: no such pod.
        BadRequest: no such container, none chosen of several, or it has no log yet.
        RemoteError: there is no session with the pod's host.
    """
    pod = services.registry.get(key_of(path))
    query = request.query
    container = choose_container(pod.doc, query.text("container"))
    log_query, limit = read_log_query(query, services.clock.wall())
    node = (pod.doc.get("spec") or {}).get("nodeName")
    if not node:
        raise BadRequest(f"pod {path.name} does not have a host assigned")
    require_log(pod.doc, container, previous=log_query.previous)
    chunks = services.pod_streams.streams(node).logs(pod, container, log_query)
    return LogStream(services, chunks, log_query.follow, limit)


class LogStream:
    """A log on its way from a host to a client."""

    def __init__(
        self,
        services: Services,
        chunks: AsyncIterator[bytes],
        follow: bool,
        limit_bytes: int | None,
    ) -> None:
        self._services = services
        self._feed = _Feed(chunks)
        self._follow = follow
        self._room = limit_bytes

    async def run(self, request: Request) -> None:
        """Sends the log; ends when it ends, the client leaves, or the server stops.

        Raises:
            OrchError: the log cannot be read; a Status if nothing was sent yet, else a cut.
        """
        feed = self._feed
        streams = self._services.open_streams
        async with AsyncExitStack() as stack:
            stack.enter_context(streams.entered("CONNECT", "pods/log", feed.end))
            reader = spawn(feed.run(), name="apiserver.log")
            stack.push_async_callback(_finished, reader)
            await stack.enter_async_context(hang_up(request, feed.end))
            await feed.wait_first(HEAD_WAIT_S if self._follow else None)
            await start_stream(request, "text/plain")
            while (chunk := await feed.next()) is not None:
                if self._room is not None:
                    chunk = chunk[: self._room]
                    self._room -= len(chunk)
                await send_part(request, chunk)
                if self._room == 0:
                    break
        await send_part(request, b"", more=False)


class _Feed:
    """Reads ahead in a task of its own, so that waiting for a piece can time out or be ended."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(_READ_AHEAD)
        self._changed = asyncio.Event()
        self._error: OrchError | None = None
        self._began = False

    async def run(self) -> None:
        """Reads until the log's end."""
        try:
            async for chunk in self._chunks:
                if chunk:
                    self._began = True
                    await self._queue.put(chunk)
                    self._changed.set()
        except OrchError as error:
            self._error = error
        finally:
            close: Any = getattr(self._chunks, "aclose", None)
            if close is not None:
                await close()
        self._changed.set()
        await self._queue.put(None)

    def end(self) -> None:
        """Makes `next` return None at once."""
        while not self._queue.empty():
            self._queue.get_nowait()
        self._queue.put_nowait(None)
        self._changed.set()

    async def wait_first(self, at_most_s: float | None) -> None:
        """Waits for the first piece, the end, or an error, which it raises."""
        try:
            async with asyncio.timeout(at_most_s):
                await self._changed.wait()
        except TimeoutError:
            return
        if self._error is not None and not self._began:
            raise self._error

    async def next(self) -> bytes | None:
        """The next piece; None at the end.

        Raises:
            OrchError: what ended the log before its time.
        """
        chunk = await self._queue.get()
        if chunk is None and self._error is not None:
            raise self._error
        return chunk


async def _finished(reader: "asyncio.Task[None]") -> None:
    reader.cancel()
    await asyncio.wait([reader])


def choose_container(pod: Document, wanted: str) -> str:
    """The container to read: the one asked for, else the only one.

    Raises:
        BadRequest: there is no such container, or none was chosen of several.
    """
    spec = pod.get("spec") or {}
    name = pod["metadata"]["name"]
    names = {field: [c["name"] for c in spec.get(field) or ()] for field, _ in _LISTS}
    if wanted:
        if not any(wanted in each for each in names.values()):
            raise BadRequest(f"container {wanted} is not valid for pod {name}")
        return wanted
    apps, init = names["containers"], names["initContainers"]
    if len(apps) == 1:
        return str(apps[0])
    or_init = f" or one of the init containers: [{' '.join(init)}]" if init else ""
    raise BadRequest(
        f"a container name must be specified for pod {name}, choose one of: [{' '.join(apps)}]"
        f"{or_init}"
    )


def require_log(pod: Document, container: str, *, previous: bool) -> None:
    """Refuses a container that has no log to read yet.

    Raises:
        BadRequest: it has not started, or not yet a second time.
    """
    name = pod["metadata"]["name"]
    who = f'container "{container}" in pod "{name}"'
    status = _status_of(pod, container)
    state = status.get("state") or {}
    ended_before = (status.get("lastState") or {}).get("terminated")
    if previous:
        if not ended_before:
            raise BadRequest(f"previous terminated {who} not found")
        return
    if "running" in state or "terminated" in state or ended_before:
        return
    reason = (state.get("waiting") or {}).get("reason") or "ContainerCreating"
    raise BadRequest(f"{who} is waiting to start: {_WAITING.get(reason, reason)}")


def read_log_query(query: Query, now_s: float) -> tuple[LogQuery, int | None]:
    """What to read, and after how many bytes to stop (None: never).

    Raises:
        BadRequest: a value that cannot be read.
        Invalid: a value out of range, or two that exclude one another.
    """
    tail = query.number("tailLines")
    limit = query.number("limitBytes")
    seconds = query.number("sinceSeconds")
    since_time = query.text("sinceTime")
    if tail is not None and tail < 0:
        raise _invalid("tailLines", f"Invalid value: {tail}: must be greater than or equal to 0")
    if limit is not None and limit < 1:
        raise _invalid("limitBytes", f"Invalid value: {limit}: must be greater than 0")
    if seconds is not None and seconds < 1:
        raise _invalid("sinceSeconds", f"Invalid value: {seconds}: must be greater than 0")
    if seconds is not None and since_time:
        raise _invalid(
            "", "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified"
        )
    since_s = now_s - seconds if seconds is not None else None
    if since_time:
        try:
            since_s = parse_rfc3339(since_time)
        except ValueError as error:
            raise BadRequest(f"sinceTime: {since_time!r} is no RFC 3339 time") from error
    found = LogQuery(
        follow=query.flag("follow"),
        previous=query.flag("previous"),
        tail=tail,
        since_s=since_s,
        timestamps=query.flag("timestamps"),
    )
    return found, limit


def _status_of(pod: Document, container: str) -> Document:
    status = pod.get("status") or {}
    for _, field in _LISTS:
        for each in status.get(field) or ():
            if each.get("name") == container:
                found: Document = each
                return found
    return {}


def _invalid(field: str, message: str) -> Invalid:
    place = f"{field}: " if field else ""
    reason = "FieldValueForbidden" if message.startswith("Forbidden") else "FieldValueInvalid"
    return Invalid(
        f'PodLogOptions "" is invalid: {place}{message}',
        kind="PodLogOptions",
        causes=(Cause(reason, message, field),),
    )
