"""VMs for tests: a cluster of `vagrant/cluster`, driven by the command that people use.

The environment says what the VMs are made of, as it does for that command: ORCH_BOX,
ORCH_VM_EMULATE, VAGRANT_DEFAULT_PROVIDER and so on. What it leaves open is kept small here.
"""

import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from orchestrator.bootstrap.api import AdminApi
from tests.rig.images import BUSYBOX_TAG, busybox_tar
from tests.rig.kubectl import Answer
from tests.rig.served import ORCH, log_end, run_orch
from tests.rig.watching import DEPLOYMENTS, Object, web

ROOT = Path(__file__).resolve().parents[2]
COMMAND = ROOT / "vagrant/cluster"
DEFAULTS = {
    "ORCH_VM_CLUSTER": "orch-test",  # beside a cluster that somebody plays with
    "ORCH_VM_SUBNET": "192.168.58",
    "ORCH_VM_OUTSIDE": "192.168.59.0/24",
    "ORCH_NODES": "2",
    "ORCH_VM_MEMORY": "1024",
    "ORCH_VM_CPUS": "1",
}
EMULATED = os.environ.get("ORCH_VM_EMULATE") == "1"
PATIENCE = 16.0 if EMULATED else 1.0  # what takes a second on hardware may take so many
LIMIT_S = 900 + 300 * PATIENCE  # of a command, which may boot VMs and install Docker there
REPLICAS = 2 if EMULATED else 6  # of the Deployment "web", on all VMs


def patient_web(name: str, replicas: int) -> Object:
    """`web`, whose probe bears with a processor that is emulated and starts other containers."""
    made = web(name, replicas)
    for container in made["spec"]["template"]["spec"]["containers"]:
        container["readinessProbe"] |= {"periodSeconds": 2, "timeoutSeconds": 15}
    return made


def scale(api: AdminApi, replicas: int) -> None:
    """Another size for the Deployment of that name."""
    api.merge(f"{DEPLOYMENTS}/web", {"spec": {"replicas": replicas}})


@dataclass(frozen=True)
class Host:
    """A VM by name, and its address on the private network."""

    name: str
    address: str


class Machines:
    """The VMs of one cluster: the commands of `vagrant/cluster`, and a root shell in each."""

    def __init__(self) -> None:
        self.environment = {**DEFAULTS, **os.environ, "ORCH": str(ORCH)}
        self.name = self.environment["ORCH_VM_CLUSTER"]
        self.directory = ROOT / "vagrant/.clusters" / self.name

    @property
    def inventory(self) -> Path:
        """The file that `up` writes."""
        return self.directory / "inventory.yaml"

    @property
    def hosts(self) -> tuple[Host, ...]:
        """The VMs of the inventory."""
        nodes: list[dict[str, Any]] = yaml.safe_load(self.inventory.read_text())["nodes"]
        return tuple(Host(n["name"], n["host"]) for n in nodes)

    def cluster(self, *words: str, stdin: bytes | None = None, limit_s: float = LIMIT_S) -> Answer:
        """Runs `vagrant/cluster`, and returns what it said, whatever its exit code."""
        done = subprocess.run(
            [COMMAND, *words],
            input=stdin if stdin is not None else b"",
            capture_output=True,
            check=False,
            timeout=limit_s,
            env=self.environment,
        )
        answer = Answer(done.returncode, done.stdout.decode(), done.stderr.decode())
        if words[0] != "ssh":  # beside a failure, what happened to the VMs
            print(f"\n$ {COMMAND} {' '.join(words)}\n{answer.err[-3000:]}{answer.out[-3000:]}")
        return answer

    def do(self, *words: str) -> Answer:
        """Runs `vagrant/cluster`; it must succeed."""
        answer = self.cluster(*words)
        assert answer.code == 0, f"vagrant/cluster {' '.join(words)}: {answer.out}{answer.err}"
        return answer

    def run(self, host: str, *argv: str, stdin: bytes | None = None) -> str:
        """Runs a command as root in a VM; returns its output, fails on non-zero."""
        answer = self.cluster("ssh", host, shlex.join(["sudo", *argv]), stdin=stdin, limit_s=600)
        assert answer.code == 0, f"{host}: {' '.join(argv)}: {answer.out}{answer.err}"
        return answer.out

    def try_run(self, host: str, *argv: str) -> Answer:
        """The same for what may fail, also because the VM is away."""
        return self.cluster("ssh", host, shlex.join(["sudo", *argv]), limit_s=600)

    def boot_id(self, host: str) -> str:
        """Another one after each boot; "" while the VM does not answer."""
        answer = self.try_run(host, "cat", "/proc/sys/kernel/random/boot_id")
        return answer.out.strip() if answer.code == 0 else ""

    def seed(self) -> None:
        """The small test image into every VM's engine, without a registry."""
        archive = busybox_tar()
        for host in self.hosts:
            change = 'CMD ["/bin/sh"]'
            self.run(
                host.name, "docker", "import", "--change", change, "-", BUSYBOX_TAG, stdin=archive
            )


@dataclass(frozen=True)
class Platform:
    """The VMs with the server that drives them; what tests.rig.watching looks at.

    Attributes:
        rig: the VMs.
        state_dir: of the server.
        api_port: of the API.
        lb_port: of the load balancer.
    """

    rig: Machines
    state_dir: Path
    api_port: int
    lb_port: int

    def up(self, *options: str) -> Answer:
        """`vagrant/cluster up` on ports of its own."""
        ports = ("--api-port", str(self.api_port), "--lb-port", str(self.lb_port))
        return self.rig.cluster("up", *ports, *options)

    def orch(self, *words: str) -> Answer:
        """Runs `orch` on this platform's state directory."""
        return run_orch(*words, "--state-dir", str(self.state_dir), limit_s=600)

    def log(self, size: int = 4000) -> str:
        """The end of the server's log."""
        return log_end(self.state_dir, size)
