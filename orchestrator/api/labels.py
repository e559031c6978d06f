"""Label selectors: the text form of queries and the structured form of workloads.

Source: Kubernetes API concepts, "Labels and Selectors"; labels.Parse.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from orchestrator.api import metadata
from orchestrator.api.types.meta import LabelSelector

Operator = Literal["=", "!=", "in", "notin", "exists", "!", ">", "<"]

_TOKEN: Final = re.compile(r"\s*(==|!=|[=!<>,()]|[^\s=!<>,()]+)")
_SYMBOLS: Final = frozenset({"==", "!=", "=", "!", "<", ">", ",", "(", ")"})
_INFIX: Final[Mapping[str, Operator]] = {
    "=": "=", "==": "=", "!=": "!=", ">": ">", "<": "<", "in": "in", "notin": "notin",
}  # fmt: skip
_FROM_VIEW: Final[Mapping[str, Operator]] = {
    "In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Requirement:
    """One term.

    Attributes:
        key: the label.
        operator: "!" is "does not exist".
        values: one for = and !=, any number for in and notin, none otherwise.
    """

    key: str
    operator: Operator
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels meet this term; != and notin also when the label is absent."""
        value = labels.get(self.key)
        match self.operator:
            case "=" | "in":
                return value in self.values
            case "!=" | "notin":
                return value not in self.values
            case "exists":
                return value is not None
            case "!":
                return value is None
            case ">" | "<":
                return self._compares(value)

    def _compares(self, value: str | None) -> bool:
        try:
            number = int(value or "")
        except ValueError:
            return False
        bound = int(next(iter(self.values)))
        return number > bound if self.operator == ">" else number < bound

    def __str__(self) -> str:
        """The term as text."""
        values = ",".join(sorted(self.values))
        match self.operator:
            case "exists":
                return self.key
            case "!":
                return f"!{self.key}"
            case "in" | "notin":
                return f"{self.key} {self.operator} ({values})"
            case _:
                return f"{self.key}{self.operator}{values}"


@dataclass(frozen=True, slots=True)
class Selector:
    """Terms that must all hold; without any it matches everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str] | None) -> bool:
        """Whether the labels meet every term; None is no labels."""
        found = labels or {}
        return all(requirement.matches(found) for requirement in self.requirements)

    def __bool__(self) -> bool:
        """Whether anything can be filtered out."""
        return bool(self.requirements)

    def __str__(self) -> str:
        """The selector as text, as `Scale.status.selector` carries it."""
        return ",".join(str(requirement) for requirement in self.requirements)


EVERYTHING: Final = Selector()


def parse_label_selector(text: str) -> Selector:
    """The selector of a query: "app=web,tier in (a,b),!old". Terms may repeat.

    Raises:
        ValueError: it cannot be read; the message says where, in Kubernetes' words.
    """
    return Selector(tuple(_Parser(text).requirements()))


def from_view(selector: LabelSelector) -> Selector:
    """The selector of a workload; an empty one matches everything.

    Raises:
        ValueError: an operator that does not exist; validation keeps it out of the store.
    """
    terms = [
        Requirement(key, "=", frozenset({value}))
        for key, value in sorted((selector.match_labels or {}).items())
    ]
    for expression in selector.match_expressions:
        operator = _FROM_VIEW.get(expression.operator)
        if operator is None:
            raise ValueError(f'"{expression.operator}" is not a valid label selector operator')
        terms.append(Requirement(expression.key, operator, frozenset(expression.values)))
    return Selector(tuple(terms))


def from_document(selector: Mapping[str, Any]) -> Selector:
    """As `from_view`, for the JSON form (matchLabels, matchExpressions).

    Raises:
        ValueError: an operator that does not exist.
    """
    terms = [
        Requirement(key, "=", frozenset({value}))
        for key, value in sorted((selector.get("matchLabels") or {}).items())
    ]
    for expression in selector.get("matchExpressions") or ():
        operator = _FROM_VIEW.get(expression.get("operator", ""))
        if operator is None:
            shown = expression.get("operator", "")
            raise ValueError(f'"{shown}" is not a valid label selector operator')
        values = frozenset(expression.get("values") or ())
        terms.append(Requirement(expression.get("key", ""), operator, values))
    return Selector(tuple(terms))


def from_labels(wanted: Mapping[str, str]) -> Selector:
    """Every one of these labels; as `Service.spec.selector`."""
    return Selector(
        tuple(Requirement(key, "=", frozenset({value})) for key, value in sorted(wanted.items()))
    )


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = _TOKEN.findall(text)
        self._at = 0

    def requirements(self) -> list[Requirement]:
        found: list[Requirement] = []
        if not self._tokens:
            return found
        while True:
            found.append(self._requirement())
            word = self._take()
            if not word:
                return found
            if word != ",":
                raise _unexpected(word, "',' or 'end of string'")
            following = self._peek()
            if following in _SYMBOLS - {"!"} or not following:
                raise _unexpected(following, "identifier after ','")

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        word = self._peek()
        self._at += 1
        return word

    def _requirement(self) -> Requirement:
        if self._peek() == "!":
            self._take()
            return _checked(self._key(), "!", frozenset())
        key = self._key()
        following = self._peek()
        if following in {"", ","}:
            return _checked(key, "exists", frozenset())
        operator = _INFIX.get(self._take())
        if operator is None:
            raise _unexpected(following, "in, notin, =, ==, !=, gt, lt")
        if operator in {"in", "notin"}:
            return _checked(key, operator, self._values())
        return _checked(key, operator, frozenset({self._value()}))

    def _key(self) -> str:
        word = self._take()
        if word in _SYMBOLS or not word:
            raise _unexpected(word, "!, identifier, or 'end of string'")
        return word

    def _value(self) -> str:
        following = self._peek()
        if following in {"", ","}:
            return ""
        if following in _SYMBOLS:
            raise _unexpected(following, "identifier")
        return self._take()

    def _values(self) -> frozenset[str]:
        word = self._take()
        if word != "(":
            raise _unexpected(word, "'('")
        found: set[str] = set()
        wants_value = True
        while True:
            word = self._take()
            match word:
                case ")":
                    if wants_value:
                        found.add("")
                    return frozenset(found)
                case ",":
                    if wants_value:
                        found.add("")
                    wants_value = True
                case _:
                    if word in _SYMBOLS or not word or not wants_value:
                        raise _unexpected(word, "',', ')' or identifier")
                    found.add(word)
                    wants_value = False


def _checked(key: str, operator: Operator, values: frozenset[str]) -> Requirement:
    faults = metadata.is_qualified_name(key)
    if faults:
        raise ValueError(f'key: Invalid value: "{key}": {"; ".join(faults)}')
    for value in sorted(values):
        faults = metadata.is_label_value(value)
        if faults:
            raise ValueError(f'values[0][{key}]: Invalid value: "{value}": {"; ".join(faults)}')
        if operator in {">", "<"} and not value.lstrip("-").isdecimal():
            raise ValueError(
                f"values[0]: Invalid value: \"{value}\": for 'Gt', 'Lt' operators, the value "
                "must be an integer"
            )
    return Requirement(key, operator, values)


def _unexpected(word: str, expected: str) -> ValueError:
    return ValueError(f"unable to parse requirement: found '{word}', expected: {expected}")
