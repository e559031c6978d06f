"""What becomes of an object whose owners are gone or going, and of an owner that waits. Pure.

An owner reference is *solid* while its owner exists under the same uid, *absent* when it does not,
and *waiting* while its owner waits (finalizer foregroundDeletion) for its dependents to go first.

Source: Kubernetes concepts, "Garbage Collection", "Owners and Dependents".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from orchestrator.api.names import FINALIZER_FOREGROUND, FINALIZER_ORPHAN
from orchestrator.reconcile import owners
from orchestrator.reconcile.intents import Delete, Intent, Patch, Record
from orchestrator.reconcile.snapshot import metadata_of
from orchestrator.store.objects import StoredObject

COMPONENT: Final = "garbage-collector-controller"

OwnerState = Literal["solid", "absent", "waiting", "unresolvable"]


@dataclass(frozen=True, slots=True)
class Facts:
    """What a plan is made from.

    Attributes:
        item: the object.
        states: of its owner references, by the owner's uid.
        dependents: objects of all kinds that refer to it by uid.
    """

    item: StoredObject
    states: Mapping[str, OwnerState]
    dependents: Sequence[StoredObject] = ()


def plan(facts: Facts) -> list[Intent]:
    """What to do next with this object."""
    item = facts.item
    finalizers = finalizers_of(item)
    if owners.is_deleting(item):
        if FINALIZER_ORPHAN in finalizers:
            return _orphan(facts)
        if FINALIZER_FOREGROUND in finalizers:
            return _foreground(facts)
        return []
    return _unowned(facts)


def finalizers_of(item: StoredObject) -> Sequence[str]:
    """`metadata.finalizers`."""
    return metadata_of(item).finalizers


def waits_for_dependents(item: StoredObject) -> bool:
    """Whether its dependents have to go before it."""
    return owners.is_deleting(item) and FINALIZER_FOREGROUND in finalizers_of(item)


def _unowned(facts: Facts) -> list[Intent]:
    item = facts.item
    references = owners.references_of(item)
    if not references:
        return []
    states = {str(r["uid"]): facts.states.get(str(r["uid"]), "absent") for r in references}
    kept = [uid for uid, state in states.items() if state in {"solid", "unresolvable"}]
    if kept:
        dropped = [uid for uid in states if uid not in kept]
        told = [_invalid(item, uid) for uid, state in states.items() if state == "unresolvable"]
        return [*([owners.release(item, *dropped)] if dropped else []), *told]
    propagation: Literal["Background", "Foreground", "Orphan"] = "Background"
    if FINALIZER_ORPHAN in finalizers_of(item):
        propagation = "Orphan"
    elif FINALIZER_FOREGROUND in finalizers_of(item) or (
        "waiting" in states.values() and facts.dependents
    ):
        propagation = "Foreground"  # a whole tree goes from its leaves on
    return [Delete(item.key, uid=item.uid, propagation=propagation, expected=item.revision)]


def _invalid(item: StoredObject, uid: str) -> Record:
    name = next(r["name"] for r in owners.references_of(item) if r["uid"] == uid)
    return Record(
        item.key,
        "Warning",
        "OwnerRefInvalidNamespace",
        f"ownerRef to {name} (uid {uid}) cannot be followed: its kind is not served here, or it is "
        "namespaced and this object is not; the object is never collected because of it",
        COMPONENT,
    )


def _foreground(facts: Facts) -> list[Intent]:
    """The owner goes when no dependent blocks it any more; deleting them is their own plans'."""
    blocking = [one for one in facts.dependents if _blocks(facts.item, one)]
    return [] if blocking else [_without(facts.item, FINALIZER_FOREGROUND)]


def _blocks(item: StoredObject, dependent: StoredObject) -> bool:
    return any(
        reference["uid"] == item.uid and reference.get("blockOwnerDeletion")
        for reference in owners.references_of(dependent)
    )


def _orphan(facts: Facts) -> list[Intent]:
    released: list[Intent] = [owners.release(one, facts.item.uid) for one in facts.dependents]
    return released or [_without(facts.item, FINALIZER_ORPHAN)]


def _without(item: StoredObject, finalizer: str) -> Patch:
    left = [name for name in finalizers_of(item) if name != finalizer]
    return Patch(
        item.key, {"metadata": {"finalizers": left or None}}, expected=item.revision, uid=item.uid
    )
