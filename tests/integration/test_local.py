"""Local clusters on this machine's engine: up, log in, seed, lose hosts, down."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestrator.local import cluster as local
from orchestrator.local.engine import connect_engine
from orchestrator.local.names import network_name

pytestmark = [pytest.mark.docker, pytest.mark.rig]


def ssh(rig, host, command):
    return subprocess.run(
        ["ssh", "-F", str(rig.cluster.directory / "ssh_config"), "-o", "BatchMode=yes",
         "-o", "StrictHostKeyChecking=yes", "-o", "ConnectTimeout=3", host, command],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def banner(host, port=22):
    """What sshd (or what listens on the port) says first, or why it says nothing."""
    try:
        with socket.create_connection((host.address, port), timeout=1.0) as connection:
            return connection.recv(4).decode()
    except OSError as error:
        return type(error).__name__


def test_login_is_by_own_key_only_with_pinned_host_keys(rig):
    one, two = rig.hosts[:2]
    answer = ssh(rig, one.name, "id -un; sudo -n id -un; hostname")
    assert answer.stdout.split() == ["ops", "root", one.name], answer.stderr
    foreign = subprocess.run(
        ["ssh", "-F", "/dev/null", "-i", str(one.identity_file), "-o", "IdentitiesOnly=yes",
         "-o", "BatchMode=yes", "-o", f"UserKnownHostsFile={rig.known_hosts}",
         f"ops@{two.address}", "true"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert foreign.returncode == 255
    assert "Permission denied (publickey)" in foreign.stderr


def test_every_host_has_its_own_engine_and_images_can_be_seeded(rig, shop_image):
    rig.seed(shop_image)
    ids = set()
    for host in rig.hosts:
        ids.add(rig.run(host.name, "docker", "info", "-f", "{{.ID}}").strip())
        assert shop_image in rig.run(
            host.name, "docker", "images", "--format", "{{.Repository}}:{{.Tag}}"
        )
    assert len(ids) == len(rig.hosts)


def test_containers_run_with_limits_and_published_ports(rig, shop_image):
    rig.seed(shop_image)
    host = rig.hosts[0]
    rig.run(host.name, "docker", "run", "-d", "--name", "echo", "-m", "32m", "--cpus", "0.5",
            "-p", "20000:8080", shop_image, "/bin/busybox", "nc", "-ll", "-p", "8080", "-e",
            "/bin/busybox", "echo", "SSH-")  # fmt: skip
    deadline = time.monotonic() + 10
    while (seen := banner(host, 20000)) != "SSH-" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert seen == "SSH-"


def test_faults_take_hold_and_can_be_taken_back(rig):
    host, other = rig.hosts[0], rig.hosts[1]
    for fault, cure, seen in (
        ("kill", "restart", {"OSError", "TimeoutError", "timeout"}),
        ("pause", "unpause", {"TimeoutError", "timeout"}),
        ("disconnect", "connect", {"OSError", "TimeoutError", "timeout"}),
        ("stop-sshd", "start-sshd", {"ConnectionRefusedError"}),
    ):
        rig.faults.apply(fault, host.name)
        assert banner(host) in seen, fault
        assert banner(other) == "SSH-"
        rig.faults.apply(cure, host.name)
        assert banner(host) == "SSH-", cure
    rig.faults.apply("stop-dockerd", host.name)
    assert "Cannot connect to the Docker daemon" in ssh(rig, host.name, "docker ps").stderr
    rig.faults.apply("start-dockerd", host.name)
    assert ssh(rig, host.name, "docker ps -q").returncode == 0


def test_up_again_starts_what_was_lost_and_adds_hosts(new_rig, tmp_path):
    small = new_rig("grow", nodes=1)
    small.faults.kill("node-1")
    key = small.hosts[0].identity_file.read_text()
    grown = local.up(2, name=small.cluster.name, owner=small.cluster.owner, client=small.client)
    assert [h.state for h in grown.hosts] == ["running", "running"]
    assert grown.hosts[0].identity_file.read_text() == key
    assert banner(grown.hosts[0]) == banner(grown.hosts[1]) == "SSH-"


def leave_behind(name, folder, nodes=1):
    """A cluster whose owner is a process that has ended."""
    program = (
        "from pathlib import Path; from orchestrator.local import cluster, owner; "
        f"cluster.up({nodes}, name={name!r}, directory=Path({str(folder)!r}), "
        "owner=owner.current_owner())"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_cluster_whose_owner_died_is_swept(tmp_path):
    name, folder = f"swept-{os.getpid()}", tmp_path / "c"
    leave_behind(name, folder)
    client = connect_engine()
    try:
        assert local.find(name, client) is not None
        assert name in local.sweep_dead(client)
        assert local.find(name, client) is None
        assert not client.networks.list(names=[network_name(name)])
        assert not folder.exists()
    finally:
        local.down(name, client)
        client.close()


def test_two_who_sweep_at_once_do_not_fail(tmp_path):
    name, folder = f"both-{os.getpid()}", tmp_path / "c"
    leave_behind(name, folder, nodes=2)
    client = connect_engine()
    start = threading.Barrier(4)

    def sweep(_):
        start.wait()
        local.sweep_dead(client)
        return local.find(name, client)

    try:
        with ThreadPoolExecutor(4) as threads:
            assert list(threads.map(sweep, range(4))) == [None] * 4
        assert not folder.exists()
    finally:
        local.down(name, client)
        client.close()


def test_the_command_line_goes_from_up_to_down(tmp_path, shop_image):
    name = f"cli-{os.getpid()}"

    def orch(*words):
        return subprocess.run(
            [Path(sys.executable).with_name("orch"), "local", *words],
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    try:
        made = orch("up", "--nodes", "1", "--name", name, "--dir", str(tmp_path / "c"),
                    "--image", shop_image)  # fmt: skip
        assert made.returncode == 0, made.stderr
        assert f"next:      orch bootstrap {tmp_path / 'c' / 'inventory.yaml'}" in made.stdout
        listed = json.loads(orch("list", "-o", "json").stdout)
        assert [h["state"] for c in listed if c["name"] == name for h in c["hosts"]] == ["running"]
        wrong = orch("fault", name, "node-9", "kill")
        assert wrong.returncode == 1
        assert "has no host 'node-9'; its hosts: node-1" in wrong.stderr
    finally:
        gone = orch("down", name)
    assert gone.stdout == f"{name}: removed\n"
    assert not (tmp_path / "c").exists()


@pytest.fixture(scope="module")
def shop_image(tmp_path_factory):
    """A tiny image on this machine's engine."""
    from tests.rig.images import ensure_busybox

    return ensure_busybox()
