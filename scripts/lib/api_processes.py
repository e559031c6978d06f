"""The processes of the API benchmark: server, peers and load generators, all on loopback.

Not a benchmark itself. Whatever is started here is stopped here, at the end of its context.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from platform_rig import BenchmarkError

from orchestrator.credentials.ensure import paths_in

HERE = Path(__file__).parent
START_S = 60.0
STOP_S = 30.0


@dataclass(frozen=True)
class Serving:
    """A server that answers.

    Attributes:
        pid: its process.
        port: on 127.0.0.1.
        ca: root of its certificate; "" for plain HTTP.
        token: bearer token; "" for none.
    """

    pid: int
    port: int
    ca: str = ""
    token: str = ""


def free_port() -> int:
    """A TCP port that nobody listens on just now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextlib.contextmanager
def _running(command: list[str], log: Path, **more: Any) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as out:
        process = subprocess.Popen(command, stderr=out, **{"stdout": out, **more})
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_port(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise BenchmarkError(f"{process.args} does not listen: {log.read_text()[-2000:]}")


def _await_health(process: subprocess.Popen[bytes], port: int, ca: Path, log: Path) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError):
            context = ssl.create_default_context(cafile=str(ca))
            with urllib.request.urlopen(f"https://localhost:{port}/readyz", context=context):
                return
        time.sleep(0.05)
    raise BenchmarkError(f"{process.args} does not answer: {log.read_text()[-2000:]}")


@contextlib.contextmanager
def orch_server(state_dir: Path) -> Iterator[Serving]:
    """`orch server` as it is, without hosts and load balancer, on a free port of loopback."""
    port = free_port()
    state_dir.mkdir(mode=0o700, exist_ok=True)
    settings = {
        "log_level": "warning",
        "apiserver": {"host": "127.0.0.1", "port": port},
        "loadbalancer": {"enabled": False},
    }
    (state_dir / "server.yaml").write_text(json.dumps(settings))
    log = state_dir.parent / "server.log"
    command = [
        sys.executable,
        "-m",
        "orchestrator.cli.main",
        "server",
        "--state-dir",
        str(state_dir),
    ]
    with _running(command, log) as process:
        files = paths_in(state_dir)
        _await_health(process, port, files.ca_cert, log)
        token = files.admin_token.read_text().strip()
        yield Serving(process.pid, port, str(files.ca_cert), token)


@contextlib.contextmanager
def peer(what: str, state_dir: Path, folder: Path) -> Iterator[Serving]:
    """One of `api_peers`, with the server's certificate."""
    command = [sys.executable, str(HERE / "api_peers.py"), what, str(state_dir), str(folder)]
    log = state_dir.parent / "peer.log"
    with _running(command, log, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        line = process.stdout.readline().decode()
        if not line.startswith("listening "):
            raise BenchmarkError(f"the {what} peer did not start: {log.read_text()[-2000:]}")
        yield Serving(process.pid, int(line.split()[1]), str(paths_in(state_dir).ca_cert))


@contextlib.contextmanager
def etcd(folder: Path, state_dir: Path) -> Iterator[Serving | None]:
    """A single etcd with TLS towards its clients, durable as it comes; None if not installed."""
    if shutil.which("etcd") is None:
        yield None
        return
    port, peers = free_port(), free_port()
    files = paths_in(state_dir)
    url, peer_url = f"https://127.0.0.1:{port}", f"http://127.0.0.1:{peers}"
    command = [
        "etcd", "--data-dir", str(folder / "etcd"), "--listen-client-urls", url,
        "--advertise-client-urls", url, "--listen-peer-urls", peer_url,
        "--initial-advertise-peer-urls", peer_url, "--initial-cluster", f"default={peer_url}",
        "--cert-file", str(files.server_cert), "--key-file", str(files.server_key),
    ]  # fmt: skip
    log = folder / "etcd.log"
    with _running(command, log, env={**os.environ, "ETCD_LOG_LEVEL": "error"}) as process:
        _await_port(process, port, log)
        yield Serving(process.pid, port, str(files.ca_cert))


def ordered(at: Serving, order: dict[str, Any]) -> dict[str, Any]:
    """What a load generator found; see `api_load`."""
    full = {"port": at.port, "ca": at.ca, "token": at.token, "pid": at.pid, **order}
    done = subprocess.run(
        [sys.executable, str(HERE / "api_load.py"), json.dumps(full)],
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    if done.returncode:
        raise BenchmarkError(f"{order}: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found
