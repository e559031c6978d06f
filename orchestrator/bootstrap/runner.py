"""Prepares hosts, many at once: connect, read facts, plan, run the steps, look again.

One host's failure never touches another. What happens is told through `Report` as it happens, and
comes back as one `HostOutcome` per host in the inventory's order.
"""

import shlex
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Literal, TypeVar

from orchestrator.bootstrap.connect import Connector, HostConnection
from orchestrator.bootstrap.facts import (
    FactsError,
    HostFacts,
    facts_command,
    parse_facts,
    shell_command,
)
from orchestrator.bootstrap.hostkeys import Pin
from orchestrator.bootstrap.inventory.model import InventoryNode
from orchestrator.bootstrap.plan import HostPlan, Step, new_packages, plan_host
from orchestrator.bootstrap.settings import BootstrapSettings
from orchestrator.kit.clock import Clock, SystemClock
from orchestrator.kit.errors import ExecFailed, RemoteError
from orchestrator.remote.seams import HostAddress

EventState = Literal["running", "done", "changed", "planned", "warning", "failed"]
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class HostEvent:
    """Something that happened on a host, for people and machines.

    Attributes:
        node: the host's name; "" for the control plane.
        step: "connect", "facts", a check of `plan.CHECKS`, "join", "ready", "server", ...
        state: running (has begun), done (was right or is now), changed (we changed something),
            planned (would be done), warning, failed.
        detail: in words.
    """

    node: str
    step: str
    state: EventState
    detail: str = ""


Report = Callable[[HostEvent], None]


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong on a host: at which step, in the command's own words."""

    step: str
    message: str


@dataclass(frozen=True, slots=True)
class HostOutcome:
    """What came of one host.

    Attributes:
        node: the inventory's entry.
        address: how the server reaches it; None when there was no connection.
        pin: how its key was accepted.
        facts: as read last.
        done: steps that were carried out (or, in a dry run, would be).
        installed: packages that are new on the host; of a step that failed, what it asked for.
        warnings: what works and should be looked at.
        failures: empty when the host is prepared.
    """

    node: InventoryNode
    address: HostAddress | None = None
    pin: Pin | None = None
    facts: HostFacts | None = None
    done: tuple[Step, ...] = ()
    installed: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = field(default=())

    @property
    def prepared(self) -> bool:
        """Whether the host can join."""
        return not self.failures

    def failed_at(self, step: str, message: str) -> "HostOutcome":
        """The same with one more failure."""
        return replace(self, failures=(*self.failures, Failure(step, message)))


def prepare_hosts(
    nodes: Sequence[InventoryNode],
    connector: Connector,
    settings: BootstrapSettings,
    report: Report,
    *,
    dry_run: bool = False,
    clock: Clock | None = None,
) -> list[HostOutcome]:
    """Prepares all hosts and returns what came of each, in order.

    Args:
        nodes: the inventory's.
        connector: opens the connections; stays open.
        settings: limits and caps.
        report: called from many threads, one call at a time.
        dry_run: plan and tell, change nothing.
        clock: ours, which the hosts' are compared with.
    """
    lock = threading.Lock()

    def tell(event: HostEvent) -> None:
        with lock:
            report(event)

    worker = _Worker(connector, settings, tell, clock or SystemClock(), dry_run=dry_run)
    return each_host(nodes, worker.prepare, settings)


def each_host(
    nodes: Sequence[InventoryNode],
    work: Callable[[InventoryNode], Result],
    settings: BootstrapSettings,
) -> list[Result]:
    """Does work for all hosts, so many at a time overall and per jump host; results in order."""
    gates = {n.jump: threading.Semaphore(settings.parallel_per_jump) for n in nodes if n.jump}

    def gated(node: InventoryNode) -> Result:
        gate = gates.get(node.jump)
        if gate is None:
            return work(node)
        with gate:
            return work(node)

    with ThreadPoolExecutor(max(1, min(settings.parallel, len(nodes)))) as pool:
        return list(pool.map(gated, nodes))


def read_facts(
    connection: HostConnection, clock: Clock, timeout_s: float = 60.0
) -> tuple[HostFacts, float]:
    """A host's facts, and its clock minus ours in seconds (0.0 within the time that asking took).

    Raises:
        ExecFailed: the command failed, in its words.
        ChannelLost: the connection broke.
    """
    command = facts_command(become=connection.node.become)
    sent_s = clock.wall()
    result = connection.run(command, timeout_s)
    received_s = clock.wall()
    try:
        facts = parse_facts(result.stdout)
    except FactsError as error:
        raise ExecFailed(
            f"{error} {last_words(result.stderr)}".strip(),
            node=connection.node.name,
            operation="read facts",
            status=result.status,
            stderr=result.stderr[-4096:],
        ) from error
    if not facts.clock_s:
        return facts, 0.0
    late, early = facts.clock_s - received_s, facts.clock_s - sent_s
    return facts, late if late > 0 else min(early, 0.0)


