"""What the controllers of workloads read alike: which objects are theirs, or may become so. Pure.

Source: Kubernetes' ControllerRefManager (claiming by selector), pkg/controller/controller_utils.
"""

from collections.abc import Iterable
from typing import Any, Protocol, cast

from orchestrator.api.labels import from_view
from orchestrator.api.types.meta import LabelSelector
from orchestrator.kit.ids import ObjectKey
from orchestrator.reconcile import owners
from orchestrator.reconcile.controller import Keys
from orchestrator.reconcile.snapshot import Snapshot, metadata_of
from orchestrator.store.objects import StoredObject, StoreEvent


class _Selecting(Protocol):
    """The spec of every kind that selects what it owns."""

    @property
    def selector(self) -> LabelSelector: ...


def selector_of(item: StoredObject) -> LabelSelector:
    """`spec.selector` of a workload."""
    view: Any = item.view
    return cast("_Selecting", view.spec).selector


def of_controller(resource: str, kind: str) -> Keys:
    """Keys of the controller before and after a write, when it is of that kind.

    Args:
        resource: group-resource of the controller's objects.
        kind: as owner references name it.
    """

    def keys(event: StoreEvent) -> Iterable[ObjectKey]:
        owners_of = metadata_of(event.object).owner_references
        if event.previous is not None:
            before = metadata_of(event.previous).owner_references
            if before is not owners_of:  # a state shares with the one before it what is equal
                owners_of += before
        if not owners_of:
            return ()
        namespace = event.object.key.namespace
        return [
            ObjectKey(resource, namespace, owner.name)
            for owner in owners_of
            if owner.controller and owner.kind == kind
        ]

    return keys


def of_claimants(resource: str, kind: str, snapshot: Snapshot) -> Keys:
    """As `of_controller`; of an object that nobody controls, keys of those that may adopt it."""
    controlling = of_controller(resource, kind)

    def keys(event: StoreEvent) -> Iterable[ObjectKey]:
        item = event.object
        meta = metadata_of(item)
        found = controlling(event)
        if event.type == "DELETED" or meta.controller is not None:
            return found
        adopters = (
            one.key
            for one in snapshot.list(resource, item.key.namespace)
            if from_view(selector_of(one)).matches(meta.labels)
        )
        return [*found, *adopters]

    return keys


def claimable_pods(snapshot: Snapshot, item: StoredObject) -> list[StoredObject]:
    """Pods that a workload owns, or that its selector matches."""
    return snapshot.claimable_pods(item.uid, item.key.namespace, selector_of(item))


def pods_owned(snapshot: Snapshot, key: ObjectKey) -> int:
    """How many pods an object owns, ended ones too."""
    item = snapshot.get(key)
    return snapshot.count_owned(item.uid, "pods") if item is not None else 0


def takes_objects(snapshot: Snapshot, namespace: str) -> bool:
    """Whether anything can be made in a namespace: it is there, and not being deleted."""
    found = snapshot.get(ObjectKey("namespaces", "", namespace))
    return found is not None and not owners.is_deleting(found)
