"""The one door for object writes, and filtered reads.

Everything that writes an object (API server, controllers, scheduler, sessions, load balancer) does
it here, so that validation, one-writer-per-field, generations and finalizers hold for all of them.
Reads are synchronous and come from the store's memory. The work is done by `creator`, `writer`,
`deletion`, `binding` and `events`; what is decided is decided by pure functions in `strategy`,
`lifecycle`, `admission` and the API's own modules.

Source: Kubernetes API concepts; architecture, "The path of one request", steps 2 and 3.
"""

import random
from collections.abc import Mapping
from typing import Any

from orchestrator.api.amounts import Amounts
from orchestrator.api.fields import FieldSelector
from orchestrator.api.labels import Selector
from orchestrator.api.resources import Resource
from orchestrator.kit.clock import Clock
from orchestrator.kit.errors import BadRequest
from orchestrator.kit.ids import ObjectKey, Revision, Uid
from orchestrator.registry import builtins, faults
from orchestrator.registry.admitter import Admitter
from orchestrator.registry.binding import Binder
from orchestrator.registry.catalog import LiveCatalog
from orchestrator.registry.commits import Committer
from orchestrator.registry.creator import Creator
from orchestrator.registry.deletion import Deleter
from orchestrator.registry.events import EventRecorder, EventType
from orchestrator.registry.eviction import Evictor
from orchestrator.registry.options import Deleted, DeleteOptions, Page, Patch, WriteOptions
from orchestrator.registry.pages import read_page
from orchestrator.registry.policies import AdmissionPolicies
from orchestrator.registry.quotas import QuotaLedger
from orchestrator.registry.settings import RegistrySettings
from orchestrator.registry.writer import Writer
from orchestrator.store.objects import StoredObject
from orchestrator.store.store import Store

_DeletedList = list[Deleted]


