"""A host as the scheduler sees it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.api.types.node import Node, Taint
from orchestrator.reconcile.pods import condition
from orchestrator.reconcile.snapshot import view_as
from orchestrator.scheduler.requests import Amounts, amounts
from orchestrator.store.objects import StoredObject


@dataclass(frozen=True, slots=True)
class Host:
    """One host, without what is placed on it.

    Attributes:
        name: of the Node.
        ready: its Ready condition is True.
        cordoned: `spec.unschedulable`.
        labels: of the Node.
        taints: all of them.
        allocatable: what pods may use together.
        images: names of images that it has, to size in bytes.
    """

    name: str
    ready: bool = True
    cordoned: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: Sequence[Taint] = ()
    allocatable: Amounts = field(default_factory=dict)
    images: Mapping[str, int] = field(default_factory=dict)


def host_of(item: StoredObject) -> Host:
    """The host of a Node."""
    node = view_as(item, Node)
    ready = condition(node.status.conditions, "Ready")
    return Host(
        name=item.key.name,
        ready=ready is not None and ready.status == "True",
        cordoned=node.spec.unschedulable,
        labels=node.metadata.labels or {},
        taints=tuple(node.spec.taints),
        allocatable=amounts(node.status.allocatable or node.status.capacity or {}),
        images={name: image.size_bytes for image in node.status.images for name in image.names},
    )
