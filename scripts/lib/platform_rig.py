"""A platform for benchmarks: local hosts, bootstrap, and ways to reach hosts, engines and API.

Ports are free ones and the cluster's name carries this process's number, so that two runs never
meet. Everything is taken away again when the block ends, however it ends.
"""

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote, urlsplit

import yaml

ROOT = Path(__file__).resolve().parents[2]
Json = dict[str, Any]


class BenchmarkError(Exception):
    """What was to be measured did not come about."""


def run(*command: str, check: bool = True) -> str:
    """Runs a command and returns its standard output; raises with its words when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if check and done.returncode:
        words = (done.stdout[-1500:] + done.stderr[-1500:]).strip()
        raise BenchmarkError(f"{' '.join(command)}: status {done.returncode}\n{words}")
    return done.stdout


def wait_for(what: str, condition: Callable[[], object], limit_s: float = 120.0) -> float:
    """Polls until true; returns the seconds it took."""
    begun = time.monotonic()
    while not condition():
        if time.monotonic() - begun > limit_s:
            raise BenchmarkError(f"{what}: not within {limit_s:.0f} s")
        time.sleep(0.02)
    return time.monotonic() - begun


def free_port() -> int:
    """A TCP port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def build_image() -> str:
    """Builds the demo's web server image and returns its tag."""
    with tempfile.TemporaryDirectory() as context:
        for source in (ROOT / "examples/demo-image").iterdir():
            shutil.copy(source, context)
        shutil.copy("/bin/busybox", context)
        run("docker", "build", "-q", "-t", "demo/shop:v1", context)
    return "demo/shop:v1"


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=30)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(30)
        self.sock.connect(self._path)


class Engine:
    """A host's Docker Engine, reached from this machine without SSH: what a peer should pay least.

    Attributes:
        socket: path of its socket, through the host's root directory as this kernel shows it.
    """

    def __init__(self, container: str) -> None:
        pid = run("docker", "inspect", "-f", "{{.State.Pid}}", container).strip()
        self.socket = f"/proc/{pid}/root/run/docker.sock"

    def docker(self, *words: str) -> str:
        """Runs the docker command against this engine."""
        return run("docker", "-H", f"unix://{self.socket}", *words)

    def get(self, path: str) -> Any:
        """The answer to one Engine API request; much cheaper than a docker command."""
        connection = _UnixConnection(self.socket)
        try:
            connection.request("GET", path)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def containers(self) -> list[Json]:
        """Running containers."""
        return list(self.get("/containers/json"))

    def clear(self) -> None:
        """Removes every container."""
        if ids := self.docker("ps", "-aq").split():
            self.docker("rm", "-f", "-v", *ids)


class Api:
    """The platform's API as a bare HTTPS client sees it, with the admin's kubeconfig."""

    def __init__(self, kubeconfig: Path, folder: Path) -> None:
        import base64

        document = yaml.safe_load(kubeconfig.read_text())
        cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
        certificate = folder / "benchmark-client.pem"
        parts = (user["client-certificate-data"], user["client-key-data"])
        certificate.touch(0o600)
        certificate.write_bytes(b"\n".join(base64.b64decode(p) for p in parts))
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self._context = ssl.create_default_context(cadata=authority)
        self._context.load_cert_chain(certificate)
        address = urlsplit(cluster["server"])
        self._host, self._port = address.hostname or "", address.port or 443

    def _open(self, path: str, limit_s: float) -> http.client.HTTPResponse:
        connection = http.client.HTTPSConnection(
            self._host, self._port, timeout=limit_s, context=self._context
        )
        connection.request("GET", path)
        response = connection.getresponse()
        if response.status != 200:
            raise BenchmarkError(f"GET {path}: {response.status} {response.read()[:500]!r}")
        return response

    def get(self, path: str) -> Json:
        """One object or list."""
        with self._open(path, 30.0) as response:
            return dict(json.loads(response.read()))

    def watch(self, path: str, *, selector: str, limit_s: float = 120.0) -> Iterator[Json]:
        """Events of a list from its present state on; ends with an error when silent too long."""
        query = f"{path}?watch=1&labelSelector={quote(selector)}"
        with self._open(query, limit_s) as response:
            for line in response:
                yield json.loads(line)


