"""The outcome of a simulation as people read it, and what is read from the server for one."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from orchestrator.api.resources import by_resource
from orchestrator.cli.client import ApiFailure, Client
from orchestrator.cli.printing import columns
from orchestrator.cli.targets import collection_path
from orchestrator.simulation.copied import KINDS, NEEDED, Copied, Document
from orchestrator.simulation.outcome import Broken, Outcome
from orchestrator.simulation.plane import PlaneSettings

_MOST_LINES: Final = 40


def read_state(client: Client) -> tuple[Copied, list[str]]:
    """The state as this user may see it, and notes about what may not be seen.

    Raises:
        ApiFailure: nodes or pods cannot be listed.
    """
    copied: dict[str, Sequence[Document]] = {}
    notes: list[str] = []
    for name in KINDS:
        try:
            copied[name] = client.request("GET", collection_path(by_resource(name), ""))["items"]
        except ApiFailure as failure:
            if failure.reason != "Forbidden" or name in NEEDED:
                raise
            notes.append(f"{name} may not be read, and are left out: the outcome may differ")
    return copied, notes


def read_settings(client: Client) -> tuple[PlaneSettings, list[str]]:
    """The settings of the server, and a note when they may not be read."""
    try:
        found = client.request("GET", "/configz")
        return msgspec.convert(found, PlaneSettings), []
    except ApiFailure as failure:
        if failure.code not in {403, 404}:
            raise
        return PlaneSettings(), ["the server's settings may not be read: the defaults are taken"]


def told(found: Outcome) -> list[str]:
    """The lines of `orch simulate`."""
    lines = [f"A copy of {found.hosts} hosts and {found.pods} pods; nothing was changed.", ""]
    lines += _moves(found)
    lines += _section(
        "would be gone",
        [
            ["NAMESPACE", "WORKLOAD", "POD", "FROM", "WHY"],
            *([x.namespace, x.workload, x.pod, x.source or "-", x.why] for x in found.lost),
        ],
    )
    lines += _waiting(found)
    lines += _section(
        "disruption budgets that would break",
        [
            ["NAMESPACE", "BUDGET", "HEALTHY", "NEEDED", "FOR"],
            *([b.namespace, b.budget, str(b.healthy), str(b.needed), _span(b)]
              for b in found.broken),
        ],
    )  # fmt: skip
    lines += _section(
        "evictions that would be blocked",
        [
            ["NAMESPACE", "WORKLOAD", "POD", "ON", "WHY"],
            *([b.namespace, b.workload, b.pod, b.node, b.why] for b in found.blocked),
        ],
    )
    if found.refused:
        lines += ["", "could not be made:", *(f"  {words}" for words in found.refused)]
    if found.settled:
        lines += ["", "Everything else stays as it is."]
    else:
        lines += ["", "It did not come to rest in the time that was simulated: no end state."]
    return lines + [f"note: {note}" for note in found.notes]


def _moves(found: Outcome) -> list[str]:
    counted = Counter(
        (move.namespace, move.workload, move.source or "-", move.target or "pending")
        for move in found.moves
    )
    if not counted:
        return ["Nothing would move."]
    rows = [["NAMESPACE", "WORKLOAD", "FROM", "", "TO", "PODS"]]
    rows += [[n, w, source, "->", to, str(pods)] for (n, w, source, to), pods in counted.items()]
    return _section(f"would move (pods: {sum(counted.values())})", rows)[1:]


def _waiting(found: Outcome) -> list[str]:
    counted = Counter((w.namespace, w.workload, w.before, w.why) for w in found.waiting)
    rows = [["NAMESPACE", "WORKLOAD", "PODS", "SINCE", "WHY"]]
    rows += [
        [namespace, workload, str(pods), "before" if before else "then", why]
        for (namespace, workload, before, why), pods in counted.items()
    ]
    return _section(f"would wait for a host (pods: {len(found.waiting)})", rows)


def _section(title: str, rows: Iterable[Sequence[str]]) -> list[str]:
    """A titled table; nothing when there is only its head. Long ones are cut: -o json has all."""
    head, *rest = list(rows)
    if not rest:
        return []
    more = len(rest) - _MOST_LINES
    lines = [f"  {line}" for line in columns([head, *rest[:_MOST_LINES]])]
    return ["", f"{title}:", *lines, *([f"  ... and {more} more (-o json)"] if more > 0 else [])]


def _span(breach: Broken) -> str:
    return "good" if breach.seconds is None else f"{breach.seconds:g} s"


def document(found: Outcome) -> Any:
    """The outcome for machines."""
    return msgspec.to_builtins(found)
