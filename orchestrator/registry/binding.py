"""Putting a pod on a node, once. Source: Kubernetes API, core/v1 Binding; pod storage assignPod."""

from collections.abc import Mapping
from typing import Any

from orchestrator.api.admission.question import Question
from orchestrator.kit.clock import Clock, rfc3339
from orchestrator.kit.ids import ObjectKey
from orchestrator.registry import asking, faults, strategy
from orchestrator.registry.commits import Committer
from orchestrator.registry.options import WriteOptions
from orchestrator.registry.policies import AdmissionPolicies
from orchestrator.store.objects import Document, StoredObject


class Binder:
    """Sets `spec.nodeName`."""

    def __init__(self, clock: Clock, policies: AdmissionPolicies, committer: Committer) -> None:
        self._clock = clock
        self._policies = policies
        self._committer = committer

    async def bind(
        self,
        key: ObjectKey,
        node_name: str,
        requester: Mapping[str, Any] | None = None,
        *,
        message: str,
        dry_run: bool,
    ) -> StoredObject:
        """See `Registry.bind`."""
        if requester and self._policies.hooks:
            self._policies.review(_question(key, node_name, requester), [])
        async with self._committer.locks.hold(key):
            stored = self._committer.stored(key)
            document = stored.thawed()
            if "deletionTimestamp" in document["metadata"]:
                raise faults.conflict(
                    key, f"pod {key.name} is being deleted, cannot be assigned to a host"
                )
            bound = document["spec"].get("nodeName")
            if bound == node_name:
                return stored
            if bound:
                raise faults.conflict(key, f'pod {key.name} is already assigned to node "{bound}"')
            document["spec"]["nodeName"] = node_name
            _set_scheduled(document, rfc3339(self._clock.wall()), message)
            strategy.count_generation(faults.resource_of(key.resource), stored.doc, document)
            return await self._committer.commit(key, stored, document, dry_run=dry_run)


def _question(key: ObjectKey, node_name: str, requester: Mapping[str, Any]) -> Question:
    body: Document = {
        "kind": "Binding",
        "apiVersion": "v1",
        "metadata": {"name": key.name, "namespace": key.namespace},
        "target": {"kind": "Node", "name": node_name},
    }
    row, options = faults.resource_of(key.resource), WriteOptions(requester=requester)
    return asking.body(row, key, "binding", body, options)


def _set_scheduled(document: Document, now: str, message: str) -> None:
    conditions: list[dict[str, Any]] = document.setdefault("status", {}).setdefault(
        "conditions", []
    )
    others = [c for c in conditions if c.get("type") != "PodScheduled"]
    condition = {"type": "PodScheduled", "status": "True", "lastTransitionTime": now}
    if message:
        condition["message"] = message
    document["status"]["conditions"] = [*others, condition]
