"""The Docker Engine of this machine: connects to it, and makes sure that there is one.

`python -m orchestrator.local.engine` is what the scripts call. An engine that answers is never
touched; one that is installed is started; only where there is none the distribution's package is
installed.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import docker
import docker.errors
import requests.exceptions

from orchestrator.kit.clock import SystemClock
from orchestrator.kit.errors import ConfigError, Unreachable

START_LIMIT_S = 60.0
LOG = Path("/var/log/dockerd.log")


def connect_engine(timeout_s: float = 600.0) -> docker.DockerClient:
    """A client for this machine's engine ($DOCKER_HOST, else /var/run/docker.sock).

    Raises:
        Unreachable: nothing answers; says what to do.
    """
    try:
        client = docker.from_env(timeout=int(timeout_s))
        client.ping()
    except (docker.errors.DockerException, requests.exceptions.RequestException, OSError) as error:
        raise Unreachable(
            f"no Docker Engine answers on this machine: {error}; start it, or let "
            "`python -m orchestrator.local.engine` install and start one",
            operation="connect to Docker",
        ) from error
    return client


def ensure_engine() -> str:
    """Makes sure that an engine answers; returns what was done, in words ("" for nothing).

    Raises:
        ConfigError: it takes rights or a package manager that are not there.
        Unreachable: it was started and does not answer.
    """
    if _answers():
        return ""
    done = []
    if not _find("dockerd"):
        _install()
        done.append("installed docker.io")
    if not _answers():
        _start()
        done.append("started dockerd")
    return ", ".join(done) or "the engine answers now"


def _answers() -> bool:
    try:
        connect_engine(10.0).close()
    except Unreachable:
        return False
    return True


def _find(command: str) -> str | None:
    path = os.defpath + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/sbin"
    return shutil.which(command) or shutil.which(command, path=path)


def _install() -> None:
    if os.geteuid() != 0:
        raise ConfigError(["no Docker Engine here; as root: apt-get install docker.io"])
    if not _find("apt-get"):
        raise ConfigError(["no Docker Engine here and no apt-get; install Docker, then run again"])
    environment = ["env", "DEBIAN_FRONTEND=noninteractive"]
    for command in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "docker.io", "iptables"],
    ):
        subprocess.run([*environment, *command], check=True, stdout=sys.stderr)


def _start() -> None:
    if os.geteuid() != 0:
        raise ConfigError(["the Docker Engine does not run; as root: systemctl start docker"])
    if Path("/run/systemd/system").is_dir():
        subprocess.run(["systemctl", "start", "docker"], check=True, stdout=sys.stderr)
    elif not _dockerd_runs():
        with LOG.open("ab") as log:
            subprocess.Popen(
                [_find("dockerd") or "dockerd"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd="/",
            )
    clock = SystemClock()
    deadline = clock.monotonic() + START_LIMIT_S
    while not _answers():
        if clock.monotonic() > deadline:
            words = _last_words()
            raise Unreachable(
                f"dockerd was started and does not answer after {START_LIMIT_S:.0f} s{words}",
                operation="start dockerd",
            )
        time.sleep(0.2)


def _dockerd_runs() -> bool:
    pid = Path("/var/run/docker.pid")
    try:
        command = Path(f"/proc/{int(pid.read_text())}/comm").read_text()
    except (OSError, ValueError):
        pid.unlink(missing_ok=True)
        return False
    return command.strip() == "dockerd"


def _last_words() -> str:
    if not LOG.is_file():
        return ""
    return f"; last lines of {LOG}: " + " | ".join(LOG.read_text().splitlines()[-3:])


def main() -> int:
    """Makes sure that an engine answers; prints what it did."""
    try:
        done = ensure_engine()
    except (ConfigError, Unreachable, subprocess.CalledProcessError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201  # an entry point
        return 1
    if done:
        print(done, file=sys.stderr)  # noqa: T201
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
