"""`orch reset`: hosts as they were before. The server is stopped first, or it would heal them."""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.bootstrap.clean import clean_host
from orchestrator.bootstrap.connect import Connector
from orchestrator.bootstrap.inventory.model import InventoryNode
from orchestrator.bootstrap.runner import Failure, HostEvent, Report, each_host, read_facts
from orchestrator.bootstrap.settings import BootstrapSettings
from orchestrator.bootstrap.state import HostChanges, StateDirectory
from orchestrator.kit.clock import SystemClock
from orchestrator.kit.errors import RemoteError


@dataclass(frozen=True, slots=True)
class ResetOutcome:
    """What came of one host.

    Attributes:
        node: its name.
        removed: in words; "" for nothing.
        left: what stays, in words; "" for nothing.
        failure: None when the host is as before.
    """

    node: str
    removed: str = ""
    left: str = ""
    failure: Failure | None = None


def reset_hosts(
    nodes: Sequence[InventoryNode],
    state: StateDirectory,
    connector: Connector,
    settings: BootstrapSettings,
    report: Report,
    *,
    purge: bool = False,
) -> list[ResetOutcome]:
    """Cleans all hosts, many at once; one outcome per host, in order."""
    changes = state.changes()

    def reset(node: InventoryNode) -> ResetOutcome:
        before = changes.get(node.name, HostChanges())
        return _reset(node, before, connector, report, purge=purge)

    outcomes = each_host(nodes, reset, settings)
    state.drop_changes(o.node for o in outcomes if o.failure is None and not o.left)
    return outcomes


def _reset(
    node: InventoryNode, changes: HostChanges, connector: Connector, report: Report, *, purge: bool
) -> ResetOutcome:
    step = "connect"
    report(HostEvent(node.name, step, "running"))
    try:
        with connector.open(node) as connection:
            step = "facts"
            facts, _ = read_facts(connection, SystemClock())
            if not facts.privileged and facts.socket != "ok":
                words = f"neither root nor the engine can be reached: {facts.sudo_words}"
                report(HostEvent(node.name, "sudo", "failed", words))
                return ResetOutcome(node.name, failure=Failure("sudo", words))
            step = "clean"
            report(HostEvent(node.name, step, "running"))
            removed, left = clean_host(connection, facts, changes, purge=purge)
    except RemoteError as error:
        report(HostEvent(node.name, step, "failed", error.message))
        return ResetOutcome(node.name, failure=Failure(step, error.message))
    report(
        HostEvent(
            node.name, step, "changed" if removed else "done", removed or "nothing of ours there"
        )
    )
    if left:
        report(HostEvent(node.name, step, "warning", f"left: {left}"))
    return ResetOutcome(node.name, removed, left)
