"""Which hosts a pod may be on, as arrays: what hosts say of themselves, ports and resources. Pure.

Source: kube-scheduler's filter plugins NodeUnschedulable, TaintToleration, NodeAffinity, NodePorts,
NodeResourcesFit.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from orchestrator.api.names import TAINT_UNSCHEDULABLE
from orchestrator.api.types.node import Taint
from orchestrator.reconcile.affinity import Terms
from orchestrator.reconcile.tolerations import tolerated
from orchestrator.scheduler.columns import Flags, chosen
from orchestrator.scheduler.fleet import FREE, Fleet
from orchestrator.scheduler.requests import ports_clash
from orchestrator.scheduler.templates import Template

_UNSCHEDULABLE: Final = Taint(key=TAINT_UNSCHEDULABLE, effect="NoSchedule")
_HARD: Final = frozenset({"NoSchedule", "NoExecute"})


def open_hosts(fleet: Fleet, template: Template) -> Flags:
    """Hosts that are not cordoned, or all for a pod that bears that."""
    if tolerated(template.tolerations, _UNSCHEDULABLE):
        return np.ones(fleet.size, dtype=np.bool_)
    found: Flags = fleet.cordoned.data == 0
    return found


def first_untolerated(template: Template, taints: Sequence[Taint]) -> Taint | None:
    """The first taint that keeps the pod away."""
    for taint in taints:
        if taint.effect in _HARD and not tolerated(template.tolerations, taint):
            return taint
    return None


def untainted(fleet: Fleet, template: Template) -> Flags:
    """Hosts whose NoSchedule and NoExecute taints the pod bears."""
    verdicts = [first_untolerated(template, taints) is None for taints in fleet.taint_sets]
    found: Flags = np.array(verdicts, dtype=np.bool_).take(fleet.taints.data)
    return found


def ready_hosts(fleet: Fleet) -> Flags:
    """Hosts whose Ready condition is True."""
    found: Flags = fleet.ready.data == 1
    return found


def wanted_hosts(fleet: Fleet, template: Template) -> Flags:
    """Hosts that the node selector and the required node affinity allow."""
    found: Flags = np.ones(fleet.size, dtype=np.bool_)
    for key, value in (template.selector or {}).items():
        found &= fleet.label(key).among((value,))
    if template.required is not None:
        found &= any_term(fleet, template.required)
    return found


def any_term(fleet: Fleet, terms: Terms) -> Flags:
    """Hosts that one of the `nodeSelectorTerms` selects."""
    found: Flags = np.zeros(fleet.size, dtype=np.bool_)
    for term in terms:
        found |= whole_term(fleet, term)
    return found


def whole_term(fleet: Fleet, term: Mapping[str, Any]) -> Flags:
    """Hosts that a `nodeSelectorTerm` selects; an empty one selects nothing."""
    expressions, fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    if not expressions and not fields:
        return np.zeros(fleet.size, dtype=np.bool_)
    found: Flags = np.ones(fleet.size, dtype=np.bool_)
    for expression in expressions:
        found &= chosen(fleet.label(expression.get("key", "")), expression)
    for field in fields:
        found &= _named(fleet, field)
    return found


def _named(fleet: Fleet, field: Mapping[str, Any]) -> Flags:
    found: Flags = np.zeros(fleet.size, dtype=np.bool_)
    if field.get("key") != "metadata.name" or field.get("operator") not in {"In", "NotIn"}:
        return found
    for name in field.get("values") or ():
        if name in fleet.slots:
            found[fleet.slots[name]] = True
    return ~found if field["operator"] == "NotIn" else found


def portless(fleet: Fleet, template: Template) -> list[int]:
    """Slots on which a port that the pod wants is taken."""
    found: set[int] = set()
    for port in template.ports:
        _, protocol, number = port
        for slot, addresses in fleet.ports.get((protocol, number), {}).items():
            if ports_clash((port,), [(address, protocol, number) for address in addresses]):
                found.add(slot)
    return sorted(found)


def roomy(fleet: Fleet, template: Template) -> Flags:
    """Hosts on which one more such pod fits: number of pods, and every resource it asks for."""
    asks = fleet.asks(template)
    found: Flags = np.logical_and.reduce(fleet.state.data[FREE : FREE + len(asks)] >= asks)
    return found
