"""The part of JSONPath that definitions use: fields, indices, wildcards and filters.

`.spec.replicas`, `.metadata.labels['a.b/c']`, `.status.conditions[?(@.type=="Ready")].status`.
Source: Kubernetes docs, "JSONPath Support".
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

_FIELD: Final = re.compile(r"\.((?:\\.|[^.\[\]\\])+)")
_QUOTED: Final = re.compile(r"\[(?:'((?:\\.|[^'\\])*)'|\"((?:\\.|[^\"\\])*)\")\]")
_INDEX: Final = re.compile(r"\[(-?\d+)\]")
_ALL: Final = re.compile(r"\[\*\]|\.\*")
_FILTER: Final = re.compile(
    r"""\[\?\(\s*@(?P<path>(?:[^=!<>\s'"()]|\[['"][^'"]*['"]\])+)\s*
    (?:(?P<operator>==|!=|<=|>=|<|>)\s*
    (?P<value>'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|[^\s)]+)\s*)?\)\]""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an object."""

    name: str


@dataclass(frozen=True, slots=True)
class Index:
    """One item of a list; negative numbers count from its end."""

    number: int


@dataclass(frozen=True, slots=True)
class Every:
    """Every item of a list, or value of an object."""


@dataclass(frozen=True, slots=True)
class Where:
    """The items of a list in which something has a value; operator "" asks whether it is there."""

    path: "Steps"
    operator: str
    value: str | float | bool | None


Step = Field | Index | Every | Where
Steps = tuple[Step, ...]


@lru_cache(maxsize=1024)
def parse(text: str) -> Steps:
    """The steps of a path that starts with a dot; "." alone is the whole document.

    Raises:
        ValueError: it cannot be read.
    """
    if not text.startswith((".", "[")):
        raise ValueError("must be a simple json path starting with .")
    if text == ".":
        return ()
    steps: list[Step] = []
    at = 0
    while at < len(text):
        for pattern, make in _READERS:
            match = pattern.match(text, at)
            if match is not None:
                steps.append(make(match))
                at = match.end()
                break
        else:
            raise ValueError(f"unrecognized character in action: {text[at:]!r}")
    return tuple(steps)


def find(document: Any, steps: Steps) -> list[Any]:
    """Every value that the steps lead to, in order; empty when there is none."""
    found = [document]
    for step in steps:
        found = [below for value in found for below in _below(value, step)]
    return found


def first(document: Any, steps: Steps) -> Any:
    """The first value that the steps lead to; None when there is none."""
    return next(iter(find(document, steps)), None)


def fields_of(steps: Steps) -> tuple[str, ...] | None:
    """The names, when all steps are fields; None otherwise."""
    names = tuple(step.name for step in steps if isinstance(step, Field))
    return names if len(names) == len(steps) else None


def _below(value: Any, step: Step) -> Iterable[Any]:
    match step:
        case Field(name):
            return [value[name]] if isinstance(value, dict) and name in value else []
        case Index(number):
            inside = isinstance(value, list) and -len(value) <= number < len(value)
            return [value[number]] if inside else []
        case Every():
            if isinstance(value, dict):
                return list(value.values())
            return value if isinstance(value, list) else []
        case Where():
            items = value if isinstance(value, list) else []
            return [item for item in items if _holds(item, step)]


def _holds(item: Any, where: Where) -> bool:
    found = find(item, where.path)
    if not where.operator or not found:
        return bool(found)
    one, other = found[0], where.value
    if where.operator in {"==", "!="}:
        return bool(one == other) == (where.operator == "==")
    if isinstance(one, bool) or not isinstance(one, int | float | str):
        return False
    if isinstance(one, str) != isinstance(other, str) or not isinstance(other, int | float | str):
        return False
    below, same = bool(one < other), one == other  # type: ignore[operator]  # of one type by now
    match where.operator:
        case "<":
            return below
        case "<=":
            return below or same
        case ">":
            return not below and not same
        case _:
            return not below


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _literal(text: str | None) -> str | float | bool | None:
    if text is None:
        return None
    if text[:1] in {"'", '"'}:
        return _unescaped(text[1:-1])
    if text in {"true", "false"}:
        return text == "true"
    try:
        return float(text)
    except ValueError:
        return text


def _where(match: re.Match[str]) -> Where:
    return Where(parse(match["path"]), match["operator"] or "", _literal(match["value"]))


_READERS: Final = (
    (_ALL, lambda _match: Every()),
    (_FIELD, lambda match: Field(_unescaped(match[1]))),
    (_QUOTED, lambda match: Field(_unescaped(match[1] if match[1] is not None else match[2]))),
    (_INDEX, lambda match: Index(int(match[1]))),
    (_FILTER, _where),
)