class Platform:
    """N local hosts, bootstrapped unless told otherwise; use as a context manager.

    Attributes:
        name: of the local cluster.
        folder: holds inventory, keys and state.
        inventory: of the hosts.
        state: the server's state directory.
        hosts: names of the hosts.
    """

    def __init__(self, nodes: int, *, name: str, bootstrap: bool = True, image: str = "") -> None:
        self.name = f"{name}{os.getpid()}"
        self.folder = Path(tempfile.mkdtemp(prefix=f"orch-{name}-"))
        self.inventory = self.folder / "hosts" / "inventory.yaml"
        self.state = self.folder / "platform"
        self._nodes, self._bootstrap, self._image = nodes, bootstrap, image
        self._ports = (free_port(), free_port())
        os.environ["ORCH_STATE_DIR"] = str(self.state)
        os.environ["KUBECONFIG"] = str(self.state / "admin.kubeconfig")
        self.hosts: list[str] = []

    def __enter__(self) -> "Platform":
        command = ["orch", "local", "up", "--nodes", str(self._nodes), "--name", self.name]
        command += ["--dir", str(self.folder / "hosts")]
        if self._image:
            command += ["--image", self._image]
        try:
            run(*command)
            self.hosts = [n["name"] for n in self._document()["nodes"]]
            if self._bootstrap:
                self.bootstrap()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def bootstrap(self) -> None:
        """Runs `orch bootstrap`, which starts the server as well."""
        run(*self.bootstrap_command())

    def bootstrap_command(self) -> tuple[str, ...]:
        """The command line of `bootstrap`."""
        api, balancer = map(str, self._ports)
        return (
            "orch", "bootstrap", str(self.inventory), "--api-port", api, "--lb-port", balancer,
        )  # fmt: skip

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None and (log := self.state / "server.log").exists():
            print("last lines of the server's log:", *log.read_text().splitlines()[-10:], sep="\n")
        run("orch", "stop", "--all", check=False)
        self._end_processes()
        run("orch", "local", "down", self.name, "--dir", str(self.inventory.parent), check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _end_processes(self) -> None:
        """Ends a server that was just being started when this run was ended: it is of our state."""

        def found() -> bool:
            any_left = False
            for entry in Path("/proc").glob("[0-9]*"):
                with contextlib.suppress(OSError):  # it has ended meanwhile
                    if str(self.state).encode() in (entry / "cmdline").read_bytes():
                        os.kill(int(entry.name), signal.SIGTERM)
                        any_left = True
            return any_left

        wait_for("the server has ended", lambda: not found(), 20.0)

    def _document(self) -> Json:
        return dict(yaml.safe_load(self.inventory.read_text()))

    def container(self, host: str) -> str:
        """Name of the container that is this host."""
        return f"orch-local-{self.name}-{host}"

    def address(self, host: str) -> str:
        """The host's address."""
        return str(self.login(host)["host"])

    def login(self, host: str) -> Json:
        """How to log in: host, port, user, identity_file (an absolute path)."""
        document = self._document()
        node = next(n for n in document["nodes"] if n["name"] == host)
        merged = {"port": 22, **document.get("defaults", {}), **node}
        merged["identity_file"] = str((self.inventory.parent / merged["identity_file"]).resolve())
        return merged

    def engines(self) -> dict[str, Engine]:
        """The engine of every host."""
        return {host: Engine(self.container(host)) for host in self.hosts}

    def api(self) -> Api:
        """A client of the API; after bootstrap."""
        return Api(self.state / "admin.kubeconfig", self.folder)

    def server_pid(self) -> int:
        """Process of the running server."""
        return int((self.state / "server.pid").read_text().split()[0])

    def inside(self, host: str, command: str) -> str:
        """Runs a shell command as root in the host, without the SSH login that one would see."""
        return run("docker", "exec", self.container(host), "sh", "-c", command)
