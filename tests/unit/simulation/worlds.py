"""States to simulate on: Deployments whose pods run, one after the other over all hosts."""

from typing import Any

BORN = "2027-01-15T07:00:00Z"
NOW_S = 1_800_000_000.0
Document = dict[str, Any]


def meta(name: str, owner: Document | None = None, **more: Any) -> Document:
    made = {"name": name, "uid": f"uid-{name}", "creationTimestamp": BORN, **more}
    if owner is not None:
        reference = {key: owner[key] for key in ("apiVersion", "kind")}
        reference |= {"name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]}
        made["ownerReferences"] = [{**reference, "controller": True}]
    return made


def node(name: str, cpu: str = "4", **labels: str) -> Document:
    capacity = {"cpu": cpu, "memory": "8Gi", "pods": "110"}
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": BORN}
    return {
        "metadata": meta(name, labels=labels),
        "spec": {},
        "status": {"allocatable": capacity, "capacity": capacity, "conditions": [ready]},
    }


def pod_spec(cpu: str) -> Document:
    resources = {"requests": {"cpu": cpu}}
    return {"containers": [{"name": "c", "image": "web:1", "resources": resources}]}


def pod(name: str, host: str, cpu: str = "1", owner: Document | None = None, **labels: str):
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": BORN}
    bears = [
        {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute",
         "tolerationSeconds": 2}
        for key in ("not-ready", "unreachable")
    ]  # fmt: skip
    return {
        "metadata": meta(name, owner, namespace="default", labels=labels),
        "spec": {**pod_spec(cpu), "nodeName": host, "tolerations": bears},
        "status": {"phase": "Running", "startTime": BORN, "conditions": [ready]},
    }


def budget(name: str, needed: int) -> Document:
    selector = {"matchLabels": {"app": name}}
    return {
        "metadata": meta(f"{name}-budget", namespace="default", generation=1),
        "spec": {"minAvailable": needed, "selector": selector},
        "status": {},
    }


class State:
    """Documents by group-resource."""

    def __init__(self, *nodes: Document) -> None:
        self.nodes = list(nodes)
        self.documents: dict[str, list[Document]] = {
            "namespaces": [
                {"metadata": meta("default"), "spec": {}, "status": {"phase": "Active"}}
            ],
            "nodes": self.nodes,
            "pods": [],
            "deployments.apps": [],
            "replicasets.apps": [],
            "poddisruptionbudgets.policy": [],
        }

    def deploy(self, name: str, replicas: int, cpu: str = "1") -> "State":
        labels = {"app": name}
        spec = {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod_spec(cpu)},
        }
        revision = {"deployment.kubernetes.io/revision": "1"}
        place = {"namespace": "default", "generation": 1, "annotations": revision}
        above = {"kind": "Deployment", "apiVersion": "apps/v1", "metadata": meta(name, **place)}
        above |= {"spec": spec, "status": {}}
        below = {"kind": "ReplicaSet", "apiVersion": "apps/v1", "spec": spec, "status": {}}
        below["metadata"] = meta(f"{name}-1", above, labels=labels, **place)
        self.documents["deployments.apps"].append(above)
        self.documents["replicasets.apps"].append(below)
        for number in range(replicas):
            host = self.nodes[number % len(self.nodes)]["metadata"]["name"]
            self.documents["pods"].append(pod(f"{name}-1-{number}", host, cpu, below, **labels))
        return self

    def add(self, resource: str, document: Document) -> "State":
        self.documents[resource].append(document)
        return self
