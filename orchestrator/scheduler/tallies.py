"""Counts of pods per host that some rule is about. Pure.

A rule about other pods ("not beside a pod of app=db", "even over zones") needs how many of them are
where. Whether a pod counts depends on its template alone, so a placement costs one addition for
every tally that its template is in.
"""

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.scheduler.columns import Column
from orchestrator.scheduler.templates import Template
from orchestrator.scheduler.terms import Matcher, NamespaceLabels, Term


@dataclass(frozen=True, slots=True)
class Matching:
    """Pods that all of these mean."""

    matchers: tuple[Matcher, ...]

    @property
    def leaving(self) -> bool:
        """Whether pods that are being deleted count."""
        return all(matcher.leaving for matcher in self.matchers)

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

    def weight(self, template: Template, known: NamespaceLabels) -> int:
        """How often the template has it."""
        del known
        terms: tuple[Term, ...] = getattr(template, self.role)
        return terms.count(self.term)


Rule = Matching | OfWorkload | Owning
ROLES = ("repels", "attracts", "wishes")


class Tally(Column):
    """Per host, how many pods the rule is about."""

    __slots__ = ("rule",)

    def __init__(self, size: int, rule: Rule) -> None:
        super().__init__(size)
        self.rule = rule


class Known:
    """What is kept of a template that is in use.

    Attributes:
        asks: (column of what is used, amount) of what its pods ask for.
        staying: (tally, weight) that a pod counts in.
        leaving: the same of a pod that is being deleted.
        there: how many of its pods stay and leave, by slot.
    """

    __slots__ = ("asks", "leaving", "staying", "there")

    def __init__(self, asks: list[tuple[Column, int]]) -> None:
        self.asks = asks
        self.staying: list[tuple[Tally, int]] = []
        self.leaving: list[tuple[Tally, int]] = []
        self.there: dict[int, list[int]] = {}

    def count(self, tally: Tally, weight: int) -> None:
        """From now on its pods count in that tally; those that are placed do at once."""
        self.staying.append((tally, weight))
        if tally.rule.leaving:
            self.leaving.append((tally, weight))
        for slot, (staying, leaving) in self.there.items():
            number = staying + leaving if tally.rule.leaving else staying
            tally.data[slot] += weight * number

    def drop(self, gone: Callable[[Tally], bool]) -> None:
        """Its pods count no more in tallies that are gone."""
        self.staying = [pair for pair in self.staying if not gone(pair[0])]
        self.leaving = [pair for pair in self.leaving if not gone(pair[0])]
