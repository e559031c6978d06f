"""Key pairs of local clusters' hosts, and what their sshds show.

Each host has a login key of its own. The hosts' own public keys are read through the engine, so
that `known_hosts` beside the inventory is right from the first connection on.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import docker
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from orchestrator.kit.errors import EngineError
from orchestrator.local.hosts import run_inside

if TYPE_CHECKING:
    from orchestrator.local.cluster import LocalHost


def ensure_key_pair(path: Path, comment: str) -> str:
    """The public half of a key pair at PATH and PATH.pub, made when missing."""
    if not path.is_file():
        key = Ed25519PrivateKey.generate()
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.OpenSSH,
            serialization.NoEncryption(),
        )
        public = key.public_key().public_bytes(
            serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
        )
        path.with_name(path.name + ".pub").write_text(f"{public.decode()} {comment}\n")
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(private)
    return public_key_of(path)


def public_key_of(path: Path) -> str:
    """The line for authorized_keys."""
    return path.with_name(path.name + ".pub").read_text().strip()


class KnownHostKeys:
    """Reads hosts' public keys through the engine."""

    def __init__(self, client: docker.DockerClient) -> None:
        self._client = client

    def write(self, path: Path, hosts: Sequence["LocalHost"]) -> None:
        """Writes a known_hosts file for these hosts.

        Raises:
            EngineError: a host shows no key.
        """
        lines = []
        for host in hosts:
            status, key = run_inside(
                self._client, host.container, ["cat", "/etc/ssh/ssh_host_ed25519_key.pub"]
            )
            if status:
                raise EngineError(f"{host.name}: no host key: {key.strip()}", node=host.name)
            kind, blob = key.split()[:2]
            lines.append(f"{host.address} {kind} {blob}\n")
        path.write_text("".join(lines))
