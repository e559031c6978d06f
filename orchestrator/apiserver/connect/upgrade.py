"""Leaving HTTP: answers to a WebSocket handshake that is refused, and connections taken over.

Source: ASGI 3, `websocket.http.response`.
"""

from typing import Any, Final

UPGRADED: Final = "orch.upgraded"
"""Type of the message that tells the gate of a connection that was taken over."""


def answering(send: Any) -> Any:
    """`send` of a WebSocket's scope that also takes an HTTP answer: a refusal of the handshake."""

    async def translated(message: Any) -> None:
        if message["type"] in {"http.response.start", "http.response.body"}:
            message = {**message, "type": f"websocket.{message['type']}"}
        await send(message)

    return translated
