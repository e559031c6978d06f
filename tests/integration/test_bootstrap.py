"""Bootstrap against real hosts: keys, facts, steps, and one broken host beside good ones."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.bootstrap.connect import Connector
from orchestrator.bootstrap.hostkeys import HostKeys
from orchestrator.bootstrap.inventory.load import load_inventory
from orchestrator.bootstrap.reset import reset_hosts
from orchestrator.bootstrap.runner import prepare_hosts
from orchestrator.bootstrap.settings import BootstrapSettings
from orchestrator.bootstrap.state import HostChanges, StateDirectory

pytestmark = [pytest.mark.docker, pytest.mark.rig]
SETTINGS = BootstrapSettings(connect_timeout_s=4.0)


@pytest.fixture
def state(tmp_path):
    directory = StateDirectory(tmp_path / "state")
    directory.ensure()
    return directory


def nodes_of(rig):
    return load_inventory(rig.cluster.inventory, {}, Path("/nonexistent")).nodes


def prepare(nodes, state, *, settings=SETTINGS, known=(), dry_run=False):
    events = []
    connector = Connector(HostKeys(state.known_hosts, known, record=not dry_run), settings)
    try:
        outcomes = prepare_hosts(nodes, connector, settings, events.append, dry_run=dry_run)
    finally:
        connector.close()
    return outcomes, events


def orch(*words, **environment):
    return subprocess.run(
        [Path(sys.executable).with_name("orch"), *map(str, words)],
        capture_output=True, text=True, check=False, timeout=100,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **environment},
    )  # fmt: skip


def test_new_hosts_are_prepared_and_a_second_run_does_nothing(new_rig, state):
    rig = new_rig("fresh", nodes=2, docker_access=False)
    rig.faults.apply("stop-dockerd", "node-2")
    first, events = prepare(nodes_of(rig), state)
    assert [o.failures for o in first] == [(), ()]
    assert [[s.title for s in o.done] for o in first] == [
        ["put ops into group docker"],
        ["start the Docker Engine", "put ops into group docker"],
    ]
    assert [o.pin.how for o in first] == ["first-use"] * 2
    assert sum("NEW key pinned" in e.detail for e in events) == 2
    second, events = prepare(nodes_of(rig), state)
    assert [o.done for o in second] == [(), ()]
    assert [o.pin.how for o in second] == ["known"] * 2
    assert {e.state for e in events} == {"running", "done"}
    facts = second[0].facts
    assert facts.os_name in rig.run("node-1", "cat", "/etc/os-release")
    assert (facts.socket, facts.sudo, facts.user) == ("ok", "yes", "ops")
    # what was changed can be taken back
    connector = Connector(HostKeys(state.known_hosts), SETTINGS)
    state.add_changes({n: HostChanges((), ("docker",), "ops") for n in ("node-1", "node-2")})
    outcomes = reset_hosts(nodes_of(rig), state, connector, SETTINGS, lambda _: None)
    connector.close()
    assert [o.removed for o in outcomes] == ["ops's membership of group docker"] * 2
    assert state.changes() == {}
    assert "docker" not in rig.run("node-1", "id", "-Gn", "ops")


def test_a_dry_run_changes_nothing(new_rig, state):
    rig = new_rig("dry", nodes=1, docker_access=False)
    outcomes, events = prepare(nodes_of(rig), state, dry_run=True)
    assert [e.detail for e in events if e.state == "planned"] == ["put ops into group docker"]
    assert outcomes[0].prepared
    assert "docker" not in rig.run("node-1", "id", "-Gn", "ops").split()
    assert not state.known_hosts.exists()


def test_known_keys_are_adopted_and_a_changed_one_stops_that_host_only(rig, state):
    outcomes, _ = prepare(nodes_of(rig), state, known=[rig.known_hosts])
    assert [o.pin.how for o in outcomes] == ["adopted"] * 3
    rig.run("node-2", "sh", "-c", "cp -a /etc/ssh /etc/ssh.kept; rm /etc/ssh/ssh_host_*; "
            "ssh-keygen -A; orch-host stop sshd; orch-host start sshd")  # fmt: skip
    try:
        outcomes, _ = prepare(nodes_of(rig), state, known=[rig.known_hosts])
    finally:
        rig.run("node-2", "sh", "-c", "rm -r /etc/ssh; mv /etc/ssh.kept /etc/ssh; "
                "orch-host stop sshd; orch-host start sshd")  # fmt: skip
    assert [o.prepared for o in outcomes] == [True, False, True]
    failure = outcomes[1].failures[0]
    assert failure.step == "connect"
    assert "the host key has CHANGED" in failure.message
    assert f"ssh-keygen -R 'node-2' -f {state.known_hosts}" in failure.message


def test_every_broken_host_says_at_which_step_and_why(rig, state, tmp_path):
    one, two, three = nodes_of(rig)
    rig.run("node-2", "sh", "-c", "mv /etc/sudoers.d/ops /root/; gpasswd -d ops docker")
    rig.faults.kill("node-3")
    other_key = tmp_path / "other"
    other_key.write_text(Path(two.identity_file).read_text())
    nodes = [
        dataclasses.replace(one, name="good"),
        dataclasses.replace(one, name="wrong-key", identity_file=str(other_key)),
        dataclasses.replace(one, name="wrong-user", user="nobody"),
        dataclasses.replace(one, name="wrong-port", port=1),
        dataclasses.replace(one, name="no-such-name", host="host.invalid"),
        two,
        three,
    ]
    try:
        outcomes, _ = prepare(nodes, state)
    finally:
        rig.run("node-2", "sh", "-c", "mv /root/ops /etc/sudoers.d/; usermod -aG docker ops")
        rig.faults.restart("node-3")
    found = {o.node.name: " ".join(f"{f.step}: {f.message}" for f in o.failures) for o in outcomes}
    assert found["good"] == ""
    address = one.host
    for name, words in {
        "wrong-key": f"connect: ops@{address}:22: sshd accepts none of the keys offered",
        "wrong-user": f"connect: nobody@{address}:22: sshd accepts none of the keys offered",
        "wrong-port": f"connect: ops@{address}:1: ",
        "no-such-name": "connect: ops@host.invalid:22: the name is not known",
        "node-2": "sudo: root has to put ops into group docker, and sudo -n says: sudo: ",
        "node-3": "connect: ",
    }.items():
        assert words in found[name], found[name]


def test_hosts_without_python_or_disk_are_refused_in_words(rig, state):
    nodes = nodes_of(rig)[:1]
    rig.run("node-1", "sh", "-c", "mv /usr/bin/python3 /usr/bin/python3.away; "
            "mv /usr/bin/python3.11 /usr/bin/python3.11.away 2>/dev/null; true")  # fmt: skip
    try:
        outcomes, _ = prepare(nodes, state, settings=dataclasses.replace(SETTINGS, install=False))
    finally:
        rig.run("node-1", "sh", "-c", "for i in /usr/bin/python3*.away; do mv $i ${i%.away}; done")
    assert [(f.step, f.message) for f in outcomes[0].failures] == [
        ("python", "there is no python3; install python3 (not done because of --no-install)")
    ]
    greedy = dataclasses.replace(SETTINGS, least_disk_bytes=1 << 60)
    outcomes, _ = prepare(nodes, state, settings=greedy)
    assert outcomes[0].failures[0].message.startswith("/var/lib/docker has ")


@pytest.fixture
def one_key_for_all(rig):
    """The first host's key may log in everywhere, for this test."""
    one, *others = nodes_of(rig)
    keys = "/home/ops/.ssh/authorized_keys"
    key = Path(one.identity_file + ".pub").read_text().strip()
    for node in others:
        rig.run(node.name, "sh", "-c", f"cp -p {keys} {keys}.own && echo '{key}' >>{keys}")
    yield
    for node in others:
        rig.run(node.name, "mv", f"{keys}.own", keys)


