"""Connections to many hosts at once."""

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from orchestrator.bootstrap.connect import Connector
from orchestrator.bootstrap.hostkeys import HostKeys
from orchestrator.bootstrap.inventory.model import InventoryNode
from orchestrator.bootstrap.settings import BootstrapSettings
from orchestrator.kit.errors import Unreachable


@pytest.fixture
def hasty():
    """Threads that take turns all the time."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.slow
def test_threads_that_connect_at_once_do_not_share_a_configuration(tmp_path, hasty):
    connector = Connector(HostKeys(tmp_path / "known_hosts"), BootstrapSettings())

    def attempt(number):
        with pytest.raises(Unreachable):
            connector.open(InventoryNode(f"n{number}", "255.255.255.255"))
        return True

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(attempt, range(200)))
