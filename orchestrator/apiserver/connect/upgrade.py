"""Leaving HTTP: refused WebSocket handshakes, and connections that are taken over for SPDY.

Source: ASGI 3, `websocket.http.response`; Kubernetes, `httpstream` (`X-Stream-Protocol-Version`).
"""

from collections.abc import Sequence
from typing import Any, Final

from orchestrator.apiserver.request import Request
from orchestrator.kit.errors import BadRequest
from orchestrator.remote.seams import ByteStream

SPDY: Final = b"spdy/3.1"
TAKEOVER_KEY: Final = "orch.takeover"
"""In the extensions of a scope whose request asks for SPDY: {"take": head -> ByteStream}."""
UPGRADED: Final = "orch.upgraded"
"""Type of the message that tells the gate of a connection that was taken over."""
UPGRADE_REQUIRED: Final = "Upgrade request required"


def answering(send: Any) -> Any:
    """`send` of a WebSocket's scope that also takes an HTTP answer: a refusal of the handshake."""

    async def translated(message: Any) -> None:
        if message["type"] in {"http.response.start", "http.response.body"}:
            message = {**message, "type": f"websocket.{message['type']}"}
        await send(message)

    return translated


def choose_version(request: Request, known: Sequence[str], unnamed: str) -> str:
    """The stream protocol of an upgrade to SPDY: the client's first that is known.

    Raises:
        BadRequest: the request is no such upgrade, or names none that is known.
    """
    fields: Any = request.scope
    if TAKEOVER_KEY not in (fields.get("extensions") or {}):
        raise BadRequest(UPGRADE_REQUIRED)
    header = request.header(b"x-stream-protocol-version")
    named = [word for part in header.split(",") if (word := part.strip())]
    for version in named:
        if version in known:
            return version
    if named:
        raise BadRequest(
            "unable to upgrade: unable to negotiate protocol: "
            f"client supports [{' '.join(named)}], server supports [{' '.join(known)}]"
        )
    return unnamed


async def take_over(request: Request, version: str) -> ByteStream:
    """Answers 101; the connection is the caller's from now on, who closes it."""
    head = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
    if version:
        head += f"X-Stream-Protocol-Version: {version}\r\n"
    fields: Any = request.scope
    request.started = True
    send: Any = request.send
    await send({"type": UPGRADED})
    stream: ByteStream = fields["extensions"][TAKEOVER_KEY]["take"](f"{head}\r\n".encode())
    return stream
