"""The server: builds every part from the state directory, and runs them until it is told to stop.

The order matters: first what can be refused (settings, lock, port), so that a server that cannot
run says so before it has touched anything; then the store; then those who watch it; at last the
requests. Only the API server is essential: every other part is started again when it fails.

Everything that a part tells another goes through the store; the one exception is byte streams,
which the API server takes from the node manager.
"""

import asyncio
import fcntl
import os
import random
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Final

import structlog
import uvloop

from orchestrator.apiserver.app import ApiServer, build_app
from orchestrator.apiserver.authn import Authenticator
from orchestrator.apiserver.health import HealthChecks
from orchestrator.apiserver.ports import bind
from orchestrator.apiserver.serve import serve
from orchestrator.apiserver.settings import ApiServerSettings
from orchestrator.assembly import Assembly, ControllerSettings
from orchestrator.bootstrap.state import StateDirectory, own_names
from orchestrator.controllers.accounttoken.controller import accounttoken_controller
from orchestrator.controllers.certificate.controller import certificate_controller
from orchestrator.controllers.hpa.settings import AutoscalingSettings
from orchestrator.controllers.nodelifecycle.settings import NodeLifecycleSettings
from orchestrator.controllers.rebalance.settings import RebalanceSettings
from orchestrator.credentials import keeper
from orchestrator.credentials.authority import KeyPair
from orchestrator.credentials.ensure import ensure_credentials, root_pair, server_ssl_context
from orchestrator.credentials.files import write_atomic
from orchestrator.credentials.signer import sign_client
from orchestrator.credentials.signing import SigningKeys
from orchestrator.credentials.tokens import TokenFile
from orchestrator.kit.aio.collector import Collector
from orchestrator.kit.aio.logging import configure_logging
from orchestrator.kit.aio.tasks import Tasks
from orchestrator.kit.clock import SystemClock
from orchestrator.kit.errors import ConfigError
from orchestrator.kit.settings import load_settings
from orchestrator.loadbalancer.controller import LoadBalancer
from orchestrator.loadbalancer.settings import LoadBalancerSettings
from orchestrator.node.manager import NodeManager
from orchestrator.node.settings import NodeSettings
from orchestrator.reconcile.controller import Controller
from orchestrator.reconcile.executor import Executor
from orchestrator.reconcile.informers import Informers
from orchestrator.registry.registry import Registry
from orchestrator.registry.settings import RegistrySettings
from orchestrator.remote.connect import SshHostConnector
from orchestrator.remote.seams import HostConnector
from orchestrator.remote.settings import RemoteSettings
from orchestrator.scheduler.loop import Scheduler
from orchestrator.scheduler.settings import SchedulerSettings
from orchestrator.store.settings import StoreSettings
from orchestrator.store.sql import FileSqlite
from orchestrator.store.store import Store

