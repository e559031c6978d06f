"""Quotas: every write is held against what its namespace uses, in the step in which it is decided.

Usage follows from what is stored and from the writes that are under way; nothing is booked
anywhere else, so nothing can drift, and two writes never share what is left. The quota's status
is what a controller writes for people to read.

Source: Kubernetes concepts, "Resource Quotas"; the ResourceQuota admission plugin.
"""

from typing import Any, Final

from orchestrator.api.amounts import Amounts
from orchestrator.api.quota import scopes, usage
from orchestrator.kit.clock import Clock
from orchestrator.kit.ids import ObjectKey
from orchestrator.registry import faults
from orchestrator.registry.book import QuotaBook
from orchestrator.store.objects import Document, StoreEvent
from orchestrator.store.store import Store

QUOTAS: Final = usage.QUOTAS


class QuotaLedger:
    """See the module; its methods do not wait."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._books: dict[str, dict[str, QuotaBook]] = {}
        self._under_way: dict[ObjectKey, Document] = {}
        store.subscribe(self._committed)

    def limits(self, namespace: str) -> bool:
        """Whether a namespace has quotas."""
        return bool(self._of(namespace))

    def charge(
        self, key: ObjectKey, document: Document, *, is_new: bool, dry_run: bool = False
    ) -> None:
        """Counts a write that is made right after this, or refuses it.

        Args:
            key: of the object.
            document: as it is to be stored.
            is_new: whether it is a create.
            dry_run: only look.

        Raises:
            Forbidden: a quota does not allow it.
        """
        if not key.namespace or (key.resource == "pods" and not is_new):
            return  # what a pod asks for is settled when it is made
        books = self._of(key.namespace)
        now_s = self._clock.wall()
        found = [book for _, book in sorted(books.items()) if key.resource in book.concerned]
        wanted = [(book, self._allowed(book, key, document, now_s, is_new)) for book in found]
        if dry_run:
            return
        for book, more in wanted:
            if more:
                book.reserve(key, more)
                self._under_way[key] = document

    def used(self, key: ObjectKey) -> tuple[Amounts, float | None]:
        """What a quota's namespace uses of it, and when that changes without a write.

        Raises:
            NotFound: there is no such quota.
        """
        book = self._of(key.namespace).get(key.name)
        if book is None:
            raise faults.not_found(key)
        self._settle(book, self._clock.wall())
        return book.used(), book.next_change_s()

    def _allowed(
        self, book: QuotaBook, key: ObjectKey, document: Document, now_s: float, is_new: bool
    ) -> Amounts:
        if is_new and key.resource == "pods" and scopes.counts(book.spec, "pods", document):
            unsaid = usage.unsaid(document.get("spec") or {}, book.hard)
            if unsaid:
                raise faults.forbidden(key, f"failed quota: {book.name}: {unsaid}")
        more = book.more(key, document, now_s)
        if more and book.exceeded(more):
            self._settle(book, now_s)
            names = book.exceeded(more)
            if names:
                raise faults.forbidden(key, book.refusal(more, names))
        return more

    # ------------------------------------------------------------ books

    def _of(self, namespace: str) -> dict[str, QuotaBook]:
        found = self._books.get(namespace)
        if found is not None:
            return found
        quotas = self._store.list(QUOTAS, namespace)
        if not quotas:
            return {}
        made = {item.key.name: self._book(item.key, item.doc.get("spec") or {}) for item in quotas}
        self._books[namespace] = made
        return made

    def _book(self, quota: ObjectKey, spec: dict[str, Any]) -> QuotaBook:
        book, now_s = QuotaBook(quota.name, spec), self._clock.wall()
        for resource in book.concerned:
            for item in self._store.list(resource, quota.namespace):
                book.put(item.key, item.doc, now_s)
        for key, document in self._under_way.items():
            if key.namespace == quota.namespace and key.resource in book.concerned:
                book.reserve(key, book.more(key, document, now_s))
        return book

    def _settle(self, book: QuotaBook, now_s: float) -> None:
        for key in [key for key in self._under_way if not self._store.is_under_way(key)]:
            del self._under_way[key]
        book.settle(now_s, self._document, self._store.is_under_way)

    def _document(self, key: ObjectKey) -> Document | None:
        found = self._store.get(key)
        return found.doc if found is not None else None

    def _committed(self, event: StoreEvent) -> None:
        key = event.object.key
        books = self._books.get(key.namespace)
        if books is None:
            return
        if key.resource == QUOTAS and _spec_changed(event):
            del self._books[key.namespace]  # made again when somebody asks
            return
        document = event.object.doc if event.type != "DELETED" else None
        settled = not self._store.is_under_way(key)
        if settled:
            self._under_way.pop(key, None)
        for book in books.values():
            if key.resource in book.concerned:
                book.put(key, document, self._clock.wall())
                if settled:
                    book.release(key)


def _spec_changed(event: StoreEvent) -> bool:
    before = event.previous.doc.get("spec") if event.previous is not None else None
    return event.type != "MODIFIED" or event.object.doc.get("spec") != before
