"""Names and labels that local clusters use on this machine's engine, and where their files live."""

import hashlib
import re
from pathlib import Path
from typing import Final

from orchestrator.kit.errors import ConfigError

LABEL_CLUSTER: Final = "orch.dev/local-cluster"
"""On containers, networks and volumes: the local cluster's name."""
LABEL_NODE: Final = "orch.dev/local-node"
"""On containers: the host's name in the cluster."""
LABEL_DIRECTORY: Final = "orch.dev/local-directory"
"""On containers: where the inventory and the keys are."""
LABEL_OWNER: Final = "orch.dev/local-owner"
"""On containers and networks: the process that the cluster dies with ("" when it outlives all)."""
LABEL_ADDRESS: Final = "orch.dev/local-address"
"""On containers: the host's fixed address."""

USER: Final = "ops"
"""The login on every host."""
NODE_REPOSITORY: Final = "orch-local/node"
BASE_REPOSITORY: Final = "orch-local/base"
DEFAULT_NAME: Final = "local"

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")


def check_name(name: str) -> str:
    """The name itself.

    Raises:
        ConfigError: it cannot be part of container and host names.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError([
            f"--name {name}: a local cluster's name has 1 to 40 of a-z, 0-9 and '-', "
            "and begins and ends with a letter or digit"
        ])  # fmt: skip
    return name


def default_directory(name: str, home: Path | None = None) -> Path:
    """Where a cluster's inventory and keys go when nobody says otherwise."""
    return (home or Path.home()) / ".local/share/orch/local" / name


def container_name(cluster: str, node: str) -> str:
    """The container of a host."""
    return f"orch-local-{cluster}-{node}"


def network_name(cluster: str) -> str:
    """The bridge network of a cluster."""
    return f"orch-local-{cluster}"


def volume_name(cluster: str, node: str) -> str:
    """The volume that holds a host's /var/lib/docker."""
    return f"orch-local-{cluster}-{node}-engine"


def node_names(count: int) -> list[str]:
    """node-1 ... node-N."""
    return [f"node-{i}" for i in range(1, count + 1)]


def first_subnet(cluster: str) -> int:
    """Which 10.190.N.0/24 to try first (0..255), so that names rarely meet."""
    return hashlib.sha256(cluster.encode()).digest()[0]
