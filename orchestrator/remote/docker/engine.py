"""`seams.Engine` on a real Docker Engine: what each call is called in its API.

The bytes are `http.py`'s matter, their meaning `parse.py`'s. The same class drives an engine
through SSH and one on a local socket: only the dialer differs.

Source: Docker Engine API 1.40 to 1.47.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from itertools import repeat
from typing import Any, Final, Never
from urllib.parse import quote

import msgspec

from orchestrator.kit.errors import ChannelLost, EngineError
from orchestrator.remote.dialer import Dialer
from orchestrator.remote.docker import parse
from orchestrator.remote.docker.frames import Demultiplexer
from orchestrator.remote.docker.hijack import HijackedSession, hijack
from orchestrator.remote.docker.http import POOL_LIMIT, EngineHttp, lines
from orchestrator.remote.docker.references import auth_header, split_reference
from orchestrator.remote.seams import (
    SUBSCRIBED,
    ContainerInfo,
    EngineEvent,
    EngineInfo,
    ExecSession,
    ImageInfo,
    LogOptions,
    OutputFrame,
    RegistryAuth,
    VolumeInfo,
)

_INSPECTS_AT_ONCE = 8


_NO_DETACH_KEYS: Final = "ctrl-^,ctrl-_,ctrl-^,ctrl-_,ctrl-^,ctrl-@"
"""Nobody types this. The engine's default is ctrl-p ctrl-q: it holds every ctrl-p back."""


