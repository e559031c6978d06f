"""What a WebSocket's client is told first, and when: some read before they can take it."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from orchestrator.apiserver.connect import channels
from orchestrator.apiserver.connect.options import CommandOptions
from orchestrator.apiserver.connect.websocket import SETTLE_S, WebSocket, WebSocketClient
from orchestrator.kit.aio.virtual import VirtualLoop


def test_nothing_is_said_to_a_client_that_makes_its_streams_still():
    async def work():
        said = []

        async def receive():
            return {"type": "websocket.connect"}

        async def send(message):
            said.append((asyncio.get_running_loop().time(), message))

        request = SimpleNamespace(receive=receive, send=send, scope={}, started=False)
        socket = WebSocket(cast("Any", request))
        protocol = channels.choose(["v5.channel.k8s.io"], channels.COMMANDS, channels.NONE)
        options = CommandOptions("", ("true",), stdin=False, stdout=True, stderr=True, tty=False)
        client = WebSocketClient(socket, protocol, options, tty=False)
        await client.greet()
        await client.send("stdout", b"out")
        return said

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        accepted, greeting, output = runner.run(work())
    assert accepted == (0.0, {"type": "websocket.accept", "subprotocol": "v5.channel.k8s.io"})
    assert greeting == (SETTLE_S, {"type": "websocket.send", "bytes": b"\x01"})
    assert output == (SETTLE_S, {"type": "websocket.send", "bytes": b"\x01out"})
