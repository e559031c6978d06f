"""Frames of SPDY/3.1: bytes in, frames out, and the other way round (pure).

Data is passed on in pieces as it arrives, so that a frame of 16 MiB needs no room. Source: SPDY
Protocol, draft 3.1, section 2.2 "Framing".
"""

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from orchestrator.apiserver.connect.spdy.dictionary import DICTIONARY

VERSION: Final = 3
FIN: Final = 1
REFUSED: Final = 3
MAX_CONTROL_BYTES: Final = 64 * 1024
MAX_HEADERS_BYTES: Final = 64 * 1024
MAX_DATA_BYTES: Final = (1 << 24) - 1

_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _PING, _GOAWAY, _HEADERS = 1, 2, 3, 6, 7, 8
_STREAM_MASK: Final = 0x7FFFFFFF

Headers = Mapping[str, str]


class SpdyError(Exception):
    """The other side does not speak SPDY/3.1."""


@dataclass(frozen=True, slots=True)
class Open:
    """SYN_STREAM: a new stream; `fin` when the sender will write nothing on it."""

    stream: int
    headers: Headers
    fin: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """SYN_REPLY: the stream is accepted."""

    stream: int
    headers: Headers
    fin: bool = False


@dataclass(frozen=True, slots=True)
class Reset:
    """RST_STREAM: the stream is broken off, both ways."""

    stream: int
    status: int


@dataclass(frozen=True, slots=True)
class Ping:
    """PING; to be sent back as it is."""

    number: int


@dataclass(frozen=True, slots=True)
class GoAway:
    """GOAWAY: no new streams."""

    last_stream: int
    status: int


@dataclass(frozen=True, slots=True)
class Data:
    """A piece of a stream; `fin` with the last one."""

    stream: int
    data: bytes
    fin: bool = False


Frame = Open | Reply | Reset | Ping | GoAway | Data


class FrameReader:
    """Cuts a byte stream into frames; one per connection, as the compression goes on."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)
        self._stream = 0
        self._left = 0
        self._fin = False

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yields what `data` completes.

        Raises:
            SpdyError: this is not SPDY/3.1, or a frame is over a limit.
        """
        self._buffer += data
        while True:
            if self._left:
                if not self._buffer:
                    return
                piece = bytes(self._buffer[: self._left])
                del self._buffer[: len(piece)]
                self._left -= len(piece)
                yield Data(self._stream, piece, self._fin and not self._left)
                continue
            if len(self._buffer) < 8:
                return
            first, second = struct.unpack_from(">II", self._buffer)
            flags, length = second >> 24, second & 0xFFFFFF
            if not first >> 31:
                del self._buffer[:8]
                self._stream, self._left, self._fin = first, length, bool(flags & FIN)
                if not length:
                    yield Data(first, b"", self._fin)
                continue
            if first >> 16 & 0x7FFF != VERSION:
                raise SpdyError(f"SPDY version {first >> 16 & 0x7FFF}")
            if length > MAX_CONTROL_BYTES:
                raise SpdyError(f"a control frame of {length} bytes")
            if len(self._buffer) < 8 + length:
                return
            body = bytes(self._buffer[8 : 8 + length])
            del self._buffer[: 8 + length]
            frame = self._control(first & 0xFFFF, flags, body)
            if frame is not None:
                yield frame

    def _control(self, kind: int, flags: int, body: bytes) -> Frame | None:
        try:
            if kind == _SYN_STREAM:
                headers = self._headers(body[10:])
                return Open(_stream(body), headers, bool(flags & FIN))
            if kind == _SYN_REPLY:
                return Reply(_stream(body), self._headers(body[4:]), bool(flags & FIN))
            if kind == _RST_STREAM:
                return Reset(_stream(body), struct.unpack(">II", body)[1])
            if kind == _PING:
                return Ping(*struct.unpack(">I", body))
            if kind == _GOAWAY:
                return GoAway(_stream(body), struct.unpack(">II", body)[1])
            if kind == _HEADERS:  # nobody needs more headers, but the compression goes on
                self._headers(body[4:])
        except struct.error as error:
            raise SpdyError(f"a control frame of type {kind} is cut short") from error
        return None  # SETTINGS, WINDOW_UPDATE and what later drafts brought

    def _headers(self, block: bytes) -> dict[str, str]:
        try:
            plain = self._inflate.decompress(block, MAX_HEADERS_BYTES)
        except zlib.error as error:
            raise SpdyError(f"a header block cannot be read: {error}") from error
        if self._inflate.unconsumed_tail:
            raise SpdyError("a header block is too large")
        (count,) = struct.unpack_from(">I", plain)
        at, words = 4, []
        for _ in range(2 * min(count, MAX_HEADERS_BYTES)):
            (size,) = struct.unpack_from(">I", plain, at)
            at += 4 + size
            if at > len(plain):
                raise SpdyError("a header block is cut short")
            words.append(plain[at - size : at].decode("latin-1"))
        return dict(zip(words[::2], words[1::2], strict=True))


class FrameWriter:
    """Writes frames; one per connection, as the compression goes on."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(level=1, zdict=DICTIONARY)

    def encode(self, frame: Frame) -> bytes:
        """A frame's bytes; data must be at most `MAX_DATA_BYTES`."""
        match frame:
            case Data(stream, data, fin):
                return struct.pack(">II", stream, fin << 24 | len(data)) + data
            case Open(stream, headers, fin):
                body = struct.pack(">IIBB", stream, 0, 0, 0) + self._headers(headers)
                return _control(_SYN_STREAM, body, fin)
            case Reply(stream, headers, fin):
                return _control(_SYN_REPLY, struct.pack(">I", stream) + self._headers(headers), fin)
            case Reset(stream, status):
                return _control(_RST_STREAM, struct.pack(">II", stream, status))
            case Ping(number):
                return _control(_PING, struct.pack(">I", number))
            case GoAway(last, status):
                return _control(_GOAWAY, struct.pack(">II", last, status))

    def _headers(self, headers: Headers) -> bytes:
        plain = [struct.pack(">I", len(headers))]
        for name, value in headers.items():
            words = (name.lower().encode("latin-1"), value.encode("latin-1"))
            plain += [struct.pack(">I", len(word)) + word for word in words]
        return self._deflate.compress(b"".join(plain)) + self._deflate.flush(zlib.Z_SYNC_FLUSH)


def _stream(body: bytes) -> int:
    (stream,) = struct.unpack_from(">I", body)
    return int(stream) & _STREAM_MASK


def _control(kind: int, body: bytes, fin: bool = False) -> bytes:
    return struct.pack(">HHI", 0x8000 | VERSION, kind, fin << 24 | len(body)) + body
