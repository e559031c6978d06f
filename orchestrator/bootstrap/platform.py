"""`orch bootstrap` from end to end: hosts, control plane, Nodes, what is left over, a summary."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.bootstrap.api import AdminApi, ApiRefused
from orchestrator.bootstrap.clean import clean_host
from orchestrator.bootstrap.connect import Connector
from orchestrator.bootstrap.hostkeys import HostKeys
from orchestrator.bootstrap.inventory.model import Inventory, InventoryNode
from orchestrator.bootstrap.join import drain, list_nodes, register, remove_node, wait_ready
from orchestrator.bootstrap.nodes import Document, address_of, leftovers
from orchestrator.bootstrap.runner import (
    EventState,
    Failure,
    HostEvent,
    HostOutcome,
    Report,
    prepare_hosts,
    read_facts,
)
from orchestrator.bootstrap.service import Service
from orchestrator.bootstrap.settings import BootstrapSettings
from orchestrator.bootstrap.state import HostChanges, StateDirectory, own_names
from orchestrator.credentials.ensure import ensure_credentials
from orchestrator.kit.clock import SystemClock
from orchestrator.kit.errors import RemoteError, Unreachable


@dataclass(frozen=True, slots=True)
class BootstrapRequest:
    """What the user asked for.

    Attributes:
        inventory: the parsed file.
        inventory_dir: where it is; a known_hosts beside it is believed.
        state_dir: the state directory.
        home: the user's, for ~/.ssh/known_hosts.
        api_port: 0 keeps what server.yaml says (8080 at first).
        lb_port: 0 keeps what server.yaml says (8081 at first).
        address: further name or address that clients reach this machine at; "" for none.
        dry_run: print the plan, change nothing.
        prune: take out hosts that the inventory names no more.
    """

    inventory: Inventory
    inventory_dir: Path
    state_dir: Path
    home: Path
    api_port: int = 0
    lb_port: int = 0
    address: str = ""
    dry_run: bool = False
    prune: bool = False


@dataclass(frozen=True, slots=True)
class BootstrapSummary:
    """What came of it.

    Attributes:
        outcomes: one per host, in the inventory's order, joining and readiness included.
        leftover: Nodes that the inventory names no more and that are still there.
        pruned: Nodes that were taken out.
        server: what was wrong with the control plane; None when all is well (or in a dry run).
        url: of the API on this machine.
        took_s: seconds in all.
    """

    outcomes: tuple[HostOutcome, ...]
    leftover: tuple[str, ...] = ()
    pruned: tuple[str, ...] = ()
    server: Failure | None = None
    url: str = ""
    took_s: float = 0.0

    @property
    def failed(self) -> tuple[HostOutcome, ...]:
        """Hosts that did not make it."""
        return tuple(o for o in self.outcomes if not o.prepared)

    @property
    def ok(self) -> bool:
        """Whether everything is as the inventory says."""
        return not self.failed and self.server is None


def make_connector(
    inventory_dir: Path,
    home: Path,
    state: StateDirectory,
    settings: BootstrapSettings,
    *,
    record: bool = True,
) -> Connector:
    """Connections with this state directory's pins, and the keys that the user knows already."""
    known = [
        inventory_dir / "known_hosts",
        home / ".ssh/known_hosts",
        Path("/etc/ssh/ssh_known_hosts"),
    ]
    return Connector(HostKeys(state.known_hosts, known, record=record), settings)


def bootstrap(
    request: BootstrapRequest, settings: BootstrapSettings, report: Report
) -> BootstrapSummary:
    """Turns an inventory into a running platform, or brings one in line with it; idempotent.

    One host's failure touches no other; what failed is in the summary. Raises only for what makes
    the whole run pointless.

    Raises:
        ConfigError: the state directory or its settings cannot be used.
    """
    run = _Run(request, settings, report)
    try:
        return run.go()
    finally:
        run.close()


