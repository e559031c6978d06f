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

NONE: Final = 0
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


class Block:
    """Several numbers per host in one array, so that one operation works on all of them.

    Attributes:
        data: by row and slot; replaced when rows or hosts come, so it is not kept.
        columns: a view of each row.
    """

    __slots__ = ("_size", "columns", "data")

    def __init__(self, size: int, rows: int = 0) -> None:
        self._size = size
        self.columns: list[Column] = []
        self.data: Numbers = np.zeros((0, size), dtype=np.int64)
        for _ in range(rows):
            self.row()

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self.columns)

    def row(self, fill: int = 0) -> Column:
        """One more number per host: its column is a view of the array."""
        self.columns.append(Column(self._size, fill))
        self._gather()
        return self.columns[-1]

    def grow(self, size: int) -> None:
        """Makes room for more hosts."""
        self._size = size
        for column in self.columns:
            column.grow(size)
        self._gather()

    def _gather(self) -> None:
        self.data = np.stack([column.data for column in self.columns])
        for column, row in zip(self.columns, self.data, strict=True):
            column.data = row


class LabelColumn(Column):
    """One label of all hosts: its values as small numbers, from 1.

    Attributes:
        values: every value ever seen; the first has code 1.
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
            self.values.append(value)
            code = self._codes[value] = len(self.values)
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
        verdicts = np.array([False, *(holds(value) for value in self.values)], dtype=np.bool_)
        found: Flags = verdicts.take(self.data)  # the code of what is missing is 0: the first
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
