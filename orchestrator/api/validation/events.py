"""What events.k8s.io asks of an Event besides what core does.

Source: Kubernetes API, events.k8s.io/v1 Event; pkg/apis/core/validation ValidateEventCreate.
"""

from typing import Any, Final

from orchestrator.api import metadata
from orchestrator.api.validation.collector import IMMUTABLE, Faults

Document = dict[str, Any]

_MOST: Final = {"reportingInstance": 128, "action": 128, "reason": 128, "message": 1024}
_UNSET: Final = ("firstTimestamp", "lastTimestamp", "count")
_FIXED: Final = (
    "involvedObject", "reason", "message", "source", "firstTimestamp", "lastTimestamp", "count",
    "type", "eventTime", "action", "related", "reportingComponent", "reportingInstance",
)  # fmt: skip
_SHOWN: Final = {"reportingComponent": "reportingController"}


def validate_new_style(faults: Faults, event: Document) -> None:
    """A new event, in its core form."""
    reporter = event.get("reportingComponent", "")
    for field in ("reportingComponent", "reportingInstance", "action", "reason"):
        if not event.get(field):
            faults.required(_SHOWN.get(field, field))
    if reporter:
        wrong = metadata.is_qualified_name(reporter)
        faults.check_words("reportingController", reporter, wrong)
    for field, most in _MOST.items():
        if len(event.get(field, "")) > most:
            faults.invalid(field, "", f"can have at most {most} characters")
    _series(faults, event)
    if not event.get("eventTime"):
        faults.required("eventTime")
    if event.get("type") not in {"Normal", "Warning"}:
        faults.invalid("type", "", f"has invalid value: {event.get('type', '')}")
    for field in _UNSET:
        if event.get(field):
            faults.invalid(field, "", "needs to be unset")
    if any((event.get("source") or {}).values()):
        faults.invalid("source", "", "needs to be unset")


def validate_new_style_update(faults: Faults, event: Document, old: Document) -> None:
    """A changed event: only its series may change."""
    if event.get("series") != old.get("series"):
        _series(faults, event)
    for field in _FIXED:
        if (event.get(field) or None) != (old.get(field) or None):
            faults.invalid(_SHOWN.get(field, field), event.get(field), IMMUTABLE)


def _series(faults: Faults, event: Document) -> None:
    series = event.get("series")
    if not series:
        return
    if series.get("count", 0) < 2:
        faults.invalid("series.count", "", "should be at least 2")
    if not series.get("lastObservedTime"):
        faults.required("series.lastObservedTime")
