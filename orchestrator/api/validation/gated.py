"""What a pod that waits behind scheduling gates may have changed: where it can go, narrower. Pure.

Source: Kubernetes concepts, "Pod Scheduling Readiness" (Mutable Pod scheduling directives).
"""

from typing import Any, Final

from orchestrator.api.validation.collector import Faults

Document = dict[str, Any]

_REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
_AFFINITY: Final = "spec.affinity.nodeAffinity"


def validate_narrowing(faults: Faults, after: Document, before: Document) -> Document:
    """The spec after the update with the fields in which it may differ as they were before.

    Args:
        faults: gets what is wider than before.
        after: the spec as it would be; not changed.
        before: the spec as it is.
    """
    if not before.get("schedulingGates"):
        return after
    old, new = before.get("nodeSelector") or {}, after.get("nodeSelector") or {}
    if any(new.get(key) != value for key, value in old.items()):
        text = "only additions to spec.nodeSelector are allowed (no mutations or deletions)"
        faults.invalid("spec.nodeSelector", new, text)
    _affinity(faults, after, before)
    same = dict(after)
    _put(same, "nodeSelector", before.get("nodeSelector"))
    others = {k: v for k, v in (after.get("affinity") or {}).items() if k != "nodeAffinity"}
    was = before.get("affinity")
    if (was or {}).get("nodeAffinity") is not None:
        others["nodeAffinity"] = (was or {})["nodeAffinity"]
    _put(same, "affinity", others or was)
    return same


def _affinity(faults: Faults, after: Document, before: Document) -> None:
    """Preferences may change; required terms may only get more expressions each."""
    old, new = (
        ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(_REQUIRED)
        for spec in (before, after)
    )
    if old is None:
        return
    had, has = old.get("nodeSelectorTerms") or [], (new or {}).get("nodeSelectorTerms") or []
    path = f"{_AFFINITY}.{_REQUIRED}.nodeSelectorTerms"
    if len(had) != len(has):
        faults.invalid(path, has, "no additions/deletions to non-empty NodeSelectorTerms list are "
                       "allowed")  # fmt: skip
        return
    for index, (was, now) in enumerate(zip(had, has, strict=True)):
        for kind in ("matchExpressions", "matchFields"):
            kept = now.get(kind) or []
            if not all(each in kept for each in was.get(kind) or ()):
                text = "only additions are allowed (no mutations or deletions)"
                faults.invalid(f"{path}[{index}]", now, text)


def _put(spec: Document, field: str, value: Any) -> None:
    if value is None:
        spec.pop(field, None)
    else:
        spec[field] = value
