"""Takes the place of kr8s' own conftest: its tests run against a cluster that is there already."""

import gc
import os
import subprocess
from pathlib import Path

import pytest


class Cluster:
    """What the tests use of a kind cluster."""

    kubeconfig_path = Path(os.environ["KUBECONFIG"])
    kubectl_path = os.environ["KUBECTL"]

    def kubectl(self, *words: str) -> str:
        """Runs kubectl; returns what it says."""
        command = [os.environ["KUBECTL"], *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def ensure_gc():
    """Garbage is collected before and after the test."""
    gc.collect()
    yield
    gc.collect()


@pytest.fixture(scope="session", autouse=True)
def k8s_cluster():
    """The cluster."""
    return Cluster()
