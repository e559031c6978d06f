"""Arrays with one entry per host, which grow with the fleet. Pure.

Decisions over thousands of hosts are made on whole arrays. Every host has a slot: its index in all
of them. Free slots hold what no pod can want.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

NONE: Final = -1
"""Code of a label that a host does not have."""


class Column:
    """One number per host.

    Attributes:
        data: by slot; replaced when the fleet grows, so it is not kept across changes of hosts.
    """

    __slots__ = ("_fill", "data")

    def __init__(self, size: int, fill: int = 0) -> None:
        self._fill = fill
        self.data: Numbers = np.full(size, fill, dtype=np.int64)

    def grow(self, size: int) -> None:
        """Makes room for more hosts."""
        more = np.full(size - len(self.data), self._fill, dtype=np.int64)
        self.data = np.concatenate([self.data, more])

    def clear(self, slot: int) -> None:
        """Back to what a free slot holds."""
        self.data[slot] = self._fill


class LabelColumn(Column):
    """One label of all hosts: its values as small numbers.

    Attributes:
        values: every value ever seen, by code.
    """

    __slots__ = ("_codes", "values")

    def __init__(self, size: int) -> None:
        super().__init__(size, NONE)
        self.values: list[str] = []
        self._codes: dict[str, int] = {}

    def set(self, slot: int, value: str | None) -> None:
        """The host's value; None when it does not have the label."""
        if value is None:
            self.data[slot] = NONE
            return
        code = self._codes.get(value)
        if code is None:
            code = self._codes[value] = len(self.values)
            self.values.append(value)
        self.data[slot] = code

    def among(self, wanted: Any) -> Flags:
        """Hosts whose value is one of those."""
        found: Flags = np.zeros(len(self.data), dtype=np.bool_)
        for value in wanted:
            code = self._codes.get(value)
            if code is not None:
                found |= self.data == code
        return found

    def there(self) -> Flags:
        """Hosts that have the label."""
        found: Flags = self.data != NONE
        return found

    def where(self, holds: Callable[[str], bool]) -> Flags:
        """Hosts whose value is there and for which it holds."""
        verdicts = np.array([*(holds(value) for value in self.values), False], dtype=np.bool_)
        found: Flags = verdicts.take(self.data)  # the code of what is missing is -1: the last
        return found


def chosen(column: LabelColumn, expression: Mapping[str, Any]) -> Flags:
    """Hosts for which a `NodeSelectorRequirement` on this label holds.

    Source: Kubernetes API, core/v1 NodeSelectorRequirement.
    """
    values = expression.get("values") or ()
    match expression.get("operator"):
        case "In":
            return column.among(values)
        case "NotIn":
            return ~column.among(values)
        case "Exists":
            return column.there()
        case "DoesNotExist":
            return ~column.there()
        case "Gt" | "Lt" as operator:
            return column.where(lambda value: _compares(operator, value, values))
    return np.zeros(len(column.data), dtype=np.bool_)


def _compares(operator: str, value: str, values: Any) -> bool:
    try:
        mine, bound = int(value), int(values[0])
    except (ValueError, IndexError):
        return False
    return mine > bound if operator == "Gt" else mine < bound
