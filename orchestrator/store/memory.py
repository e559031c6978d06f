"""The current state, sorted, in memory: what all reads see.

Changed only by `Store` when a batch was committed, on the event loop; reads are synchronous and
therefore consistent with one another until the next await.
"""

from bisect import bisect_left, insort

from orchestrator.kit.ids import ObjectKey, Revision
from orchestrator.store.objects import StoredObject

Place = tuple[str, str]
"""(namespace, name): the order of lists."""


class Table:
    """All objects of one resource.

    Attributes:
        changed: revision of the last write of any of them; 0 for none.
    """

    __slots__ = ("_objects", "_order", "changed")

    def __init__(self) -> None:
        self.changed = Revision(0)
        self._objects: dict[Place, StoredObject] = {}
        self._order: list[Place] = []

    def __len__(self) -> int:
        """How many objects there are."""
        return len(self._order)

    def put(self, item: StoredObject) -> None:
        """Adds or replaces an object."""
        place = (item.key.namespace, item.key.name)
        if place not in self._objects:
            insort(self._order, place)
        self._objects[place] = item
        self.changed = max(self.changed, item.revision)

    def remove(self, place: Place, revision: Revision) -> None:
        """Removes an object that is there, as of a revision."""
        self.changed = revision
        del self._objects[place]
        del self._order[bisect_left(self._order, place)]

    def items(self, namespace: str = "", after: Place | None = None) -> list[StoredObject]:
        """Objects in order; of one namespace when given; after a place when given."""
        order, objects = self._order, self._objects
        if not order:
            return []
        start, end = 0, len(order)
        if namespace:
            start = bisect_left(order, (namespace, ""))
            end = bisect_left(order, (namespace + "\0", ""), start)
        if after is not None:
            start = max(start, bisect_left(order, (after[0], after[1] + "\0")))
        return [objects[place] for place in order[start:end]]


class Memory:
    """All tables.

    Attributes:
        objects: every object by its key; changed by `put` and `remove` alone.
    """

    def __init__(self) -> None:
        self.objects: dict[ObjectKey, StoredObject] = {}
        self._tables: dict[str, Table] = {}

    def table(self, resource: str) -> Table:
        """The table of a resource, made when it is first asked for."""
        found = self._tables.get(resource)
        if found is None:
            found = self._tables[resource] = Table()
        return found

    def put(self, item: StoredObject) -> None:
        """Adds or replaces an object."""
        self.objects[item.key] = item
        self.table(item.key.resource).put(item)

    def remove(self, key: ObjectKey, revision: Revision) -> None:
        """Removes an object that is there, as of a revision."""
        del self.objects[key]
        self.table(key.resource).remove((key.namespace, key.name), revision)

    def changed(self, resource: str) -> Revision:
        """Revision of the last write of any object of a resource; 0 for none."""
        table = self._tables.get(resource)
        return table.changed if table is not None else Revision(0)

    def counts(self) -> dict[str, int]:
        """Objects per resource, empty ones left out."""
        return {name: len(table) for name, table in self._tables.items() if len(table)}
