"""Owner references: who controls an object, and the patches that adopt and release it. Pure.

What is asked at every write is read from the typed view; documents are decoded for patches only.

Source: Kubernetes API concepts, "Owners and Dependents"; ControllerRefManager.
"""

from typing import Any

from orchestrator.reconcile.intents import Patch
from orchestrator.reconcile.snapshot import metadata_of
from orchestrator.store.objects import Document, StoredObject


def controller_reference(owner: StoredObject) -> Document:
    """The owner reference that makes `owner` the controller of an object."""
    return {
        "apiVersion": owner.doc["apiVersion"],
        "kind": owner.doc["kind"],
        "name": owner.key.name,
        "uid": owner.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def references_of(item: StoredObject) -> list[Document]:
    """`metadata.ownerReferences`; shared, never mutate."""
    found: list[Document] = item.doc["metadata"].get("ownerReferences") or []
    return found


def controller_uid(item: StoredObject) -> str:
    """Uid of the object's controller; "" when it has none."""
    controller = metadata_of(item).controller
    return controller.uid if controller is not None else ""


def is_deleting(item: StoredObject) -> bool:
    """Whether the object has a deletion timestamp."""
    return bool(metadata_of(item).deletion_timestamp)


def adopt(owner: StoredObject, item: StoredObject) -> Patch:
    """Makes `owner` the controller of `item`, which has none."""
    references: list[Any] = [r for r in references_of(item) if r["uid"] != owner.uid]
    return _with_references(item, [*references, controller_reference(owner)])


def release(item: StoredObject, *uids: str) -> Patch:
    """Takes the owner references with these uids away."""
    return _with_references(item, [r for r in references_of(item) if r["uid"] not in uids])


def _with_references(item: StoredObject, references: list[Any]) -> Patch:
    return Patch(
        item.key,
        {"metadata": {"ownerReferences": references or None}},
        expected=item.revision,
        uid=item.uid,
    )
