"""A platform for tests: real hosts, bootstrapped by the command line, with a real server."""

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.rig.cluster import Rig
from tests.rig.kubectl import BINARIES, DEFAULT, NO_KUBECTL, Answer, Kubectl

ORCH = Path(sys.executable).with_name("orch")


@dataclass(frozen=True)
class Platform:
    """Three hosts and the server that drives them.

    Attributes:
        rig: the hosts.
        state_dir: of the server.
        api_port: of the API.
        lb_port: of the load balancer.
        kubectl: with the administrator's credentials.
    """

    rig: Rig
    state_dir: Path
    api_port: int
    lb_port: int
    kubectl: Kubectl

    def kubectl_home(self, version: str) -> Path:
        """A home folder that the runs of one version share."""
        path = self.state_dir.parent / "homes" / version
        path.mkdir(parents=True, exist_ok=True)
        return path

    @property
    def pid(self) -> int:
        """The server's process id."""
        return int((self.state_dir / "server.pid").read_text())

    def orch(self, *words: str) -> Answer:
        """Runs `orch` on this platform's state directory."""
        return run_orch(*words, "--state-dir", str(self.state_dir))

    def client(self, *words: str) -> Answer:
        """Runs `orch` as a client of this platform's API."""
        return run_orch(*words, "--kubeconfig", str(self.state_dir / "admin.kubeconfig"))

    def bootstrap(self) -> Answer:
        """Runs `orch bootstrap` on the hosts' inventory."""
        inventory = str(self.rig.cluster.inventory)
        ports = ("--api-port", str(self.api_port), "--lb-port", str(self.lb_port))
        return self.orch("bootstrap", inventory, *ports)

    def log(self, size: int = 4000) -> str:
        """The end of the server's log."""
        return log_end(self.state_dir, size)


def log_end(state_dir: Path, size: int) -> str:
    """The end of the log of a server; "" when it has none yet."""
    path = state_dir / "server.log"
    return path.read_text()[-size:] if path.is_file() else ""


def run_orch(*words: str, limit_s: float = 120) -> Answer:
    """Runs `orch`, and returns what it said, whatever its exit code."""
    command = [str(ORCH), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=limit_s)
    return Answer(done.returncode, done.stdout, done.stderr)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start_platform(rig: Rig, folder: Path) -> Platform:
    """Bootstraps a rig; `stop_platform` takes it down again."""
    if not BINARIES:
        pytest.skip(NO_KUBECTL)
    state_dir, home = folder / "state", folder / "home"
    home.mkdir(parents=True)
    kubectl = Kubectl(BINARIES[DEFAULT], state_dir / "admin.kubeconfig", home)
    platform = Platform(rig, state_dir, free_port(), free_port(), kubectl)
    answer = platform.bootstrap()
    assert answer.code == 0, f"{answer.out}{answer.err}{platform.log()}"
    return platform


def stop_platform(platform: Platform) -> None:
    """Stops server and balancer, and removes what runs on the hosts."""
    platform.orch("stop", "--all")
    platform.rig.mend()
    platform.rig.clean()
    shutil.rmtree(platform.state_dir, ignore_errors=True)


@pytest.fixture(scope="module")
def platform(shared_rig: Rig, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """The session's three hosts with a server of the module's own."""
    shared_rig.mend()
    shared_rig.clean()
    made = start_platform(shared_rig, tmp_path_factory.mktemp("platform"))
    yield made
    stop_platform(made)
