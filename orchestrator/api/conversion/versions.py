"""From the version of a kind that a client speaks to the stored one, and back.

A document that comes in is checked in the version that it is written in, then converted; one that
goes out is converted last. Most rows are stored as they are served and cost nothing here.
Source: Kubernetes API concepts, "API groups and versioning" (one object, several representations).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from orchestrator.api.conversion import autoscaling, events
from orchestrator.api.custom import convert
from orchestrator.api.resources import Resource

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Converter:
    """Both ways; each makes a new document and may share parts with the one that it got."""

    to_stored: Callable[[Document], Document]
    from_stored: Callable[[Document], Document]


_CONVERTERS: Final[Mapping[str, _Converter]] = MappingProxyType({
    "autoscaling/v1/horizontalpodautoscalers": _Converter(autoscaling.to_v2, autoscaling.to_v1),
    "events.k8s.io/v1/events": _Converter(events.to_core, events.from_core),
})  # fmt: skip


def converts(resource: Resource) -> bool:
    """Whether objects served at this row may be stored in another form, or lack defaults."""
    if resource.custom is not None:
        return resource.custom.mixed or resource.custom.since > 0
    return bool(resource.stored_as)


def to_stored(resource: Resource, document: Document) -> Document:
    """A document as it is stored; the argument itself when nothing has to change.

    Args:
        resource: the row that the document is written for.
        document: of the right types; consumed.
    """
    if resource.custom is not None:
        return convert.to_stored(resource.custom, document)
    if not resource.stored_as:
        return document
    return _converter(resource).to_stored(document)


def from_stored(resource: Resource, document: Document) -> Document:
    """A stored document as a row shows it; the argument itself when nothing has to change.

    The document is not changed; the answer shares parts with it.
    """
    if resource.custom is not None:
        return convert.from_stored(resource.custom, document)
    if not resource.stored_as:
        return document
    return _converter(resource).from_stored(document)


def _converter(resource: Resource) -> _Converter:
    return _CONVERTERS[f"{resource.api_version}/{resource.plural}"]
