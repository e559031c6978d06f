"""The second `orch bootstrap` of twelve prepared hosts, beside Ansible and pyinfra.

orch      `orch bootstrap` again: connects, reads the facts of every host, finds nothing to do,
          compares what the server has, waits until every host is Ready.
ansible   ansible-core, a playbook with the same checks (scripts/lib/bench_peers/playbook.yaml):
          pipelining, 12 forks, facts cut down to those that are used, the interpreter given.
pyinfra   a deploy with the same checks (scripts/lib/bench_peers/deploy.py), 12 hosts at once.

The same keys, host key checks and users for all. Every measurement begins with no SSH connection
of the tool's own: Ansible's kept ones are ended between the runs, as for someone who comes back
later. The peers come from PyPI and live in a virtual environment of their own; the directory is
taken from $ORCH_BENCH_PEERS, which scripts/bench sets.
"""

import contextlib
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench_rounds import Bound, Contestant, arguments, conclude, machine, measure, report
from platform_rig import ROOT, BenchmarkError, Platform, run

from orchestrator.bootstrap.facts import PYTHON_MODULES

HOSTS = 12
PEERS = ROOT / "scripts/lib/bench_peers"
MODULES = ", ".join(PYTHON_MODULES)


class Peers:
    """Inventories for the peers, and their commands."""

    def __init__(self, platform: Platform, venv: Path, folder: Path) -> None:
        self._venv, self._folder = venv, folder
        self._controls = folder / "control"
        self._known = platform.inventory.parent / "known_hosts"
        self._write_inventories({host: platform.login(host) for host in platform.hosts})

    def _write_inventories(self, logins: dict[str, dict[str, object]]) -> None:
        options = f"-o UserKnownHostsFile={self._known} -o IdentitiesOnly=yes"
        ansible = {
            name: {
                "ansible_host": login["host"],
                "ansible_port": login["port"],
                "ansible_user": login["user"],
                "ansible_ssh_private_key_file": login["identity_file"],
                "ansible_ssh_common_args": options,
                "python_modules": MODULES,
            }
            for name, login in logins.items()
        }
        (self._folder / "hosts.json").write_text(json.dumps({"all": {"hosts": ansible}}))
        pyinfra = [
            (
                name,
                {
                    "ssh_hostname": login["host"],
                    "ssh_port": login["port"],
                    "ssh_user": login["user"],
                    "ssh_key": login["identity_file"],
                    "ssh_known_hosts_file": str(self._known),
                    "ssh_strict_host_key_checking": "yes",
                    "python_modules": MODULES,
                },
            )
            for name, login in logins.items()
        ]
        (self._folder / "inventory.py").write_text(f"hosts = {pyinfra!r}\n")

    def _tool(self, name: str, *words: str, expect: Callable[[str], bool]) -> None:
        environment = {
            **os.environ,
            "PATH": f"{self._venv / 'bin'}:{os.environ['PATH']}",
            "ANSIBLE_CONFIG": str(PEERS / "ansible.cfg"),
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self._controls),
            "ANSIBLE_HOME": str(self._folder / "ansible"),
            "LC_ALL": "C.UTF-8",
        }
        done = subprocess.run(
            [str(self._venv / "bin" / name), *words],
            capture_output=True, text=True, check=False, env=environment, cwd=self._folder,
        )  # fmt: skip
        said = done.stdout + done.stderr
        if done.returncode or not expect(said):
            raise BenchmarkError(f"{name}: status {done.returncode}\n{said[-3000:]}")

    def ansible(self) -> None:
        """The playbook; every host must be ok."""
        self._tool(
            "ansible-playbook",
            "-i", str(self._folder / "hosts.json"), str(PEERS / "playbook.yaml"),
            expect=lambda said: len(re.findall(r"ok=7 .*failed=0", said)) == HOSTS,
        )  # fmt: skip

    def pyinfra(self) -> None:
        """The deploy; every host must come through."""
        self._tool(
            "pyinfra", "-y", str(self._folder / "inventory.py"), str(PEERS / "deploy.py"),
            expect=lambda said: len(re.findall(r"\[node-\d+\] +Ready: ", said)) == HOSTS,
        )  # fmt: skip

    def disconnect(self) -> None:
        """Ends the connections that ssh keeps for Ansible."""
        for path in self._controls.glob("*"):
            with contextlib.suppress(FileNotFoundError):
                run("ssh", "-o", f"ControlPath={path}", "-O", "exit", "host", check=False)


def again(platform: Platform) -> Callable[[], None]:
    """The second bootstrap; it must change nothing."""

    def act() -> None:
        said = run(*platform.bootstrap_command())
        if f"{HOSTS} of {HOSTS} hosts ready, 0 changed" not in said:
            raise BenchmarkError(f"orch bootstrap did not find all as it should be:\n{said}")

    return act


def main() -> bool:
    flags = arguments(__doc__)
    venv = Path(os.environ.get("ORCH_BENCH_PEERS", ""))
    if not (venv / "bin" / "ansible-playbook").exists():
        raise SystemExit("no peers here: run this as scripts/bench bootstrap")
    title = f"checks of {HOSTS} prepared hosts, {flags.runs} runs; {machine()}"
    with tempfile.TemporaryDirectory(prefix="orch-") as folder, Platform(HOSTS, name="boot") as rig:
        peers = Peers(rig, venv, Path(folder))
        contestants = [
            Contestant("orch", again(rig)),
            Contestant("ansible", peers.ansible, peers.disconnect, peers.disconnect),
            Contestant("pyinfra", peers.pyinfra),
        ]
        measure(contestants, flags.runs)
    bounds = [Bound("ansible", 0.2), Bound("pyinfra", 1.0, strict=True)]
    return report(title, contestants, bounds)


if __name__ == "__main__":
    conclude(main)
