"""Counts of pods per host that some rule is about. Pure.

A rule about other pods ("not beside a pod of app=db", "even over zones") needs how many of them are
where. Whether a pod counts depends on its template alone, so a placement costs one addition for
every tally that its template is in, and one for every label by whose places somebody sums it up.
"""

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np

from orchestrator.scheduler.columns import NONE, Block, Column, Numbers
from orchestrator.scheduler.templates import Template
from orchestrator.scheduler.terms import Matcher, NamespaceLabels, Pair, Term


@dataclass(frozen=True, slots=True)
class Matching:
    """Pods that all of these mean."""

    matchers: tuple[Matcher, ...]

    @property
    def leaving(self) -> bool:
        """Whether pods that are being deleted count."""
        return all(matcher.leaving for matcher in self.matchers)

    @property
    def traits(self) -> frozenset["Trait"] | None:
        """See `traits`."""
        found = (matcher.pairs() for matcher in self.matchers)
        return next((pairs for pairs in found if pairs is not None), None)

    def weight(self, template: Template, known: NamespaceLabels) -> int:
        """What one pod of the template counts."""
        return int(
            all(m.matches(template.namespace, template.labels, known) for m in self.matchers)
        )


@dataclass(frozen=True, slots=True)
class OfWorkload:
    """Pods of one controller."""

    uid: str
    leaving: bool = False

    @property
    def traits(self) -> frozenset["Trait"]:
        """See `traits`."""
        return frozenset({self.uid})

    def weight(self, template: Template, known: NamespaceLabels) -> int:
        """What one pod of the template counts."""
        del known
        return int(template.workload == self.uid)


@dataclass(frozen=True, slots=True)
class Owning:
    """Pods that have a rule of their own about others.

    Attributes:
        role: where in the template it stands.
        term: the rule.
    """

    role: str
    term: Term
    leaving: bool = True

    @property
    def traits(self) -> frozenset["Trait"]:
        """See `traits`."""
        return frozenset({self})

    def weight(self, template: Template, known: NamespaceLabels) -> int:
        """How often the template has it."""
        del known
        terms: tuple[Term, ...] = getattr(template, self.role)
        return terms.count(self.term)


Rule = Matching | OfWorkload | Owning
"""Their `traits` are what a template needs one of to count; None when that can be any template."""
ROLES = ("repels", "attracts", "wishes")
Trait = Pair | str | Owning
"""A label with its value, the uid of a workload, a rule that it has: see `traits`."""


def traits(template: Template) -> list[Trait]:
    """By what of a template rules about it are found, without asking each of them."""
    owned = [Owning(role, term) for role in ROLES for term in getattr(template, role)]
    return [*template.labels.items(), template.workload, *dict.fromkeys(owned)]


class Places:
    """The sums of a tally over places (hosts with one value of a label), kept up to date.

    Attributes:
        codes: by slot the index of its place; `NONE` for hosts that do not count.
        sums: by place; 0 for `NONE`.
        static: of the hosts as it was made for them: good for no others.
    """

    __slots__ = ("codes", "static", "sums")

    def __init__(self, codes: Numbers, counts: Numbers, number: int, static: int) -> None:
        self.codes = codes
        self.static = static
        sums = np.bincount(codes, weights=counts, minlength=number + 1)
        self.sums: Numbers = sums.astype(np.int64)
        self.sums[NONE] = 0


class Tally(Column):
    """Per host, how many pods the rule is about.

    Attributes:
        rule: it.
        places: the sums over places that were asked for, by what tells them apart.
    """

    __slots__ = ("places", "rule")

    def __init__(self, size: int, rule: Rule) -> None:
        super().__init__(size)
        self.rule = rule
        self.places: dict[Hashable, Places] = {}

    def add(self, slot: int, weight: int, static: int) -> None:
        """Pods came to a host, or left it."""
        self.data[slot] += weight
        for places in self.places.values():
            if places.static == static:
                code = places.codes.item(slot)
                if code != NONE:
                    places.sums[code] += weight

    def sums(self, key: Hashable, static: int, number: int, codes: Numbers) -> Places:
        """Its sums over some places, from now on kept up to date.

        Args:
            key: of these places: for one key they change with `static` only.
            static: of the hosts.
            number: how many places there are, without `NONE`.
            codes: the place by slot; not changed any more without `static`.
        """
        found = self.places.get(key)
        if found is None or found.static != static:
            found = self.places[key] = Places(codes, self.data, number, static)
        return found


class Known:
    """What is kept of a template that is in use.

    Attributes:
        asks: what a pod of it adds to `Fleet.state`, by row.
        level: what the pods of its priority use, in the same rows.
        staying: (tally, weight) that a pod counts in.
        leaving: the same of a pod that is being deleted.
        there: how many of its pods stay and leave, by slot.
    """

    __slots__ = ("asks", "leaving", "level", "staying", "there")

    def __init__(self, asks: Numbers, level: Block) -> None:
        self.asks = asks
        self.level = level
        self.staying: list[tuple[Tally, int]] = []
        self.leaving: list[tuple[Tally, int]] = []
        self.there: dict[int, list[int]] = {}

    def count(self, tally: Tally, weight: int) -> None:
        """From now on its pods count in that tally, which nobody reads yet; those there at once."""
        self.staying.append((tally, weight))
        if tally.rule.leaving:
            self.leaving.append((tally, weight))
        for slot, (staying, leaving) in self.there.items():
            number = staying + leaving if tally.rule.leaving else staying
            tally.data[slot] += weight * number
