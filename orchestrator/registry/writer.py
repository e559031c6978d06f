"""Update, patch and apply: read, decide by pure rules, write, as one step per object.

Neighbours: `strategy` and `admission` decide, `creator` creates, `deletion` removes,
`commits` stores.
Source: Kubernetes API concepts, "Updates to existing resources", "Patch".
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from orchestrator.api import unsupported
from orchestrator.api.certificates import CSRS, with_stamps
from orchestrator.api.conversion.versions import from_stored, to_stored
from orchestrator.api.defaults.kinds import apply_defaults
from orchestrator.api.managed import managers
from orchestrator.api.patch import json_patch, merge_patch
from orchestrator.api.patch.strategic import strategic_merge
from orchestrator.api.resources import Resource
from orchestrator.api.schema.nodes import schema_of
from orchestrator.api.validation.kinds import validate_update
from orchestrator.kit.clock import Clock, rfc3339
from orchestrator.kit.errors import AlreadyExists, BadRequest
from orchestrator.kit.ids import ObjectKey
from orchestrator.registry import asking, faults, managing, strategy
from orchestrator.registry.admitter import Admitter
from orchestrator.registry.commits import RACE_ATTEMPTS, Committer
from orchestrator.registry.creator import Creator
from orchestrator.registry.documents import admit_document
from orchestrator.registry.options import Patch, WriteOptions
from orchestrator.registry.policies import AdmissionPolicies
from orchestrator.registry.quotas import QuotaLedger
from orchestrator.store.objects import Document, StoredObject
from orchestrator.store.store import Store

Change = Callable[[Callable[[], Document]], Document]
"""Gives the wanted document; its argument makes a copy of the stored one, in the asked version."""

_METADATA_DEFAULTED: Final = frozenset({"namespaces"})
"""Kinds with defaults in their metadata."""
_NAME_ATTEMPTS: Final = 8
_RACE_ATTEMPTS: Final = 5
_SETTLE_S: Final = 5.0


class Writer:
    """Changes objects that are there.

    Args:
        store: has them.
        clock: says when.
        admitter: refuses.
        policies: are asked.
        quotas: count.
        committer: writes.
        creator: makes what an apply does not find.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        admitter: Admitter,
        policies: AdmissionPolicies,
        quotas: QuotaLedger,
        committer: Committer,
        creator: Creator,
    ) -> None:
        self._store = store
        self._clock = clock
        self._admitter = admitter
        self._policies = policies
        self._quotas = quotas
        self._committer = committer
        self._creator = creator

    async def update(
        self,
        resource: Resource,
        key: ObjectKey,
        source: Mapping[str, Any],
        subresource: str,
        options: WriteOptions,
    ) -> StoredObject:
        """See `Registry.update`."""
        return await self.change(resource, key, lambda _fresh: dict(source), subresource, options)

    async def patch(
        self,
        resource: Resource,
        key: ObjectKey,
        patch: Patch,
        subresource: str,
        options: WriteOptions,
    ) -> StoredObject:
        """See `Registry.patch`."""
        return await self.change(
            resource,
            key,
            lambda fresh: _patched(options.asked or resource, fresh(), patch),
            subresource,
            options,
            is_private=True,
            patches=True,
        )

    async def apply(
        self,
        resource: Resource,
        key: ObjectKey,
        config: Mapping[str, Any],
        subresource: str,
        options: WriteOptions,
        *,
        force: bool,
    ) -> tuple[StoredObject, bool]:
        """See `Registry.apply`."""
        asked = options.asked or resource
        managers.require_absent(config)
        admitted = admit_document(asked, config, options, defaults=False)
        quiet = replace(options, field_validation="Ignore")  # of the merged object: said already
        if self._store.get(key) is None and not subresource:
            try:
                return await self._creator.create_applied(resource, key, admitted, quiet), True
            except AlreadyExists:
                pass  # somebody else was faster: apply to what is there now

        def applied(fresh: Callable[[], Document]) -> Document:
            now = rfc3339(self._clock.wall())
            made = managing.applied_to(
                asked, fresh(), admitted, subresource, options, now, force=force
            )
            for field in ("resourceVersion", "uid"):
                if admitted["metadata"].get(field):
                    made["metadata"][field] = admitted["metadata"][field]
            return made

        stored = await self.change(
            resource, key, applied, subresource, quiet, records_managers=False
        )
        return stored, False

    async def patch_own(self, key: ObjectKey, body: Mapping[str, Any]) -> StoredObject | None:
        """Merges into an object what the server itself has found out: nothing of it is in doubt.

        What the merge patch makes of the object is not looked at again, and nobody is noted as its
        manager.

        Returns:
            The object as written; None when the patch changes nothing.

        Raises:
            ApiError: NotFound; Conflict, when other writes are under way for too long.
        """
        for attempt in range(RACE_ATTEMPTS):
            async with self._committer.locks.hold(key):
                stored = self._committer.stored(key)
                wanted = merge_patch.apply(stored.doc, body)  # shares with it, and is only encoded
                if wanted == stored.doc:
                    return None
                done = await self._committer.commit_unless_raced(key, stored, wanted, attempt)
                if done is not None:
                    return done
        raise faults.conflict(key)

    async def change(
        self,
        resource: Resource,
        key: ObjectKey,
        change: Change,
        subresource: str,
        options: WriteOptions,
        *,
        records_managers: bool = True,
        is_private: bool = False,
        patches: bool = False,
    ) -> StoredObject:
        """Changes an object by a function; again on a race that the change does not mind.

        With `records_managers` off the function gives the entries of managers with the document;
        with `is_private` on, what it gives is nobody else's, and is not copied.
        `patches` is what admission policies are told of the request.

        Raises:
            NotFound: no such object.
            Conflict: the wanted document names another revision or uid than the stored one.
            Invalid: it may not be as wanted.
        """
        asked = options.asked or resource
        for attempt in range(RACE_ATTEMPTS):
            async with self._committer.locks.hold(key):
                stored = self._committer.stored(key)
                current = from_stored(resource, stored.thawed())
                wanted = change(_copies(asked, stored))
                _check_identity(key, stored, wanted)
                # what is stored in the asked version is right as it is
                known = current if asked is resource else {}
                admitted = admit_document(asked, wanted, options, known=known, consumes=is_private)
                wanted = to_stored(asked, admitted)
                entries = wanted["metadata"].get("managedFields")
                wanted = strategy.prepare_update(asked, current, wanted, subresource)
                if resource.resource == CSRS:
                    wanted = with_stamps(current, wanted, rfc3339(self._clock.wall()))
                self._finish_update(resource, key, current, wanted, subresource, options)
                if records_managers:
                    now = rfc3339(self._clock.wall())
                    managing.note_update(
                        resource, current, wanted, entries, subresource, options, now
                    )
                else:
                    wanted["metadata"] = {**wanted["metadata"], "managedFields": entries}
                if self._policies.hooks and options.requester:
                    self._policies.review(
                        asking.change(
                            resource,
                            key,
                            current,
                            wanted,
                            subresource,
                            options,
                            patches=patches or not records_managers,
                        ),
                        options.warnings,
                    )
                if strategy.same(current, wanted):
                    return stored
                if options.review is not None:
                    options.review(key, wanted, stored.doc)
                if not subresource:
                    self._quotas.charge(key, wanted, is_new=False, dry_run=options.dry_run)
                done = await self._committer.commit_unless_raced(
                    key, stored, wanted, attempt, dry_run=options.dry_run
                )
                if done is not None:
                    return done
        raise faults.conflict(key)

    def _finish_update(
        self,
        resource: Resource,
        key: ObjectKey,
        current: Document,
        wanted: Document,
        subresource: str,
        options: WriteOptions,
    ) -> None:
        unchanged = strategy.same_but_metadata(current, wanted)
        if not unchanged or resource.resource in _METADATA_DEFAULTED:
            apply_defaults(resource.resource, wanted)
        asked = options.asked or resource
        strategy.count_generation(asked, current, wanted)
        self._admitter.check(key, wanted)
        causes = validate_update(asked, wanted, current, subresource)
        if causes:
            raise faults.invalid(asked, key.name, causes)
        if not subresource and not unchanged:
            told = unsupported.warnings(resource.resource, current)
            found = unsupported.warnings(resource.resource, wanted)
            options.warnings.extend(text for text in found if text not in told)


