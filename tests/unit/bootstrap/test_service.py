"""The server as a process: known by its pid file, and by nothing else that happens to run."""

import os
import subprocess
import sys

import pytest

from orchestrator.bootstrap.service import Service
from orchestrator.bootstrap.state import StateDirectory
from orchestrator.kit.errors import Unreachable


@pytest.fixture
def state(tmp_path):
    directory = StateDirectory(tmp_path)
    directory.balancer_pid.parent.mkdir()
    return directory


@pytest.fixture
def stand_in():
    """A process that looks like `orch server` and ends on TERM."""
    with subprocess.Popen(
        [sys.executable, "-c", "import time; print(); time.sleep(60)", "/usr/bin/orch", "server"],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()  # it is itself now, no longer a copy of us
        yield process
        process.kill()


@pytest.mark.parametrize(
    "text", ["", "x\n", "999999999\n", f"{os.getpid()}\n"], ids=["empty", "word", "unused", "ours"]
)
def test_a_pid_file_alone_is_no_server(state, text):
    state.pid.write_text(text)
    state.balancer_pid.write_text(text)
    service = Service(state)
    assert (service.pid(), service.balancer_pid()) == (0, 0)
    assert not service.stop()
    assert not service.stop_balancer()


def test_a_server_is_found_and_stopped(state, stand_in):
    state.pid.write_text(f"{stand_in.pid}\n")
    service = Service(state)
    assert service.pid() == stand_in.pid
    assert service.stop()
    assert stand_in.wait() == -15
    assert service.pid() == 0


@pytest.mark.slow
def test_a_server_that_ends_at_once_is_told_with_its_last_words(state):
    # the state directory is a file to the server, which therefore ends with an error
    broken = StateDirectory(state.path / "file")
    broken.path.write_text("")
    broken.log = state.log
    service = Service(broken)
    service.start()
    with pytest.raises(Unreachable) as caught:
        service.wait_ready(limit_s=30)
    assert "it ended with status" in caught.value.message
    assert f"last lines of {state.log}" in caught.value.message
