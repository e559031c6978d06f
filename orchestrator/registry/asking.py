"""Writes as admission policies are asked about them (pure).

Source: Kubernetes docs, "Dynamic Admission Control", "Request"; meta/v1 CreateOptions,
UpdateOptions, PatchOptions, DeleteOptions.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

from orchestrator.api.admission.question import Operation, Question
from orchestrator.api.conversion.versions import from_stored
from orchestrator.api.resources import Resource
from orchestrator.api.scale import scale_document
from orchestrator.kit.ids import ObjectKey
from orchestrator.registry.options import DeleteOptions, WriteOptions

Document = dict[str, Any]
_META: Final = "meta.k8s.io/v1"
_SCALE: Final = "scale"


def creation(
    resource: Resource, key: ObjectKey, document: Document, options: WriteOptions
) -> Question:
    """A new object, as it would be stored."""
    said = _write_options("CreateOptions", options)
    return _question("CREATE", options.asked or resource, key, options, said, object=document)


def change(
    resource: Resource,
    key: ObjectKey,
    old: Document,
    document: Document,
    subresource: str,
    options: WriteOptions,
    *,
    patches: bool = False,
) -> Question:
    """A changed object, as it would be stored; of a scaled one its Scale."""
    asked, before, after = options.asked or resource, old, document
    is_scale = options.recorded_as == _SCALE
    if is_scale:
        before, after = (scale_document(asked, from_stored(asked, one)) for one in (old, document))
    said = _write_options("PatchOptions" if patches else "UpdateOptions", options)
    return _question(
        "UPDATE",
        asked,
        key,
        options,
        said,
        subresource=subresource or options.recorded_as,
        object=after,
        old=before,
        own_body=is_scale,
    )


def deletion(
    resource: Resource, key: ObjectKey, document: Document, options: DeleteOptions
) -> Question:
    """An object that is to go."""
    said: Document = {"kind": "DeleteOptions", "apiVersion": _META}
    if options.grace_s is not None:
        said["gracePeriodSeconds"] = options.grace_s
    if options.propagation is not None:
        said["propagationPolicy"] = options.propagation
    said |= _dry(options.dry_run)
    return _question("DELETE", options.asked or resource, key, options, said, old=document)


def body(
    resource: Resource,
    key: ObjectKey,
    subresource: str,
    document: Mapping[str, Any],
    options: WriteOptions,
    operation: Literal["CREATE", "CONNECT"] = "CREATE",
) -> Question:
    """What is posted to a subresource: a Binding, an Eviction, the options of a stream."""
    said = _write_options("CreateOptions", options) if operation == "CREATE" else {}
    return _question(
        operation,
        resource,
        key,
        options,
        said,
        subresource=subresource,
        object=document,
        own_body=True,
    )


def _question(
    operation: Operation,
    resource: Resource,
    key: ObjectKey,
    options: WriteOptions | DeleteOptions,
    said: Document,
    *,
    subresource: str = "",
    object: Mapping[str, Any] | None = None,  # noqa: A002  # as policies call it
    old: Document | None = None,
    own_body: bool = False,
) -> Question:
    return Question(
        operation=operation,
        resource=resource,
        subresource=subresource,
        namespace=_namespace(key),
        name=key.name,
        object=object,
        old=old,
        user=options.requester,
        dry_run=options.dry_run,
        options=said,
        own_body=own_body,
    )


def _namespace(key: ObjectKey) -> str:
    """Where a request is; about a Namespace it is in that."""
    return key.name if key.resource == "namespaces" else key.namespace


def _write_options(kind: str, options: WriteOptions) -> Document:
    said: Document = {"kind": kind, "apiVersion": _META} | _dry(options.dry_run)
    if options.field_manager:
        said["fieldManager"] = options.field_manager
    return said | {"fieldValidation": options.field_validation}


def _dry(dry_run: bool) -> Document:
    return {"dryRun": ["All"]} if dry_run else {}
