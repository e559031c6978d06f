"""Real hosts for tests: a local cluster of three per session, and clusters made to measure.

Use from a test module or a conftest:

    from tests.rig.cluster import rig, rig_hosts   # noqa: F401  # fixtures

Names carry a hash of work tree and process, so that two runs never meet on one engine; what a dead
run left behind is swept by the next `up` (owner label).
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest

from orchestrator.kit.errors import Unreachable
from orchestrator.local import cluster as local
from orchestrator.local.cluster import LocalCluster, LocalHost
from orchestrator.local.engine import connect_engine
from orchestrator.local.faults import Faults
from orchestrator.local.hosts import run_inside
from orchestrator.local.owner import current_owner
from orchestrator.local.seeding import seed_images
from orchestrator.remote.seams import HostAddress

_RUN = f"{Path(__file__).resolve().parents[2]} {os.getpid()}"
TREE = hashlib.sha256(_RUN.encode()).hexdigest()[:6]


@dataclass(frozen=True)
class Rig:
    """A cluster of real hosts with its faults.

    Attributes:
        cluster: as `orch local` knows it; `.inventory` is its inventory file.
        faults: kill, restart, pause, unpause, disconnect, connect, apply(name, host).
        client: this machine's engine.
    """

    cluster: LocalCluster
    faults: Faults
    client: docker.DockerClient

    @property
    def hosts(self) -> tuple[LocalHost, ...]:
        """The hosts by number."""
        return self.cluster.hosts

    @property
    def known_hosts(self) -> Path:
        """A known_hosts file with every host's key, under its address."""
        return self.cluster.directory / "known_hosts"

    def address(self, host: LocalHost | str) -> HostAddress:
        """How the server reaches a host, keys pinned."""
        found = self.cluster.host(host) if isinstance(host, str) else host
        return HostAddress(
            node=found.name,
            host=found.address,
            port=found.port,
            user=found.user,
            identity_file=str(found.identity_file),
            known_hosts=str(self.known_hosts),
            host_key_alias=found.address,
        )

    def run(self, host: str, *argv: str) -> str:
        """Runs a command as root in a host, past sshd; returns its output, fails on non-zero."""
        status, output = run_inside(self.client, self.cluster.host(host).container, argv)
        assert status == 0, f"{host}: {' '.join(argv)}: status {status}: {output}"
        return output

    def seed(self, *images: str) -> None:
        """Loads images of this machine's engine into every host."""
        seed_images(self.client, [h.container for h in self.hosts], images)

    def mend(self) -> None:
        """Takes every fault back: all hosts connected, running, answering."""
        for host in self.hosts:
            for fault in ("unpause", "connect"):
                self.faults.apply(fault, host.name)
            state = self.client.api.inspect_container(host.container)["State"]["Status"]
            if state != "running":
                self.faults.restart(host.name)
            self.run(host.name, "sh", "-c", "pgrep -x sshd >/dev/null || orch-host start sshd")
            self.run(
                host.name, "sh", "-c", "pgrep -x dockerd >/dev/null || orch-host start dockerd"
            )
            self.run(host.name, "orch-host", "wait", "60")

    def clean(self) -> None:
        """Removes every container and shim from the hosts' engines; images stay."""
        for host in self.hosts:
            self.run(host.name, "orch-host", "clean")


def make_rig(
    name: str,
    directory: Path,
    *,
    nodes: int = 3,
    images: Sequence[str] = (),
    docker_access: bool = True,
) -> Rig:
    """A cluster that dies with this process (swept later if it cannot clean up itself)."""
    client = connect_engine()
    made = local.up(
        nodes,
        name=f"{name}-{TREE}",
        directory=directory,
        images=images,
        owner=current_owner(),
        docker_access=docker_access,
        client=client,
    )
    return Rig(made, Faults(made, client), client)


def drop_rig(rig: Rig) -> None:
    """Removes a rig and everything in it."""
    local.down(rig.cluster.name, rig.client)
    rig.client.close()


def _needs_engine() -> None:
    try:
        connect_engine(10.0).close()
    except Unreachable as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def shared_rig(tmp_path_factory: pytest.TempPathFactory, worker_suffix: str) -> Iterator[Rig]:
    """Three hosts for the whole session; take `rig` instead, which hands them out mended."""
    _needs_engine()
    made = make_rig(f"rig{worker_suffix}", tmp_path_factory.mktemp("rig"))
    yield made
    drop_rig(made)


@pytest.fixture(scope="session")
def worker_suffix(request: pytest.FixtureRequest) -> str:
    """Tells the workers of a parallel run apart; "" without one."""
    return getattr(request.config, "workerinput", {}).get("workerid", "")


@pytest.fixture
def rig(shared_rig: Rig) -> Iterator[Rig]:
    """Three hosts, mended and clean at the start; mended again at the end."""
    shared_rig.mend()
    shared_rig.clean()
    yield shared_rig
    shared_rig.mend()


@pytest.fixture
def new_rig(tmp_path: Path, worker_suffix: str) -> Iterator[Callable[..., Rig]]:
    """Makes a cluster of its own: `new_rig("boot", nodes=2, docker_access=False)`."""
    _needs_engine()
    made: list[Rig] = []

    def make(
        name: str, *, nodes: int = 3, images: Sequence[str] = (), docker_access: bool = True
    ) -> Rig:
        rig = make_rig(
            f"{name}{worker_suffix}",
            tmp_path / name,
            nodes=nodes,
            images=images,
            docker_access=docker_access,
        )
        made.append(rig)
        return rig

    yield make
    for rig in made:
        drop_rig(rig)
