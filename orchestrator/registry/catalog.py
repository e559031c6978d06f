"""The catalogue of what is served right now: built-in kinds and those of stored definitions.

It listens to the store, which is the only wire: whoever writes a CustomResourceDefinition changes
it, and a server that starts finds its definitions there. One per server; it works from the first
moment on.
"""

from collections.abc import Callable
from typing import Final

import structlog

from orchestrator.api.catalog import STATIC, Catalog
from orchestrator.api.custom.rows import rows_of, version_order
from orchestrator.api.custom.words import CRDS
from orchestrator.api.resources import Resource
from orchestrator.kit.ids import ObjectKey, Revision
from orchestrator.store.objects import StoredObject, StoreEvent
from orchestrator.store.store import Store

_log: Final = structlog.get_logger("catalog")

_Rows = tuple[list[Resource], list[Resource]]


class LiveCatalog:
    """See the module.

    Attributes:
        current: replaced whole when a definition changes; keep no reference to it over an await.
    """

    def __init__(self, store: Store) -> None:
        self.current: Catalog = STATIC
        self._store = store
        self._made: dict[ObjectKey, tuple[Revision, _Rows]] = {}
        self._unsubscribe: Callable[[], None] = store.subscribe(self._listen)
        self._rebuild()

    def close(self) -> None:
        """Ends the subscription; idempotent."""
        self._unsubscribe()

    def _listen(self, event: StoreEvent) -> None:
        if event.object.key.resource == CRDS:
            self._rebuild()

    def _rebuild(self) -> None:
        definitions = self._store.list(CRDS)
        made = {item.key: (item.revision, self._rows(item)) for item in definitions}
        self._made = made
        served = [row for _, (rows, _) in made.values() for row in rows if _is_free(row)]
        hidden = [row for _, (_, rows) in made.values() for row in rows if _is_free(row)]
        if not served and not hidden:
            self.current = STATIC
            return
        served.sort(key=lambda r: (r.group, version_order(r.version), r.plural))
        rows = [*STATIC.rows, *served]
        self.current = Catalog(rows, hidden, base=STATIC)

    def _rows(self, item: StoredObject) -> _Rows:
        known = self._made.get(item.key)
        if known is not None and known[0] == item.revision:
            return known[1]
        try:
            return rows_of(item.doc)
        except Exception:  # one definition that cannot be served must not take the others along
            _log.exception("catalog.definition_failed", key=str(item.key))
            return [], []


def _is_free(row: Resource) -> bool:
    """Whether no built-in kind has the place."""
    return STATIC.by_path(row.group, row.version, row.plural) is None
