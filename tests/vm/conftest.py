"""One cluster of VMs for all tests, made by `vagrant/cluster` and taken down at the end.

The modules run in an order: bare VMs first, `reset` and `down` last. With ORCH_VM_KEEP=1 the VMs
that are there are taken as they are, and left: for work on one module, or a run in parts.
"""

import json
import os
from collections.abc import Iterator

import pytest

from tests.rig.served import free_port
from tests.rig.watching import api, server_log  # noqa: F401
from tests.vm.machines import LIMIT_S, Machines, Platform
from tests.vm.traces import Traces, traces_of

ORDER = ("test_bootstrap", "test_workloads", "test_faults", "test_limits", "test_reset")
KEEP = os.environ.get("ORCH_VM_KEEP") == "1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the modules in their order."""
    here = [item for item in items if item.path.parent.name == "vm"]
    for item in here:
        item.add_marker(pytest.mark.timeout(2 * LIMIT_S))  # each wait has a deadline too
    here.sort(key=lambda item: ORDER.index(item.path.stem))
    items[:] = [item for item in items if item not in here] + here


@pytest.fixture(scope="session")
def booted() -> Iterator[Platform]:
    """VMs that run and that nobody has touched."""
    machines = Machines()
    platform = Platform(machines, machines.directory / "state", free_port(), free_port())
    if not KEEP:
        machines.do("down")  # what a run that was killed has left
    try:
        answer = platform.up("--dry-run")
        assert answer.code == 0, answer.out + answer.err
        yield platform
    finally:
        if not KEEP:
            machines.do("down")


@pytest.fixture(scope="session")
def untouched(booted: Platform) -> dict[str, Traces]:
    """What is on the VMs before the first bootstrap, by name of the VM."""
    kept = booted.rig.directory / "untouched.json"
    if not kept.is_file():
        kept.write_text(json.dumps({n: sorted(t) for n, t in traces_of(booted.rig).items()}))
    return {name: frozenset(traces) for name, traces in json.loads(kept.read_text()).items()}


@pytest.fixture(scope="session")
def shared_platform(booted: Platform, untouched: dict[str, Traces]) -> Platform:
    """The VMs, bootstrapped, with the test image."""
    answer = booted.up()
    assert answer.code == 0, answer.out + answer.err + booted.log()
    booted.rig.seed()
    return booted


@pytest.fixture(scope="module")
def platform(shared_platform: Platform) -> Platform:
    """The VMs with a server, for the fixtures of tests.rig."""
    return shared_platform
