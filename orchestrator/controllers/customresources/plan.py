"""What a CustomResourceDefinition needs next: its names accepted, or its objects deleted. Pure.

Names are accepted as long as no other definition of the group (or built-in kind) has them; the
first definition keeps them. An accepted definition becomes Established and is served. One that is
being deleted waits for its objects, which go first.

Source: Kubernetes docs, "Extend the Kubernetes API with CustomResourceDefinitions"; the naming,
establishing and finalizing controllers of apiextensions-apiserver.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from orchestrator.api.custom.words import (
    CLEANUP_FINALIZER,
    ESTABLISHED,
    NAMES_ACCEPTED,
    TERMINATING,
)
from orchestrator.api.resources import RESOURCES
from orchestrator.reconcile import owners
from orchestrator.reconcile.intents import Delete, Intent, Patch
from orchestrator.reconcile.statuses import (
    conditions_of,
    find_condition,
    stamped,
    status_of,
    status_patch,
    without_condition,
)
from orchestrator.store.objects import Document, StoredObject

COMPONENT: Final = "customresource-controller"
BATCH: Final = 500
"""Deletes in one plan; the next plan goes on."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a plan is made from.

    Attributes:
        definition: the CustomResourceDefinition.
        others: the other definitions of its group.
        instances: its objects; only looked at when it is being deleted.
    """

    definition: StoredObject
    others: Sequence[StoredObject] = ()
    instances: Sequence[StoredObject] = ()


@dataclass(slots=True)
class _Taken:
    """Names that others in the group have."""

    resources: set[str] = field(default_factory=set)
    kinds: set[str] = field(default_factory=set)


def plan(facts: Facts, now_s: float) -> list[Intent]:
    """A patch of the status; for one that is being deleted, deletes and at last its finalizer."""
    if owners.is_deleting(facts.definition):
        return _cleaned(facts, now_s)
    patch = _accepted(facts, now_s)
    return [patch] if patch else []


# ------------------------------------------------------------ names


def _accepted(facts: Facts, now_s: float) -> Patch | None:
    item = facts.definition
    taken, asked = _taken(facts), item.doc["spec"]["names"]
    accepted = dict(status_of(item).get("acceptedNames") or {})
    conflict: tuple[str, str] | None = None
    for name, known in (
        ("plural", taken.resources),
        ("singular", taken.resources),
        ("shortNames", taken.resources),
        ("kind", taken.kinds),
        ("listKind", taken.kinds),
    ):
        value = asked.get(name)
        used = [one for one in (value if isinstance(value, list) else [value]) if one in known]
        if used:
            reason = f"{name[:1].upper()}{name[1:]}Conflict"
            said = ", ".join(f'"{one}" is already in use' for one in used)
            conflict = conflict or (reason, said if len(used) == 1 else f"[{said}]")
        elif value:
            accepted[name] = value
        else:
            accepted.pop(name, None)
    if asked.get("categories"):
        accepted["categories"] = asked["categories"]
    else:
        accepted.pop("categories", None)
    status = dict(status_of(item))
    status["acceptedNames"] = accepted
    status["conditions"] = _conditions(item, conflict, now_s)
    return status_patch(item, status)


def _taken(facts: Facts) -> _Taken:
    group = facts.definition.doc["spec"]["group"]
    taken = _Taken()
    for row in RESOURCES:
        if row.group == group:
            taken.resources |= {row.plural, row.singular, *row.short_names}
            taken.kinds |= {row.kind, row.list_kind}
    for other in facts.others:
        names = status_of(other).get("acceptedNames") or {}
        words = {names.get("plural"), names.get("singular"), *(names.get("shortNames") or ())}
        taken.resources |= {word for word in words if word}
        taken.kinds |= {w for w in (names.get("kind"), names.get("listKind")) if w}
    return taken


def _conditions(
    item: StoredObject, conflict: tuple[str, str] | None, now_s: float
) -> list[Document]:
    current = conditions_of(item)
    was = find_condition(current, ESTABLISHED)
    names = _condition(
        item, NAMES_ACCEPTED, *(conflict or ("NoConflicts", "no conflicts found")), now_s,
        holds=conflict is None,
    )  # fmt: skip
    if was is not None and was.get("status") == "True":
        established = was  # once it is served it stays so
    elif conflict is None:
        established = _condition(
            item, ESTABLISHED, "InitialNamesAccepted", "the initial names have been accepted",
            now_s, holds=True,
        )  # fmt: skip
    else:
        established = _condition(
            item, ESTABLISHED, "NotAccepted", "not all names are accepted", now_s, holds=False
        )
    rest = without_condition(without_condition(current, NAMES_ACCEPTED), ESTABLISHED)
    return [names, established, *rest]


def _condition(
    item: StoredObject, kind: str, reason: str, message: str, now_s: float, *, holds: bool
) -> Document:
    current = find_condition(conditions_of(item), kind)
    return stamped(current, "True" if holds else "False", reason, message, now_s, kind)


# ------------------------------------------------------------ deletion


def _cleaned(facts: Facts, now_s: float) -> list[Intent]:
    item = facts.definition
    finalizers: list[Any] = item.doc["metadata"].get("finalizers") or []
    if CLEANUP_FINALIZER not in finalizers:
        return []
    if not facts.instances:
        left = [name for name in finalizers if name != CLEANUP_FINALIZER]
        change = {"metadata": {"finalizers": left or None}}
        return [Patch(item.key, change, expected=item.revision, uid=item.uid)]
    doomed = [one for one in facts.instances if not owners.is_deleting(one)]
    condition = _condition(
        item, TERMINATING, "InstanceDeletionInProgress", "CustomResource deletion is in progress",
        now_s, holds=True,
    )  # fmt: skip
    status = dict(status_of(item))
    status["conditions"] = [*without_condition(conditions_of(item), TERMINATING), condition]
    patch = status_patch(item, status)
    deletes: list[Intent] = [Delete(one.key, uid=one.uid) for one in doomed[:BATCH]]
    return [*([patch] if patch else []), *deletes]