class Registry:
    """See the module. All methods belong to the store's event loop.

    Attributes:
        catalog: what is served right now.
        policies: admission policies that are in force; every write of somebody asks them.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        rng: random.Random,
        settings: RegistrySettings | None = None,
    ) -> None:
        chosen = settings or RegistrySettings()
        self._store = store
        self.catalog = LiveCatalog(store)
        self.policies = AdmissionPolicies(store, self.catalog)
        policies, admitter = self.policies, Admitter(store, chosen)
        self._quotas = quotas = QuotaLedger(store, clock)
        committer = Committer(store, chosen)
        self._creator = creator = Creator(
            clock, rng,
            admitter=admitter, policies=policies, quotas=quotas, committer=committer,
        )  # fmt: skip
        self._writer = writer = Writer(
            store, clock,
            admitter=admitter, policies=policies, quotas=quotas, committer=committer,
            creator=creator,
        )  # fmt: skip
        self._deleter = deleter = Deleter(store, clock, policies, committer)
        self._binder = Binder(clock, policies, committer)
        self._evictor = Evictor(store, clock, writer, deleter)
        self._events = EventRecorder(
            store, clock, creator, writer, deleter, chosen.event_ttl_s, self.catalog
        )

    # ------------------------------------------------------------ reading

    def get(self, key: ObjectKey) -> StoredObject:
        """One object.

        Raises:
            NotFound: there is none of that name.
        """
        stored = self._store.get(key)
        if stored is None:
            raise faults.not_found(key)
        return stored

    def exists(self, key: ObjectKey) -> bool:
        """Whether there is an object of that name."""
        return self._store.get(key) is not None

    def list(
        self,
        resource: str,
        namespace: str = "",
        *,
        labels: Selector | None = None,
        fields: FieldSelector | None = None,
        limit: int = 0,
        continue_token: str = "",
        at: Revision | None = None,
    ) -> Page:
        """The chosen objects, sorted by namespace and name; a page of them when `limit` is given.

        With `at` they are shown as they were at that revision.

        Raises:
            BadRequest: a continue token that is not ours.
            Expired: `at` is older than the history.
        """
        return read_page(
            self._store, resource, namespace, labels, fields, limit, continue_token, at
        )

    def quota_used(self, key: ObjectKey) -> tuple[Amounts, float | None]:
        """What a ResourceQuota's namespace uses of it.

        Returns:
            Amounts by every name that it limits, and when (wall seconds) they change without a
            write, because a pod's grace ends.

        Raises:
            NotFound: there is no such quota.
        """
        return self._quotas.used(key)

    # ------------------------------------------------------------ writing

    async def create(
        self,
        resource: str,
        namespace: str,
        document: Mapping[str, Any],
        *,
        options: WriteOptions | None = None,
        consumes: bool = False,
    ) -> StoredObject:
        """Creates an object from a document.

        Args:
            resource: group-resource.
            namespace: "" for cluster-scoped kinds.
            document: kind and apiVersion may be left out; status is dropped where it is a
                subresource; `metadata.generateName` gives a name when there is none.
            options: see `WriteOptions`.
            consumes: the caller gives the document away, which spares a copy; otherwise it is not
                changed.

        Raises:
            AlreadyExists: the name is taken.
            BadRequest: wrong types, unknown fields in strict mode.
            Forbidden: the namespace is being deleted.
            Invalid: the object is wrong; says every field.
            NotFound: no such kind or namespace.
        """
        row = self._row(resource, "create", namespace)
        chosen = options or WriteOptions()
        made = await self._creator.create(row, namespace, document, chosen, consumes=consumes)
        await self._accompany(made, chosen)
        return made

    async def update(
        self,
        key: ObjectKey,
        document: Mapping[str, Any],
        *,
        subresource: str = "",
        options: WriteOptions | None = None,
    ) -> StoredObject:
        """Replaces an object, its status, or (namespaces) its finalizers in spec.

        A `metadata.resourceVersion` in the document must be the current one; without it the last
        write wins. What changes nothing is no write. The write that takes the last finalizer of an
        object that is being deleted removes it; the result is then its last state.

        Args:
            key: the object.
            document: what it should be; not changed.
            subresource: "", "status", "finalize" or "ephemeralcontainers".
            options: see `WriteOptions`.

        Raises:
            ApiError: as `create`, NotFound when it is not there, Conflict for a stale revision.
        """
        row = self._subresource_row(key, subresource, "update")
        return await self._writer.update(row, key, document, subresource, options or WriteOptions())

    async def patch(
        self,
        key: ObjectKey,
        patch: Patch,
        *,
        subresource: str = "",
        options: WriteOptions | None = None,
    ) -> StoredObject:
        """Patches an object or its status; a race with another writer is resolved here.

        A patch that carries `metadata.resourceVersion` fails when it is not the current one.

        Raises:
            ApiError: as `update`; Invalid for a JSON patch that does not fit.
        """
        row = self._subresource_row(key, subresource, "patch")
        return await self._writer.patch(row, key, patch, subresource, options or WriteOptions())

    async def report(self, key: ObjectKey, body: Mapping[str, Any]) -> StoredObject | None:
        """Writes what the server has observed itself: a status, a Lease's renewal.

        The server's own parts alone may use it: what it makes of the object is not validated, no
        policy is asked, no manager noted. What changes nothing is no write.

        Args:
            key: of the object.
            body: JSON merge patch (RFC 7386) of the stored version; of what is observed, and of
                the annotations that go with it, nothing else. Not changed.

        Returns:
            The object as written; None when that would have changed nothing.

        Raises:
            NotFound: it is not there.
            ServiceUnavailable: the store takes no writes.
        """
        return await self._writer.patch_own(key, body)

    async def apply(
        self,
        key: ObjectKey,
        config: Mapping[str, Any],
        *,
        force: bool = False,
        subresource: str = "",
        options: WriteOptions | None = None,
    ) -> tuple[StoredObject, bool]:
        """Applies a configuration: makes the object, or merges what it says into it.

        What this manager applied before and applies no more is taken away, unless another one
        owns it too.

        Args:
            key: of the object.
            config: the fields that the manager wants; not changed.
            force: take over fields that others own with another value.
            subresource: "", "status" or "ephemeralcontainers".
            options: the `field_manager` must be given.

        Returns:
            The object, and whether it was made.

        Raises:
            ApiError: as `update`; Conflict with a cause per field that somebody else owns.
        """
        row = self._subresource_row(key, subresource, "patch")
        chosen = options or WriteOptions()
        done = await self._writer.apply(row, key, config, subresource, chosen, force=force)
        if done[1]:
            await self._accompany(done[0], chosen)
        return done

    async def delete(self, key: ObjectKey, *, options: DeleteOptions | None = None) -> Deleted:
        """Deletes an object, or marks it: bound pods get their grace, finalizers hold.

        A pod's session deletes it again with grace 0 when its containers have stopped.

        Raises:
            NotFound: it is not there.
            Conflict: a precondition does not hold.
            Forbidden: it can never be deleted.
        """
        self._row(key.resource, "delete", key.namespace)
        return await self._deleter.delete(key, options or DeleteOptions())

    async def evict(self, key: ObjectKey, *, options: DeleteOptions | None = None) -> Deleted:
        """Deletes a pod if its disruption budget allows it.

        Raises:
            NotFound: it is not there.
            TooManyRequests: the budget allows no disruption now.
            ApiError: several budgets select it; as `delete`.
        """
        return await self._evictor.evict(key, options or DeleteOptions())

    async def delete_collection(
        self,
        resource: str,
        namespace: str = "",
        *,
        labels: Selector | None = None,
        fields: FieldSelector | None = None,
        options: DeleteOptions | None = None,
    ) -> _DeletedList:
        """Deletes everything that the selectors choose; what vanished meanwhile is left out."""
        self._row(resource, "deletecollection", namespace, check_namespace=False)
        items = self.list(resource, namespace, labels=labels, fields=fields).items
        return await self._deleter.delete_all(items, options or DeleteOptions())

    async def bind(
        self,
        key: ObjectKey,
        node_name: str,
        *,
        message: str = "",
        requester: Mapping[str, Any] | None = None,
        dry_run: bool = False,
    ) -> StoredObject:
        """Sets a pod's node, once, and its PodScheduled condition; again with the same is fine.

        Args:
            key: of the pod.
            node_name: its host from now on.
            message: why there, for the condition.
            requester: whose choice admission policies are asked about, as UserInfo; None: nobody's.
            dry_run: do everything but store.

        Raises:
            NotFound: no such pod.
            Conflict: it is on another node, or being deleted.
        """
        return await self._binder.bind(key, node_name, requester, message=message, dry_run=dry_run)

    async def record(
        self,
        about: ObjectKey,
        type: EventType,  # noqa: A002  # the field's own word
        reason: str,
        message: str,
        component: str,
        *,
        host: str = "",
        uid: Uid | None = None,
    ) -> None:
        """Tells the user: an Event about an object; a repeat raises the count of the first.

        Args:
            about: the object; it may be gone already.
            type: Normal or Warning.
            reason: CamelCase and stable: "ScalingReplicaSet".
            message: the sentence; at most 1024 characters are kept.
            component: who says so.
            host: node that it comes from; "" for none.
            uid: of the object when it may be gone or replaced; by default the stored one's.

        Nothing is written in a namespace that is gone or going, which takes no more events, and
        when this component has said more than its share about the object (see `spam`).
        """
        await self._events.record(about, type, reason, message, component, host, uid)

    async def prune_events(self, now_wall_s: float) -> int:
        """Removes events that were not repeated for an hour (settings); returns how many."""
        return await self._events.prune(now_wall_s)

    async def ensure_builtins(self) -> None:
        """Makes the initial namespaces that are missing; idempotent. Call at start."""
        await builtins.ensure_builtins(self._store, self._creator, self._writer)

    async def _accompany(self, made: StoredObject, options: WriteOptions) -> None:
        """Makes what comes with a new object: a namespace's service account.

        At once, so that nobody who was told of the namespace finds that pods are refused.
        """
        if made.key.resource == "namespaces" and not options.dry_run:
            await builtins.ensure_account(self._store, self._creator, made.key.name)

    # ------------------------------------------------------------ checks

    def _row(
        self, resource: str, verb: str, namespace: str, *, check_namespace: bool = True
    ) -> Resource:
        row = faults.resource_of(resource, self.catalog.current)
        if verb not in row.verbs or not row.stored:
            raise faults.unsupported_verb(row, verb)
        if check_namespace and row.namespaced != bool(namespace):
            raise BadRequest(
                f"an empty namespace may not be set when a {row.kind} is named"
                if row.namespaced
                else f"namespace {namespace!r} given for {row.kind}, which has none"
            )
        return row

    def _subresource_row(self, key: ObjectKey, subresource: str, verb: str) -> Resource:
        row = faults.resource_of(key.resource, self.catalog.current)
        verbs = row.verbs
        if subresource:
            found = row.subresource(subresource)
            # who may replace one may patch it, also where discovery offers only the former
            verbs = (*found.verbs, "patch") if found is not None and "update" in found.verbs else ()
        if verb not in verbs:
            raise faults.unsupported_verb(row, verb)
        return row
