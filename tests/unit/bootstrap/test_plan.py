# ruff: noqa: E501
"""Facts in, exact steps out; a host that is as it should be gets none."""

import ast
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.bootstrap.facts import (
    PYTHON_MODULES,
    FactsError,
    HostFacts,
    facts_command,
    parse_facts,
)
from orchestrator.bootstrap.plan import HostPlan, package_family, plan_host
from orchestrator.bootstrap.settings import BootstrapSettings

ANSWER = """\
Welcome to this host = a banner
clock=1700000000.250000000
os_id=debian
os_like=
os_name=Debian GNU/Linux 12 (bookworm)
system=Linux
kernel=6.1.0-13-amd64
machine=x86_64
user=ops
uid=1000
groups=ops docker
package_manager=apt-get
init=systemd
service=yes
dockerd=yes
disk_free_kib=20971520
disk_path=/var/lib/docker
cpus=4
memory_kib=8388608
overlay=yes
cgroup=2
controllers=cpuset cpu io memory pids
missing_namespaces=
python_path=/usr/bin/python3
python=3.11.2
python_missing=
socket=ok
engine=20.10.24+dfsg1 1.41
engine_words=
sudo=yes
maxsessions=10
disableforwarding=no
allowstreamlocalforwarding=yes
root_socket=ok
done=yes
"""
PREPARED = parse_facts(ANSWER)
BARE = replace(
    PREPARED, dockerd=False, service=False, socket="absent", root_socket="absent", engine="",
    groups=("ops",),
)  # fmt: skip
SETTINGS = BootstrapSettings()


def plan(facts: HostFacts = PREPARED, *, error_s: float = 0.0, **settings) -> HostPlan:
    return plan_host(facts, replace(SETTINGS, **settings), clock_error_s=error_s)


def titles(found: HostPlan) -> list[str]:
    assert found.faults == ()
    return [step.title for step in found.steps]


def test_facts_are_read_past_banners():
    assert PREPARED.os_id == "debian"
    assert PREPARED.groups == ("ops", "docker")
    assert PREPARED.clock_s == 1700000000.25
    assert PREPARED.disk_free_bytes == 20 * 2**30
    assert PREPARED.memory_bytes == 8 * 2**30
    assert (PREPARED.engine, PREPARED.socket, PREPARED.cgroup) == ("20.10.24+dfsg1", "ok", 2)
    assert PREPARED.systemd
    assert PREPARED.privileged
    assert PREPARED.sshd_forwards


def test_an_answer_that_is_cut_short_is_no_answer():
    with pytest.raises(FactsError, match=r"ends early: .*socket=ok"):
        parse_facts(ANSWER[: ANSWER.index("engine=")])
    with pytest.raises(FactsError, match="ends early: nothing"):
        parse_facts("")


def test_one_word_per_shell_so_that_every_login_shell_can_run_it():
    command = facts_command(become=True)
    assert "\n" not in command
    assert "'" not in command
    assert command.endswith(" | base64 -d | sh")


def test_python_is_asked_for_everything_that_the_shim_imports():
    imported = set()
    for file in (Path(__file__).parents[3] / "agentshim").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module)
    builtin = {"__future__", "sys", "time"}
    assert {m for m in imported if not m.startswith("agentshim")} - builtin <= set(PYTHON_MODULES)


def test_a_prepared_host_needs_nothing():
    assert plan() == HostPlan()


def test_a_bare_debian_host():
    found = plan(replace(BARE, python="", python_path=""))
    assert titles(found) == [
        "install python3", "install docker.io", "start the Docker Engine",
        "put ops into group docker",
    ]  # fmt: skip
    assert "apt-get" in found.steps[0].script
    assert "systemctl enable --now docker" in found.steps[2].script
    assert [s.installs for s in found.steps] == [("python3",), ("docker.io",), (), ()]
    assert found.steps[3].joins_group == "docker"


def test_where_apparmor_is_on_its_parser_comes_with_the_engine():
    # the engine's package only recommends it, and without it no container starts
    lacking = parse_facts(ANSWER.replace("dockerd=yes", "dockerd=yes\napparmor_parser=no"))
    found = plan(lacking)
    assert titles(found) == ["install apparmor"]
    assert found.steps[0].installs == ("apparmor",)
    bare = plan(replace(BARE, lacks_apparmor_parser=True))
    assert titles(bare)[:2] == ["install apparmor", "install docker.io"]
    assert [f.message for f in plan(lacking, install=False).faults] == [
        "AppArmor is on and there is no apparmor_parser, so that no container can start; install "
        "apparmor (not done because of --no-install)"
    ]


def test_a_bare_rhel_host_takes_what_its_repositories_have():
    facts = replace(BARE, os_id="rocky", os_like=("rhel", "fedora"), package_manager="dnf")
    found = plan(facts)
    assert titles(found)[0] == "install moby-engine or docker-ce or docker"
    assert 'dnf install -y -q "$name"' in found.steps[0].script


