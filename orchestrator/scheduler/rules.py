"""Which templates' pods count in which tallies. Pure.

There may be thousands of templates, and of rules about them. A rule is not asked about every
template, nor about a template every rule: most rules want a label with a certain value, the pods
of a workload, or those that have a certain rule, and are found by that (`Trait`).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Literal

from orchestrator.scheduler.tallies import (
    ROLES,
    Known,
    Matching,
    Owning,
    Rule,
    Tally,
    Trait,
    traits,
)
from orchestrator.scheduler.templates import Template
from orchestrator.scheduler.terms import NamespaceLabels

Role = Literal["repels", "attracts", "wishes"]
_ANY: Final = None
"""In place of a trait: rules that may be about any template."""


class Rules:
    """See the module.

    Attributes:
        terms_known: grows when a rule that pods have comes or goes.
        namespaces: their labels.
        known: what is kept of each template.
    """

    def __init__(self, namespaces: NamespaceLabels) -> None:
        self.terms_known = 0
        self.namespaces: dict[str, Mapping[str, str]] = dict(namespaces)
        self._tallies: dict[Rule, Tally] = {}
        self.known: dict[Template, Known] = {}
        self._templates: dict[Trait, list[Template]] = defaultdict(list)
        self._about: dict[Trait | None, list[Tally]] = defaultdict(list)
        self._owners: dict[tuple[str, Trait | None], list[Tally]] = defaultdict(list)

    def tallies(self) -> Iterable[Tally]:
        """All of them."""
        return self._tallies.values()

    def know(self, template: Template, known: Known, size: int) -> None:
        """A template is known from now on.

        Args:
            template: it.
            known: what is kept of it, without tallies.
            size: of new tallies.
        """
        self.known[template] = known
        mine = traits(template)
        for trait in mine:
            self._templates[trait].append(template)
        self._count_in_all(template, known, mine)
        for rule in mine:
            if isinstance(rule, Owning) and rule not in self._tallies:
                self.tally(rule, size)
                self.terms_known += 1

    def tally(self, rule: Rule, size: int) -> Tally:
        """How many pods the rule is about, by host."""
        tally = self._tallies.get(rule)
        if tally is None:
            tally = self._tallies[rule] = Tally(size, rule)
            self._file(tally)
            wanted = rule.traits
            found = (
                self.known
                if wanted is None
                else [one for trait in wanted for one in self._templates.get(trait, ())]
            )
            for template in found:
                self._count(template, self.known[template], tally)
        return tally

    def _file(self, tally: Tally) -> None:
        rule = tally.rule
        wanted = rule.traits
        for trait in (_ANY,) if wanted is None else wanted:
            self._about[trait].append(tally)
        if isinstance(rule, Owning):
            pairs = rule.term.matcher.pairs()
            for pair in (_ANY,) if pairs is None else pairs:
                self._owners[rule.role, pair].append(tally)

    def _count_in_all(self, template: Template, known: Known, mine: Sequence[Trait]) -> None:
        for trait in (*mine, _ANY):
            for tally in self._about.get(trait, ()):
                self._count(template, known, tally)

    def _count(self, template: Template, known: Known, tally: Tally) -> None:
        weight = tally.rule.weight(template, self.namespaces)
        if weight:
            known.count(tally, weight)

    def owners(self, role: Role) -> list[Tally]:
        """The tallies of all rules that pods have in that role."""
        return [
            tally
            for rule, tally in self._tallies.items()
            if isinstance(rule, Owning) and rule.role == role
        ]

    def owners_about(self, role: Role, template: Template) -> list[Tally]:
        """Those of these whose rule means such pods."""
        return [
            tally
            for pair in (*template.labels.items(), _ANY)
            for tally in self._owners.get((role, pair), ())
            if isinstance(tally.rule, Owning)
            and tally.rule.term.matcher.matches(
                template.namespace, template.labels, self.namespaces
            )
        ]

    def set_namespace(self, name: str, labels: Mapping[str, str]) -> bool:
        """A namespace's labels changed; returns whether a rule looks at them."""
        if self.namespaces.get(name, {}) == labels:
            return False
        self.namespaces[name] = labels
        if not any(_by_namespace(rule) for rule in self._tallies):
            return False
        for tally in self._tallies.values():
            tally.data[:] = 0
        self._count_all()
        return True

    def forget(self, in_use: Callable[[Template], bool]) -> None:
        """Drops what is kept of templates without pods that are not in use, and their rules."""
        for template in [t for t, k in self.known.items() if not k.there and not in_use(t)]:
            del self.known[template]
        kept = {
            Owning(role, term) for t in self.known for role in ROLES for term in getattr(t, role)
        }
        self._tallies = {
            rule: tally for rule, tally in self._tallies.items() if rule in kept
        }  # others are made again when they are asked for
        for index in (self._templates, self._about, self._owners):
            index.clear()
        for template in self.known:
            for trait in traits(template):
                self._templates[trait].append(template)
        for tally in self._tallies.values():
            self._file(tally)
            tally.data[:] = 0
        self._count_all()

    def _count_all(self) -> None:
        """What templates count in anew, in tallies that are empty."""
        self.terms_known += 1
        for template, known in self.known.items():
            known.staying.clear()
            known.leaving.clear()
            self._count_in_all(template, known, traits(template))


def _by_namespace(rule: Rule) -> bool:
    match rule:
        case Matching(matchers):
            return any(matcher.where is not None for matcher in matchers)
        case Owning(_, term):
            return term.matcher.where is not None
        case _:
            return False
