"""What a namespace that is being deleted needs next: its contents deleted, then its finalizer.

Workloads, services and configuration go first and together; Events go when nothing else is left,
for the others' deletion makes more of them. Pure.

Source: Kubernetes concepts, "Namespaces"; the namespace controller's resource deleter.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from orchestrator.reconcile import owners
from orchestrator.reconcile.intents import Delete, Intent, Patch
from orchestrator.reconcile.statuses import (
    conditions_of,
    find_condition,
    stamped,
    status_patch,
    without_condition,
)
from orchestrator.store.objects import StoredObject

COMPONENT: Final = "namespace-controller"
FINALIZER: Final = "kubernetes"
EVENTS: Final = "events"
BATCH: Final = 500
"""Deletes in one plan; the next plan goes on."""
_REMAINING: Final = "NamespaceContentRemaining"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a plan is made from.

    Attributes:
        namespace: the Namespace.
        contents: what is in it, by resource; empty lists may be left out.
    """

    namespace: StoredObject
    contents: Mapping[str, Sequence[StoredObject]]


def plan(facts: Facts, now_s: float) -> list[Intent]:
    """Deletes and a condition that says what is left; at the end the finalizer's removal."""
    item = facts.namespace
    if not owners.is_deleting(item):
        return []
    contents = {name: items for name, items in facts.contents.items() if items}
    others = {name: items for name, items in contents.items() if name != EVENTS}
    doomed = [
        one
        for items in (others or contents).values()
        for one in items
        if not owners.is_deleting(one)
    ]
    deletes: list[Intent] = [Delete(one.key, uid=one.uid) for one in doomed[:BATCH]]
    if deletes:
        return deletes
    if contents:
        return _waiting(item, contents, now_s)
    finalizers = item.doc.get("spec", {}).get("finalizers") or []
    if FINALIZER not in finalizers:
        return []
    left = [name for name in finalizers if name != FINALIZER]
    return [Patch(item.key, {"spec": {"finalizers": left}}, "finalize", uid=item.uid)]


def _waiting(
    item: StoredObject, contents: Mapping[str, Sequence[StoredObject]], now_s: float
) -> list[Intent]:
    """Everything is being deleted and something holds it: say what."""
    kinds = ", ".join(
        f"{name} has {len(items)} resource instances" for name, items in sorted(contents.items())
    )
    current = conditions_of(item)
    condition = stamped(
        find_condition(current, _REMAINING),
        "True",
        "SomeResourcesRemain",
        f"Some resources are remaining: {kinds}",
        now_s,
        _REMAINING,
    )
    status = dict(item.doc.get("status") or {})
    status["conditions"] = [*without_condition(current, _REMAINING), condition]
    patch = status_patch(item, status)
    return [patch] if patch else []
