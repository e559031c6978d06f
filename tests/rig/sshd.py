"""A real OpenSSH server on a loopback port, with keys and configuration of its own."""

import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"


@dataclass(frozen=True)
class Sshd:
    """A running sshd.

    Attributes:
        port: on 127.0.0.1.
        identity: a private key that may log in as root.
        known_hosts: pins the host key.
        process: the listening process.
        directory: holds all of it.
    """

    port: int
    identity: Path
    known_hosts: Path
    process: subprocess.Popen[bytes]
    directory: Path


def free_port() -> int:
    """A port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def make_key(path: Path) -> str:
    """Makes an ed25519 key pair; returns the public line."""
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(path)], check=True
    )
    return path.with_name(path.name + ".pub").read_text()


@contextmanager
def running_sshd(directory: Path, *options: str) -> Iterator[Sshd]:
    """Runs sshd until the context is left; `options` are lines of its configuration."""
    directory.mkdir(parents=True, exist_ok=True)
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    port = free_port()
    host_key = make_key(directory / f"host-{secrets.token_hex(2)}")
    identity = directory / "identity"
    (directory / "authorized").write_text(make_key(identity))
    known_hosts = directory / "known_hosts"
    known_hosts.write_text(f"[127.0.0.1]:{port} {host_key}")
    config = directory / "sshd_config"
    lines = [
        f"Port {port}",
        "ListenAddress 127.0.0.1",
        f"HostKey {next(p for p in directory.glob('host-*') if p.suffix != '.pub')}",
        f"AuthorizedKeysFile {directory / 'authorized'}",
        "PidFile none",
        "StrictModes no",
        "UsePAM no",
        "PermitRootLogin prohibit-password",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        *options,
    ]
    config.write_text("\n".join(lines) + "\n")
    with (directory / "sshd.log").open("wb") as log:
        process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(config)], stderr=log)
    try:
        _wait_listening(port, process, directory)
        yield Sshd(port, identity, known_hosts, process, directory)
    finally:
        process.terminate()
        process.wait(10)


def _wait_listening(port: int, process: subprocess.Popen[bytes], directory: Path) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            break
        time.sleep(0.02)
    raise AssertionError((directory / "sshd.log").read_text())
