"""Creating objects: defaults, admission, names made up, and many pods of one make.

Neighbours: `strategy` and `admission` decide, `moulds` remembers makes, `commits` stores.
Source: Kubernetes API concepts, "Resource creation", "Generated values".
"""

import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from orchestrator.api import metadata, unsupported
from orchestrator.api.certificates import CSRS, requested_by
from orchestrator.api.conversion.versions import to_stored
from orchestrator.api.custom.defaulting import copied
from orchestrator.api.defaults.kinds import apply_defaults
from orchestrator.api.resources import Resource
from orchestrator.api.validation.kinds import validate_create
from orchestrator.kit.clock import Clock, rfc3339
from orchestrator.kit.errors import AlreadyExists, BadRequest
from orchestrator.kit.ids import ObjectKey
from orchestrator.registry import asking, faults, managing, strategy
from orchestrator.registry.admitter import Admitter
from orchestrator.registry.commits import Committer
from orchestrator.registry.documents import admit_document, fill_in
from orchestrator.registry.moulds import Make, Mould, Moulds, make_of
from orchestrator.registry.options import WriteOptions
from orchestrator.registry.policies import AdmissionPolicies
from orchestrator.registry.quotas import QuotaLedger
from orchestrator.store.objects import Document, StoredObject

_NAME_ATTEMPTS: Final = 8


class Creator:
    """Creates objects.

    Args:
        clock: says when.
        rng: makes names and uids.
        admitter: refuses and completes.
        policies: are asked.
        quotas: count.
        committer: writes.
    """

    def __init__(
        self,
        clock: Clock,
        rng: random.Random,
        *,
        admitter: Admitter,
        policies: AdmissionPolicies,
        quotas: QuotaLedger,
        committer: Committer,
    ) -> None:
        self._clock = clock
        self._rng = rng
        self._admitter = admitter
        self._policies = policies
        self._quotas = quotas
        self._committer = committer
        self._moulds = Moulds()

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
        if self._quotas.limits(namespace):
            return None
        if options.requester and self._policies.concern(resource):
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
        draft = mould.draft(name, uid, now)
        return await self._committer.add(
            key, draft, lambda revision: mould.view_of(name, uid, now, revision)
        )

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
        async with self._committer.locks.hold(key):
            self._admitter.require_place(key, document)
            if self._policies.hooks and options.requester:
                question = asking.creation(resource, key, document, options)
                self._policies.review(question, options.warnings)
            self._committer.require_absent(key)
            self._quotas.charge(key, document, is_new=True, dry_run=options.dry_run)
            if make is not None:
                self._moulds.note(make, document, options.warnings[before:])
            return await self._committer.commit(key, None, document, dry_run=options.dry_run)

    async def create_own(self, key: ObjectKey, document: Document) -> StoredObject:
        """Creates an object that the registry has made up itself: nothing of it is in doubt.

        The document has what `create` would give it: defaults, and in metadata name, namespace,
        uid and time; it is not looked at again.

        Raises:
            ApiError: AlreadyExists, or the namespace or a quota does not take it.
        """
        async with self._committer.locks.hold(key):
            self._admitter.require_place(key, document)
            self._committer.require_absent(key)
            self._quotas.charge(key, document, is_new=True)
            return await self._committer.commit(key, None, document, dry_run=False)

    async def create_applied(
        self, resource: Resource, key: ObjectKey, config: Document, options: WriteOptions
    ) -> StoredObject:
        """Creates what an apply is about.

        Args:
            resource: of the object.
            key: of the object.
            config: as it was admitted, in the asked version; not changed but for its name.
            options: of the apply.

        Raises:
            ApiError: as `create`.
        """
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

    def new_uid(self) -> str:
        """A uid for a new object: a random UUID, version 4 (RFC 9562), which the standard library
        takes five times as long to make.
        """
        digits = f"{self._rng.getrandbits(128):032x}"
        variant = "89ab"[int(digits[16], 16) & 3]
        return (
            f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"
        )
