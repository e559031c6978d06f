"""What one quota counts: committed objects and writes that are under way. Pure.

Neighbour: `quotas`, which keeps a book per quota and tells it of writes.
"""

from collections.abc import Callable, Mapping
from typing import Any

from orchestrator.api import amounts
from orchestrator.api.amounts import NOTHING, Amounts
from orchestrator.api.quota import scopes, usage
from orchestrator.kit.ids import ObjectKey

Document = Mapping[str, Any]


class QuotaBook:
    """The objects that one quota counts, with running totals: a write costs the same with few
    objects and with many.

    Attributes:
        name: of the quota.
        spec: the quota's spec; a book lives as long as it does not change.
        hard: the quota's limits.
        concerned: the group-resources that use something of it.
    """

    def __init__(self, name: str, spec: dict[str, Any]) -> None:
        self.name = name
        self.spec = spec
        self.hard = amounts.read(spec.get("hard"))
        self.concerned = usage.concerned(self.hard)
        self._items: dict[ObjectKey, Amounts] = {}
        self._total: Amounts = {}
        self._pending: dict[ObjectKey, Amounts] = {}
        self._reserved: Amounts = {}
        self._leaving: dict[ObjectKey, float] = {}

    def uses(self, resource: str, document: dict[str, Any], now_s: float) -> Amounts:
        """What an object uses of what the quota limits; nothing when it is not counted."""
        if resource not in self.concerned or not scopes.counts(self.spec, resource, document):
            return {}
        found = usage.usage_of(resource, document, now_s)
        return {name: value for name, value in found.items() if name in self.hard}

    def used(self) -> Amounts:
        """What committed objects use, by every name that the quota limits."""
        return {name: self._total.get(name, NOTHING) for name in self.hard}

    def put(self, key: ObjectKey, document: dict[str, Any] | None, now_s: float) -> None:
        """An object is as in `document` now; None when it is gone."""
        before = self._items.pop(key, None)
        self._leaving.pop(key, None)
        if before is not None:
            amounts.subtract(self._total, before)
        used = self.uses(key.resource, document, now_s) if document is not None else {}
        if not used or document is None:
            return
        self._items[key] = used
        amounts.add(self._total, used)
        leaves_s = usage.leaves_at_s(document) if key.resource == "pods" else None
        if leaves_s is not None and leaves_s > now_s:
            self._leaving[key] = leaves_s

    def more(self, key: ObjectKey, document: dict[str, Any], now_s: float) -> Amounts:
        """What an object as in `document` uses more than the committed one does."""
        before = self._items.get(key, {})
        wanted = self.uses(key.resource, document, now_s)
        return {
            name: value - before.get(name, NOTHING)
            for name, value in wanted.items()
            if value.nanos > before.get(name, NOTHING).nanos
        }

    def exceeded(self, more: Amounts) -> list[str]:
        """The names of which there is not that much left, sorted."""
        return sorted(
            name
            for name, value in more.items()
            if value.nanos + self._taken(name) > self.hard[name].nanos
        )

    def reserve(self, key: ObjectKey, more: Amounts) -> None:
        """Counts what a write that is about to be made will use more."""
        wanted = dict(more)
        amounts.at_least(wanted, self._pending.get(key, {}))
        self.release(key)
        self._pending[key] = wanted
        amounts.add(self._reserved, wanted)

    def release(self, key: ObjectKey) -> None:
        """Counts the write of an object no more: it is committed, or was not made."""
        pending = self._pending.pop(key, None)
        if pending is not None:
            amounts.subtract(self._reserved, pending)

    def settle(
        self,
        now_s: float,
        stored: Callable[[ObjectKey], dict[str, Any] | None],
        is_under_way: Callable[[ObjectKey], bool],
    ) -> None:
        """Forgets reservations of writes that were not made, and pods whose time is over."""
        for key in [key for key in self._pending if not is_under_way(key)]:
            self.release(key)
        for key in [key for key, leaves_s in self._leaving.items() if leaves_s <= now_s]:
            self.put(key, stored(key), now_s)

    def next_change_s(self) -> float | None:
        """When the usage changes without a write, wall seconds; None for never."""
        return min(self._leaving.values(), default=None)

    def refusal(self, more: Amounts, names: list[str]) -> str:
        """Why a write is refused, in Kubernetes' words."""
        taken = {
            name: self._total.get(name, NOTHING) + self._reserved.get(name, NOTHING)
            for name in names
        }
        return (
            f"exceeded quota: {self.name}, requested: {amounts.plain_text(more, names)}, "
            f"used: {amounts.plain_text(taken, names)}, "
            f"limited: {amounts.plain_text(self.hard, names)}"
        )

    def _taken(self, name: str) -> int:
        return self._total.get(name, NOTHING).nanos + self._reserved.get(name, NOTHING).nanos
