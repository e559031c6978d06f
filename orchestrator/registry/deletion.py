"""Deleting one object or many. Neighbours: `lifecycle` decides, `commits` stores.

Source: Kubernetes API concepts, "Resource deletion"; meta/v1 DeleteOptions.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from orchestrator.kit.clock import Clock
from orchestrator.kit.errors import ApiError, NotFound
from orchestrator.kit.ids import ObjectKey
from orchestrator.registry import admission, asking, faults, strategy
from orchestrator.registry.commits import Committer
from orchestrator.registry.lifecycle import plan_delete
from orchestrator.registry.options import Deleted, DeleteOptions
from orchestrator.registry.policies import AdmissionPolicies
from orchestrator.store.objects import Delete, Draft, StoredObject
from orchestrator.store.store import Store

_AT_ONCE: Final = 256
"""Deletes of a collection that are under way together, so that one transaction takes them."""


class Deleter:
    """Deletes objects."""

    def __init__(
        self, store: Store, clock: Clock, policies: AdmissionPolicies, committer: Committer
    ) -> None:
        self._store = store
        self._clock = clock
        self._policies = policies
        self._committer = committer

    async def delete(self, key: ObjectKey, options: DeleteOptions) -> Deleted:
        """See `Registry.delete`."""
        async with self._committer.locks.hold(key):
            stored = self._committer.stored(key)
            _check_preconditions(key, stored, options)
            refusal = admission.delete_refusal(key)
            if refusal is not None:
                raise refusal
            document = stored.thawed()
            policies = self._policies
            if policies.hooks and options.requester:
                row = faults.resource_of(key.resource, policies.catalog.current)
                question = asking.deletion(row, key, stored.doc, options)
                policies.review(question, options.warnings)
            gone = plan_delete(key.resource, document, options, self._clock.wall())
            if gone and not options.dry_run:
                last = Delete(key, stored.revision, Draft.of(document))
                return Deleted(await self._store.write(last), gone=True)
            if gone or strategy.same(stored.doc, document):
                return Deleted(stored, gone=gone)
            held = await self._committer.commit(key, stored, document, dry_run=options.dry_run)
            return Deleted(held, gone=False)

    async def delete_all(
        self, items: Sequence[StoredObject], options: DeleteOptions
    ) -> list[Deleted]:
        """Deletes each object; those that are gone already are left out.

        Raises:
            ApiError: the first failure, after all others were tried.
        """
        deleted: list[Deleted] = []
        failures: list[ApiError] = []

        async def one(key: ObjectKey) -> None:
            try:
                deleted.append(await self.delete(key, options))
            except NotFound:
                pass  # somebody else was faster
            except ApiError as failure:
                failures.append(failure)

        for start in range(0, len(items), _AT_ONCE):
            async with asyncio.TaskGroup() as group:
                for item in items[start : start + _AT_ONCE]:
                    group.create_task(one(item.key))
        if failures:
            raise failures[0]
        return sorted(deleted, key=lambda done: done.object.key)


def _check_preconditions(key: ObjectKey, stored: StoredObject, options: DeleteOptions) -> None:
    if options.uid is not None and options.uid != stored.uid:
        raise faults.conflict(
            key,
            f"Precondition failed: UID in precondition: {options.uid}, "
            f"UID in object meta: {stored.uid}",
        )
    if options.expected is not None and options.expected != stored.revision:
        raise faults.conflict(
            key,
            f"Precondition failed: ResourceVersion in precondition: {options.expected}, "
            f"ResourceVersion in object meta: {stored.revision}",
        )
