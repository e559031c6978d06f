"""Functions that Kubernetes adds to CEL, as far as plain values can say them.

Source: Kubernetes docs, "CEL in Kubernetes", "Kubernetes list library", "regex library"; CEL's
strings extension.
"""

import ipaddress
from collections.abc import Callable, Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Final

from orchestrator.api.custom.patterns import compiled


def _sorted(items: list[Any]) -> bool:
    return all(one <= other for one, other in pairwise(items))


def _index(where: Any, what: Any, start: int = 0) -> int:
    if isinstance(where, str):
        return where.find(what, start)
    return next((n for n, item in enumerate(where) if item == what), -1)


def _last_index(where: Any, what: Any) -> int:
    if isinstance(where, str):
        return where.rfind(what)
    return next((n for n in range(len(where) - 1, -1, -1) if where[n] == what), -1)


def _split(text: str, separator: str, most: int = -1) -> list[str]:
    if most == 0:
        return []
    parts = list(text) if not separator else text.split(separator)
    if 0 < most < len(parts):
        return [*parts[: most - 1], separator.join(parts[most - 1 :])]
    return parts


def _substring(text: str, start: int, end: int | None = None) -> str:
    stop = len(text) if end is None else end
    if not 0 <= start <= stop <= len(text):
        raise ValueError("index out of range")
    return text[start:stop]


def _find(text: str, pattern: str) -> str:
    match = compiled(pattern).search(text)
    return str(match.group(0)) if match else ""


def _find_all(text: str, pattern: str, most: int = -1) -> list[str]:
    found = [str(match.group(0)) for match in compiled(pattern).finditer(text)]
    return found if most < 0 else found[:most]


def _is(read: Callable[[str], object], *, strict_mask: bool = False) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            read(text)
        except ValueError:
            return False
        return not strict_mask or "/" in text

    return check


FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = MappingProxyType({
    "charAt": lambda text, at: _substring(text, at, min(at + 1, len(text))),
    "find": _find,
    "findAll": _find_all,
    "indexOf": _index,
    "isCIDR": _is(ipaddress.ip_interface, strict_mask=True),
    "isIP": _is(ipaddress.ip_address),
    "isSorted": _sorted,
    "join": lambda items, separator="": separator.join(items),
    "lastIndexOf": _last_index,
    "lowerAscii": lambda text: text.lower(),
    "max": max,
    "min": min,
    "replace": lambda text, old, new, most=-1: text.replace(old, new, most),
    "split": _split,
    "substring": _substring,
    "sum": sum,
    "trim": lambda text: text.strip(),
    "upperAscii": lambda text: text.upper(),
})  # fmt: skip
"""By name; methods get their object first."""

KNOWN: Final = frozenset({
    "all", "bool", "bytes", "contains", "double", "duration", "dyn", "endsWith", "exists",
    "exists_one", "filter", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear",
    "getFullYear", "getHours", "getMilliseconds", "getMinutes", "getMonth", "getSeconds", "has",
    "in", "int", "map", "matches", "size", "startsWith", "string", "timestamp",
    "type", "uint",
}) | FUNCTIONS.keys()  # fmt: skip
"""Functions and macros that rules may call."""
