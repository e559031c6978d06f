"""Storing what was decided: one write at a time per object, races noticed, dry runs and sizes.

Source: Kubernetes API concepts, "Resource versions", "Dry-run".
"""

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec

from orchestrator.api.types.meta import View
from orchestrator.kit.errors import Conflict, EntityTooLarge
from orchestrator.kit.ids import ObjectKey, Revision
from orchestrator.registry import faults, strategy
from orchestrator.registry.allocation import ServiceAllocator
from orchestrator.registry.documents import without_nulls
from orchestrator.registry.locks import KeyLocks
from orchestrator.registry.settings import RegistrySettings
from orchestrator.store.objects import Delete, Document, Draft, Put, StoredObject, StoreEvent
from orchestrator.store.store import Store

RACE_ATTEMPTS: Final = 5
"""So often a change is decided anew on what memory shows then."""
_SETTLE_S: Final = 5.0


class Committer:
    """Stores finished documents; all writes of the registry but last deletes are made here.

    Attributes:
        locks: of objects; whoever decides on a stored object holds its lock until it is written.
    """

    def __init__(self, store: Store, settings: RegistrySettings) -> None:
        self._store = store
        self._object_bytes = settings.object_bytes
        self._allocator = ServiceAllocator(store, settings)
        self.locks = KeyLocks()

    def stored(self, key: ObjectKey) -> StoredObject:
        """The object as it is.

        Raises:
            NotFound: there is none.
        """
        stored = self._store.get(key)
        if stored is None:
            raise faults.not_found(key)
        return stored

    def require_absent(self, key: ObjectKey) -> None:
        """There is no object of that name.

        Raises:
            AlreadyExists: there is one.
        """
        if self._store.get(key) is not None:
            raise faults.already_exists(key)

    async def add(
        self, key: ObjectKey, draft: Draft, view_of: Callable[[Revision], View]
    ) -> StoredObject:
        """Stores a new object of which everything is known; no lock is needed for that.

        Raises:
            AlreadyExists: there is one; the store takes only the first.
            EntityTooLarge: see `commit`.
        """
        self.require_absent(key)
        self._require_size(draft)
        return await self._store.write(Put(key, draft, None, view_of))

    async def commit(
        self, key: ObjectKey, stored: StoredObject | None, document: Document, *, dry_run: bool
    ) -> StoredObject:
        """Stores a finished document; removes the object when nothing holds it any more.

        Args:
            key: of the object; its lock is held.
            stored: what the document was made from; None for a create.
            document: of the object; not changed.
            dry_run: allocate, encode, but do not store.

        Raises:
            Conflict: what is stored is another revision than `stored`.
            EntityTooLarge: the document has too many bytes.
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
        if size > self._object_bytes:
            raise EntityTooLarge(
                f"the object has {size} bytes; at most {self._object_bytes} are stored"
            )

    async def commit_unless_raced(
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
            if attempt == RACE_ATTEMPTS - 1:
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


def _unstored(key: ObjectKey, stored: StoredObject | None, document: Document) -> StoredObject:
    """The object as it would be stored; an update keeps the revision, a create has none."""
    if stored is not None:
        return StoredObject(key, stored.revision, Draft.of(document).at(stored.revision))
    return StoredObject(key, Revision(0), msgspec.json.encode(document))
