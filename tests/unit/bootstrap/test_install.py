"""What bootstrap installed is remembered: with what came along, and also when it failed halfway."""

import os
import subprocess
from typing import cast

from orchestrator.bootstrap.connect import Connector
from orchestrator.bootstrap.hostkeys import Pin
from orchestrator.bootstrap.inventory.model import InventoryNode
from orchestrator.bootstrap.plan import new_packages, plan_host
from orchestrator.bootstrap.runner import prepare_hosts
from orchestrator.bootstrap.settings import BootstrapSettings
from orchestrator.kit.errors import ChannelLost
from orchestrator.remote.seams import CommandResult, HostAddress
from tests.unit.bootstrap.test_plan import ANSWER, BARE

SETTINGS = BootstrapSettings()
LACKING = ANSWER
for there, away in (
    ("clock=1700000000.250000000", "clock=0"),
    ("dockerd=yes", "dockerd=no"),
    ("service=yes", "service=no"),
    ("socket=ok", "socket=absent"),  # of both
    ("engine=20.10.24+dfsg1 1.41", "engine="),
    ("python_path=/usr/bin/python3\npython=3.11.2", "python_path=\npython="),
):
    LACKING = LACKING.replace(there, away)
FAKES = {
    "apt-get": 'case "$*" in *update) : >$HERE/lists ;; esac\n'
    "[ -f $HERE/lists ] || { echo 'no lists' >&2; exit 100; }\n"
    'case "$*" in *install*) for i in docker.io containerd; do echo "installed $i"; done '
    ">>$HERE/packages ;; esac; echo chatter",
    "dpkg-query": "cat $HERE/packages",
}


def test_the_script_tells_all_packages_that_are_new(tmp_path):
    (tmp_path / "packages").write_text("installed base\nconfig-files containerd\ninstalled sed\n")
    for name, text in FAKES.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    step = plan_host(BARE, SETTINGS).steps[0]
    done = subprocess.run(
        ["sh", "-c", step.script], capture_output=True, text=True, check=False,
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "HERE": str(tmp_path)},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert new_packages(f"a banner\n{done.stdout}") == ("docker.io", "containerd")


class Scripted:
    """A host that gives these answers in turn."""

    def __init__(self, *answers: str | Exception) -> None:
        self._answers = list(answers)
        self.node = InventoryNode("one", "192.0.2.1")
        self.pin = Pin("known", "SHA256:x", "ssh-ed25519")

    def open(self, node: InventoryNode) -> "Scripted":
        return self

    def __enter__(self) -> "Scripted":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def address(self) -> HostAddress:
        return cast("HostAddress", None)

    def run(self, command: str, timeout_s: float = 0.0) -> CommandResult:
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return CommandResult(0, answer, "")


def test_what_was_installed_before_a_failure_is_remembered():
    lost = ChannelLost("not done after 900 s", node="one", operation="run command")
    host = Scripted(LACKING, "new package: python3\nnew package: media-types\n", lost)
    (found,) = prepare_hosts([host.node], cast("Connector", host), SETTINGS, lambda _: None)
    assert [f.step for f in found.failures] == ["docker"]
    assert [s.title for s in found.done] == ["install python3"]
    assert found.installed == ("python3", "media-types", "docker.io")
