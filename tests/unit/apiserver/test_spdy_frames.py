"""SPDY frames: known answers, there and back in any pieces, and whatever else comes."""

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.apiserver.connect.spdy.dictionary import DICTIONARY
from orchestrator.apiserver.connect.spdy.frames import (
    Data,
    FrameReader,
    FrameWriter,
    GoAway,
    Open,
    Ping,
    Reply,
    Reset,
    SpdyError,
)

HEADERS = st.dictionaries(
    st.text(st.characters(min_codepoint=97, max_codepoint=122), min_size=1, max_size=12),
    st.text(st.characters(max_codepoint=255), max_size=20),
    max_size=4,
)
NUMBER = st.integers(1, 2**31 - 1)
FRAMES = st.one_of(
    st.builds(Open, NUMBER, HEADERS, st.booleans()),
    st.builds(Reply, NUMBER, HEADERS, st.booleans()),
    st.builds(Reset, NUMBER, st.integers(1, 11)),
    st.builds(Ping, NUMBER),
    st.builds(GoAway, NUMBER, st.integers(0, 2)),
    st.builds(Data, NUMBER, st.binary(min_size=1, max_size=40), st.booleans()),
)


def test_dictionary_is_the_drafts():
    assert len(DICTIONARY) == 1423
    assert zlib.adler32(DICTIONARY) == 0xE3C6A7C2


def joined(frames):
    """Pieces of data put together again."""
    found = []
    for frame in frames:
        last = found[-1] if found else None
        if (
            isinstance(frame, Data)
            and isinstance(last, Data)
            and not last.fin
            and last.stream == frame.stream
        ):
            found[-1] = Data(frame.stream, last.data + frame.data, frame.fin)
        else:
            found.append(frame)
    return found


@given(st.lists(FRAMES, max_size=8), st.integers(1, 50))
def test_there_and_back_in_any_pieces(frames, size):
    writer, reader = FrameWriter(), FrameReader()
    data = b"".join(map(writer.encode, frames))
    found = [f for at in range(0, len(data), size) for f in reader.feed(data[at : at + size])]
    assert joined(found) == joined(frames)


@given(st.lists(st.binary(max_size=64), max_size=4))
def test_whatever_comes_is_read_or_refused(pieces):
    reader = FrameReader()
    try:
        for piece in pieces:
            list(reader.feed(piece))
    except SpdyError:
        return


def test_the_compression_goes_on_from_frame_to_frame():
    writer = FrameWriter()
    first, second = (writer.encode(Open(n, {"streamtype": "error"})) for n in (1, 3))
    assert len(second) < len(first)
    reader = FrameReader()
    assert [*reader.feed(first), *reader.feed(second)] == [
        Open(1, {"streamtype": "error"}),
        Open(3, {"streamtype": "error"}),
    ]


def test_settings_and_windows_are_passed_over():
    settings = struct.pack(">HHIIII", 0x8003, 4, 12, 1, 4 << 24, 100)
    window = struct.pack(">HHIII", 0x8003, 9, 8, 1, 65536)
    assert list(FrameReader().feed(settings + window + FrameWriter().encode(Ping(1)))) == [Ping(1)]


@pytest.mark.parametrize(
    "data",
    [
        struct.pack(">HHI", 0x8002, 1, 10) + bytes(10),
        struct.pack(">HHI", 0x8003, 1, 10) + bytes(10),
        struct.pack(">HHI", 0x8003, 3, 4) + bytes(4),
        struct.pack(">HHI", 0x8003, 1, 0xFFFFFF),
        struct.pack(">HHI", 0x8003, 1, 20) + bytes(10) + b"not zlib..",
    ],
    ids=["another version", "no header block", "cut short", "too large", "not compressed"],
)
def test_what_cannot_be_read_is_refused(data):
    with pytest.raises(SpdyError):
        list(FrameReader().feed(data))


def test_a_header_block_that_swells_is_refused():
    deflate = zlib.compressobj(zdict=DICTIONARY)
    block = deflate.compress(struct.pack(">II", 1, 1 << 20) + bytes(1 << 20))
    block += deflate.flush(zlib.Z_SYNC_FLUSH)
    frame = struct.pack(">HHIIIBB", 0x8003, 1, 10 + len(block), 1, 0, 0, 0) + block
    with pytest.raises(SpdyError, match="too large"):
        list(FrameReader().feed(frame))
