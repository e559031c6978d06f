"""Sums of quantities: exact, and written in the form of what was added.

Neighbour: `quantity` reads and writes single ones. Source: Kubernetes API, resource.Quantity,
ResourceList.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.api import quantity


@dataclass(frozen=True, slots=True)
class Amount:
    """A quantity to count with.

    Attributes:
        nanos: the value in thousand-millionths.
        style: how it is written; see `quantity.parse_nanos`.
    """

    nanos: int
    style: str = "decimal"

    def __add__(self, other: "Amount") -> "Amount":
        """The sum; nothing takes the style of what is added to it."""
        return Amount(self.nanos + other.nanos, self.style if self.nanos else other.style)

    def __sub__(self, other: "Amount") -> "Amount":
        """The difference."""
        return Amount(self.nanos - other.nanos, self.style if self.nanos else other.style)

    def __str__(self) -> str:
        """As Kubernetes writes it."""
        return quantity.format_nanos(self.nanos, self.style)


Amounts = dict[str, Amount]
"""Name of a resource ("cpu", "requests.memory") to how much of it."""

NOTHING = Amount(0)


def whole(count: int) -> Amount:
    """So many of something."""
    return Amount(count * 10**9)


def amount(value: quantity.Raw) -> Amount:
    """A quantity to count with.

    Raises:
        ValueError: no quantity.
    """
    return Amount(*quantity.parse_nanos(value))


def read(values: Mapping[str, Any] | None) -> Amounts:
    """A ResourceList."""
    return {name: amount(value) for name, value in (values or {}).items()}


def written(values: Mapping[str, Amount]) -> dict[str, str]:
    """As a ResourceList, by name."""
    return {name: str(values[name]) for name in sorted(values)}


def add(total: Amounts, more: Mapping[str, Amount]) -> None:
    """Adds in place."""
    for name, value in more.items():
        total[name] = total[name] + value if name in total else value


def subtract(total: Amounts, less: Mapping[str, Amount]) -> None:
    """Takes away in place."""
    for name, value in less.items():
        total[name] = total.get(name, NOTHING) - value


def at_least(total: Amounts, other: Mapping[str, Amount]) -> None:
    """Raises every value to that of the other one, in place."""
    for name, value in other.items():
        if name not in total or total[name].nanos < value.nanos:
            total[name] = value


def plain_text(values: Mapping[str, Amount], names: Iterable[str]) -> str:
    """The named ones as messages show them: "cpu=1,memory=2Gi"."""
    return ",".join(f"{name}={values.get(name, NOTHING)}" for name in sorted(names))
