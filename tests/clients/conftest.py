"""The libraries live in a virtual environment of their own; the platform is the usual one."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rig.cluster import new_rig, rig, shared_rig, worker_suffix  # noqa: F401
from tests.rig.images import BUSYBOX_TAG, ensure_busybox
from tests.rig.served import Platform, start_platform, stop_platform

CLIENTS = Path(sys.prefix) / "share" / "clients"
NO_CLIENTS = "NO CLIENT LIBRARIES FOUND: run scripts/clients; nothing was checked"
WEB_TAG = "orch-test/web:1"


@pytest.fixture(scope="session")
def client_python() -> Path:
    """The interpreter that has the libraries."""
    found = CLIENTS / "bin" / "python"
    if not found.exists():
        pytest.skip(NO_CLIENTS)
    return found


@pytest.fixture(scope="session")
def served(shared_rig, tmp_path_factory) -> Iterator[Platform]:  # noqa: F811
    """Three hosts with an image that serves HTTP on port 80, and a server."""
    shared_rig.mend()
    shared_rig.clean()
    ensure_busybox()
    pages = "/usr/share/nginx/html"  # where the suites put files
    dockerfile = (
        f"FROM {BUSYBOX_TAG}\nRUN mkdir -p {pages} && cp /www/* {pages}/\n"
        f"CMD httpd -f -p 80 -h {pages}\n"
    )
    subprocess.run(
        ["docker", "build", "-q", "-t", WEB_TAG, "-"], input=dockerfile, text=True, check=True
    )
    shared_rig.seed(BUSYBOX_TAG, WEB_TAG)
    made = start_platform(shared_rig, tmp_path_factory.mktemp("platform"))
    yield made
    stop_platform(made)
