"""Create, update and patch: read, decide by pure rules, write, as one step per object.

Neighbours: `strategy` and `admission` decide, `deletion` removes, `allocation` hands out addresses.
Source: Kubernetes API concepts, "Updates to existing resources", "Patch".
"""

import asyncio
import random
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import msgspec

from orchestrator.api import metadata, unsupported
from orchestrator.api.certificates import CSRS, requested_by, with_stamps
from orchestrator.api.conversion.versions import from_stored, to_stored
from orchestrator.api.custom.defaulting import copied
from orchestrator.api.defaults.kinds import apply_defaults
from orchestrator.api.managed import managers
from orchestrator.api.patch import json_patch, merge_patch
from orchestrator.api.patch.strategic import strategic_merge
from orchestrator.api.resources import Resource
from orchestrator.api.schema.nodes import schema_of
from orchestrator.api.validation.kinds import validate_create, validate_update
from orchestrator.kit.clock import Clock, rfc3339
from orchestrator.kit.errors import AlreadyExists, BadRequest, Conflict, EntityTooLarge
from orchestrator.kit.ids import ObjectKey, Revision
from orchestrator.registry import asking, faults, managing, strategy
from orchestrator.registry.admitter import Admitter
from orchestrator.registry.allocation import ServiceAllocator
from orchestrator.registry.documents import admit_document, fill_in, without_nulls
from orchestrator.registry.locks import KeyLocks
from orchestrator.registry.moulds import Make, Mould, Moulds, make_of
from orchestrator.registry.options import Patch, WriteOptions
from orchestrator.registry.policies import AdmissionPolicies
from orchestrator.registry.quotas import QuotaLedger
from orchestrator.registry.settings import RegistrySettings
from orchestrator.store.objects import Delete, Document, Draft, Put, StoredObject, StoreEvent
from orchestrator.store.store import Store

Change = Callable[[Callable[[], Document]], Document]
"""Gives the wanted document; its argument makes a copy of the stored one, in the asked version."""

_METADATA_DEFAULTED: Final = frozenset({"namespaces"})
"""Kinds with defaults in their metadata."""
_NAME_ATTEMPTS: Final = 8
_RACE_ATTEMPTS: Final = 5
_SETTLE_S: Final = 5.0