_log: Final = structlog.get_logger("server")
_PRUNE_S: Final = 60.0
_SWITCH_S: Final = 0.001
"""How long the loop keeps the interpreter from the thread that commits, which asks for it several
times in each transaction: with the usual 5 ms a busy loop made every write wait twice as long.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """`server.yaml` in the state directory; every section is described at its own class.

    Attributes:
        cluster: name of the cluster, in kubeconfigs.
        log_level: debug, info, warning or error.
        apiserver: where the API listens, and its limits.
        loadbalancer: where services are served.
        scheduler: how pods are spread.
        store: history and batches.
        registry: address ranges, tolerations, event retention.
        nodes: how hosts are driven.
        nodelifecycle: when a lost host's pods are replaced.
        autoscaling: how autoscalers look at their pods.
        rebalance: whether and how running pods are moved to better hosts.
        remote: SSH and the shim.
    """

    cluster: str = "orch"
    log_level: str = "info"
    apiserver: ApiServerSettings = field(default_factory=ApiServerSettings)
    loadbalancer: LoadBalancerSettings = field(default_factory=LoadBalancerSettings)
    scheduler: SchedulerSettings = field(default_factory=SchedulerSettings)
    store: StoreSettings = field(default_factory=StoreSettings)
    registry: RegistrySettings = field(default_factory=RegistrySettings)
    nodes: NodeSettings = field(default_factory=NodeSettings)
    nodelifecycle: NodeLifecycleSettings = field(default_factory=NodeLifecycleSettings)
    autoscaling: AutoscalingSettings = field(default_factory=AutoscalingSettings)
    rebalance: RebalanceSettings = field(default_factory=RebalanceSettings)
    remote: RemoteSettings = field(default_factory=RemoteSettings)


def run_server(state_dir: Path) -> None:
    """Runs the server of a state directory in the foreground, until SIGTERM or SIGINT.

    Raises:
        ConfigError: its settings are wrong, it runs already, or its port is taken.
        StoreError: the database cannot be read.
    """
    state = StateDirectory(state_dir)
    state.ensure()
    text = state.settings.read_text() if state.settings.is_file() else ""
    settings = load_settings(text, ServerSettings, str(state.settings))
    configure_logging(settings.log_level)
    with _alone(state), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(state, settings))


@contextmanager
def _alone(state: StateDirectory) -> Iterator[None]:
    """Holds the state directory's lock, with our process id in server.pid."""
    with (state.path / "server.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = state.pid.read_text().strip() if state.pid.is_file() else "unknown"
            raise ConfigError(
                [f"{state.path}: a server runs on this state directory already (process {pid})"]
            ) from error
        write_atomic(state.pid, f"{os.getpid()}\n".encode())
        try:
            yield
        finally:
            state.pid.unlink(missing_ok=True)


async def _run(state: StateDirectory, settings: ServerSettings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    listener = bind(settings.apiserver.host, settings.apiserver.port)
    names = own_names()
    credentials = ensure_credentials(
        state.path, [*names, *_own_host(settings)], cluster=settings.cluster
    )
    tls = server_ssl_context(credentials)
    (state.path / "store").mkdir(mode=0o700, exist_ok=True)
    store = await Store.open(FileSqlite(state.path / "store" / "orch.db"), settings.store)
    try:
        plane = await ControlPlane.build(state, settings, store, _first_address(names))
        keys = SigningKeys.read(credentials.accounts_key, credentials.accounts_keys)
        api = plane.api(Authenticator(TokenFile(credentials.tokens)), keys)
        async with plane.running() as tasks:
            tasks.supervise("collector", tune_interpreter().run)
            tasks.supervise("own-certificates", lambda: keeper.run(state.path, tls))
            for name, controller in plane.issuing(root_pair(credentials), keys).items():
                tasks.supervise(name, controller.run)
            await serve(
                api,
                settings.apiserver,
                stop,
                tls=tls,
                end_streams=api.end_streams,
                listener=listener,
            )
        api.close()
    finally:
        await store.close()
    _log.info("server.stopped")


def tune_interpreter() -> Collector:
    """Makes Python's collector and its switching of threads fit for a server; when all is built.

    Returns:
        The collector, to be run as long as the server.
    """
    sys.setswitchinterval(_SWITCH_S)
    return Collector()


class ControlPlane:
    """The parts that watch the store and act, built but not running."""

    def __init__(
        self,
        settings: ServerSettings,
        store: Store,
        registry: Registry,
        balancer_folder: Path,
        advertise: str,
        connector: HostConnector | None = None,
    ) -> None:
        self._settings = settings
        self._advertise = advertise
        self._store = store
        self._registry = registry
        self._clock = SystemClock()
        self._rng = random.Random()  # noqa: S311  # spreads retries, decides nothing secret
        self._informers = Informers(store)
        self._scheduler = Scheduler(registry, self._informers, self._clock, settings.scheduler)
        connector = connector or SshHostConnector(settings.remote, self._rng)
        self._nodes = NodeManager(
            registry, self._informers, connector, self._clock, self._rng, settings.nodes
        )
        self._assembly = Assembly(
            registry=registry,
            informers=self._informers,
            clock=self._clock,
            rng=self._rng,
            usage=self._nodes,
            settings=ControllerSettings(
                scheduler=settings.scheduler,
                nodelifecycle=settings.nodelifecycle,
                autoscaling=settings.autoscaling,
                rebalance=settings.rebalance,
            ),
        )
        self._balancer = LoadBalancer(
            store,
            Executor(registry).carry_out,
            balancer_folder,
            settings.loadbalancer,
            self._clock,
            advertise=advertise,
            reserved={settings.apiserver.port: "the API server's port"},
        )

    @classmethod
    async def build(
        cls,
        state: StateDirectory,
        settings: ServerSettings,
        store: Store,
        advertise: str,
        connector: HostConnector | None = None,
    ) -> "ControlPlane":
        """Builds the parts on an open store, with the objects that must always be there.

        Args:
            state: where the balancer has its files.
            settings: of all parts.
            store: open.
            advertise: address that services and clients are told.
            connector: reaches the hosts; over SSH when None.
        """
        rng = random.Random()  # noqa: S311  # names and ports, nothing secret
        registry = Registry(store, SystemClock(), rng, settings.registry)
        await registry.ensure_builtins()
        balancer = state.path / "loadbalancer"
        return cls(settings, store, registry, balancer, advertise, connector)

    @property
    def registry(self) -> Registry:
        """The one door for writes."""
        return self._registry

    def connected(self) -> int:
        """How many hosts are connected."""
        return self._nodes.connected()

    def api(self, authenticator: Authenticator, keys: SigningKeys) -> ApiServer:
        """The API server on top of the parts."""
        ready = {"loadbalancer": lambda: self._balancer.failing}
        return build_app(
            registry=self._registry,
            store=self._store,
            pod_streams=self._nodes,
            usage=self._nodes,
            explainer=self._scheduler,
            authenticator=authenticator,
            keys=keys,
            public_url=f"https://{self._advertise}:{self._settings.apiserver.port}",
            settings=self._settings.apiserver,
            clock=self._clock,
            rng=self._rng,
            configuration={
                "scheduler": self._settings.scheduler,
                "nodelifecycle": self._settings.nodelifecycle,
                "registry": self._settings.registry,
            },
            checks=HealthChecks(
                live={"store": lambda: self._store.statistics().failing},
                ready=ready if self._settings.loadbalancer.enabled else {},
            ),
        )

    def issuing(self, root: KeyPair, keys: SigningKeys) -> dict[str, Controller]:
        """The controllers that make credentials: service accounts' tokens, certificates."""
        informers, clock, rng = self._informers, self._clock, self._rng
        acting = self._assembly.acting

        def issue(request_pem: bytes, usages: frozenset[str], lifetime_s: int) -> bytes:
            return sign_client(root, request_pem, usages, lifetime_s, clock.wall())

        return {
            "accounttokens": accounttoken_controller(
                informers, acting("tokens-controller"), rng, root.cert_pem, keys.sign
            ),
            "certificates": certificate_controller(
                informers, acting("certificate-controller"), clock, rng, issue
            ),
        }

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Tasks]:
        """Runs all parts as long as the context lasts; further tasks may be added."""
        parts: dict[str, Callable[[], Awaitable[None]]] = {
            **{name: made.run for name, made in self._assembly.controllers().items()},
            "scheduler": self._scheduler.run,
            "nodes": self._nodes.run,
            "events": self._prune_events,
        }
        if self._settings.loadbalancer.enabled:
            parts["loadbalancer"] = self._balancer.run
        async with Tasks() as tasks:
            for name, run in parts.items():
                tasks.supervise(name, run)
            try:
                yield tasks
            finally:
                tasks.stop_supervised()
        self._informers.close()

    async def _prune_events(self) -> None:
        while True:
            await asyncio.sleep(_PRUNE_S)
            await self._registry.prune_events(self._clock.wall())


def _own_host(settings: ServerSettings) -> list[str]:
    host = settings.apiserver.host
    return [] if host in {"", "0.0.0.0", "::"} else [host]


def _first_address(names: list[str]) -> str:
    """The first of this machine's names that is an address: what services show as theirs."""
    for name in names:
        try:
            return str(ip_address(name))
        except ValueError:
            continue
    return socket.gethostbyname("localhost")
