"""How to lose a host, and how to get it back: for tests, demonstrations and exercises.

Every fault is idempotent and returns when the engine has done it; none waits for what follows.
"""

from collections.abc import Callable
from typing import Final

import docker
import docker.errors

from orchestrator.kit.errors import ConfigError, EngineError
from orchestrator.local.cluster import LocalCluster, LocalHost
from orchestrator.local.engine import connect_engine
from orchestrator.local.hosts import READY_LIMIT_S, run_inside


class Faults:
    """Faults on one local cluster's hosts; errors: ConfigError (no such host), EngineError."""

    def __init__(self, cluster: LocalCluster, client: docker.DockerClient | None = None) -> None:
        self._cluster = cluster
        self._client = client or connect_engine()

    def apply(self, fault: str, host: str) -> None:
        """Applies a fault by its name on the command line (`FAULTS`)."""
        action = _ACTIONS.get(fault)
        if action is None:
            raise ConfigError([f"no fault {fault!r}; there are: {', '.join(FAULTS)}"])
        target = self._cluster.host(host)
        try:
            action(self, target)
        except docker.errors.APIError as error:
            raise EngineError(
                f"{fault} {host}: {error.explanation}", node=host, operation=fault
            ) from error

    def _kill(self, host: LocalHost) -> None:
        if self._state(host) not in {"exited", "created"}:
            self._client.api.kill(host.container)

    def _pause(self, host: LocalHost) -> None:
        if self._state(host) == "running":
            self._client.api.pause(host.container)

    def _unpause(self, host: LocalHost) -> None:
        if self._state(host) == "paused":
            self._client.api.unpause(host.container)

    def _restart(self, host: LocalHost) -> None:
        """As a power cycle: dead or alive, it boots anew; returns when sshd and engine answer."""
        self._unpause(host)
        self._kill(host)
        self._client.api.start(host.container)
        self._inside(host, "wait", str(READY_LIMIT_S))

    def _disconnect(self, host: LocalHost) -> None:
        if self._connected(host):
            self._client.api.disconnect_container_from_network(
                host.container, self._cluster.network, force=True
            )

    def _connect(self, host: LocalHost) -> None:
        if not self._connected(host):
            self._client.api.connect_container_to_network(
                host.container, self._cluster.network, ipv4_address=host.address
            )

    def _inside(self, host: LocalHost, *words: str) -> None:
        status, output = run_inside(self._client, host.container, ["orch-host", *words])
        if status:
            raise EngineError(
                f"{host.name}: {output.strip()}", node=host.name, operation=" ".join(words)
            )

    def _state(self, host: LocalHost) -> str:
        return str(self._client.api.inspect_container(host.container)["State"]["Status"])

    def _connected(self, host: LocalHost) -> bool:
        settings = self._client.api.inspect_container(host.container)["NetworkSettings"]
        return self._cluster.network in settings["Networks"]

    def _start_dockerd(self, host: LocalHost) -> None:
        self._inside(host, "start", "dockerd")
        self._inside(host, "wait", str(READY_LIMIT_S))

    def kill(self, host: str) -> None:
        """Everything on the host ends at once, as when its power fails."""
        self.apply("kill", host)

    def restart(self, host: str) -> None:
        """The host boots (again); returns when its sshd and engine answer."""
        self.apply("restart", host)

    def pause(self, host: str) -> None:
        """The host hangs: connections stay open and nobody answers."""
        self.apply("pause", host)

    def unpause(self, host: str) -> None:
        """The host goes on where it stood."""
        self.apply("unpause", host)

    def disconnect(self, host: str) -> None:
        """The host's network is cut; it runs on."""
        self.apply("disconnect", host)

    def connect(self, host: str) -> None:
        """The host's network is back, with the same address."""
        self.apply("connect", host)


_ACTIONS: Final[dict[str, Callable[[Faults, LocalHost], None]]] = {
    "kill": Faults._kill,  # this module's own table
    "pause": Faults._pause,
    "unpause": Faults._unpause,
    "disconnect": Faults._disconnect,
    "connect": Faults._connect,
    "restart": Faults._restart,
    "stop-sshd": lambda faults, host: faults._inside(host, "stop", "sshd"),
    "start-sshd": lambda faults, host: faults._inside(host, "start", "sshd"),
    "stop-dockerd": lambda faults, host: faults._inside(host, "stop", "dockerd"),
    "start-dockerd": Faults._start_dockerd,
}

FAULTS: Final = tuple(_ACTIONS)
