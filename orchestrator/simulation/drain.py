"""Draining hosts as kubectl drain does: cordoned, then every pod is evicted, again while refused.

Pods of DaemonSets stay; pods without a controller go as with --force, and are lost.
Source: Kubernetes, "Safely Drain a Node".
"""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from orchestrator.api.types.pod import Pod
from orchestrator.kit.errors import ApiError, NotFound
from orchestrator.kit.ids import ObjectKey
from orchestrator.reconcile import owners
from orchestrator.reconcile.pods import has_ended
from orchestrator.reconcile.snapshot import Snapshot, metadata_of, view_as
from orchestrator.registry.options import Patch
from orchestrator.registry.registry import Registry
from orchestrator.store.objects import StoredObject

_RETRY_S: Final = 5.0


@dataclass(slots=True)
class Drain:
    """One drain of some hosts; `run` ends when all their pods leave.

    Attributes:
        nodes: names of the hosts.
        refused: why each pod that is still there may not go.
        delayed: pods that were refused at first.
    """

    registry: Registry
    snapshot: Snapshot
    nodes: Collection[str]
    refused: dict[ObjectKey, str] = field(default_factory=dict)
    delayed: set[ObjectKey] = field(default_factory=set)

    async def run(self) -> None:
        """Cordons, and evicts until nothing is left."""
        for name in sorted(self.nodes):
            cordon = Patch("merge", {"spec": {"unschedulable": True}})
            await self.registry.patch(ObjectKey("nodes", "", name), cordon)
        while left := self._left():
            for key in left:
                await self._evict(key)
            await asyncio.sleep(_RETRY_S)
        self.refused.clear()

    def _left(self) -> list[ObjectKey]:
        return [
            item.key
            for name in sorted(self.nodes)
            for item in self.snapshot.pods_on(name)
            if not owners.is_deleting(item)
            and not has_ended(view_as(item, Pod))
            and not _of_every_host(item)
        ]

    async def _evict(self, key: ObjectKey) -> None:
        try:
            await self.registry.evict(key)
        except NotFound:
            pass
        except ApiError as error:
            causes = [cause.message for cause in error.causes]
            self.refused[key] = " ".join(causes) or error.message
            self.delayed.add(key)
            return
        self.refused.pop(key, None)


def _of_every_host(pod: StoredObject) -> bool:
    controller = metadata_of(pod).controller
    return controller is not None and controller.kind == "DaemonSet"
