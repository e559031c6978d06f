"""What a DELETE makes of a document: pure. Neighbour: `deletion`, which acts.

Pods get their grace, finalizers hold, namespaces wait for their content; everything else goes.
Source: Kubernetes API concepts, "Resource deletion", "Garbage collection"; rest.BeforeDelete.
"""

from typing import Any, Final

from orchestrator.api import names
from orchestrator.api.custom.words import CLEANUP_FINALIZER, CRDS, TERMINATING
from orchestrator.kit.clock import parse_rfc3339, rfc3339
from orchestrator.registry.options import DeleteOptions, Propagation

Document = dict[str, Any]

DEFAULT_GRACE_S: Final = 30
_PROPAGATION_FINALIZERS: Final = {
    "Foreground": names.FINALIZER_FOREGROUND,
    "Orphan": names.FINALIZER_ORPHAN,
}


def plan_delete(resource: str, document: Document, options: DeleteOptions, now_s: float) -> bool:
    """Marks a document for deletion, in place; True when nothing holds it and it can go now.

    Args:
        resource: group-resource.
        document: private copy of the stored document.
        options: of the request; preconditions are checked elsewhere.
        now_s: wall time, seconds.
    """
    meta = document["metadata"]
    terminating = "deletionTimestamp" in meta
    if options.propagation is not None:
        _set_finalizers(meta, options.propagation)
    grace_s = _grace_s(resource, document, options.grace_s)
    if terminating:
        _shorten(meta, grace_s, now_s, asked=options.grace_s is not None)
    elif grace_s or meta.get("finalizers") or resource in {"namespaces", CRDS}:
        meta["deletionTimestamp"] = rfc3339(now_s + grace_s)
        meta["deletionGracePeriodSeconds"] = grace_s
        if meta.get("generation"):
            meta["generation"] += 1
        if resource == "namespaces":
            document.setdefault("status", {})["phase"] = "Terminating"
        if resource == CRDS:
            _terminate_definition(document, now_s)
    if meta.get("finalizers"):
        return False
    if resource == "namespaces":
        return not document.get("spec", {}).get("finalizers")
    return not meta.get("deletionGracePeriodSeconds")


def _terminate_definition(document: Document, now_s: float) -> None:
    """A definition waits for its objects; from here on no more of them can be made."""
    meta, status = document["metadata"], document.setdefault("status", {})
    meta["finalizers"] = [
        *(f for f in meta.get("finalizers") or () if f != CLEANUP_FINALIZER),
        CLEANUP_FINALIZER,
    ]
    condition = {
        "type": TERMINATING,
        "status": "True",
        "lastTransitionTime": rfc3339(now_s),
        "reason": "InstanceDeletionPending",
        "message": "CustomResourceDefinition marked for deletion; CustomResource deletion will "
        "begin soon",
    }
    others = [c for c in status.get("conditions") or () if c.get("type") != TERMINATING]
    status["conditions"] = [*others, condition]


def _set_finalizers(meta: Document, propagation: Propagation) -> None:
    """What was asked for last counts, also when the object is on its way out already."""
    wanted = _PROPAGATION_FINALIZERS.get(propagation)
    ours = set(_PROPAGATION_FINALIZERS.values())
    kept = [name for name in meta.get("finalizers") or () if name not in ours or name == wanted]
    if wanted is not None and wanted not in kept:
        kept.append(wanted)
    if kept:
        meta["finalizers"] = kept
    else:
        meta.pop("finalizers", None)


def _grace_s(resource: str, document: Document, asked_s: int | None) -> int:
    if resource != "pods":
        return 0
    spec, status = document.get("spec", {}), document.get("status", {})
    if not spec.get("nodeName") or status.get("phase") in {"Succeeded", "Failed"}:
        return 0  # nothing runs that could be asked to stop
    if asked_s is not None:
        return max(0, asked_s)
    return max(1, int(spec.get("terminationGracePeriodSeconds", DEFAULT_GRACE_S)))


def _shorten(meta: Document, grace_s: int, now_s: float, *, asked: bool) -> None:
    """A further DELETE can make the grace shorter, never longer."""
    before_s = meta.get("deletionGracePeriodSeconds") or 0
    if grace_s >= before_s or (not asked and grace_s):
        return
    started_s = parse_rfc3339(meta["deletionTimestamp"]) - before_s
    meta["deletionTimestamp"] = rfc3339(max(now_s, started_s + grace_s))
    meta["deletionGracePeriodSeconds"] = grace_s
