"""A platform for benchmarks: local hosts, bootstrap, and commands on the hosts; cleans up."""

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run(*command: str, check: bool = True, env: dict[str, str] | None = None) -> str:
    """Runs a command and returns its standard output; raises with its words when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(command)}: status {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout


def wait_for(what: str, condition: Callable[[], bool], limit_s: float = 120.0) -> float:
    """Polls until true; returns the seconds it took."""
    begun = time.monotonic()
    while not condition():
        if time.monotonic() - begun > limit_s:
            raise RuntimeError(f"{what}: not within {limit_s:.0f} s")
        time.sleep(0.02)
    return time.monotonic() - begun


def build_image() -> str:
    """Builds the demo's web server image and returns its tag."""
    with tempfile.TemporaryDirectory() as context:
        for source in (ROOT / "examples/demo-image").iterdir():
            shutil.copy(source, context)
        shutil.copy("/bin/busybox", context)
        run("docker", "build", "-q", "-t", "demo/shop:v1", context)
    return "demo/shop:v1"


class Platform:
    """N local hosts, bootstrapped unless told otherwise; use as a context manager.

    Attributes:
        name: of the local cluster.
        folder: holds inventory, keys and state.
        hosts: names of the hosts.
    """

    def __init__(self, nodes: int, *, name: str, bootstrap: bool = True, image: str = "") -> None:
        self.name = name
        self.folder = Path(tempfile.mkdtemp(prefix=f"orch-{name}-"))
        self.inventory = self.folder / "hosts" / "inventory.yaml"
        self._nodes, self._bootstrap, self._image = nodes, bootstrap, image
        os.environ["ORCH_STATE_DIR"] = str(self.folder / "platform")
        os.environ["KUBECONFIG"] = str(self.folder / "platform" / "admin.kubeconfig")
        self.hosts: list[str] = []

    def __enter__(self) -> "Platform":
        command = ["orch", "local", "up", "--nodes", str(self._nodes), "--name", self.name]
        command += ["--dir", str(self.folder / "hosts")]
        if self._image:
            command += ["--image", self._image]
        run(*command)
        try:
            import yaml

            document = yaml.safe_load(self.inventory.read_text())
            self.hosts = [n["name"] for n in document["nodes"]]
            if self._bootstrap:
                self.bootstrap()
        except BaseException:
            self.__exit__()
            raise
        return self

    def bootstrap(self) -> None:
        """Runs `orch bootstrap`."""
        run("orch", "bootstrap", str(self.inventory), "--api-port", "8090", "--lb-port", "8091")

    def __exit__(self, *_: object) -> None:
        run("orch", "stop", "--all", check=False)
        run("orch", "local", "down", self.name, "--dir", str(self.inventory.parent), check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def ssh(self, host: str, command: str) -> str:
        """Runs a shell command on a host as its login user and returns its output."""
        import yaml

        document = yaml.safe_load(self.inventory.read_text())
        node = next(n for n in document["nodes"] if n["name"] == host)
        merged = {**document.get("defaults", {}), **node}
        key = (self.inventory.parent / merged["identity_file"]).resolve()
        return run(
            "ssh", "-q", "-i", str(key), "-p", str(merged.get("port", 22)),
            "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
            f"{merged['user']}@{merged['host']}", command,
        )  # fmt: skip


def objects(kind: str) -> list[dict]:
    """Objects of a kind."""
    return json.loads(run("orch", "get", kind, "-o", "json"))["items"]
