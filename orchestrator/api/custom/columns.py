"""The columns of custom resources: `additionalPrinterColumns`, else Name and Age.

Source: Kubernetes docs, "Additional printer columns".
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.api.custom import jsonpath
from orchestrator.api.tables.cells import NAME, since


@dataclass(frozen=True, slots=True)
class CustomColumn:
    """One column of a definition.

    Attributes:
        definition: as `columnDefinitions[]` of a Table.
        steps: where the value stands.
    """

    definition: dict[str, Any]
    steps: jsonpath.Steps


_AGE = {
    "name": "Age",
    "type": "date",
    "jsonPath": ".metadata.creationTimestamp",
    "description": "CreationTimestamp is a timestamp representing the server time when this object "
    "was created.",
}


def read_columns(given: Sequence[Mapping[str, Any]]) -> tuple[CustomColumn, ...]:
    """The columns after the name; age alone when a definition gives none."""
    return tuple(
        CustomColumn(
            {
                "name": one["name"],
                "type": one["type"],
                "format": one.get("format", ""),
                "description": one.get("description")
                or f"Custom resource definition column (in JSONPath format): {one['jsonPath']}",
                "priority": one.get("priority", 0),
            },
            jsonpath.parse(one["jsonPath"]),
        )
        for one in given or (_AGE,)
    )


def definitions(columns: Sequence[CustomColumn]) -> list[dict[str, Any]]:
    """All column definitions, the name's first."""
    return [NAME.definition(), *(column.definition for column in columns)]


def cells(columns: Sequence[CustomColumn], document: Mapping[str, Any], now_s: float) -> list[Any]:
    """One object's row; null where there is no value of the column's type."""
    return [document["metadata"]["name"], *(_cell(c, document, now_s) for c in columns)]


def _cell(column: CustomColumn, document: Mapping[str, Any], now_s: float) -> Any:
    value = jsonpath.first(document, column.steps)
    if value is None:
        return None
    match column.definition["type"]:
        case "string":
            return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
        case "integer":
            return int(value) if isinstance(value, int | float) and _is_number(value) else None
        case "number":
            return value if _is_number(value) else None
        case "boolean":
            return value if isinstance(value, bool) else None
        case _:
            return since(value, now_s) if isinstance(value, str) else None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
