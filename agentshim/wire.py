"""Frames between the server and the shim: a length, then one JSON object; shared by both sides.

The shapes of the messages are in the package's docstring. This module knows nothing else.
"""

from __future__ import annotations

import json
import struct
from typing import Any, Dict, List

PROTOCOL = 1
"""Raised when a frame's meaning changes; adding operations and fields does not."""

MAX_FRAME_BYTES = 8 * 1024 * 1024
"""Longest payload of a frame: a ConfigMap of 1 MiB in base64, several times over."""

Message = Dict[str, Any]

_LENGTH = struct.Struct(">I")


class FrameError(Exception):
    """The bytes are no frame: nothing that follows can be trusted; close the connection."""


class Failure(Exception):  # noqa: N818 - an answer, not a fault of the program
    """An operation's typed error.

    Attributes:
        code: one of the codes in the package's docstring.
        message: for people.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def encode(message: Message) -> bytes:
    """A message as a frame.

    Raises:
        FrameError: it is too large.
    """
    data = json.dumps(message, separators=(",", ":")).encode("utf-8")
    if len(data) > MAX_FRAME_BYTES:
        raise FrameError("a message of %d bytes is over the limit" % len(data))
    return _LENGTH.pack(len(data)) + data


class Decoder:
    """Cuts a byte stream into messages."""

    def __init__(self, limit: int = MAX_FRAME_BYTES) -> None:
        self._limit = limit
        self._buffer = bytearray()

    def feed(self, data: bytes) -> List[Message]:
        """The messages that `data` completes.

        Raises:
            FrameError: too long, not JSON, not an object.
        """
        self._buffer += data
        found: List[Message] = []
        while len(self._buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer)
            if length > self._limit:
                raise FrameError("a frame of %d bytes is over the limit" % length)
            end = _LENGTH.size + length
            if len(self._buffer) < end:
                break
            found.append(_message(bytes(self._buffer[_LENGTH.size : end])))
            del self._buffer[:end]
        return found


def _message(data: bytes) -> Message:
    try:
        message = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise FrameError("a frame is not JSON: %s" % error) from None
    if not isinstance(message, dict):
        raise FrameError("a frame is not a JSON object")
    return message
