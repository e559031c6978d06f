import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentshim import wire

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
MESSAGES = st.lists(st.dictionaries(st.text(max_size=5), JSON, max_size=4), max_size=5)


@given(MESSAGES, st.integers(1, 50))
def test_any_cut_gives_the_same_messages(messages: list[wire.Message], size: int) -> None:
    data = b"".join(wire.encode(message) for message in messages)
    decoder = wire.Decoder()
    got = [m for at in range(0, len(data), size) for m in decoder.feed(data[at : at + size])]
    assert got == messages


@given(st.binary(max_size=200))
def test_nonsense_is_refused_or_waited_on_but_nothing_else(data: bytes) -> None:
    try:
        for message in wire.Decoder(limit=150).feed(data):
            assert isinstance(message, dict)
    except wire.FrameError:
        pass


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x7f\xff\xff\xff", "over the limit"),
        (b"\0\0\0\2[]", "not a JSON object"),
        (b"\0\0\0\1{", "not JSON"),
        (b"\0\0\0\1\xff", "not JSON"),
        ((200_000).to_bytes(4, "big") + b"[" * 200_000, "not JSON"),
    ],
    ids=["long", "list", "cut", "bytes", "deep"],
)
def test_what_is_no_frame(data: bytes, words: str) -> None:
    with pytest.raises(wire.FrameError, match=words):
        wire.Decoder().feed(data)


def test_a_message_over_the_limit_is_not_sent() -> None:
    with pytest.raises(wire.FrameError):
        wire.encode({"x": "a" * wire.MAX_FRAME_BYTES})
