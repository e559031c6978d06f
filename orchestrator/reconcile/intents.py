"""What a plan may ask for: a closed set of values, carried out by `reconcile.executor`.

Plans are pure: they return a list of these, deletes before creates. Nothing else in a controller
writes. A conflict while carrying one out means that the plan was made from an old snapshot: the
key is queued again and planned anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from orchestrator.kit.ids import ObjectKey, Revision, Uid


@dataclass(frozen=True, slots=True)
class Create:
    """Create an object. AlreadyExists counts as done when the owner's uid is the same.

    Attributes:
        resource: group-resource, "pods".
        namespace: "" for cluster-scoped kinds.
        document: the object as a JSON-like dict; never mutated afterwards.
    """

    resource: str
    namespace: str
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Patch:
    """Apply a JSON merge patch (RFC 7386) to an object; a patch that changes nothing is no write.

    Attributes:
        key: the object.
        patch: the merge patch; lists are replaced whole.
        subresource: "", "status", or "finalize" (a namespace's own finalizers).
        expected: revision that the object must still be at; None for any.
        uid: uid that the object must still have; None for any.
    """

    key: ObjectKey
    patch: Mapping[str, Any]
    subresource: Literal["", "status", "finalize"] = ""
    expected: Revision | None = None
    uid: Uid | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete an object; NotFound counts as done.

    Attributes:
        key: the object.
        uid: precondition.
        grace_s: seconds for pods; None for the object's own.
        propagation: Background, Foreground or Orphan; None leaves it to the object's finalizers.
        expected: revision precondition; None for any.
    """

    key: ObjectKey
    uid: Uid | None = None
    grace_s: int | None = None
    propagation: Literal["Background", "Foreground", "Orphan"] | None = None
    expected: Revision | None = None


@dataclass(frozen=True, slots=True)
class Evict:
    """Delete a pod if its PodDisruptionBudget allows it; NotFound counts as done.

    A budget that does not allow it (any more) is an error: TooManyRequests.

    Attributes:
        key: the pod.
        uid: precondition.
    """

    key: ObjectKey
    uid: Uid


@dataclass(frozen=True, slots=True)
class Record:
    """Tell the user: an Event object about `about`; repeats are counted, not multiplied.

    Attributes:
        about: the object concerned.
        type: Normal or Warning.
        reason: CamelCase, stable: "ScalingReplicaSet".
        message: the sentence.
        component: reporting component: "deployment-controller".
    """

    about: ObjectKey
    type: Literal["Normal", "Warning"]
    reason: str
    message: str
    component: str


@dataclass(frozen=True, slots=True)
class RequeueAfter:
    """Plan this key again after a delay, seconds, because only time has to pass."""

    delay_s: float


Intent = Create | Patch | Delete | Evict | Record | RequeueAfter
