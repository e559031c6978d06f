"""The catalogue of what is served right now: built-in kinds and those of stored definitions.

It listens to the store, which is the only wire: whoever writes a CustomResourceDefinition changes
it, and a server that starts finds its definitions there. One per server; it works from the first
moment on.
"""

from collections.abc import Callable
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class _Made:
    """What a definition was made into.

    Attributes:
        item: the definition.
        since: revision from which on its versions are as they are now; of the definition's last
            write when nothing better is known, as after a restart.
        rows: served and hidden ones.
    """

    item: StoredObject
    since: Revision
    rows: _Rows


class LiveCatalog:
    """See the module.

    Attributes:
        current: replaced whole when a definition changes; keep no reference to it over an await.
    """

    def __init__(self, store: Store) -> None:
        self.current: Catalog = STATIC
        self._store = store
        self._made: dict[ObjectKey, _Made] = {}
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
        made = self._made = {item.key: self._make(item) for item in definitions}
        served = [row for one in made.values() for row in one.rows[0] if _is_free(row)]
        hidden = [row for one in made.values() for row in one.rows[1] if _is_free(row)]
        if not served and not hidden:
            self.current = STATIC
            return
        served.sort(key=lambda r: (r.group, version_order(r.version), r.plural))
        rows = [*STATIC.rows, *served]
        self.current = Catalog(rows, hidden, base=STATIC, previous=self.current)

    def _make(self, item: StoredObject) -> _Made:
        known, since = self._made.get(item.key), item.revision
        if known is not None:
            if known.item.revision == item.revision:
                return known
            if known.item.doc["spec"]["versions"] == item.doc["spec"]["versions"]:
                since = known.since
        return _Made(item, since, self._rows(item, since))

    @staticmethod
    def _rows(item: StoredObject, since: Revision) -> _Rows:
        try:
            return rows_of(item.doc, since)
        except Exception:  # one definition that cannot be served must not take the others along
            _log.exception("catalog.definition_failed", key=str(item.key))
            return [], []


def _is_free(row: Resource) -> bool:
    """Whether no built-in kind has the place."""
    return STATIC.by_path(row.group, row.version, row.plural) is None
