"""What every object has: metadata, owner references, label selectors, conditions.

Source: Kubernetes API, meta/v1.
"""

import msgspec


class View(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    """Base of all views: immutable, camelCase on the wire, unknown fields ignored.

    The garbage collector does not look at them: decoded JSON has no cycles, and walking through the
    views of 10,000 pods would stop the server for tenths of a second.
    """


class OwnerReference(View, frozen=True):
    """`metadata.ownerReferences[]`."""

    api_version: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class ObjectMeta(View, frozen=True):
    """`metadata`; times stay RFC 3339 strings."""

    name: str = ""
    generate_name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str = ""
    deletion_timestamp: str | None = None
    deletion_grace_period_seconds: int | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    owner_references: tuple[OwnerReference, ...] = ()
    finalizers: tuple[str, ...] = ()

    @property
    def controller(self) -> OwnerReference | None:
        """The owner that manages this object, or None."""
        for reference in self.owner_references:
            if reference.controller:
                return reference
        return None


class LabelSelectorRequirement(View, frozen=True):
    """`matchExpressions[]`; operator is In, NotIn, Exists or DoesNotExist."""

    key: str = ""
    operator: str = ""
    values: tuple[str, ...] = ()


class LabelSelector(View, frozen=True):
    """A label selector as workloads carry it; empty matches everything."""

    match_labels: dict[str, str] | None = None
    match_expressions: tuple[LabelSelectorRequirement, ...] = ()


class Condition(View, frozen=True):
    """`status.conditions[]` of any kind."""

    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""
    last_transition_time: str | None = None
    last_update_time: str | None = None
    last_probe_time: str | None = None
    last_heartbeat_time: str | None = None
    observed_generation: int = 0


class ObjectReference(View, frozen=True):
    """A reference to another object, as events and bindings carry it."""

    api_version: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""
    resource_version: str = ""
    field_path: str = ""


class PartialObject(View, frozen=True):
    """Any object, seen only as far as metadata goes."""

    api_version: str = ""
    kind: str = ""
    metadata: ObjectMeta = ObjectMeta()
