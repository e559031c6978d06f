import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.kit.errors import EngineError
from orchestrator.remote.docker.frames import Demultiplexer

FRAMES = st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=40)), max_size=8)


def multiplexed(frames: list[tuple[int, bytes]]) -> bytes:
    return b"".join(bytes([s, 0, 0, 0]) + len(d).to_bytes(4, "big") + d for s, d in frames)


@given(FRAMES, st.integers(1, 30))
def test_any_cut_gives_the_same_streams(frames: list[tuple[int, bytes]], size: int) -> None:
    data = multiplexed(frames)
    demultiplexer = Demultiplexer(tty=False)
    got = {"stdout": b"", "stderr": b""}
    for at in range(0, len(data), size):
        for frame in demultiplexer.feed(data[at : at + size]):
            got[frame.stream] += frame.data
    assert got["stdout"] == b"".join(d for s, d in frames if s == 1)
    assert got["stderr"] == b"".join(d for s, d in frames if s == 2)


def test_a_frame_is_told_before_it_is_whole() -> None:
    demultiplexer = Demultiplexer(tty=False)
    head = bytes([1, 0, 0, 0]) + (100).to_bytes(4, "big")
    assert [f.data for f in demultiplexer.feed(head + b"abc")] == [b"abc"]


def test_a_terminal_is_passed_through() -> None:
    assert [f.data for f in Demultiplexer(tty=True).feed(b"\x01raw")] == [b"\x01raw"]


def test_what_is_no_frame_is_refused() -> None:
    with pytest.raises(EngineError, match="not in the format"):
        list(Demultiplexer(tty=False).feed(b"plain text"))
