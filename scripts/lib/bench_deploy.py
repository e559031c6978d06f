"""Thirty replicas on three hosts: orch, bare `docker run`, and Docker Swarm, on the same engines.

orch     `orch apply` of a Deployment of 30 replicas with one container port, no probe; done when a
         watch on the API has shown all 30 pods in phase Running with their container running.
docker   30 times `docker run -d`, 10 in flight, ten per engine, straight on the engines' sockets
         (no SSH); same image, command, published port, restart policy and log limits; done when
         the last command has returned.
swarm    `docker service create --replicas 30` with the same, port published in mode=host (the
         routing mesh would be more work, and needs IPVS); done when the manager's API says of all
         30 tasks that they run. The swarm is made before, untimed.

Only the system that is measured is there: the orch server is stopped for the others, the swarm is
left. Every time 30 running containers are counted on the engines afterwards.
"""

import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench_rounds import Bound, Contestant, arguments, conclude, machine, measure, report
from platform_rig import BenchmarkError, Platform, build_image, run, wait_for

REPLICAS = 30
IN_FLIGHT = 10
COMMAND = ("sleep", "100000")
PORT = 8080
NAME = "thirty"
MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: %(name)s}
spec:
  replicas: %(replicas)d
  selector: {matchLabels: {app: %(name)s}}
  template:
    metadata: {labels: {app: %(name)s}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: main
        image: %(image)s
        command: [sleep, "100000"]
        ports: [{containerPort: %(port)d}]
"""
PODS = "/api/v1/namespaces/default/pods"


class Deploy:
    """The three ways, on one platform."""

    def __init__(self, platform: Platform, image: str, manifest: Path) -> None:
        self._platform, self._image, self._manifest = platform, image, manifest
        self._engines = platform.engines()
        self._manager = self._engines[platform.hosts[0]]

    def _checked(self, measured: Callable[[], None]) -> Callable[[], None]:
        def act() -> None:
            measured()
            found = sum(len(e.containers()) for e in self._engines.values())
            if found != REPLICAS:
                raise BenchmarkError(f"{found} containers run, not {REPLICAS}")

        return act

    def _clear(self) -> None:
        with ThreadPoolExecutor(len(self._engines)) as pool:
            list(pool.map(lambda e: e.clear(), self._engines.values()))

    def contestants(self) -> list[Contestant]:
        """orch first."""
        return [
            Contestant(
                "orch", self._checked(self.orch), self._platform.bootstrap, self._remove_orch
            ),
            Contestant("docker run", self._checked(self.docker), clean=self._clear),
            Contestant("swarm", self._checked(self.swarm), self._join, self._leave),
        ]

    def orch(self) -> None:
        """Through the API, seen through the API."""
        run("orch", "apply", "-f", str(self._manifest))
        running: set[str] = set()
        for event in self._platform.api().watch(PODS, selector=f"app={NAME}"):
            pod = event["object"]
            status = pod.get("status") or {}
            states = [c["state"] for c in status.get("containerStatuses") or []]
            if status.get("phase") == "Running" and states and all("running" in s for s in states):
                running.add(pod["metadata"]["name"])
            else:
                running.discard(pod["metadata"]["name"])
            if len(running) == REPLICAS:
                return
        raise BenchmarkError(f"the watch ended with {len(running)} pods running")

    def _remove_orch(self) -> None:
        run("orch", "delete", "deployment", NAME, check=False)
        wait_for(
            "the pods are gone",
            lambda: not any(e.get("/containers/json?all=1") for e in self._engines.values()),
        )
        run("orch", "stop")

    def docker(self) -> None:
        """Ten in flight in all, engines taken in turn."""
        engines = list(self._engines.values())

        def start(number: int) -> None:
            engines[number % len(engines)].docker(
                "run", "-d", "--name", f"{NAME}-{number}", "-p", str(PORT),
                "--restart", "unless-stopped",
                "--log-opt", "max-size=10m", "--log-opt", "max-file=3", self._image, *COMMAND,
            )  # fmt: skip

        with ThreadPoolExecutor(IN_FLIGHT) as pool:
            list(pool.map(start, range(REPLICAS)))

    def _join(self) -> None:
        address = self._platform.address(self._platform.hosts[0])
        self._manager.docker("swarm", "init", "--advertise-addr", address)
        token = self._manager.docker("swarm", "join-token", "-q", "worker").strip()
        for engine in self._engines.values():
            if engine is not self._manager:
                engine.docker("swarm", "join", "--token", token, f"{address}:2377")
        wait_for("the swarm is ready", self._swarm_ready)

    def _swarm_ready(self) -> bool:
        states = [n["Status"]["State"] for n in self._manager.get("/nodes")]
        return states == ["ready"] * len(self._engines)

    def swarm(self) -> None:
        """A replicated service; the command returns at once, its tasks are asked for."""
        self._manager.docker(
            "service", "create", "-d", "--name", NAME, "--replicas", str(REPLICAS),
            "--no-resolve-image", "--publish", f"mode=host,target={PORT}",
            "--log-opt", "max-size=10m", "--log-opt", "max-file=3", self._image, *COMMAND,
        )  # fmt: skip
        wait_for("all tasks run", self._tasks_run)

    def _tasks_run(self) -> bool:
        states = [t["Status"]["State"] for t in self._manager.get("/tasks")]
        return states.count("running") == REPLICAS

    def _leave(self) -> None:
        for engine in reversed(self._engines.values()):
            if engine.get("/info")["Swarm"]["LocalNodeState"] != "inactive":
                engine.docker("swarm", "leave", "--force")
        self._clear()


def main() -> bool:
    flags = arguments(__doc__)
    title = f"{REPLICAS} replicas on 3 local hosts, {flags.runs} runs; {machine()}"
    image = build_image()
    with tempfile.TemporaryDirectory() as folder, Platform(3, name="deploy", image=image) as rig:
        manifest = Path(folder) / "thirty.yaml"
        values = {"name": NAME, "replicas": REPLICAS, "image": image, "port": PORT}
        manifest.write_text(MANIFEST % values)
        run("orch", "stop")
        contestants = Deploy(rig, image, manifest).contestants()
        measure(contestants, flags.runs)
    return report(title, contestants, [Bound("docker run", 1.2), Bound("swarm", 1.0)])


if __name__ == "__main__":
    conclude(main)