@pytest.mark.usefixtures("one_key_for_all")
def test_a_jump_host_is_shared_and_its_key_pinned(rig, state):
    one, two, three = nodes_of(rig)
    behind = [
        dataclasses.replace(n, jump=f"ops@{one.host}", identity_file=one.identity_file)
        for n in (two, three)
    ]
    outcomes, _ = prepare(behind, state)
    assert [o.failures for o in outcomes] == [(), ()]
    pins = [line.split()[0] for line in state.known_hosts.read_text().splitlines()]
    assert sorted(pins) == sorted(["node-2", "node-3", one.host])
    assert outcomes[0].address.jump == f"ops@{one.host}"
    away = [dataclasses.replace(n, jump=f"ops@{one.host}:1") for n in behind]
    outcomes, _ = prepare(away, state)
    assert all("connect: " in f"{f.step}: {f.message}" for o in outcomes for f in o.failures)
    assert [o.prepared for o in outcomes] == [False, False]


def test_reset_removes_containers_shims_and_files_of_ours(rig, state, shop_image):
    rig.seed(shop_image)
    rig.run("node-1", "docker", "run", "-d", "--name", "ours", "--label", "orch.dev/cluster=x",
            shop_image, "/bin/busybox", "sleep", "1000")  # fmt: skip
    rig.run("node-1", "docker", "run", "-d", "--name", "theirs", shop_image, "/bin/busybox",
            "sleep", "1000")  # fmt: skip
    rig.run("node-1", "docker", "tag", shop_image, "orch.dev/pause:1")
    rig.run("node-1", "docker", "network", "create", "--label", "orch.dev/cluster=x", "ours")
    rig.run("node-1", "sh", "-c", "mkdir -p /run/orch/shim && cp /usr/bin/sleep /run/orch/shim/; "
            "mount -t tmpfs none /run/orch/shim && cp /usr/bin/python3 /run/orch/shim/x; "
            "setsid python3 -c 'import time; time.sleep(1000)' /run/orch/shim/x &")  # fmt: skip
    connector = Connector(HostKeys(state.known_hosts), SETTINGS)
    try:
        first = reset_hosts(nodes_of(rig), state, connector, SETTINGS, lambda _: None)
        second = reset_hosts(nodes_of(rig), state, connector, SETTINGS, lambda _: None)
    finally:
        connector.close()
    assert [o.failure for o in first] == [None] * 3
    assert first[0].removed == (
        "1 shim processes; 1 containers; 1 networks; image orch.dev/pause:1; /run/orch"
    )
    assert [o.removed for o in second] == [""] * 3
    assert rig.run("node-1", "docker", "ps", "--format", "{{.Names}}").split() == ["theirs"]
    assert "orch" not in rig.run("node-1", "ls", "/run", "/dev/shm")


