"""The registry's answers when something is wrong, in Kubernetes' words.

Source: Kubernetes API conventions, "Response Status Kind"; apimachinery api/errors.
"""

from collections.abc import Sequence

from orchestrator.api.catalog import STATIC, Catalog
from orchestrator.api.resources import Resource
from orchestrator.kit.errors import (
    AlreadyExists,
    Cause,
    Conflict,
    Forbidden,
    Invalid,
    MethodNotAllowed,
    NotFound,
)
from orchestrator.kit.ids import ObjectKey


def not_found(key: ObjectKey) -> NotFound:
    """`pods "x" not found`."""
    plural, _, group = key.resource.partition(".")
    return NotFound(
        f'{key.resource} "{key.name}" not found', name=key.name, group=group, kind=plural
    )


def already_exists(key: ObjectKey) -> AlreadyExists:
    """`deployments.apps "x" already exists`."""
    plural, _, group = key.resource.partition(".")
    return AlreadyExists(
        f'{key.resource} "{key.name}" already exists', name=key.name, group=group, kind=plural
    )


def conflict(key: ObjectKey, why: str = "") -> Conflict:
    """`Operation cannot be fulfilled on pods "x": WHY`; by default the stale revision."""
    plural, _, group = key.resource.partition(".")
    reason = why or (
        "the object has been modified; please apply your changes to the latest version and try "
        "again"
    )
    return Conflict(
        f'Operation cannot be fulfilled on {key.resource} "{key.name}": {reason}',
        name=key.name,
        group=group,
        kind=plural,
    )


def forbidden(key: ObjectKey, why: str, causes: Sequence[Cause] = ()) -> Forbidden:
    """`pods "x" is forbidden: WHY`."""
    plural, _, group = key.resource.partition(".")
    return Forbidden(
        f'{key.resource} "{key.name}" is forbidden: {why}',
        name=key.name,
        group=group,
        kind=plural,
        causes=causes,
    )


def invalid(resource: Resource, name: str, causes: Sequence[Cause]) -> Invalid:
    """`Deployment.apps "x" is invalid: spec.a: Required value`; several causes in brackets."""
    sentences = [f"{c.field}: {c.message}" if c.field else c.message for c in causes]
    text = sentences[0] if len(sentences) == 1 else f"[{', '.join(sentences)}]"
    kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    return Invalid(
        f'{kind} "{name}" is invalid: {text}',
        name=name,
        group=resource.group,
        kind=resource.kind,
        causes=causes,
    )


def unsupported_verb(resource: Resource, verb: str) -> MethodNotAllowed:
    """The kind is served, and does not take this verb."""
    return MethodNotAllowed(
        f"{verb} is not supported on resources of kind {resource.resource!r}".replace("'", '"'),
        group=resource.group,
        kind=resource.plural,
    )


def resource_of(name: str, catalog: Catalog = STATIC) -> Resource:
    """The row of a group-resource, among what a catalogue holds.

    Raises:
        NotFound: nobody serves it.
    """
    try:
        return catalog.by_resource(name)
    except KeyError:
        raise NotFound("the server could not find the requested resource") from None