def run_step(connection: HostConnection, facts: HostFacts, script: str) -> str:
    """Runs a script as root; its output.

    Raises:
        ExecFailed: it failed; carries its own words.
        ChannelLost: the connection broke, or it took too long.
    """
    if facts.sudo != "root":
        script = f"sudo -n sh -c {shlex.quote(script)}"
    result = connection.run(shell_command(script))
    if result.status:
        words = last_words(result.stderr) or last_words(result.stdout) or "it said nothing"
        raise ExecFailed(
            f"ended with status {result.status}: {words}",
            node=connection.node.name,
            operation="run step",
            status=result.status,
            stderr=result.stderr[-4096:],
        )
    return result.stdout


def last_words(text: str, lines: int = 3) -> str:
    """The last lines of an output, joined."""
    return " | ".join([line.strip() for line in text.splitlines() if line.strip()][-lines:])


class _Worker:
    def __init__(
        self,
        connector: Connector,
        settings: BootstrapSettings,
        tell: Report,
        clock: Clock,
        *,
        dry_run: bool,
    ) -> None:
        self._connector = connector
        self._settings = settings
        self._tell = tell
        self._clock = clock
        self._dry_run = dry_run

    def prepare(self, node: InventoryNode) -> HostOutcome:
        outcome = HostOutcome(node)
        outcome, plan = self._look(outcome, first=True)
        if plan is None or not outcome.prepared:
            return outcome
        if not plan.steps or self._dry_run:
            for step in plan.steps:
                self._say(node, step.check, "planned", step.title)
            return replace(outcome, done=plan.steps)
        return self._look_again(outcome)

    def _say(self, node: InventoryNode, step: str, state: EventState, detail: str = "") -> None:
        self._tell(HostEvent(node.name, step, state, detail))

    def _fail(self, outcome: HostOutcome, step: str, message: str) -> HostOutcome:
        self._say(outcome.node, step, "failed", message)
        return outcome.failed_at(step, message)

    def _look(self, outcome: HostOutcome, *, first: bool) -> tuple[HostOutcome, HostPlan | None]:
        """Connects, reads facts, plans; the first time, runs the steps on the same connection."""
        node, stage = outcome.node, "connect"
        self._say(node, stage, "running")
        try:
            with self._connector.open(node) as connection:
                pin = connection.pin
                outcome = replace(outcome, address=connection.address(), pin=outcome.pin or pin)
                self._say(node, "connect", "done", _pin_words(pin))
                stage = "facts"
                self._say(node, stage, "running")
                facts, clock_error_s = read_facts(connection, self._clock)
                self._say(node, stage, "done", _facts_words(facts))
                plan = plan_host(facts, self._settings, clock_error_s=clock_error_s)
                outcome = self._judge(replace(outcome, facts=facts), plan)
                if not (first and outcome.prepared and not self._dry_run):
                    return outcome, plan
                for step in plan.steps:
                    stage = step.check
                    self._say(node, stage, "running", step.title)
                    before = outcome.installed
                    outcome = replace(outcome, installed=before + step.installs)
                    new = new_packages(run_step(connection, facts, step.script))
                    outcome = replace(outcome, done=(*outcome.done, step), installed=before + new)
                    self._say(node, stage, "changed", step.title)
                return outcome, plan
        except RemoteError as error:
            return self._fail(outcome, stage, error.message), None

    def _judge(self, outcome: HostOutcome, plan: HostPlan) -> HostOutcome:
        for fault in plan.faults:
            outcome = self._fail(outcome, fault.check, fault.message)
        for warning in plan.warnings:
            self._say(outcome.node, warning.check, "warning", warning.message)
        return replace(outcome, warnings=tuple(w.message for w in plan.warnings))

    def _look_again(self, outcome: HostOutcome) -> HostOutcome:
        """On a new connection, because a new group counts from the next login on."""
        outcome, plan = self._look(outcome, first=False)
        for step in plan.steps if plan else ():
            outcome = self._fail(
                outcome, step.check, f"still to be done after it was done: {step.title}"
            )
        return outcome


def _pin_words(pin: Pin) -> str:
    words = {
        "known": "key as pinned",
        "adopted": f"key known to ssh, pinned: {pin.kind} {pin.fingerprint}",
        "first-use": f"NEW key pinned on first use: {pin.kind} {pin.fingerprint}",
    }
    return words[pin.how]


def _facts_words(facts: HostFacts) -> str:
    engine = f", Docker {facts.engine}" if facts.engine else ""
    gib = facts.memory_bytes / 2**30
    return f"{facts.os_name}, {facts.machine}, {facts.cpus} CPUs, {gib:.1f} GiB{engine}"
