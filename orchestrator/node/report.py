"""What a session writes about its Node: status, labels, Lease; only when it changed.

The session is the only writer of a Node's status and Lease (architecture §6).
"""

import contextlib
from typing import Any, Final

from orchestrator.kit.clock import Clock, rfc3339_micro
from orchestrator.kit.errors import AlreadyExists, NotFound
from orchestrator.kit.ids import ObjectKey
from orchestrator.node.facts import lost_conditions, standard_labels
from orchestrator.registry.options import Patch
from orchestrator.registry.registry import Registry
from orchestrator.store.objects import StoredObject

COMPONENT: Final = "kubelet"
LEASES: Final = "leases.coordination.k8s.io"
LEASE_NAMESPACE: Final = "kube-node-lease"


class NodeReporter:
    """Writes about one Node; a Node that is gone is nobody's fault."""

    def __init__(self, registry: Registry, clock: Clock, name: str, lease_s: float) -> None:
        self._registry = registry
        self._clock = clock
        self._name = name
        self._lease_s = lease_s
        self._key = ObjectKey("nodes", "", name)

    def node(self) -> StoredObject | None:
        """The Node as it is."""
        try:
            return self._registry.get(self._key)
        except NotFound:
            return None

    async def status(self, status: dict[str, Any]) -> bool:
        """Writes a status document's changes; whether there were any."""
        node = self.node()
        if node is None:
            return False
        current = node.doc.get("status") or {}
        changed = {key: value for key, value in status.items() if current.get(key) != value}
        if not changed:
            return False
        with contextlib.suppress(NotFound):
            await self._registry.report(self._key, {"status": changed})
        return True

    async def lost(self, status: str, reason: str, message: str) -> bool:
        """Says that the host is not ready: "Unknown" when it cannot be reached, else "False"."""
        node = self.node()
        if node is None:
            return False
        now_s = self._clock.wall()
        conditions = lost_conditions(node.doc, status, reason, message, now_s)
        return await self.status({"conditions": conditions})

    async def labels(self, architecture: str) -> None:
        """Gives the Node its standard labels."""
        node = self.node()
        if node is None:
            return
        current = node.doc["metadata"].get("labels") or {}
        wanted = standard_labels(self._name, architecture)
        missing = {key: value for key, value in wanted.items() if current.get(key) != value}
        if missing:
            with contextlib.suppress(NotFound):
                await self._registry.patch(
                    self._key, Patch("merge", {"metadata": {"labels": missing}})
                )

    async def lease(self) -> None:
        """Renews the Node's Lease, or makes it."""
        node = self.node()
        if node is None:
            return
        now = rfc3339_micro(self._clock.wall())
        key = ObjectKey(LEASES, LEASE_NAMESPACE, self._name)
        try:
            await self._registry.report(key, {"spec": {"renewTime": now}})
        except NotFound:
            owner = {"apiVersion": "v1", "kind": "Node", "name": self._name, "uid": node.uid}
            document = {
                "metadata": {"name": self._name, "ownerReferences": [owner]},
                "spec": {
                    "holderIdentity": self._name,
                    "leaseDurationSeconds": round(self._lease_s * 2),
                    "renewTime": now,
                },
            }
            with contextlib.suppress(AlreadyExists):
                await self._registry.create(LEASES, LEASE_NAMESPACE, document)

    async def record(self, kind: Any, reason: str, message: str) -> None:
        """Tells the user something about the Node."""
        await self._registry.record(self._key, kind, reason, message, COMPONENT, host=self._name)
