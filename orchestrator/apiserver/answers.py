"""What a verb gives back: a complete answer or a stream, and how both go out.

Big answers are compressed off the event loop for clients that accept gzip. Every answer carries the
request's warnings as `Warning:` headers. Source: RFC 9110; Kubernetes API, "Warnings".
"""

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Protocol

import msgspec
import yaml

from orchestrator.apiserver.cycle import WHOLE_KEY
from orchestrator.apiserver.errors import encode_status
from orchestrator.apiserver.metrics import set_code
from orchestrator.apiserver.negotiation import JSON, AnswerFormat
from orchestrator.apiserver.request import PART_KEY, Request
from orchestrator.kit.errors import ApiError, BadRequest

_encode: Final = msgspec.json.Encoder().encode

_TRUE: Final = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_PEOPLE: Final = ("curl", "Wget", "Mozilla/5.0")
"""Programs whose user reads the answer."""

Header = tuple[bytes, bytes]


class Answer(msgspec.Struct, frozen=True):
    """A complete answer.

    Attributes:
        body: the bytes.
        status: HTTP code.
        content_type: "" sends none (304 must not carry one).
        headers: further headers, names in lower case.
        fixed: its bytes are sent as they are, also to people: clients know them by their hash.
    """

    body: bytes
    status: int = 200
    content_type: str = JSON
    headers: tuple[Header, ...] = ()
    fixed: bool = False


class Stream(Protocol):
    """An answer that goes on: sends its own start and body, and ends when the client leaves."""

    async def run(self, request: Request) -> None:
        """Sends everything; errors before the first byte may be raised as ApiError."""
        ...


def json_answer(document: Any, status: int = 200) -> Answer:
    """A document as JSON with the final newline that Kubernetes sends."""
    return Answer(_encode(document) + b"\n", status)


def object_answer(data: bytes, wanted: AnswerFormat, status: int = 200) -> Answer:
    """An object's JSON bytes in the encoding that was negotiated."""
    if wanted.encoding == "yaml":
        return Answer(to_yaml(data), status, wanted.content_type)
    return Answer(data + b"\n", status)


def to_yaml(data: bytes) -> bytes:
    """JSON bytes as YAML."""
    return yaml.dump(
        msgspec.json.decode(data), Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True
    ).encode()


def error_answer(error: ApiError) -> Answer:
    """The Status document of an error."""
    headers: list[Header] = []
    if error.code == 401:
        headers.append((b"www-authenticate", b'Bearer realm="orch"'))
    if error.code in {429, 503, 504} and error.retry_after_s:
        headers.append((b"retry-after", str(error.retry_after_s).encode()))
    return Answer(encode_status(error), error.code, headers=tuple(headers))


class Sender:
    """Sends answers; owns the one thread that compresses."""

    def __init__(self, gzip_min_bytes: int) -> None:
        self._gzip_min_bytes = gzip_min_bytes
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="gzip")

    def close(self) -> None:
        """Ends the thread; what it is doing is finished."""
        self._executor.shutdown(wait=False)

    async def send(self, request: Request, answer: Answer) -> None:
        """Sends a complete answer."""
        body = answer.body
        headers = [*answer.headers, *warning_headers(request.warnings)]
        if answer.content_type == JSON and not answer.fixed and is_for_people(request):
            body = await self._off_loop(indented, body)
        if answer.content_type:
            headers.append((b"content-type", answer.content_type.encode()))
        if len(body) >= self._gzip_min_bytes and "gzip" in request.header(b"accept-encoding"):
            body = await self._off_loop(_compress, body)
            headers += [(b"content-encoding", b"gzip"), (b"vary", b"Accept-Encoding")]
        extensions: Any = request.scope.get("extensions")
        if extensions and WHOLE_KEY in extensions:
            request.started = True
            send = extensions[WHOLE_KEY].get("send")
            if send is not None and send(answer.status, headers, body):
                set_code(request.scope, answer.status)
                return
            message: Any = {
                "type": WHOLE_KEY, "status": answer.status, "headers": headers, "body": body,
            }  # fmt: skip
            await request.send(message)
            return
        if answer.status != 304:
            headers.append((b"content-length", str(len(body)).encode()))
        await start(request, answer.status, headers)
        await send_part(request, b"" if request.method == "HEAD" else body, more=False)

    async def _off_loop(self, change: Callable[[bytes], bytes], body: bytes) -> bytes:
        """A body changed on the thread when it is big."""
        if len(body) < self._gzip_min_bytes:
            return change(body)
        return await asyncio.get_running_loop().run_in_executor(self._executor, change, body)


async def start(request: Request, status: int, headers: list[Header]) -> None:
    """Sends the status line and headers; from here on no other status can be sent."""
    request.started = True
    message: Any = {"type": "http.response.start", "status": status, "headers": headers}
    await request.send(message)


async def start_stream(request: Request, content_type: str) -> None:
    """Sends the head of a streamed answer and flushes it: clients wait for it."""
    headers: list[Header] = [
        (b"content-type", content_type.encode()),
        (b"cache-control", b"no-cache, private"),
        *warning_headers(request.warnings),
    ]
    await start(request, 200, headers)
    await send_part(request, b"")


async def send_part(request: Request, body: bytes, *, more: bool = True) -> None:
    """Sends one part of a streamed answer; waits while the client reads too slowly."""
    if more and body:
        extensions: Any = request.scope.get("extensions")
        at_once = extensions.get(PART_KEY) if extensions else None
        if at_once is not None and at_once(body):
            return
    await request.send({"type": "http.response.body", "body": body, "more_body": more})


def warning_headers(warnings: list[str]) -> list[Header]:
    """`Warning: 299 - "..."` for each sentence, at most 4 KiB in all."""
    headers: list[Header] = []
    room = 4096
    for warning in dict.fromkeys(warnings):
        text = warning
        if not text.isprintable():
            text = "".join(c if c.isprintable() else " " for c in warning)
        text = text.replace("\\", "\\\\").replace('"', '\\"')
        value = f'299 - "{text}"'.encode()
        room -= len(value)
        if room < 0:
            break
        headers.append((b"warning", value))
    return headers


def is_for_people(request: Request) -> bool:
    """Whether JSON is to be indented: by the parameter, else by the client's name.

    Source: Kubernetes apiserver, endpoints/handlers/negotiation, isPrettyPrint.
    """
    if b"pretty" in request.scope["query_string"]:
        try:
            wanted = request.query.text("pretty")
        except BadRequest:
            return False
        if wanted:
            return wanted in _TRUE
    return request.header(b"user-agent").startswith(_PEOPLE)


def indented(body: bytes) -> bytes:
    """A JSON body with a line for each value, as Kubernetes sends it: no final newline."""
    return msgspec.json.format(body, indent=2)


def _compress(body: bytes) -> bytes:
    return gzip.compress(body, compresslevel=1, mtime=0)


Handler = Callable[[Request], Awaitable["Answer | Stream"]]
