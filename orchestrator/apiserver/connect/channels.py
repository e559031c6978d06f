"""Several streams in one WebSocket: each message begins with the number of its channel (pure).

Source: Kubernetes, remotecommand protocols (`v5.channel.k8s.io` and before); KEP-4006.
"""

import base64
import binascii
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from orchestrator.kit.errors import BadRequest

STDIN: Final = 0
STDOUT: Final = 1
STDERR: Final = 2
ERROR: Final = 3
RESIZE: Final = 4
CLOSE: Final = 255
"""Not a channel: what follows is the number of one that the sender writes to no more."""


@dataclass(frozen=True, slots=True)
class Subprotocol:
    """How channels are written.

    Attributes:
        name: as it is negotiated; "" when the client named none.
        text: messages are text: a digit, then base64; otherwise a byte, then bytes.
        documents: the error channel carries a Status document, also for success; otherwise a
            sentence, and nothing for success.
        half_close: `CLOSE` is known.
    """

    name: str
    text: bool = False
    documents: bool = True
    half_close: bool = False


V5: Final = Subprotocol("v5.channel.k8s.io", half_close=True)
V4: Final = Subprotocol("v4.channel.k8s.io")
V4_TEXT: Final = Subprotocol("v4.base64.channel.k8s.io", text=True)
V1: Final = Subprotocol("channel.k8s.io", documents=False)
V1_TEXT: Final = Subprotocol("base64.channel.k8s.io", text=True, documents=False)
NONE: Final = Subprotocol("", documents=False)
COMMANDS: Final = (V5, V4, V4_TEXT, V1, V1_TEXT)


@dataclass(frozen=True, slots=True)
class Message:
    """A piece of one channel; `closed` says that the channel ends instead."""

    channel: int
    data: bytes = b""
    closed: bool = False


def choose(
    offered: Sequence[str], known: Iterable[Subprotocol], unnamed: Subprotocol
) -> Subprotocol:
    """The first subprotocol offered that is known; `unnamed` when none was offered.

    Raises:
        BadRequest: none of those offered is known.
    """
    by_name = {each.name: each for each in known}
    for name in offered:
        if name in by_name:
            return by_name[name]
    if offered:
        raise BadRequest(
            f"requested protocol(s) are not supported: [{' '.join(offered)}]; "
            f"supports [{' '.join(by_name)}]"
        )
    return unnamed


def encode(protocol: Subprotocol, channel: int, data: bytes) -> bytes | str:
    """A piece of a channel as a message."""
    if protocol.text:
        return f"{channel}{base64.b64encode(data).decode()}"
    return bytes((channel,)) + data


def decode(protocol: Subprotocol, message: bytes | str) -> Message:
    """What a message says.

    Raises:
        BadRequest: it is not in the subprotocol's form.
    """
    if protocol.text:
        text = message if isinstance(message, str) else message.decode("latin-1")
        if not text[:1].isdigit() or not text.isascii():
            raise BadRequest("a message does not begin with the digit of a channel")
        try:
            return Message(int(text[0]), base64.b64decode(text[1:], validate=True))
        except binascii.Error as error:
            raise BadRequest(f"a message is not base64: {error}") from error
    data = message.encode() if isinstance(message, str) else message
    if not data:
        raise BadRequest("a message without a channel")
    if data[0] == CLOSE and protocol.half_close:
        if len(data) != 2:
            raise BadRequest("a close message without its channel")
        return Message(data[1], closed=True)
    return Message(data[0], data[1:])


class _Size(msgspec.Struct):
    width: int = msgspec.field(name="Width", default=0)
    height: int = msgspec.field(name="Height", default=0)


def decode_size(data: bytes) -> tuple[int, int] | None:
    """Width and height in cells out of a resize message; None if it is none, or has no extent."""
    try:
        size = msgspec.json.decode(data, type=_Size)
    except msgspec.DecodeError:
        return None
    sane: Any = 0 < size.width < 65536 and 0 < size.height < 65536
    return (size.width, size.height) if sane else None
