"""Channels in WebSocket messages: every subprotocol, there and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.apiserver.connect import channels
from orchestrator.apiserver.connect.channels import Message
from orchestrator.kit.errors import BadRequest


@given(st.sampled_from(channels.COMMANDS), st.integers(0, 9), st.binary(max_size=64))
def test_there_and_back(protocol, channel, data):
    message = channels.encode(protocol, channel, data)
    assert isinstance(message, str) is protocol.text
    assert channels.decode(protocol, message) == Message(channel, data)


@given(st.sampled_from(channels.COMMANDS), st.one_of(st.binary(max_size=32), st.text(max_size=32)))
def test_whatever_comes_is_read_or_refused(protocol, message):
    try:
        found = channels.decode(protocol, message)
    except BadRequest:
        return
    assert 0 <= found.channel <= 255


def test_close_is_known_from_v5_on():
    assert channels.decode(channels.V5, b"\xff\x00") == Message(0, closed=True)
    assert channels.decode(channels.V4, b"\xff\x00") == Message(255, b"\x00")
    with pytest.raises(BadRequest):
        channels.decode(channels.V5, b"\xff")


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (b'{"Width":80,"Height":24}', (80, 24)),
        (b'{"Width":80,"Height":24}\n', (80, 24)),
        (b'{"Height":24}', None),
        (b'{"Width":-1,"Height":24}', None),
        (b'{"Width":70000,"Height":24}', None),
        (b"[]", None),
        (b"", None),
    ],
)
def test_sizes(data, size):
    assert channels.decode_size(data) == size


def test_choice_is_the_clients_order():
    known = channels.COMMANDS
    assert channels.choose(["x", channels.V4.name, channels.V5.name], known, channels.NONE) == (
        channels.V4
    )
    assert channels.choose([], known, channels.NONE) is channels.NONE
