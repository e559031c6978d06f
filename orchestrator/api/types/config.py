"""Views of ConfigMap, Secret, Namespace and Event.

Source: Kubernetes API, core/v1.
"""

from orchestrator.api.types.meta import ObjectMeta, ObjectReference, View


class ConfigMap(View, frozen=True):
    """A ConfigMap; `binary_data` values are base64."""

    metadata: ObjectMeta = ObjectMeta()
    data: dict[str, str] | None = None
    binary_data: dict[str, str] | None = None


class Secret(View, frozen=True):
    """A Secret; `data` values are base64."""

    metadata: ObjectMeta = ObjectMeta()
    type: str = "Opaque"
    data: dict[str, str] | None = None


class NamespaceStatus(View, frozen=True):
    """`status` of a Namespace."""

    phase: str = ""


class NamespaceSpec(View, frozen=True):
    """`spec` of a Namespace."""

    finalizers: tuple[str, ...] = ()


class Namespace(View, frozen=True):
    """A Namespace."""

    metadata: ObjectMeta = ObjectMeta()
    spec: NamespaceSpec = NamespaceSpec()
    status: NamespaceStatus = NamespaceStatus()


class EventSource(View, frozen=True):
    """Who reported."""

    component: str = ""


class EventSeries(View, frozen=True):
    """`series` of an event that was seen again."""

    last_observed_time: str = ""


class Event(View, frozen=True):
    """A core/v1 Event: by what it is selected, and when it expires. There can be very many."""

    metadata: ObjectMeta = ObjectMeta()
    involved_object: ObjectReference = ObjectReference()
    reason: str = ""
    type: str = ""
    source: EventSource = EventSource()
    last_timestamp: str | None = None
    event_time: str | None = None
    series: EventSeries = EventSeries()
    reporting_component: str = ""
