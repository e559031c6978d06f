"""Everything that happened, and the laws that hold for all of it."""

from collections import Counter, defaultdict
from typing import Any

from orchestrator.api import quantity
from orchestrator.api.names import SLICE_SERVICE
from orchestrator.api.types.pod import Pod
from orchestrator.reconcile.pods import has_ended, is_active, is_ready
from orchestrator.reconcile.snapshot import node_of, view_as
from orchestrator.scheduler.requests import pod_requests
from orchestrator.store.objects import StoredObject, StoreEvent
from orchestrator.store.store import Store

_PHASES = {"": 0, "Pending": 0, "Running": 1, "Succeeded": 2, "Failed": 2}


class History:
    """Listens to the store; a broken law is remembered and raised by `check`."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.writes = 0
        self.by_writer: Counter[str] = Counter()
        self.broken: list[str] = []
        self._revision = store.revision
        store.subscribe(self._note)

    def _note(self, event: StoreEvent) -> None:
        self.writes += 1
        item, before = event.object, event.previous
        self.by_writer[f"{event.type} {item.key}"] += 1
        self._law(item.revision > self._revision, f"{item.key}: revisions go back")
        self._revision = item.revision
        if event.type == "DELETED":
            held = item.doc["metadata"].get("finalizers")
            self._law(not held, f"{item.key} removed in spite of finalizers {held}")
        if item.key.resource == "pods":
            self._pod(event.type, item, before)

    def _pod(self, kind: str, item: StoredObject, before: StoredObject | None) -> None:
        node = node_of(item)
        if before is not None:
            old = node_of(before)
            self._law(not old or old == node, f"{item.key} moved from {old} to {node}")
            was, now = (_PHASES[i.doc["status"].get("phase", "")] for i in (before, item))
            self._law(now >= was, f"{item.key}: phase moved back")
        if kind != "DELETED" and node and not (before and node_of(before)):
            self._fits(node)

    def _fits(self, name: str) -> None:
        node = next((n for n in self.store.list("nodes") if n.key.name == name), None)
        if node is None:
            return
        used: Counter[str] = Counter()
        for pod in self.store.list("pods"):
            if node_of(pod) == name and not has_ended(view_as(pod, Pod)):
                used.update(pod_requests(view_as(pod, Pod)))
                used["pods"] += 1
        for resource, text in (node.doc["status"].get("allocatable") or {}).items():
            most = quantity.parse(text) * (1000 if resource == "cpu" else 1)
            self._law(used[resource] <= most, f"{name}: {resource} {used[resource]} of {most}")

    def _law(self, holds: bool, broken: str) -> None:
        if not holds:
            self.broken.append(broken)

    def check(self) -> None:
        assert not self.broken, self.broken[:5]

    # ------------------------------------------------------------ the state of the world

    def pods(self, app: str = "") -> list[StoredObject]:
        return [
            pod
            for pod in self.store.list("pods")
            if not app or (pod.doc["metadata"].get("labels") or {}).get("app") == app
        ]

    def is_rolled_out(self, name: str) -> bool:
        """As `kubectl rollout status` decides, and the world agrees."""
        item = next(d for d in self.store.list("deployments.apps") if d.key.name == name)
        wanted, status = item.doc["spec"]["replicas"], item.doc.get("status", {})
        if item.doc["metadata"]["generation"] != status.get("observedGeneration"):
            return False
        counts = ("updatedReplicas", "replicas", "availableReplicas")
        if any(status.get(count, 0) != wanted for count in counts):
            return False
        active = [p for p in self.pods(name) if is_active(view_as(p, Pod))]
        image = item.doc["spec"]["template"]["spec"]["containers"][0]["image"]
        return len(active) == wanted and all(
            is_ready(view_as(p, Pod)) and p.doc["spec"]["containers"][0]["image"] == image
            for p in active
        )

    def ready_endpoints(self, service: str) -> set[str]:
        """Uids of pods behind a service that get traffic."""
        return {
            endpoint["targetRef"]["uid"]
            for item in self.store.list("endpointslices.discovery.k8s.io")
            if item.doc["metadata"]["labels"][SLICE_SERVICE] == service
            for endpoint in item.doc.get("endpoints") or ()
            if endpoint["conditions"]["ready"]
        }

    def ready_pods(self, app: str) -> set[str]:
        return {
            p.uid
            for p in self.pods(app)
            if is_ready(view_as(p, Pod)) and is_active(view_as(p, Pod))
        }

    def per_host(self, app: str = "") -> Counter[str]:
        return Counter(node_of(p) for p in self.pods(app) if is_active(view_as(p, Pod)))

    def picture(self) -> str:
        """What there is, for a failed wait."""
        lines: list[str] = []
        groups: dict[str, list[Any]] = defaultdict(list)
        for pod in self.store.list("pods"):
            view = view_as(pod, Pod)
            groups["pods"].append(
                (pod.key.name, node_of(pod), view.status.phase, is_ready(view),
                 view.metadata.deletion_timestamp, pod.doc["status"].get("conditions"))
            )  # fmt: skip
        for resource in ("deployments.apps", "replicasets.apps", "nodes"):
            for item in self.store.list(resource):
                spec = {k: v for k, v in item.doc["spec"].items() if k in {"replicas", "taints"}}
                status = item.doc.get("status")
                groups[resource].append((item.key.name, spec, status))
        for name, rows in groups.items():
            lines.append(name)
            lines += [f"  {row}" for row in rows]
        lines.append(f"broken: {self.broken[:3]}")
        return "\n".join(lines)
