"""The server in a child process, and real kubectl binaries to drive it with."""

import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.rig.kubectl import BINARIES, DEFAULT, NO_KUBECTL, Kubectl

HERE = Path(__file__).parent


@dataclass(frozen=True)
class ServerProcess:
    state_dir: Path
    port: int
    pid: int

    @property
    def kubeconfig(self) -> Path:
        return self.state_dir / "admin.kubeconfig"


@pytest.fixture(scope="session")
def server(request):
    """The server process, for tests that need kubectl as well."""
    if not BINARIES:
        pytest.skip(NO_KUBECTL)
    return request.getfixturevalue("server_process")


@pytest.fixture(scope="session")
def server_process(tmp_path_factory):
    state_dir = tmp_path_factory.mktemp("conformance") / "state"
    log_path = state_dir.parent / "server.log"
    command = [sys.executable, HERE / "apiserver_process.py", state_dir, "0"]
    with (
        log_path.open("wb") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.startswith("listening "):
            process.kill()
            pytest.fail(f"the server did not start: {line}{log_path.read_text()}")
        yield ServerProcess(state_dir, int(line.split()[1]), process.pid)
        process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=10)
    assert code == 0, log_path.read_text()


@pytest.fixture(scope="session")
def homes(tmp_path_factory):
    return tmp_path_factory.mktemp("homes")


@pytest.fixture(params=BINARIES or ["none"])
def any_kubectl(request, server, homes):
    """Every kubectl found, one after the other."""
    home = homes / request.param
    home.mkdir(exist_ok=True)
    return Kubectl(BINARIES[request.param], server.kubeconfig, home)


@pytest.fixture
def kubectl(server, homes):
    """The default kubectl."""
    home = homes / DEFAULT
    home.mkdir(exist_ok=True)
    return Kubectl(BINARIES[DEFAULT], server.kubeconfig, home)


@pytest.fixture
def namespace(request, server, homes):
    """A fresh namespace, named after the test, removed afterwards."""
    home = homes / DEFAULT
    home.mkdir(exist_ok=True)
    admin = Kubectl(BINARIES[DEFAULT], server.kubeconfig, home)
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[:50].strip("-")
    admin("create", "namespace", name)
    yield name
    admin("delete", "namespace", name, "--wait=false")
