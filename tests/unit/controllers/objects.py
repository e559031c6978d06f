"""Stored objects for plan tests, as short as a table row."""

import itertools
from typing import Any

import msgspec

from orchestrator.kit.clock import rfc3339
from orchestrator.kit.ids import ObjectKey, Revision
from orchestrator.store.objects import StoredObject

NOW_S = 1_700_000_000.0
_revisions = itertools.count(1)


def stored(resource: str, document: dict[str, Any], namespace: str = "default") -> StoredObject:
    """A stored object; uid, revision and creation time are filled in."""
    revision = next(_revisions)
    meta = {
        "resourceVersion": str(revision),
        "namespace": namespace,
        "uid": f"uid-{document['metadata']['name']}",
        "creationTimestamp": rfc3339(NOW_S - 3600),
        "generation": 1,
        **document["metadata"],
    }
    key = ObjectKey(resource, namespace, meta["name"])
    data = msgspec.json.encode({**document, "metadata": meta})
    return StoredObject(key, Revision(revision), data)


def changed(item: StoredObject, **parts: Any) -> StoredObject:
    """The object with top-level parts merged one level deep."""
    document = item.thawed()
    for name, part in parts.items():
        document[name] = {**document.get(name, {}), **part}
    return stored(item.key.resource, document, item.key.namespace)


def merged(item: StoredObject, patch: dict[str, Any]) -> StoredObject:
    """The object after a JSON merge patch, generation counted as the registry does."""
    from orchestrator.api.patch import merge_patch

    document = merge_patch.apply(item.thawed(), patch)
    if document.get("spec") != item.doc.get("spec"):
        document["metadata"]["generation"] += 1
    return stored(item.key.resource, document, item.key.namespace)


def controller_ref(owner: StoredObject) -> list[dict[str, Any]]:
    return [
        {
            "apiVersion": owner.doc["apiVersion"],
            "kind": owner.doc["kind"],
            "name": owner.key.name,
            "uid": owner.uid,
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]


def pod(name: str, *, ready: bool = False, ready_since_s: float = NOW_S - 60, **more: Any):
    """A pod.

    `more`: labels, annotations, owner, node, phase, host_ip, deleting, created_s, restarts, spec,
    finalizers.
    """
    meta: dict[str, Any] = {"name": name, "labels": more.get("labels", {"app": "web"})}
    if "annotations" in more:
        meta["annotations"] = more["annotations"]
    if "owner" in more:
        meta["ownerReferences"] = controller_ref(more["owner"])
    if more.get("deleting"):
        meta["deletionTimestamp"] = rfc3339(NOW_S)
    if "created_s" in more:
        meta["creationTimestamp"] = rfc3339(more["created_s"])
    node = more.get("node", "")
    spec = {"containers": [{"name": "c", "image": "web:1"}], **more.get("spec", {})}
    if node:
        spec["nodeName"] = node
    status: dict[str, Any] = {"phase": more.get("phase", "Running" if ready else "Pending")}
    if "host_ip" in more:
        status["hostIP"] = more["host_ip"]
    if ready:
        since = rfc3339(ready_since_s)
        status["conditions"] = [{"type": "Ready", "status": "True", "lastTransitionTime": since}]
    if more.get("restarts"):
        status["containerStatuses"] = [{"name": "c", "restartCount": more["restarts"]}]
    document = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec, "status": status}
    return stored("pods", document)


def replica_set(name: str = "web-1", replicas: int = 3, **more: Any) -> StoredObject:
    """A ReplicaSet; `more`: owner, status, min_ready, labels, annotations, template, deleting."""
    labels = more.get("labels", {"app": "web"})
    meta: dict[str, Any] = {"name": name, "labels": labels}
    if "owner" in more:
        meta["ownerReferences"] = controller_ref(more["owner"])
    if "annotations" in more:
        meta["annotations"] = more["annotations"]
    if more.get("deleting"):
        meta["deletionTimestamp"] = rfc3339(NOW_S)
    if "created_s" in more:
        meta["creationTimestamp"] = rfc3339(more["created_s"])
    template = more.get(
        "template",
        {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "web:1"}]}},
    )
    spec: dict[str, Any] = {
        "replicas": replicas,
        "selector": {"matchLabels": labels},
        "template": template,
    }
    if "min_ready" in more:
        spec["minReadySeconds"] = more["min_ready"]
    document = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": meta, "spec": spec}
    document["status"] = more.get("status", {"replicas": 0})
    return stored("replicasets.apps", document)


def deployment(name: str = "web", replicas: int = 3, **more: Any) -> StoredObject:
    """A Deployment; `more`: image, spec, status, annotations, deleting."""
    image = more.get("image", "web:1")
    spec: dict[str, Any] = {
        "replicas": replicas,
        "selector": {"matchLabels": {"app": name}},
        "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {"containers": [{"name": "c", "image": image}]},
        },
        "strategy": {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"},
        },
        "progressDeadlineSeconds": 600,
        "revisionHistoryLimit": 10,
        **more.get("spec", {}),
    }
    meta: dict[str, Any] = {"name": name}
    if "annotations" in more:
        meta["annotations"] = more["annotations"]
    if more.get("deleting"):
        meta["deletionTimestamp"] = rfc3339(NOW_S)
    document = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}
    document["status"] = more.get("status", {})
    return stored("deployments.apps", document)


def node(name: str, ready: str = "True", **more: Any) -> StoredObject:
    """A Node; `more`: taints, unschedulable, labels, allocatable, images."""
    spec: dict[str, Any] = {}
    if more.get("taints"):
        spec["taints"] = more["taints"]
    if more.get("unschedulable"):
        spec["unschedulable"] = True
    status = {
        "conditions": [{"type": "Ready", "status": ready}],
        "allocatable": more.get("allocatable", {"cpu": "4", "memory": "8Gi", "pods": "110"}),
        "images": more.get("images", []),
    }
    meta = {"name": name, "labels": more.get("labels", {})}
    document = {"apiVersion": "v1", "kind": "Node", "metadata": meta, "spec": spec}
    return stored("nodes", {**document, "status": status}, "")