def _copies(asked: Resource, stored: StoredObject) -> Callable[[], Document]:
    return lambda: from_stored(asked, stored.thawed())


def _patched(resource: Resource, current: Document, patch: Patch) -> Document:
    match patch.type:
        case "json":
            result: Any = json_patch.apply(current, patch.body)
        case "merge":
            result = merge_patch.apply(current, patch.body)
        case "strategic":
            result = strategic_merge(current, patch.body, schema_of(resource))
    if not isinstance(result, dict) or not isinstance(result.get("metadata"), dict):
        raise BadRequest("the patch leaves no object")
    return result


def _check_identity(key: ObjectKey, stored: StoredObject, wanted: Document) -> None:
    meta = wanted.get("metadata")
    if not isinstance(meta, dict):
        raise BadRequest("metadata must be an object")
    name = meta.get("name") or key.name
    if name != key.name:
        raise BadRequest(
            f"the name of the object ({name}) does not match the name on the URL ({key.name})"
        )
    namespace = meta.get("namespace") or key.namespace
    if namespace != key.namespace:
        raise BadRequest(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    uid = meta.get("uid")
    if uid and uid != stored.uid:
        raise faults.conflict(
            key,
            f"Precondition failed: UID in precondition: {uid}, UID in object meta: {stored.uid}",
        )
    revision = meta.get("resourceVersion")
    if revision and str(revision) != str(stored.revision):
        raise faults.conflict(key)
