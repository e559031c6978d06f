"""events.k8s.io/v1 Event and core/v1 Event: the same object, other names for some fields.

Source: Kubernetes API, events.k8s.io/v1 Event; KEP-383.
"""

from collections.abc import Mapping
from typing import Any, Final

Document = dict[str, Any]

_CORE_NAMES: Final[Mapping[str, str]] = {
    "note": "message",
    "regarding": "involvedObject",
    "reportingController": "reportingComponent",
    "deprecatedSource": "source",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedCount": "count",
}
_OWN_NAMES: Final[Mapping[str, str]] = {core: own for own, core in _CORE_NAMES.items()}


def to_core(event: Document) -> Document:
    """An events.k8s.io/v1 Event as a core/v1 Event."""
    core = {_CORE_NAMES.get(name, name): value for name, value in event.items()}
    core.setdefault("involvedObject", {})
    return core | {"apiVersion": "v1"}


def from_core(event: Document) -> Document:
    """A core/v1 Event as an events.k8s.io/v1 Event; an absent eventTime is null there."""
    own = {_OWN_NAMES.get(name, name): value for name, value in event.items()}
    own.setdefault("eventTime", None)
    return own | {"apiVersion": "events.k8s.io/v1"}
