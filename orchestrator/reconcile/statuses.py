"""Statuses as documents: conditions that keep their times, and patches of what has changed. Pure.

Source: Kubernetes API conventions, "Typical status properties".
"""

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.kit.clock import rfc3339
from orchestrator.reconcile.intents import Patch
from orchestrator.store.objects import Document, StoredObject


def status_of(item: StoredObject) -> Mapping[str, Any]:
    """`status` of an object; shared, never mutate."""
    found: Mapping[str, Any] = item.doc.get("status") or {}
    return found


def conditions_of(item: StoredObject) -> list[Document]:
    """`status.conditions`; shared, never mutate."""
    found: list[Document] = status_of(item).get("conditions") or []
    return found


def find_condition(conditions: Sequence[Document], kind: str) -> Document | None:
    """The condition of that type, or None."""
    return next((c for c in conditions if c.get("type") == kind), None)


def without_condition(conditions: Sequence[Document], kind: str) -> list[Document]:
    """The conditions but that one."""
    return [c for c in conditions if c.get("type") != kind]


def status_patch(item: StoredObject, wanted: Mapping[str, Any]) -> Patch | None:
    """A patch that makes `status` have exactly these top-level fields; None when it has them.

    Fields that are absent from `wanted` go; values are compared whole.
    """
    current = status_of(item)
    change: Document = {k: v for k, v in wanted.items() if k not in current or current[k] != v}
    change.update({k: None for k in current if k not in wanted})
    if not change:
        return None
    return Patch(item.key, {"status": change}, "status", uid=item.uid)


def stamped(
    current: Document | None, status: str, reason: str, message: str, now_s: float, kind: str
) -> Document:
    """A condition with lastTransitionTime (and no lastUpdateTime), kept while its status holds.

    When nothing but the time would change, `current` itself is returned.
    """
    since = rfc3339(now_s)
    if current is not None and current.get("status") == status:
        since = current.get("lastTransitionTime") or since
    made = {
        "type": kind,
        "status": status,
        "lastTransitionTime": since,
        "reason": reason,
        "message": message,
    }
    return {key: value for key, value in made.items() if value}