class DockerEngine:
    """One Docker Engine; implements `seams.Engine`.

    Args:
        dialer: opens its socket.
        socket_path: where the socket is, as the dialer sees it.
        node: the host's name, for errors.
        connections: at most so many at once, but for exec and attach; further calls wait.
    """

    def __init__(
        self,
        dialer: Dialer,
        socket_path: str = "/var/run/docker.sock",
        node: str = "",
        *,
        connections: int = POOL_LIMIT,
    ) -> None:
        self._http = EngineHttp(dialer, socket_path, node, connections)
        self._inspects = asyncio.Semaphore(_INSPECTS_AT_ONCE)

    # ---- the engine itself

    async def ping(self) -> None:
        """Returns when the engine answers."""
        await self._http.call("GET", "/_ping", "ping")

    async def info(self) -> EngineInfo:
        """Facts of the engine and its host."""
        version = await self._http.version()
        info = await self._http.call("GET", "/info", "ask for facts", expect=parse.InfoDoc)
        return parse.to_info(info, version)

    async def close(self) -> None:
        """Closes pooled channels; idempotent."""
        await self._http.close()

    # ---- images

    async def images(self) -> tuple[ImageInfo, ...]:
        """All tagged images on the host (their `user` is not known here)."""
        found = await self._http.call(
            "GET", "/images/json", "list images", expect=list[parse.ImageDoc]
        )
        images = (parse.to_image(doc) for doc in found)
        return tuple(image for image in images if image.repo_tags)

    async def image(self, reference: str) -> ImageInfo | None:
        """One image, or None when the host does not have it."""
        found = await self._http.call(
            "GET",
            f"/images/{quote(reference)}/json",
            f"inspect image {reference}",
            expect=parse.ImageDoc,
            ignore=frozenset({404}),
        )
        return None if found is None else parse.to_image(found)

    async def pull(self, reference: str, auth: RegistryAuth | None = None) -> None:
        """Pulls an image.

        Raises:
            EngineError: with the registry's words; status 404 no such image, 401 or 403 not
                allowed, 400 not a reference, else 500 (try again).
        """
        repository, tag = split_reference(reference)
        operation = f"pull {reference}"
        headers = {} if auth is None else {"X-Registry-Auth": auth_header(auth)}
        query = {"fromImage": repository, "tag": tag}
        async with self._http.stream(
            "POST", "/images/create", operation, query=query, headers=headers
        ) as pieces:
            async for line in lines(pieces):
                self._check_progress(line, operation)

    async def import_image(self, tar: bytes, reference: str, command: Sequence[str]) -> None:
        """Makes an image of one layer from a tar archive of its files."""
        repository, tag = split_reference(reference)
        words = ", ".join(f'"{word}"' for word in command)
        await self._http.call(
            "POST",
            "/images/create",
            f"import image {reference}",
            query={
                "fromSrc": "-",
                "repo": repository,
                "tag": tag,
                "changes": f"ENTRYPOINT [{words}]",
            },
            body=tar,
        )

    def _check_progress(self, line: bytes, operation: str) -> None:
        try:
            progress = parse.decode(line, parse.PullLine)
        except msgspec.MsgspecError:
            return  # progress bars of some engines are not always whole lines; errors are
        words = progress.error or (progress.error_detail.message if progress.error_detail else "")
        if words:
            raise EngineError(
                words, node=self._http.node, operation=operation, status=_pull_status(words)
            )

    # ---- containers

    async def create_container(self, name: str, body: Mapping[str, Any]) -> str:
        """Creates a container; returns its id. EngineError 409: the name is taken."""
        created = await self._http.call(
            "POST",
            "/containers/create",
            f"create container {name}",
            query={"name": name} if name else None,
            body=body,
            expect=parse.IdDoc,
        )
        return str(created.id)

    async def start_container(self, container_id: str) -> None:
        """Starts it; starting a running container is no error."""
        await self._post(container_id, "start", {})

    async def stop_container(self, container_id: str, grace_s: int) -> None:
        """TERM (or the image's stop signal), then KILL after `grace_s`; returns when it ended."""
        await self._post(container_id, "stop", {"t": str(grace_s)})

    async def kill_container(self, container_id: str, signal: str = "KILL") -> None:
        """Sends a signal; killing one that does not run is no error."""
        await self._post(container_id, "kill", {"signal": signal}, ignore=frozenset({409}))

    async def restart_container(self, container_id: str, grace_s: int) -> None:
        """Stops and starts the same container."""
        await self._post(container_id, "restart", {"t": str(grace_s)})

    async def rename_container(self, container_id: str, name: str) -> None:
        """Gives it another name."""
        await self._post(container_id, "rename", {"name": name})

    async def remove_container(self, container_id: str, *, force: bool = True) -> None:
        """Removes it with its anonymous volumes; returns when it is gone."""
        path = f"/containers/{quote(container_id)}"
        operation = f"remove container {container_id}"
        query = {"force": "true" if force else "false", "v": "true"}
        try:
            await self._http.call("DELETE", path, operation, query=query, ignore=frozenset({404}))
        except EngineError as error:
            if error.status != 409 or "already in progress" not in error.message:
                raise
            # Someone else is removing it: wait for that to end, as ours would have.
            await self._http.call(
                "POST",
                f"{path}/wait",
                operation,
                query={"condition": "removed"},
                ignore=frozenset({404}),
            )

    async def inspect_container(self, container_id: str) -> ContainerInfo:
        """One container by id or name."""
        found = await self._http.call(
            "GET",
            f"/containers/{quote(container_id)}/json",
            f"inspect container {container_id}",
            expect=parse.ContainerDoc,
        )
        return parse.to_container(found)

    async def containers(self, labels: Mapping[str, str]) -> tuple[ContainerInfo, ...]:
        """All containers, stopped ones too, that carry these labels ("" matches any value).

        One list and one inspect each, some at a time: exit codes and times are in no list. What
        is removed in between is left out.
        """
        found = await self._http.call(
            "GET",
            "/containers/json",
            "list containers",
            query={"all": "true", "filters": _label_filter(labels)},
            expect=list[parse.IdDoc],
        )
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._inspect_or_none(doc.id)) for doc in found]
        except ExceptionGroup as several:
            _raise_first(several)
        return tuple(info for task in tasks if (info := task.result()) is not None)

    async def put_archive(self, container_id: str, path: str, tar: bytes) -> None:
        """Unpacks a tar archive into a container, which need not run: modes and owners as in it."""
        await self._http.call(
            "PUT",
            f"/containers/{quote(container_id)}/archive",
            f"write files into container {container_id}",
            query={"path": path},
            body=tar,
        )

    # ---- volumes

    async def volumes(self, labels: Mapping[str, str]) -> tuple[VolumeInfo, ...]:
        """All named volumes that carry these labels ("" matches any value)."""
        found = await self._http.call(
            "GET",
            "/volumes",
            "list volumes",
            query={"filters": _label_filter(labels)},
            expect=parse.VolumesDoc,
        )
        return tuple(VolumeInfo(doc.name, doc.labels or {}) for doc in found.volumes or ())

    async def remove_volume(self, name: str) -> None:
        """Removes a named volume; one that is gone is no error. EngineError 409: it is in use."""
        path = f"/volumes/{quote(name)}"
        await self._http.call("DELETE", path, f"remove volume {name}", ignore=frozenset({404}))

    async def _inspect_or_none(self, container_id: str) -> ContainerInfo | None:
        async with self._inspects:
            try:
                return await self.inspect_container(container_id)
            except EngineError as error:
                if error.status == 404:
                    return None
                raise

    async def _post(
        self,
        container_id: str,
        verb: str,
        query: Mapping[str, str],
        ignore: frozenset[int] = frozenset(),
    ) -> None:
        path = f"/containers/{quote(container_id)}/{verb}"
        operation = f"{verb} container {container_id}"
        await self._http.call("POST", path, operation, query=query, ignore=ignore)

    # ---- streams

    async def logs(self, container_id: str, options: LogOptions) -> AsyncIterator[OutputFrame]:
        """Yields a container's log."""
        info = await self.inspect_container(container_id)
        query = {
            "follow": _flag(options.follow),
            "stdout": _flag(options.stdout),
            "stderr": _flag(options.stderr),
            "timestamps": _flag(options.timestamps),
            "tail": "all" if options.tail is None else str(max(0, options.tail)),
        }
        if options.since_s is not None:
            query["since"] = f"{options.since_s:.9f}"
        if options.until_s is not None:
            query["until"] = f"{options.until_s:.9f}"
        demultiplexer = Demultiplexer(tty=info.tty)
        path = f"/containers/{quote(info.id)}/logs"
        async with self._http.stream(
            "GET", path, f"read the log of {container_id}", query=query
        ) as pieces:
            async for piece in pieces:
                for frame in demultiplexer.feed(piece):
                    yield frame

    async def exec(
        self,
        container_id: str,
        argv: Sequence[str],
        *,
        stdin: bool = False,
        tty: bool = False,
        size: tuple[int, int] | None = None,
    ) -> ExecSession:
        """Starts a command in a running container, attached; see `seams.Engine`."""
        operation = f"exec in container {container_id}"
        created = await self._http.call(
            "POST",
            f"/containers/{quote(container_id)}/exec",
            operation,
            body={
                "AttachStdin": stdin,
                "AttachStdout": True,
                "AttachStderr": True,
                "Tty": tty,
                "Cmd": list(argv),
                "DetachKeys": _NO_DETACH_KEYS,
            },
            expect=parse.IdDoc,
        )
        path = f"/exec/{created.id}"

        async def resize(width: int, height: int) -> None:
            query = {"w": str(width), "h": str(height)}
            await self._http.call("POST", f"{path}/resize", operation, query=query)

        async def exit_code() -> int:
            # The stream ends a moment before the engine notes the end, and there is no wait call.
            for delay_s in (0.0, 0.01, 0.02, 0.05, *repeat(0.1, 100)):
                await asyncio.sleep(delay_s)
                doc = await self._http.call("GET", f"{path}/json", operation, expect=parse.ExecDoc)
                if not doc.running and doc.exit_code is not None:
                    return int(doc.exit_code)
            raise EngineError(
                "the command still runs although its output has ended",
                node=self._http.node,
                operation=operation,
            )

        body: dict[str, Any] = {"Detach": False, "Tty": tty}
        if size is not None:
            body["ConsoleSize"] = [size[1], size[0]]
        connection = await hijack(self._http, f"{path}/start", body, operation)
        return HijackedSession(connection, tty=tty, resize=resize, exit_code=exit_code)

    async def attach(
        self,
        container_id: str,
        *,
        stdin: bool,
        tty: bool,
        once: bool = False,
        earlier: bool = False,
    ) -> ExecSession:
        """Attaches to a container's first process; see `seams.Engine`."""
        operation = f"attach to container {container_id}"
        path = f"/containers/{quote(container_id)}"

        async def resize(width: int, height: int) -> None:
            query = {"w": str(width), "h": str(height)}
            await self._http.call("POST", f"{path}/resize", operation, query=query)

        async def exit_code() -> int:
            ended = await self._http.call("POST", f"{path}/wait", operation, expect=parse.WaitDoc)
            return int(ended.status_code)

        query = f"logs={_flag(earlier)}&stream=1&stdout=1&stderr=1&stdin={_flag(stdin)}"
        query += f"&detachKeys={quote(_NO_DETACH_KEYS)}"
        connection = await hijack(self._http, f"{path}/attach?{query}", None, operation)
        return HijackedSession(connection, tty=tty, ends=once, resize=resize, exit_code=exit_code)

    async def events(self, labels: Mapping[str, str]) -> AsyncIterator[EngineEvent]:
        """Yields container events until the channel is lost, then raises ChannelLost.

        The first item is `SUBSCRIBED`.
        """
        operation = "watch events"
        filters = {"type": ["container"], "label": _label_terms(labels)}
        query = {"filters": msgspec.json.encode(filters).decode()}
        async with self._http.stream("GET", "/events", operation, query=query) as pieces:
            yield SUBSCRIBED
            async for line in lines(pieces):
                try:
                    yield parse.to_event(parse.decode(line, parse.EventDoc))
                except msgspec.MsgspecError as error:
                    raise self._http.lost(error, operation) from error
        raise ChannelLost(
            "the engine ended its event stream", node=self._http.node, operation=operation
        )


def _flag(on: bool) -> str:
    return "1" if on else "0"


def _label_terms(labels: Mapping[str, str]) -> list[str]:
    return [f"{key}={value}" if value else key for key, value in labels.items()]


def _label_filter(labels: Mapping[str, str]) -> str:
    return msgspec.json.encode({"label": _label_terms(labels)}).decode()


def _pull_status(words: str) -> int:
    """An HTTP status for what a registry said in the middle of a pull, where none comes along."""
    low = words.lower()
    if "unauthorized" in low or "authentication required" in low:
        return 401
    if "denied" in low or "forbidden" in low:
        return 403
    if "not found" in low or "manifest unknown" in low or "no matching manifest" in low:
        return 404
    return 500


def _raise_first(several: ExceptionGroup[Exception]) -> Never:
    """One of several like errors stands for all: callers know single ones only."""
    error: BaseException = several
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    raise error from several
