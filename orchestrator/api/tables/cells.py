"""What cells are made of: columns, ages, label lists.

Source: apimachinery util/duration (HumanDuration); pkg/printers.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.kit.clock import parse_rfc3339

Document = Mapping[str, Any]
Cell = str | int | None

NONE: Final = "<none>"
UNKNOWN: Final = "<unknown>"
UNSET: Final = "<unset>"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes:
        name: heading; kubectl writes it in capitals.
        type: "string", "integer" or "date".
        wide: shown with `-o wide` only.
        format: "name" marks the column with the object's name.
        description: for those who ask the API.
    """

    name: str
    type: str = "string"
    wide: bool = False
    format: str = ""
    description: str = ""

    def definition(self) -> dict[str, Any]:
        """As `columnDefinitions[]` of a Table."""
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": self.description,
            "priority": 1 if self.wide else 0,
        }


NAME: Final = Column("Name", format="name", description="Name must be unique within a namespace.")
AGE: Final = Column("Age", description="How long ago the object was created.")


def age_of(document: Document, now_s: float) -> str:
    """How long ago an object was created."""
    return since(document["metadata"].get("creationTimestamp"), now_s)


def since(timestamp: str | None, now_s: float) -> str:
    """How long ago an RFC 3339 time was: "5m10s"; <unknown> without one."""
    if not timestamp:
        return UNKNOWN
    try:
        return human_duration(now_s - parse_rfc3339(timestamp))
    except ValueError:
        return UNKNOWN


def human_duration(seconds: float) -> str:
    """A length of time with two figures at most: "45s", "3m10s", "5h", "2d4h", "3y20d"."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    if whole < 120:
        return f"{max(0, whole)}s"
    minutes = whole // 60
    if minutes < 10:
        return _two(minutes, "m", whole % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    hours = minutes // 60
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if hours < 24 * 8:
        return _two(hours // 24, "d", hours % 24, "h")
    days = hours // 24
    if days < 365 * 2:
        return f"{days}d"
    if days < 365 * 8:
        return _two(days // 365, "y", days % 365, "d")
    return f"{days // 365}y"


def joined_labels(labels: Mapping[str, str] | None) -> str:
    """Labels as text, sorted: "a=1,b=2"; <none> without any."""
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items())) or NONE


def selector_text(selector: Mapping[str, Any] | None) -> str:
    """A workload's selector: "app=web,tier in (a,b)"; <none> when it is empty."""
    found = selector or {}
    terms = [f"{key}={value}" for key, value in sorted((found.get("matchLabels") or {}).items())]
    for expression in found.get("matchExpressions") or ():
        key, values = expression.get("key", ""), ",".join(sorted(expression.get("values") or ()))
        match expression.get("operator"):
            case "In":
                terms.append(f"{key} in ({values})")
            case "NotIn":
                terms.append(f"{key} notin ({values})")
            case "Exists":
                terms.append(key)
            case _:
                terms.append(f"!{key}")
    return ",".join(terms) or NONE


def shortened(items: Iterable[str], most: int = 3) -> str:
    """The first few of a list: "a,b,c + 2 more..."; "" for an empty one."""
    listed = list(items)
    text = ",".join(listed[:most])
    more = len(listed) - most
    return f"{text} + {more} more..." if more > 0 else text


def _two(big: int, big_unit: str, small: int, small_unit: str) -> str:
    return f"{big}{big_unit}{small}{small_unit}" if small else f"{big}{big_unit}"