class Writer:
    """Writes objects; the only caller of `Store.write` besides `deletion`, which uses `commit`."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        rng: random.Random,
        settings: RegistrySettings,
        policies: AdmissionPolicies,
    ) -> None:
        self._store = store
        self._clock = clock
        self._rng = rng
        self._settings = settings
        self._allocator = ServiceAllocator(store, settings)
        self._admitter = Admitter(store, settings)
        self.policies = policies
        self.quotas = QuotaLedger(store, clock)
        self.locks = KeyLocks()
        self._moulds = Moulds()

    # ------------------------------------------------------------ create

    async def create(
        self,
        resource: Resource,
        namespace: str,
        source: Mapping[str, Any],
        options: WriteOptions,
        *,
        consumes: bool = False,
    ) -> StoredObject:
        """See `Registry.create`."""
        make = self._make(resource, namespace, source, options)
        before = len(options.warnings)  # of the request itself, not of what it makes
        mould = self._moulds.get(make) if make is not None else None
        if mould is not None and self._fits(resource, source["metadata"]):
            meta = source["metadata"]
            return await self._named(
                meta, lambda name: self._create_like(mould, resource, namespace, name, options)
            )
        asked = options.asked or resource
        document = to_stored(asked, admit_document(asked, source, options, consumes=consumes))
        meta = document["metadata"]
        if meta.get("resourceVersion"):
            raise BadRequest("resourceVersion should not be set on objects to be created")
        if namespace and meta.get("namespace", namespace) != namespace:
            raise BadRequest(
                "the namespace of the provided object does not match the namespace sent on the "
                "request"
            )

        async def attempt(name: str) -> StoredObject:
            wanted = document
            if meta.get("name", "") != name:
                wanted = copied(document)
                wanted["metadata"]["name"] = name
            return await self._create_named(
                resource, namespace, wanted, options, make=make, before=before
            )

        return await self._named(meta, attempt)

    async def _named(
        self, meta: Mapping[str, Any], attempt: Callable[[str], Awaitable[StoredObject]]
    ) -> StoredObject:
        """Creates under the name given, else under one made from `generateName`."""
        name, base = meta.get("name", ""), meta.get("generateName", "")
        if name or not base:
            return await attempt(name)
        for _ in range(_NAME_ATTEMPTS):
            try:
                return await attempt(metadata.generated_name(base, self._rng))
            except AlreadyExists as error:
                taken = error
        raise AlreadyExists(
            f"the server was not able to generate a unique name for the object {base!r}",
            name=base,
            group=taken.group,
            kind=taken.kind,
        )

    def _make(
        self, resource: Resource, namespace: str, source: Mapping[str, Any], options: WriteOptions
    ) -> Make | None:
        """What a pod is one of many of; None where each has to be looked at by itself."""
        if resource.resource != "pods" or options.review is not None or options.dry_run:
            return None
        if self.quotas.limits(namespace):
            return None
        if options.requester and self.policies.concern(resource):
            return None
        surroundings = self._admitter.surroundings(source, namespace)
        return make_of(source, namespace, options, *surroundings) if surroundings else None

    @staticmethod
    def _fits(resource: Resource, meta: Mapping[str, Any]) -> bool:
        """Whether what a mould leaves open is right."""
        if "name" not in meta:
            return True
        name = meta["name"]
        return type(name) is str and not metadata.name_faults(resource, name)

    async def _create_like(
        self, mould: Mould, resource: Resource, namespace: str, name: str, options: WriteOptions
    ) -> StoredObject:
        """As `_create_named`, of a make that has been through all of it."""
        key = ObjectKey(resource.resource, namespace, name)
        uid, now = self.new_uid(), rfc3339(self._clock.wall())
        options.warnings.extend(mould.warnings)
        self._admitter.require_namespace(key)
        if self._store.get(key) is not None:
            raise faults.already_exists(key)
        draft = mould.draft(name, uid, now)
        self._require_size(draft)
        # nothing is awaited in between, and the store takes only the first: no lock is needed
        put = Put(key, draft, None, lambda revision: mould.view_of(name, uid, now, revision))
        return await self._store.write(put)

    async def _create_named(
        self,
        resource: Resource,
        namespace: str,
        document: Document,
        options: WriteOptions,
        entries: list[Document] | None = None,
        *,
        make: Make | None = None,
        before: int = 0,
    ) -> StoredObject:
        meta = document["metadata"]
        key = ObjectKey(resource.resource, namespace, meta.get("name", ""))
        uid = self.new_uid()
        asked = options.asked or resource
        now = rfc3339(self._clock.wall())
        strategy.prepare_create(asked, document, namespace, uid, now)
        if resource.resource == CSRS:
            document["spec"] = requested_by(document.get("spec") or {}, options.requester)
        apply_defaults(resource.resource, document)
        self._admitter.complete(resource, key, document)
        causes = validate_create(asked, document)
        if causes:
            raise faults.invalid(asked, key.name, causes)
        options.warnings.extend(unsupported.warnings(resource.resource, document))
        if entries is None:
            managing.note_create(resource, document, options, now)
        elif entries:
            document["metadata"]["managedFields"] = entries
        if options.review is not None:
            options.review(key, document, None)
        async with self.locks.hold(key):
            self._admitter.require_place(key, document)
            if self.policies.hooks and options.requester:
                question = asking.creation(resource, key, document, options)
                self.policies.review(question, options.warnings)
            if self._store.get(key) is not None:
                raise faults.already_exists(key)
            self.quotas.charge(key, document, is_new=True, dry_run=options.dry_run)
            if make is not None:
                self._moulds.note(make, document, options.warnings[before:])
            return await self.commit(key, None, document, dry_run=options.dry_run)

    async def create_own(self, key: ObjectKey, document: Document) -> StoredObject:
        """Creates an object that the registry has made up itself: nothing of it is in doubt.

        The document has what `create` would give it: defaults, and in metadata name, namespace,
        uid and time; it is not looked at again.

        Raises:
            ApiError: AlreadyExists, or the namespace or a quota does not take it.
        """
        async with self.locks.hold(key):
            self._admitter.require_place(key, document)
            if self._store.get(key) is not None:
                raise faults.already_exists(key)
            self.quotas.charge(key, document, is_new=True)
            return await self.commit(key, None, document, dry_run=False)

    async def patch_own(self, key: ObjectKey, body: Mapping[str, Any]) -> StoredObject:
        """Merges into an object what the server itself has found out: nothing of it is in doubt.

        What the merge patch makes of the object is not looked at again, and nobody is noted as its
        manager.

        Raises:
            ApiError: NotFound; Conflict, when other writes are under way for too long.
        """
        for attempt in range(_RACE_ATTEMPTS):
            async with self.locks.hold(key):
                stored = self._stored(key)
                current = stored.thawed()
                wanted = merge_patch.apply(current, body)
                if wanted == current:
                    return stored
                done = await self._commit_unless_raced(key, stored, wanted, attempt)
                if done is not None:
                    return done
        raise faults.conflict(key)

    def new_uid(self) -> str:
        """A uid for a new object."""
        return str(uuid.UUID(int=self._rng.getrandbits(128), version=4))

    # ------------------------------------------------------------ update and patch

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
                return await self._create_applied(resource, key, admitted, quiet), True
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

    async def _create_applied(
        self, resource: Resource, key: ObjectKey, config: Document, options: WriteOptions
    ) -> StoredObject:
        asked = options.asked or resource
        meta = config["metadata"]
        if meta.get("uid"):
            raise faults.conflict(
                key,
                f"uid mismatch: the provided object specified uid {meta['uid']}, and no existing "
                "object was found",
            )
        if meta.get("resourceVersion"):
            raise BadRequest("resourceVersion should not be set on objects to be created")
        meta["name"] = key.name
        now = rfc3339(self._clock.wall())
        entries = managing.entries_of_new(asked, config, options, now)
        document = to_stored(asked, fill_in(asked, copied(config)))
        return await self._create_named(resource, key.namespace, document, options, entries)

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
        for attempt in range(_RACE_ATTEMPTS):
            async with self.locks.hold(key):
                stored = self._stored(key)
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
                if self.policies.hooks and options.requester:
                    self.policies.review(
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
                    self.quotas.charge(key, wanted, is_new=False, dry_run=options.dry_run)
                done = await self._commit_unless_raced(
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

    def _stored(self, key: ObjectKey) -> StoredObject:
        stored = self._store.get(key)
        if stored is None:
            raise faults.not_found(key)
        return stored

    async def _commit_unless_raced(
        self,
        key: ObjectKey,
        stored: StoredObject,
        document: Document,
        attempt: int,
        *,
        dry_run: bool = False,
    ) -> StoredObject | None:
        """As `commit`; None when the change is to be decided again, on what memory shows then.

        A write whose caller was cancelled may still be under way, and nobody holds its lock.
        """
        try:
            return await self.commit(key, stored, document, dry_run=dry_run)
        except Conflict:
            if attempt == _RACE_ATTEMPTS - 1:
                raise
            await self._settled(stored)
            return None

    async def _settled(self, stored: StoredObject) -> None:
        """Waits until memory shows another revision of the object than `stored`."""
        changed = asyncio.get_running_loop().create_future()

        def listen(event: StoreEvent) -> None:
            if event.object.key == stored.key and not changed.done():
                changed.set_result(None)

        end = self._store.subscribe(listen)
        try:
            if self._store.get(stored.key) is stored:
                async with asyncio.timeout(_SETTLE_S):
                    await changed
        except TimeoutError:
            raise faults.conflict(stored.key) from None
        finally:
            end()

    # ------------------------------------------------------------ the store

    async def commit(
        self, key: ObjectKey, stored: StoredObject | None, document: Document, *, dry_run: bool
    ) -> StoredObject:
        """Stores a finished document; removes the object when nothing holds it any more.

        Args:
            key: of the object; its lock is held.
            stored: what the document was made from; None for a create.
            document: of the object; not changed.
            dry_run: allocate, encode, but do not store.
        """
        release: Callable[[], None] | None = None
        if key.resource == "services":
            document = without_nulls(document)
            release = self._allocator.assign(key, document)
            if stored is not None and strategy.same(stored.doc, document):
                release()
                return stored
        try:
            return await self._write(key, stored, document, dry_run=dry_run)
        except Exception:
            if release is not None:
                release()
            raise
        finally:
            if dry_run and release is not None:
                release()

    async def _write(
        self, key: ObjectKey, stored: StoredObject | None, document: Document, *, dry_run: bool
    ) -> StoredObject:
        draft = Draft.of(document)
        self._require_size(draft)
        if dry_run:
            return _unstored(key, stored, document)
        if stored is None:
            return await self._store.write(Put(key, draft, None))
        if strategy.is_released(key.resource, document):
            return await self._store.write(Delete(key, stored.revision, draft))
        return await self._store.write(Put(key, draft, stored.revision))

    def _require_size(self, draft: Draft) -> None:
        size = len(draft.head) + len(draft.tail)
        if size > self._settings.object_bytes:
            raise EntityTooLarge(
                f"the object has {size} bytes; at most {self._settings.object_bytes} are stored"
            )


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


def _unstored(key: ObjectKey, stored: StoredObject | None, document: Document) -> StoredObject:
    """The object as it would be stored; an update keeps the revision, a create has none."""
    if stored is not None:
        return StoredObject(key, stored.revision, Draft.of(document).at(stored.revision))
    return StoredObject(key, Revision(0), msgspec.json.encode(document))
