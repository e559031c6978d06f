"""Which resources are served: an immutable set of rows with its indices.

`STATIC` holds the built-in kinds; a catalogue with custom kinds is made anew whenever a definition
changes, so what was made from one (discovery, OpenAPI) can be kept with it for as long as it lives.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Any, Final, TypeVar, cast

from orchestrator.api.resources import RESOURCES, Resource

T = TypeVar("T")


class Catalog:
    """See the module.

    Attributes:
        rows: everything that is served: core first, then by group; the preferred version of a
            group first.
    """

    def __init__(
        self,
        rows: Sequence[Resource],
        hidden: Sequence[Resource] = (),
        base: "Catalog | None" = None,
        previous: "Catalog | None" = None,
    ) -> None:
        """Makes a catalogue.

        Args:
            rows: what is served.
            hidden: stored forms that are not served, for look-ups by group-resource.
            base: a catalogue that lives on, and makes the documents of what it holds.
            previous: the catalogue that this one replaces; what it has made of groups and versions
                that did not change is taken over.
        """
        self.rows = tuple(rows)
        self._base = base
        self._by_resource = {r.resource: r for r in (*hidden, *rows) if not r.stored_as}
        self._by_path = {(r.group, r.version, r.plural): r for r in rows}
        self._by_kind = {(r.api_version, r.kind): r for r in rows}
        self._versions: dict[tuple[str, str], tuple[Resource, ...]] = {}
        for row in rows:
            place = (row.group, row.version)
            self._versions[place] = (*self._versions.get(place, ()), row)
        self._made: dict[Hashable, Any] = {}
        self._of_versions: dict[tuple[str, str], dict[Hashable, Any]] = {}
        if previous is not None:
            self._of_versions = {
                place: made
                for place, made in previous._of_versions.items()
                if previous.of(*place) == self.of(*place)
            }

    def by_resource(self, group_resource: str) -> Resource:
        """The row that objects of an `ObjectKey.resource` are stored by.

        Raises:
            KeyError: there is none.
        """
        return self._by_resource[group_resource]

    def by_path(self, group: str, version: str, plural: str) -> Resource | None:
        """The row that a request path names; None when none is served there."""
        return self._by_path.get((group, version, plural))

    def by_kind(self, api_version: str, kind: str) -> Resource | None:
        """The row whose objects carry this apiVersion and kind; None when none is served."""
        return self._by_kind.get((api_version, kind))

    def of(self, group: str, version: str) -> tuple[Resource, ...]:
        """The rows of a group and version."""
        return self._versions.get((group, version), ())

    @property
    def group_versions(self) -> tuple[tuple[str, str], ...]:
        """Every served (group, version), in the order of the rows."""
        return tuple(self._versions)

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` makes, made at most once for this catalogue (twice at the same moment)."""
        if key not in self._made:
            self._made[key] = make()
        return cast("T", self._made[key])

    def once_for(
        self, group: str, version: str, key: Hashable, make: Callable[["Catalog"], T]
    ) -> T:
        """As `once`, for what follows from one group and version; taken from the base if it can."""
        base = self._base
        if base is not None and base.of(group, version) == self.of(group, version):
            return base.once_for(group, version, key, make)
        made = self._of_versions.setdefault((group, version), {})
        if key not in made:
            made[key] = make(self)
        return cast("T", made[key])


STATIC: Final = Catalog(RESOURCES)
"""The built-in kinds."""