class _Run:
    def __init__(
        self, request: BootstrapRequest, settings: BootstrapSettings, report: Report
    ) -> None:
        self._request = request
        self._settings = settings
        self._report = report
        self._state = StateDirectory(request.state_dir)
        self._service = Service(self._state)
        self._api = AdminApi(self._state)
        self._clock = SystemClock()
        self._started_s = self._clock.monotonic()
        if not request.dry_run:
            self._state.ensure()
        self._connector = make_connector(
            request.inventory_dir,
            request.home,
            self._state,
            settings,
            record=not request.dry_run,
        )

    def close(self) -> None:
        self._api.close()
        self._connector.close()

    def go(self) -> BootstrapSummary:
        request = self._request
        outcomes = prepare_hosts(
            request.inventory.nodes, self._connector, self._settings, self._report,
            dry_run=request.dry_run,
        )  # fmt: skip
        if request.dry_run:
            self._tell_control_plane_plan(outcomes)
            return self._summary(outcomes)
        self._remember(outcomes)
        if not any(o.prepared for o in outcomes) and not self._state.kubeconfig.is_file():
            failure = Failure("server", "not set up: no host is prepared")
            self._report(HostEvent("", "server", "failed", failure.message))
            return self._summary(outcomes, server=failure)
        try:
            self._ensure_server()
            return self._join(outcomes)
        except (Unreachable, ApiRefused) as error:
            self._report(HostEvent("", "server", "failed", str(error)))
            return self._summary(outcomes, server=Failure("server", str(error)))

    def _join(self, outcomes: list[HostOutcome]) -> BootstrapSummary:
        existing = list_nodes(self._api)
        outcomes = _with_failures(
            outcomes, "join", register(self._api, outcomes, existing, self._report)
        )
        gone = leftovers(existing.values(), self._request.inventory.nodes)
        pruned = [str(n["metadata"]["name"]) for n in gone] if self._request.prune else []
        for node in gone:
            if self._request.prune:
                self._prune(node)
            else:
                self._report(
                    HostEvent(
                        str(node["metadata"]["name"]), "join", "warning",
                        "is not in the inventory any more; --prune drains and removes it",
                    )
                )  # fmt: skip
        names = [o.node.name for o in outcomes if o.prepared]
        late = wait_ready(self._api, names, self._report, self._settings.ready_timeout_s)
        outcomes = _with_failures(outcomes, "ready", late)
        self._state.write_inventory(self._request.inventory)
        leftover = [str(n["metadata"]["name"]) for n in gone if not self._request.prune]
        return self._summary(outcomes, leftover=leftover, pruned=pruned)

    def _ensure_server(self) -> None:
        request = self._request
        wanted: dict[str, Any] = {"cluster": request.inventory.cluster}
        if request.api_port:
            wanted["apiserver"] = {"port": request.api_port}
        if request.lb_port:
            wanted["loadbalancer"] = {"port": request.lb_port}
        changed = self._state.write_settings(wanted)
        names = [*own_names(), self._state.api_host(), request.address]
        port = self._api.url.rpartition(":")[2]
        url = f"https://{request.address}:{port}" if request.address else self._api.url
        ensure_credentials(
            request.state_dir,
            [n for n in names if n],
            cluster=request.inventory.cluster,
            server_url=url,
        )
        if self._service.pid():
            if not changed:
                if self._api.ready():
                    self._service.wait_ready(self._settings.server_timeout_s)
                self._report(HostEvent("", "server", "done", f"runs at {self._api.url}"))
                return
            self._report(HostEvent("", "server", "running", "restarting with new settings"))
            self._service.stop()
        else:
            self._report(HostEvent("", "server", "running", "starting"))
        self._service.start()
        self._service.wait_ready(self._settings.server_timeout_s)
        self._report(HostEvent("", "server", "changed", f"started at {self._api.url}"))

    def _prune(self, node: Document) -> None:
        name = str(node["metadata"]["name"])
        drain(self._api, name, self._report)
        remove_node(self._api, name)
        self._report(HostEvent(name, "join", "changed", "removed from the cluster"))
        address = address_of(node)
        entry = InventoryNode(
            name=name, host=address.host, port=address.port, user=address.user,
            identity_file=address.identity_file, jump=address.jump, become=address.become,
        )  # fmt: skip
        try:
            with self._connector.open(entry) as connection:
                facts, _ = read_facts(connection, self._clock)
                changes = self._state.changes().get(name, HostChanges())
                removed, left = clean_host(connection, facts, changes, purge=False)
        except RemoteError as error:
            self._report(
                HostEvent(name, "clean", "warning", f"could not be cleaned: {error.message}")
            )
            return
        state: EventState = "changed" if removed else "done"
        self._report(HostEvent(name, "clean", state, removed or "nothing of ours there"))
        self._connector.keys.forget(name)
        if left:
            self._report(HostEvent(name, "clean", "warning", f"left: {left}"))
        else:
            self._state.drop_changes([name])

    def _remember(self, outcomes: Sequence[HostOutcome]) -> None:
        changes = {}
        for outcome in outcomes:
            groups = tuple(step.joins_group for step in outcome.done if step.joins_group)
            if outcome.installed or groups:
                user = outcome.facts.user if outcome.facts else ""
                changes[outcome.node.name] = HostChanges(outcome.installed, groups, user)
        self._state.add_changes(changes)

    def _tell_control_plane_plan(self, outcomes: Sequence[HostOutcome]) -> None:
        if self._service.pid():
            self._report(HostEvent("", "server", "done", f"runs at {self._api.url}"))
        else:
            self._report(
                HostEvent("", "server", "planned", f"start with state in {self._state.path}")
            )
        for outcome in outcomes:
            if outcome.prepared and not self._service.pid():
                self._report(HostEvent(outcome.node.name, "join", "planned", "register as Node"))

    def _summary(
        self,
        outcomes: Sequence[HostOutcome],
        *,
        leftover: Sequence[str] = (),
        pruned: Sequence[str] = (),
        server: Failure | None = None,
    ) -> BootstrapSummary:
        return BootstrapSummary(
            outcomes=tuple(outcomes),
            leftover=tuple(leftover),
            pruned=tuple(pruned),
            server=server,
            url=self._api.url,
            took_s=self._clock.monotonic() - self._started_s,
        )


def _with_failures(
    outcomes: Sequence[HostOutcome], step: str, failures: dict[str, str]
) -> list[HostOutcome]:
    return [
        o.failed_at(step, failures[o.node.name]) if o.node.name in failures else o for o in outcomes
    ]