def test_an_engine_that_is_there_and_does_not_run_is_started():
    facts = replace(PREPARED, socket="absent", root_socket="absent", engine="", systemd=False)
    found = plan(facts)
    assert titles(found) == ["start the Docker Engine"]
    assert "service docker start" in found.steps[0].script
    assert "systemctl" not in found.steps[0].script


def test_only_the_group_is_missing():
    found = plan(replace(PREPARED, groups=("ops",), socket="denied"))
    assert titles(found) == ["put ops into group docker"]


def test_root_needs_no_group():
    root = replace(BARE, user="root", uid=0, groups=("root",), sudo="root")
    assert titles(plan(root)) == ["install docker.io", "start the Docker Engine"]


FAULTS = [
    ("another system", {"system": "Darwin"}, {}, "system: runs Darwin; use Linux"),
    ("old python", {"python": "3.6.8"}, {}, "python: /usr/bin/python3 is 3.6.8; Python 3.8"),
    ("old engine", {"engine": "18.09.1"}, {}, "docker: Docker 18.09.1 is too old; upgrade to 19.3"),
    ("no disk", {"disk_free_bytes": 5 << 20}, {}, "disk: /var/lib/docker has 5 MiB free; at least 1.0 GiB"),
    ("old kernel", {"kernel": "3.2.0-4-amd64"}, {}, "kernel: kernel 3.2.0-4-amd64 is too old; 3.10"),
    ("no namespaces", {"missing_namespaces": ("net",)}, {}, "kernel: the kernel has no namespaces for net"),
    ("no forwarding", {"sshd_forwards": False}, {}, "sshd: sshd forwards no Unix sockets; set Allow"),
    ("still denied", {"socket": "denied"}, {}, "socket: ops is in group docker and may not open"),
    ("root only", {"socket": "silent", "engine_words": "hung up"}, {}, "answers root and not ops: hung up"),
]  # fmt: skip


@pytest.mark.parametrize(("facts", "settings", "words"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS])  # fmt: skip
def test_what_no_step_can_mend(facts, settings, words):
    found = plan(replace(PREPARED, **facts), **settings)
    assert found.steps == ()
    assert any(words in f"{f.check}: {f.message}" for f in found.faults), found.faults


def test_no_install_names_what_to_install():
    found = plan(BARE, install=False)
    assert [f.message for f in found.faults] == [
        "there is no Docker Engine; install docker.io (not done because of --no-install)"
    ]


def test_an_unknown_distribution_is_said():
    found = plan(replace(BARE, os_id="arch", os_name="Arch Linux", package_manager="pacman"))
    assert "Arch Linux is none of the distributions" in found.faults[0].message


def test_a_minimal_python_is_completed():
    assert titles(plan(replace(PREPARED, python_missing=("asyncio",)))) == ["install python3"]


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"sudo": "no", "sudo_words": "sudo: a password is required"}, "sudo -n says: sudo: a password is required"),
        ({"sudo": "absent"}, "there is no sudo"),
        ({"sudo": "unused"}, "the inventory says become: false"),
    ],
)  # fmt: skip
def test_root_is_missed_only_when_something_has_to_be_done(facts, words):
    assert plan(replace(PREPARED, **facts)) == HostPlan()
    found = plan(replace(PREPARED, groups=("ops",), socket="denied", **facts))
    assert [f.check for f in found.faults] == ["sudo"]
    assert f"root has to put ops into group docker, and {words}" in found.faults[0].message
    assert "'ops ALL=(ALL) NOPASSWD: ALL'" in found.faults[0].message


@pytest.mark.parametrize(
    ("error_s", "fault", "warning"),
    [
        (0.0, "", ""),
        (1.9, "", ""),
        (-3.0, "", "its clock is -3.0 s off"),
        (45.0, "its clock is 45 s ahead", ""),
        (-3600.0, "its clock is 3600 s behind", ""),
    ],
)
def test_clocks(error_s, fault, warning):
    found = plan(error_s=error_s)
    assert [fault in f.message for f in found.faults] == ([True] if fault else [])
    assert [warning in f.message for f in found.warnings] == ([True] if warning else [])


def test_all_faults_are_told_at_once():
    facts = replace(PREPARED, disk_free_bytes=0, kernel="2.6.32", sshd_forwards=False)
    assert [f.check for f in plan(facts, error_s=99.0).faults] == [
        "clock", "disk", "kernel", "sshd",
    ]  # fmt: skip


def test_limits_that_would_not_hold_are_a_warning():
    found = plan(replace(PREPARED, controllers=("cpu", "pids")))
    assert found.warnings[0].message.startswith("control group memory is off")
    assert found.steps == ()


@pytest.mark.parametrize(
    ("os_id", "like", "manager", "family"),
    [
        ("ubuntu", ("debian",), "apt-get", "apt"),
        ("kali", ("debian",), "apt-get", "apt"),
        ("fedora", (), "dnf", "dnf"),
        ("ol", ("fedora",), "yum", "dnf"),
        ("alpine", (), "apk", ""),
        ("debian", (), "", ""),
    ],
)
def test_families(os_id, like, manager, family):
    facts = replace(PREPARED, os_id=os_id, os_like=like, package_manager=manager)
    assert package_family(facts) == family
