"""The few calls to the Docker Engine that the shim makes itself, over its Unix socket.

Blocking: for worker threads. Source: Docker Engine API 1.40; the version is left out of the path,
so the engine answers in its own.
"""

from __future__ import annotations

import json
import time
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

from agentshim import http1
from agentshim.wire import Failure

CALL_S = 20.0
"""Limit for a call that does not wait for a container."""
MAX_OUTPUT_BYTES = 10 * 1024
"""Of an exec probe's output; the rest is dropped, as Kubernetes does."""


class Inspected(NamedTuple):
    """What the shim wants to know of a container."""

    running: bool
    started_at: str
    address: str
    network_of: str


class Engine:
    """One Docker Engine."""

    def __init__(self, socket_path: str) -> None:
        self.socket_path = socket_path

    def inspect(self, container_id: str) -> Optional[Inspected]:
        """The container's state, or None when there is none."""
        status, body = self._call("GET", "/containers/%s/json" % container_id, ok=(404,))
        if status == 404:
            return None
        document = _document(body)
        state = document.get("State") or {}
        mode = str((document.get("HostConfig") or {}).get("NetworkMode") or "")
        return Inspected(
            running=bool(state.get("Running")) and not state.get("Paused"),
            started_at=str(state.get("StartedAt") or ""),
            address="127.0.0.1" if mode == "host" else _address(document),
            network_of=mode[len("container:") :] if mode.startswith("container:") else "",
        )

    def restart(self, container_id: str, grace_s: int) -> None:
        """Stops and starts the container; returns when it has started."""
        self._call("POST", "/containers/%s/restart?t=%d" % (container_id, grace_s), extra_s=grace_s)

    def stop(self, container_id: str, grace_s: int) -> None:
        """Stops the container; its restart policy does not start it again."""
        target = "/containers/%s/stop?t=%d" % (container_id, grace_s)
        self._call("POST", target, extra_s=grace_s, ok=(304,))

    def run(self, container_id: str, argv: List[str], timeout_s: float) -> Tuple[int, str]:
        """Runs a command in the container; its exit code and output.

        Raises:
            TimeoutError: it did not end in time (it goes on running; the engine cannot end it).
            Failure: the engine refused.
        """
        deadline = time.monotonic() + timeout_s
        document = {"AttachStdout": True, "AttachStderr": True, "Cmd": argv}
        _, body = self._call("POST", "/containers/%s/exec" % container_id, document)
        exec_id = str(_document(body).get("Id") or "")
        exchange = self._open(deadline)
        try:
            data = json.dumps({"Detach": False, "Tty": False}).encode()
            answer = exchange.request(
                "POST", "/exec/%s/start" % exec_id, _headers(data), data, "1.0"
            )
            if answer.status not in (101, 200):
                raise _refused(answer.status, exchange.body())
            output = _output(exchange.pieces())
        except OSError as error:
            raise TimeoutError("timed out") from error
        finally:
            exchange.close()
        while True:
            _, body = self._call("GET", "/exec/%s/json" % exec_id)
            ended = _document(body)
            if not ended.get("Running") and ended.get("ExitCode") is not None:
                return int(ended["ExitCode"]), output
            if time.monotonic() > deadline:
                raise TimeoutError("timed out")
            time.sleep(0.02)  # the stream ends a moment before the engine notes the end

    def watch(self) -> "Watch":
        """Starts, deaths and removals of containers from now on."""
        filters = json.dumps({"type": ["container"], "event": ["start", "die", "destroy"]})
        exchange = self._open(None)
        try:
            target = "/events?filters=" + _quote(filters)
            answer = exchange.request("GET", target, _headers(b""), b"", "1.0")
            if answer.status != 200:
                raise _refused(answer.status, exchange.body())
        except BaseException:
            exchange.close()
            raise
        return Watch(exchange)

    def _open(self, deadline: Optional[float]) -> http1.Exchange:
        return http1.Exchange(http1.connect_unix(self.socket_path, deadline), deadline)

    def _call(
        self,
        method: str,
        target: str,
        document: Optional[Dict[str, Any]] = None,
        extra_s: float = 0.0,
        ok: Tuple[int, ...] = (),
    ) -> Tuple[int, bytes]:
        data = b"" if document is None else json.dumps(document).encode()
        try:
            exchange = self._open(time.monotonic() + CALL_S + extra_s)
            try:
                answer = exchange.request(method, target, _headers(data), data, "1.0")
                body = exchange.body()
            finally:
                exchange.close()
        except (OSError, http1.BadAnswer) as error:
            raise Failure("engine", "the engine does not answer: %s" % error) from error
        if answer.status >= 300 and answer.status not in ok:
            raise _refused(answer.status, body)
        return answer.status, body


class Watch:
    """A stream of events; close it from another thread to end it."""

    def __init__(self, exchange: http1.Exchange) -> None:
        self._exchange = exchange

    def events(self) -> Iterator[Tuple[str, str]]:
        """Yields (action, container id) until the engine ends the stream or it is closed."""
        rest = b""
        try:
            for piece in self._exchange.pieces():
                lines = (rest + piece).split(b"\n")
                rest = lines.pop()
                for line in lines:
                    if line.strip():
                        event = _document(line)
                        actor = event.get("Actor") or {}
                        yield str(event.get("Action") or ""), str(actor.get("ID") or "")
        except OSError:
            return
        finally:
            self.close()

    def close(self) -> None:
        """Ends the stream."""
        self._exchange.close()


def _headers(data: bytes) -> Dict[str, str]:
    return {
        "Host": "engine",
        "Content-Type": "application/json",
        "Content-Length": str(len(data)),
    }


def _document(body: bytes) -> Dict[str, Any]:
    try:
        document = json.loads(body.decode("utf-8", "replace"))
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise Failure("engine", "the engine's answer is not in the format of its API")
    return document


def _refused(status: int, body: bytes) -> Failure:
    try:
        words = str(_document(body).get("message") or "")
    except Failure:
        words = body[:200].decode("utf-8", "replace").strip()
    return Failure("engine", words or "HTTP %d" % status)


def _address(document: Dict[str, Any]) -> str:
    network = document.get("NetworkSettings") or {}
    found = [network.get("IPAddress")]
    found += [(each or {}).get("IPAddress") for each in (network.get("Networks") or {}).values()]
    return next((str(each) for each in found if each), "")


def _output(pieces: Iterator[bytes]) -> str:
    """Payloads of the multiplexed stream, both outputs as they come."""
    text, buffer = bytearray(), bytearray()
    for piece in pieces:
        buffer += piece
        while len(buffer) >= 8:
            end = 8 + int.from_bytes(buffer[4:8], "big")
            if len(buffer) < end:
                break
            text += buffer[8:end]
            del buffer[:end]
        del text[MAX_OUTPUT_BYTES:]
    return text.decode("utf-8", "replace")


def _quote(text: str) -> str:
    return "".join(c if c.isalnum() else "%%%02X" % ord(c) for c in text)
