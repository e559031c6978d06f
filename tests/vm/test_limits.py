"""A VM with a wrong clock, a VM with a full disk: said in words, and no harm to what runs."""

import re
import time

import pytest

from tests.rig.watching import (
    NODES,
    containers,
    deployed,
    is_ready,
    nodes_ready,
    ready_pods,
    until,
)
from tests.vm.machines import PATIENCE, REPLICAS, patient_web, scale

pytestmark = pytest.mark.usefixtures("server_log")


@pytest.fixture
def victim(platform):
    return platform.rig.hosts[-1].name


@pytest.fixture
def running(platform, api):
    """Pods on every VM, and the containers that they are."""
    everyone = len(platform.rig.hosts)
    until("all hosts are ready", lambda: len(nodes_ready(api)) == everyone, 60 * PATIENCE)
    with deployed(api, patient_web("web", REPLICAS), within_s=60 * PATIENCE):
        yield containers(platform)


def conditions(api, name):
    (node,) = [n for n in api.get(NODES)["items"] if n["metadata"]["name"] == name]
    return {c["type"]: c["status"] for c in node["status"]["conditions"]}


def test_a_wrong_clock_moves_nothing_and_bootstrap_says_so(platform, api, victim, running):
    rig = platform.rig
    rig.run(victim, "timedatectl", "set-ntp", "false")
    rig.run(victim, "date", "-s", "+10 minutes")
    try:
        answer = platform.up()
        assert answer.code == 1
        assert f"failed: {victim} " in answer.err
        words = r"its clock is (59|60)\d s ahead of this machine's; at most 30 s are allowed"
        assert re.search(words, answer.err)
        assert len(nodes_ready(api)) == len(rig.hosts)
        assert len(ready_pods(api, "web")) == REPLICAS
        assert containers(platform) == running
        scale(api, REPLICAS + 2)
        until(
            "new pods run there as well",
            lambda: len(ready_pods(api, "web")) == REPLICAS + 2,
            60 * PATIENCE,
        )
    finally:
        rig.run(victim, "date", "-s", f"@{time.time():.0f}")
        rig.run(victim, "timedatectl", "set-ntp", "true")
    answer = platform.up()
    assert answer.code == 0, answer.out + answer.err


def test_a_full_disk_is_told_and_stops_nothing(platform, api, victim, running):
    rig = platform.rig
    free = int(rig.run(victim, "df", "--output=avail", "-B1", "/").split()[-1])
    rig.run(victim, "fallocate", "-l", str(free - (100 << 20)), "/var/lib/filler")
    try:
        until("the Node says so", lambda: conditions(api, victim)["DiskPressure"] == "True",
              60 * PATIENCE)  # fmt: skip
        answer = platform.up()
        assert answer.code == 1
        assert f"failed: {victim} " in answer.err
        assert "/var/lib/docker has 1" in answer.err
        assert "at least 1.0 GiB are needed for images and containers" in answer.err
        assert len(ready_pods(api, "web")) == REPLICAS
        assert containers(platform) == running
    finally:
        rig.run(victim, "rm", "-f", "/var/lib/filler")
    until("the Node is well", lambda: conditions(api, victim)["DiskPressure"] == "False",
          60 * PATIENCE)  # fmt: skip
    (node,) = [n for n in api.get(NODES)["items"] if n["metadata"]["name"] == victim]
    assert is_ready(node)
    answer = platform.up()
    assert answer.code == 0, answer.out + answer.err
