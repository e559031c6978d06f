"""The server as a process of this machine: started detached or as a systemd unit, and stopped.

Where systemd is process 1 and we are root, it is a unit that starts at boot; elsewhere a process of
its own session. In both cases its id is in server.pid (which the server writes itself) and its log
in server.log. The load balancer is a process of its own that outlives the server.
"""

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from orchestrator.bootstrap.api import AdminApi
from orchestrator.bootstrap.state import StateDirectory
from orchestrator.kit.clock import SystemClock
from orchestrator.kit.errors import Unreachable

STOP_LIMIT_S: Final = 30.0
POLL_S: Final = 0.05
_UNITS: Final = Path("/etc/systemd/system")

_UNIT: Final = """\
[Unit]
Description=orch server ({state})
Documentation=man:orch
After=network-online.target docker.service
Wants=network-online.target

[Service]
ExecStart={python} -m orchestrator.cli.main server --state-dir {state}
Restart=always
RestartSec=1
# the load balancer lives in this unit's group and must outlive the server
KillMode=process
StandardOutput=append:{log}
StandardError=append:{log}
LimitNOFILE=65536

[Install]
WantedBy=multi-user.target
"""


class Service:
    """The server process of one state directory."""

    def __init__(self, state: StateDirectory) -> None:
        self._state = state
        self._child: subprocess.Popen[bytes] | None = None

    def pid(self) -> int:
        """The running server's process id; 0 when it does not run."""
        return _running(self._state.pid, _is_server)

    def balancer_pid(self) -> int:
        """The running load balancer's process id; 0 when it does not run."""
        return _running(self._state.balancer_pid, lambda command: b"haproxy" in command)

    def start(self) -> None:
        """Starts the server and returns at once; the log is appended to."""
        if self._unit_wanted():
            self._start_unit()
            return
        with self._state.log.open("ab") as log:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "orchestrator.cli.main", "server",
                 "--state-dir", str(self._state.path)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd="/",
            )  # fmt: skip

    def wait_ready(self, limit_s: float) -> None:
        """Returns when the server is ready.

        Raises:
            Unreachable: it is not in time, or has ended; carries the last lines of its log.
        """
        api = AdminApi(self._state, timeout_s=5.0)
        clock = SystemClock()
        started_s = clock.monotonic()
        reason = ""
        try:
            while clock.monotonic() - started_s < limit_s:
                reason = api.ready()
                if not reason:
                    return
                if self._child is not None and self._child.poll() is not None:
                    reason = f"it ended with status {self._child.returncode}"
                    break
                time.sleep(POLL_S)
        finally:
            api.close()
        raise Unreachable(
            f"the server is not ready: {reason}; {self.last_words()}", operation="start server"
        )

    def stop(self) -> bool:
        """Stops the server and waits for its end; whether it ran. Containers go on.

        Raises:
            Unreachable: it does not end.
        """
        pid = self.pid()
        if self._unit().is_file():
            _systemctl("disable", "--now", self._unit().name)
        elif pid:
            os.kill(pid, signal.SIGTERM)
        return self._wait_gone(pid, "the server")

    def stop_balancer(self) -> bool:
        """Stops the load balancer; whether it ran."""
        pid = self.balancer_pid()
        if pid:
            os.kill(pid, signal.SIGTERM)
        return self._wait_gone(pid, "the load balancer")

    def remove_unit(self) -> None:
        """Removes the systemd unit; idempotent."""
        if self._unit().is_file():
            self._unit().unlink()
            _systemctl("daemon-reload")

    def last_words(self, lines: int = 5) -> str:
        """Where the log is, and its last lines."""
        if not self._state.log.is_file():
            return f"it has written no log ({self._state.log})"
        with self._state.log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 8192))
            text = file.read().decode(errors="replace")
        return f"last lines of {self._state.log}:\n  " + "\n  ".join(text.splitlines()[-lines:])

    def _wait_gone(self, pid: int, what: str) -> bool:
        clock = SystemClock()
        started_s = clock.monotonic()
        while pid and _alive(pid):
            if clock.monotonic() - started_s > STOP_LIMIT_S:
                raise Unreachable(
                    f"{what} (process {pid}) does not end; kill -9 {pid} would be safe",
                    operation="stop",
                )
            time.sleep(POLL_S)
        return bool(pid)

    def _unit(self) -> Path:
        digest = hashlib.sha256(str(self._state.path).encode()).hexdigest()[:8]
        default = str(self._state.path) == "/var/lib/orch"
        return _UNITS / ("orch-server.service" if default else f"orch-server-{digest}.service")

    def _unit_wanted(self) -> bool:
        return os.geteuid() == 0 and Path("/run/systemd/system").is_dir()

    def _start_unit(self) -> None:
        text = _UNIT.format(state=self._state.path, python=sys.executable, log=self._state.log)
        unit = self._unit()
        if not unit.is_file() or unit.read_text() != text:
            unit.write_text(text)
            _systemctl("daemon-reload")
        _systemctl("enable", "--now", unit.name)


def _systemctl(*words: str) -> None:
    done = subprocess.run(["systemctl", *words], check=False, capture_output=True, text=True)
    if done.returncode:
        raise Unreachable(
            f"systemctl {' '.join(words)}: {done.stderr.strip()}", operation="systemctl"
        )


def _running(pid_file: Path, is_it: Callable[[bytes], bool]) -> int:
    try:
        pid = int(pid_file.read_text().split()[0])
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError, IndexError):
        return 0
    return pid if is_it(command) and _alive(pid) else 0


def _is_server(command: bytes) -> bool:
    # process ids come again: it must look like `orch server` or `python -m ... server`
    words = command.split(b"\0")
    return b"server" in words and any(b"orch" in word for word in words)


def _alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}
