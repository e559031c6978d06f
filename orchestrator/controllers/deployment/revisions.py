"""Templates and revisions: which ReplicaSet is the new one, what it is called, what is kept. Pure.

Source: Kubernetes concepts, "Deployments" (pod-template-hash, revision history).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from orchestrator.api.metadata import SUFFIX_ALPHABET
from orchestrator.api.names import (
    DEPLOYMENT_DESIRED_REPLICAS,
    DEPLOYMENT_MAX_REPLICAS,
    DEPLOYMENT_REVISION,
    POD_TEMPLATE_HASH,
)
from orchestrator.controllers.deployment.sizes import Bounds
from orchestrator.reconcile import owners
from orchestrator.reconcile.intents import Create
from orchestrator.store.objects import Document, StoredObject

REVISION_HISTORY: Final = "deployment.kubernetes.io/revision-history"
_NOT_COPIED: Final = frozenset({
    "kubectl.kubernetes.io/last-applied-configuration",
    DEPLOYMENT_REVISION,
    REVISION_HISTORY,
    DEPLOYMENT_DESIRED_REPLICAS,
    DEPLOYMENT_MAX_REPLICAS,
    "deprecated.deployment.rollback.to",
})  # fmt: skip
_FNV_OFFSET: Final = 2166136261
_FNV_PRIME: Final = 16777619
_encoder: Final = msgspec.json.Encoder(order="sorted")


def template_hash(template: Mapping[str, Any], collisions: int) -> str:
    """A short word that stands for a pod template; another one for each count of collisions."""
    data = _encoder.encode(template) + (str(collisions).encode() if collisions else b"")
    value = _FNV_OFFSET
    for byte in data:
        value = ((value ^ byte) * _FNV_PRIME) & 0xFFFFFFFF
    return "".join(SUFFIX_ALPHABET[int(c) % len(SUFFIX_ALPHABET)] for c in str(value))


def bare_template(replica_set: StoredObject) -> Document:
    """A ReplicaSet's template without the hash label, as its Deployment had it."""
    template: Document = dict(replica_set.doc["spec"]["template"])
    meta = dict(template.get("metadata") or {})
    labels = {k: v for k, v in (meta.get("labels") or {}).items() if k != POD_TEMPLATE_HASH}
    meta.pop("labels", None)
    if labels:
        meta["labels"] = labels
    template.pop("metadata", None)
    if meta:
        template["metadata"] = meta
    return template


def is_of_template(deployment: StoredObject, replica_set: StoredObject) -> bool:
    """Whether a ReplicaSet has the Deployment's template."""
    wanted: Document = dict(deployment.doc["spec"]["template"])
    if not wanted.get("metadata"):
        wanted.pop("metadata", None)
    return wanted == bare_template(replica_set)


def split(
    deployment: StoredObject, replica_sets: Sequence[StoredObject]
) -> tuple[StoredObject | None, list[StoredObject]]:
    """The ReplicaSet of the current template (the oldest, if there are several), and the others.

    The others are sorted by age, oldest first.
    """
    ordered = sorted(replica_sets, key=age)
    new = next((item for item in ordered if is_of_template(deployment, item)), None)
    return new, [item for item in ordered if item is not new]


def age(item: StoredObject) -> tuple[str, str]:
    """Sorts oldest first."""
    return item.doc["metadata"].get("creationTimestamp") or "", item.key.name


def revision_of(item: StoredObject) -> int:
    """The revision annotation; 0 without one, or when it is no number."""
    text = annotations_of(item).get(DEPLOYMENT_REVISION, "")
    return int(text) if text.isdecimal() else 0


def annotations_of(item: StoredObject) -> Mapping[str, str]:
    """`metadata.annotations`; shared, never mutate."""
    found: Mapping[str, str] = item.doc["metadata"].get("annotations") or {}
    return found


def size_annotations(bounds: Bounds) -> dict[str, str]:
    """What a scaled ReplicaSet remembers of its Deployment's size."""
    return {
        DEPLOYMENT_DESIRED_REPLICAS: str(bounds.replicas),
        DEPLOYMENT_MAX_REPLICAS: str(bounds.most),
    }


def copied_annotations(deployment: StoredObject) -> dict[str, str]:
    """The Deployment's annotations that its new ReplicaSet carries too."""
    return {k: v for k, v in annotations_of(deployment).items() if k not in _NOT_COPIED}


def annotation_changes(
    deployment: StoredObject, new: StoredObject, revision: int
) -> dict[str, str]:
    """Annotations of the new ReplicaSet that must change, its revision among them."""
    current = annotations_of(new)
    wanted = copied_annotations(deployment)
    before = revision_of(new)
    if before < revision:
        wanted[DEPLOYMENT_REVISION] = str(revision)
        if before:
            history = [h for h in current.get(REVISION_HISTORY, "").split(",") if h]
            wanted[REVISION_HISTORY] = ",".join([*history, str(before)])
    return {k: v for k, v in wanted.items() if current.get(k) != v}


def new_replica_set(
    deployment: StoredObject, bounds: Bounds, replicas: int, revision: int, collisions: int
) -> Create:
    """The ReplicaSet for the current template, with `replicas` pods at first."""
    spec = deployment.doc["spec"]
    hashed = template_hash(spec["template"], collisions)
    template: Document = dict(spec["template"])
    meta = dict(template.get("metadata") or {})
    meta["labels"] = {**(meta.get("labels") or {}), POD_TEMPLATE_HASH: hashed}
    template["metadata"] = meta
    selector: Document = dict(spec["selector"])
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), POD_TEMPLATE_HASH: hashed}
    document: Document = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{deployment.key.name}-{hashed}",
            "namespace": deployment.key.namespace,
            "labels": meta["labels"],
            "annotations": {
                **copied_annotations(deployment),
                **size_annotations(bounds),
                DEPLOYMENT_REVISION: str(revision),
            },
            "ownerReferences": [owners.controller_reference(deployment)],
        },
        "spec": {"replicas": replicas, "selector": selector, "template": template},
    }
    if spec.get("minReadySeconds"):
        document["spec"]["minReadySeconds"] = spec["minReadySeconds"]
    return Create("replicasets.apps", deployment.key.namespace, document)


def surplus(old: Sequence[StoredObject], limit: int) -> list[StoredObject]:
    """Old ReplicaSets beyond the history limit that nothing runs in, lowest revision first."""
    kept = [item for item in old if not owners.is_deleting(item)]
    excess = len(kept) - limit
    if excess <= 0:
        return []
    candidates = sorted(kept, key=revision_of)[:excess]
    return [item for item in candidates if _is_empty(item)]


def _is_empty(item: StoredObject) -> bool:
    status = item.doc.get("status") or {}
    return (
        not status.get("replicas")
        and not item.doc["spec"].get("replicas")
        and status.get("observedGeneration", 0) >= item.doc["metadata"].get("generation", 0)
    )
