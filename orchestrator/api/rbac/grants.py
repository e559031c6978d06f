"""What a set of rules allows, in a form that answers in a few dictionary look-ups.

A rule is a product of verbs, groups and resources. Ordinary rules are multiplied out; a rule whose
product is large (somebody may write one on purpose) is kept as it is and looked at one by one.
"""

from collections.abc import Iterable
from typing import Final

from orchestrator.api.rbac.rules import (
    ALL,
    Attributes,
    PolicyRule,
    allows,
    allows_path,
)

_MOST_PRODUCT: Final = 512

_Cell = tuple[str, str, str]
_Names = set[str] | None
"""The names that a cell holds for; None for all."""


class Grants:
    """The rules of one subject in one scope."""

    __slots__ = ("_broad", "_cells", "_with_paths")

    def __init__(self, rules: Iterable[PolicyRule]) -> None:
        self._cells: dict[_Cell, _Names] = {}
        self._broad: list[PolicyRule] = []
        self._with_paths: list[PolicyRule] = []
        for rule in rules:
            if rule.paths:
                self._with_paths.append(rule)
            if len(rule.verbs) * len(rule.groups) * len(rule.resources) > _MOST_PRODUCT:
                self._broad.append(rule)
            else:
                self._add(rule)

    def allow(self, wish: Attributes, *, every_name: bool = False) -> bool:
        """Whether any rule allows it; with `every_name` only rules that hold for all names."""
        resources = [wish.full_resource, ALL]
        if wish.subresource:
            resources.append(f"*/{wish.subresource}")
        cells = self._cells
        for resource in resources:
            for group in (wish.group, ALL):
                for verb in (wish.verb, ALL):
                    cell = (resource, group, verb)
                    if cell in cells:
                        names = cells[cell]
                        if names is None or (not every_name and wish.name in names):
                            return True
        return any(allows(rule, wish) and not (every_name and rule.names) for rule in self._broad)

    def allow_path(self, verb: str, path: str) -> bool:
        """Whether any rule allows a request outside the resource tree."""
        return any(allows_path(rule, verb, path) for rule in self._with_paths)

    def _add(self, rule: PolicyRule) -> None:
        for resource in rule.resources:
            for group in rule.groups:
                for verb in rule.verbs:
                    cell = (resource, group, verb)
                    known = self._cells.get(cell, set())
                    if not rule.names or known is None:
                        self._cells[cell] = None
                    else:
                        known.update(rule.names)
                        self._cells[cell] = known
