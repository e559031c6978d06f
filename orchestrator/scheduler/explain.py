"""Why a pod fits nowhere, and how hosts compare: in kube-scheduler's words, with numbers. Pure.

Source: the messages of kube-scheduler's filter plugins, in its order; a host is counted under the
first that applies, and under every resource that does not suffice.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from orchestrator.scheduler import filters
from orchestrator.scheduler.columns import Flags, Numbers
from orchestrator.scheduler.requests import PODS, shown
from orchestrator.scheduler.standing import Standing


@dataclass(frozen=True, slots=True)
class Against:
    """One reason, and the hosts that it rules out.

    Attributes:
        words: as kube-scheduler says it.
        detail: with numbers; "" when there is nothing to add.
        slots: of the hosts.
        plugin: whose reason it is.
        plain: the same in fewer words, about one host.
    """

    words: str
    detail: str
    slots: Numbers
    plugin: str
    plain: str


def reasons(standing: Standing) -> list[Against]:
    """Every reason that rules out a host, after `Standing.refresh`."""
    fleet, template = standing.fleet, standing.template
    found: list[Against] = []
    left: Flags = fleet.live.data == 1

    def rule_out(plugin: str, plain: str, words: str, fine: Flags) -> None:
        nonlocal left
        bad = left & ~fine
        if bad.any():
            found.append(Against(words, "", np.flatnonzero(bad), plugin, plain))
            left = left & fine

    opened = filters.open_hosts(fleet, template)
    rule_out("cordon", "cordoned", "node(s) were unschedulable", opened)
    for index, taints in enumerate(fleet.taint_sets):
        taint = filters.first_untolerated(template, taints)
        if taint is not None:
            words = f"node(s) had untolerated taint {{{taint.key}: {taint.value}}}"
            plain = f"taint {taint.key}" + (f"={taint.value}" if taint.value else "")
            rule_out("taints", plain, words, fleet.taints.data != index)
    rule_out("ready", "not ready", "node(s) were not ready", filters.ready_hosts(fleet))
    rule_out(
        "affinity",
        "node selector or affinity",
        "node(s) didn't match Pod's node affinity/selector",
        filters.wanted_hosts(fleet, template),
    )
    portless = np.ones(fleet.size, dtype=np.bool_)
    portless[filters.portless(fleet, template)] = False
    words = "node(s) didn't have free ports for the requested pod ports"
    rule_out("ports", "host ports taken", words, portless)
    found += _short_of(standing, left)
    left = left & filters.roomy(fleet, template)
    for rule in standing.hard:
        words = "node(s) didn't match pod topology spread constraints"
        there = fleet.label(rule.rule.topology).there()
        label = f"label {rule.rule.topology} missing (topology spread)"
        rule_out("spread", label, f"{words} (missing required label)", there)
        rule_out("spread", "topology spread", words, rule.allowed())
    near = standing.neighbours
    words = "node(s) didn't match pod affinity rules"
    rule_out("neighbours", "pod affinity", words, near.attracted())
    words = "node(s) didn't match pod anti-affinity rules"
    rule_out("neighbours", "pod anti-affinity", words, near.not_repelled())
    words = "node(s) didn't satisfy existing pods anti-affinity rules"
    rule_out("neighbours", "anti-affinity of pods there", words, near.not_unwanted())
    return _merged(found)


def _short_of(standing: Standing, left: Flags) -> list[Against]:
    fleet, found = standing.fleet, list[Against]()
    pods = fleet.resources[PODS]
    full = left & (pods.used.data >= pods.total.data)
    if full.any():
        detail = f"takes {_span(PODS, pods.total.data[full])}"
        found.append(Against("Too many pods", detail, np.flatnonzero(full), "fit", "too many pods"))
    for name, amount in standing.template.requests:
        resource = fleet.resource(name)
        free = resource.free.data
        short = left & (free < amount)
        if short.any():
            detail = f"needs {shown(name, amount)}, free {_span(name, np.maximum(free[short], 0))}"
            words, plain = f"Insufficient {name}", f"insufficient {name}"
            found.append(Against(words, detail, np.flatnonzero(short), "fit", plain))
    return found


def _span(name: str, amounts: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> str:
    low, high = shown(name, int(amounts.min())), shown(name, int(amounts.max()))
    return low if low == high else f"{low}-{high}"


def _merged(found: list[Against]) -> list[Against]:
    """Equal words together: two sets of taints may begin with the same one."""
    merged: dict[str, Against] = {}
    for one in found:
        known = merged.get(one.words)
        merged[one.words] = (
            one if known is None else replace(known, slots=np.append(known.slots, one.slots))
        )
    return list(merged.values())


def message(found: Sequence[Against], hosts: int) -> str:
    """The message of an unschedulable pod: reasons with the number of hosts for each."""
    if not hosts:
        return "no nodes available to schedule pods"
    parts = [
        f"{len(one.slots)} {one.words}" + (f" ({one.detail})" if one.detail else "")
        for one in found
    ]
    return f"0/{hosts} nodes are available: {', '.join(sorted(parts))}."


def grouped(found: Sequence[Against]) -> str:
    """The same for people: "3 hosts: insufficient cpu (needs 2, free 500m); 1 host: cordoned"."""
    parts = sorted((-len(one.slots), one.plain, one.detail) for one in found)
    return "; ".join(
        f"{hosts(-count)}: {plain}" + (f" ({detail})" if detail else "")
        for count, plain, detail in parts
    )


def hosts(number: int) -> str:
    """How many: "1 host", "3 hosts"."""
    return f"{number} host" + ("" if number == 1 else "s")
