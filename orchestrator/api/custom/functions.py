"""Functions that Kubernetes adds to CEL, as far as plain values can say them.

A quantity is a map that holds its value in nanos, so that equal amounts are equal.

Source: Kubernetes docs, "CEL in Kubernetes", "Kubernetes list library", "regex library", "Quantity
library"; CEL's strings extension.
"""

import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Final

from orchestrator.api import quantity
from orchestrator.api.custom.patterns import compiled

Quantity = dict[str, str]
_NANOS: Final = "quantity in nanos"
_VERB: Final = re.compile(r"%(?:\.(\d+))?(.)", re.DOTALL)


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


def _quantity(text: str) -> Quantity:
    return _of(quantity.parse(text))


def _of(value: Fraction) -> Quantity:
    return {_NANOS: str(int(value * 10**9))}


def _value(amount: Quantity) -> Fraction:
    return Fraction(int(amount[_NANOS]), 10**9)


def _compare(one: Quantity, other: Quantity) -> int:
    return (_value(one) > _value(other)) - (_value(one) < _value(other))


def _amount(operand: Any) -> Fraction:
    return Fraction(operand) if isinstance(operand, int) else _value(operand)


def _whole(amount: Quantity) -> int:
    value = _value(amount)
    if value.denominator != 1:
        raise ValueError("cannot convert value to integer")
    return int(value)


def _format(text: str, values: list[Any]) -> str:
    rest = iter(values)

    def one(found: re.Match[str]) -> str:
        if found[2] == "%":
            return "%"
        try:
            return _formatted(next(rest), found[2], int(found[1] or 6))
        except StopIteration:
            raise ValueError("index out of range") from None

    return _VERB.sub(one, text)


def _formatted(value: Any, verb: str, digits: int) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    match verb:
        case "s":
            return value if isinstance(value, str) else _as_text(value)
        case "d" if is_number:
            return _as_text(value)
        case "f" | "e" if is_number:
            return f"{value:.{digits}{verb}}"
        case "x" | "X" | "o" | "b" if isinstance(value, int):
            return f"{value:{verb}}"
        case "x" | "X" if isinstance(value, str):
            spelt = value.encode().hex()
            return spelt if verb == "x" else spelt.upper()
    raise ValueError(f'could not parse formatting clause: unrecognized formatting clause "{verb}"')


def _as_text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    try:
        return json.dumps(value, ensure_ascii=False)
    except TypeError:
        return str(value)


FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = MappingProxyType({
    "add": lambda one, other: _of(_value(one) + _amount(other)),
    "asApproximateFloat": lambda one: float(_value(one)),
    "asInteger": _whole,
    "charAt": lambda text, at: _substring(text, at, min(at + 1, len(text))),
    "compareTo": _compare,
    "find": _find,
    "findAll": _find_all,
    "format": _format,
    "indexOf": _index,
    "isCIDR": _is(ipaddress.ip_interface, strict_mask=True),
    "isGreaterThan": lambda one, other: _compare(one, other) > 0,
    "isIP": _is(ipaddress.ip_address),
    "isInteger": lambda one: _value(one).denominator == 1,
    "isLessThan": lambda one, other: _compare(one, other) < 0,
    "isQuantity": _is(quantity.parse),
    "isSorted": _sorted,
    "join": lambda items, separator="": separator.join(items),
    "lastIndexOf": _last_index,
    "lowerAscii": lambda text: text.lower(),
    "max": max,
    "min": min,
    "quantity": _quantity,
    "replace": lambda text, old, new, most=-1: text.replace(old, new, most),
    "sign": lambda one: _compare(one, _of(Fraction(0))),
    "split": _split,
    "sub": lambda one, other: _of(_value(one) - _amount(other)),
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
