"""Binding, and naming who has the port."""

import os
import socket

import pytest

from orchestrator.apiserver.ports import bind, who_listens
from orchestrator.kit.errors import ConfigError


def test_taken_port_names_the_process():
    with bind("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(ConfigError, match=r"address already in use by .*pid") as caught:
            bind("127.0.0.1", port)
        assert f"(pid {os.getpid()})" in str(caught.value)


def test_free_port_has_no_owner():
    with socket.socket() as idle:
        idle.bind(("127.0.0.1", 0))
        assert who_listens(idle.getsockname()[1]) == ""


def test_address_of_another_machine():
    with pytest.raises(ConfigError, match="no such address"):
        bind("203.0.113.250", 0)


def test_unknown_process_leaves_the_sentence_whole(tmp_path):
    assert who_listens(80, proc=tmp_path) == ""