def test_a_purge_takes_the_engine_that_bootstrap_installed_and_what_it_kept(new_rig, state):
    rig = new_rig("purged", nodes=1)
    rig.run("node-1", "sh", "-c", "test -d /var/lib/docker/image && getent group docker")
    connector = Connector(HostKeys(state.known_hosts), SETTINGS)

    def purge():
        return reset_hosts(nodes_of(rig), state, connector, SETTINGS, lambda _: None, purge=True)

    state.add_changes({"node-1": HostChanges(("containerd",), ("docker",), "ops")})
    try:
        refused = purge()
        there = rig.run("node-1", "sh", "-c", "docker ps -q | wc -l; id -nG ops").split()
        state.add_changes({"node-1": HostChanges(("docker.io",))})
        first, second = purge(), purge()
    finally:
        connector.close()
    assert refused[0].failure is not None
    assert refused[0].failure.step == "clean"
    assert "other packages need containerd: docker.io" in refused[0].failure.message
    assert there[0] == "0", "the engine answers still"
    assert "docker" in there
    assert first[0].failure is None
    assert first[0].removed == "ops's membership of group docker; packages containerd docker.io"
    assert (second[0].failure, second[0].removed) == (None, "")
    left = (
        "dpkg-query -W docker.io containerd 2>/dev/null; getent group docker; "
        "pidof dockerd containerd; ls -d /etc/docker /etc/cni /var/lib/containerd /opt/containerd; "
        "ls /var/lib/docker; cut -d' ' -f2 /proc/mounts | grep /docker/; ip link show docker0; true"
    )
    assert rig.run("node-1", "sh", "-c", f"({left}) 2>/dev/null").split() == []


def test_the_command_line_reports_faults_and_plans_as_json(rig, tmp_path):
    state = tmp_path / "state"
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("nodes:\n- {name: A}\n- {nam: b}\n")
    answer = orch("bootstrap", wrong, "--state-dir", state)
    assert answer.returncode == 2
    assert answer.stderr.count("error: ") == 3
    assert f"{wrong}:2: nodes[0].name: 'A' is no name for a Node" in answer.stderr
    planned = orch("bootstrap", rig.cluster.inventory, "--state-dir", state, "--dry-run", "--json")
    assert planned.returncode == 0, planned.stderr
    *events, summary = [json.loads(line) for line in planned.stdout.splitlines()]
    assert {e["node"] for e in events} == {"node-1", "node-2", "node-3", ""}
    assert summary["summary"]["ok"]
    assert not state.exists()


@pytest.fixture(scope="module")
def shop_image():
    """A tiny image on this machine's engine."""
    from tests.rig.images import ensure_busybox

    return ensure_busybox()
