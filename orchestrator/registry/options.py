"""What callers say with a request, and what they get back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from orchestrator.api.resources import Resource
from orchestrator.kit.ids import ObjectKey, Revision, Uid
from orchestrator.store.objects import StoredObject

PatchType = Literal["json", "merge", "strategic"]
Propagation = Literal["Background", "Foreground", "Orphan"]
FieldValidation = Literal["Ignore", "Warn", "Strict"]
Review = Callable[[ObjectKey, Mapping[str, Any], Mapping[str, Any] | None], None]
"""Looks at an object as it would be stored, and at the stored one (None for a create).

Raises ApiError to refuse the write; must change neither.
"""


@dataclass(frozen=True, slots=True)
class Patch:
    """A change to an object.

    Attributes:
        type: "json" (RFC 6902), "merge" (RFC 7386) or "strategic".
        body: a list of operations for json, else a mapping; not mutated.
    """

    type: PatchType
    body: Any


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """How to write.

    Attributes:
        dry_run: do everything but store.
        field_manager: who writes, for `metadata.managedFields`; "" is the server itself.
        field_validation: what to do about unknown fields: drop silently, drop and warn, refuse.
        warnings: the registry appends sentences for `Warning:` headers here.
        asked: the row whose version the document or patch is in; None: the stored one's.
        recorded_as: subresource that the write came by, where it is none of the registry's (scale).
        review: the last word before the write, of whoever knows who asks.
        requester: who asks, as authentication.k8s.io UserInfo: for objects that say who made them,
            and for admission policies; empty for the server itself, whom these do not mean.
    """

    dry_run: bool = False
    field_manager: str = ""
    field_validation: FieldValidation = "Warn"
    warnings: list[str] = field(default_factory=list)
    asked: Resource | None = None
    review: Review | None = None
    recorded_as: str = ""
    requester: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """How to delete.

    Attributes:
        grace_s: seconds for pods; None for the pod's own; 0 removes at once.
        propagation: what becomes of dependents; None leaves it to the object's finalizers.
        uid: precondition; None for any.
        expected: precondition on the revision; None for any.
        dry_run: do everything but store.
        asked: the row of the request's version; None: the stored one's.
        requester: who asks, as authentication.k8s.io UserInfo; empty for the server itself, whom
            admission policies do not mean.
        warnings: the registry appends sentences for `Warning:` headers here.
    """

    grace_s: int | None = None
    propagation: Propagation | None = None
    uid: Uid | None = None
    expected: Revision | None = None
    dry_run: bool = False
    asked: Resource | None = None
    requester: Mapping[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Deleted:
    """Outcome of a delete.

    Attributes:
        object: as it is now, or its last state.
        gone: False while grace or finalizers hold it.
    """

    object: StoredObject
    gone: bool


@dataclass(frozen=True, slots=True)
class Page:
    """A list, or a part of one.

    Attributes:
        items: sorted by namespace and name.
        revision: to watch from: of the first page for all pages of one list.
        continue_token: for the next page; "" at the end. Never expires.
        remaining: how many items follow; None when selectors make it unknown, or at the end.
    """

    items: list[StoredObject]
    revision: Revision
    continue_token: str = ""
    remaining: int | None = None
