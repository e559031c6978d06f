"""Documents on their way in: private copies without nulls, checked against the kind's types.

Source: Kubernetes API concepts, "Field validation".
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import msgspec

from orchestrator.api.custom import pruning
from orchestrator.api.custom.defaulting import copied, default
from orchestrator.api.custom.version import CustomVersion
from orchestrator.api.resources import Resource
from orchestrator.api.schema import strict
from orchestrator.api.schema.nodes import SchemaNode, schema_of, schema_of_kind
from orchestrator.kit.errors import BadRequest
from orchestrator.registry.options import WriteOptions
from orchestrator.store.objects import Document

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder().decode
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
_METADATA: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_WITH_METADATA: Final = "io.k8s.api.core.v1.ConfigMap"
"""A kind whose metadata stands where every object's does."""


def admit_document(
    resource: Resource,
    source: Mapping[str, Any],
    options: WriteOptions,
    *,
    defaults: bool = True,
    consumes: bool = False,
    known: Mapping[str, Any] = _NOTHING,
) -> Document:
    """A private copy that is of the right types and has known fields only.

    Unknown fields are dropped, with a warning, or refused, as the options say. Custom kinds get
    their defaults here, in the version that they are written in, unless `defaults` is off. With
    `consumes` the copy may be the source itself. Fields that are as in `known`, a document of the
    kind that is right, are not looked at again.

    Raises:
        BadRequest: a value of the wrong type, another kind, an unknown field in strict mode.
    """
    if resource.custom is not None:
        document = _admit_custom(resource, resource.custom, source, options)
        return fill_in(resource, document) if defaults else document
    document = without_nulls(source, consumes=consumes)
    _check_kind(resource, document)
    document.setdefault("metadata", {})
    findings = strict.check(resource, _without_known(document, known) if known else document)
    if findings.wrong_types:
        raise _cannot_be_handled(resource, findings.wrong_types[0])
    if findings.unknown:
        _say_unknown(resource, findings.unknown, options)
        _prune(document, schema_of(resource))
    return document


def _without_known(document: Document, known: Mapping[str, Any]) -> Document:
    """What of a document is not as it was, with its metadata field by field."""
    changed = {k: v for k, v in document.items() if k not in known or known[k] != v}
    meta, before = changed.get("metadata"), known.get("metadata")
    if type(meta) is dict and type(before) is dict:
        changed["metadata"] = {k: v for k, v in meta.items() if k not in before or before[k] != v}
    return changed


def _admit_custom(
    resource: Resource, custom: CustomVersion, source: Mapping[str, Any], options: WriteOptions
) -> Document:
    """As `admit_document`, by the schema of a definition: pruned.

    Types below metadata are validation's business: a wrong one makes an object invalid.
    """
    document: Document = copied(dict(source))
    _check_kind(resource, document)
    meta = document.get("metadata") or {}
    findings = strict.check_definition(_WITH_METADATA, {"metadata": meta})
    if findings.wrong_types:
        raise _cannot_be_handled(resource, findings.wrong_types[0])
    document["metadata"] = without_nulls(meta)
    _prune(document["metadata"], schema_of_kind(_METADATA))
    pruned = pruning.prune(document, custom.schema)
    unknown = sorted({*findings.unknown, *(f'unknown field "{path}"' for path in pruned)})
    if unknown:
        _say_unknown(resource, unknown, options)
    pruning.drop_nulls(document, custom.schema)
    return document


def fill_in(resource: Resource, document: Document) -> Document:
    """The document with the defaults of a custom kind, in place; others get theirs when stored."""
    if resource.custom is not None:
        default(document, resource.custom.schema)
    return document


def _say_unknown(resource: Resource, unknown: Sequence[str], options: WriteOptions) -> None:
    if options.field_validation == "Strict":
        raise _cannot_be_handled(resource, f"strict decoding error: {', '.join(unknown)}")
    if options.field_validation == "Warn":
        options.warnings.extend(unknown)


def _check_kind(resource: Resource, document: Document) -> None:
    if document.setdefault("kind", resource.kind) != resource.kind:
        raise BadRequest(
            f"the object provided is a {document['kind']}, and {resource.plural} take a "
            f"{resource.kind}"
        )
    if document.setdefault("apiVersion", resource.api_version) != resource.api_version:
        raise BadRequest(
            f"the API version in the data ({document['apiVersion']}) does not match the expected "
            f"API version ({resource.api_version})"
        )


def without_nulls(source: Mapping[str, Any], *, consumes: bool = False) -> Document:
    """A deep copy in which absent is the only way of being nothing.

    Args:
        source: not changed.
        consumes: give the source itself back when it is so already.

    Raises:
        BadRequest: a list holds null.
    """
    try:
        data = _encode(source)
    except (TypeError, UnicodeEncodeError):
        return _without_nulls(source)  # no plain JSON: a mapping of another type
    if b"null" in data:
        return _without_nulls(source)
    if consumes and type(source) is dict:
        return source
    copy: Document = _decode(data)  # there and back takes a third of a walk
    return copy


def _without_nulls(source: Mapping[str, Any]) -> Document:
    return {
        key: value if type(value) in _ATOMS else _copied(value, key)
        for key, value in source.items()
        if value is not None
    }


_ATOMS: Final = frozenset({str, int, bool, float})
"""Most values are one of these; asking for more than their type would cost more than the copy."""


def _copied(value: Any, key: str = "") -> Any:
    if type(value) is dict or isinstance(value, Mapping):
        return _without_nulls(value)
    if isinstance(value, list | tuple):
        if key == "enum":  # of a schema, which may allow null; no other field of this name is
            return copied(list(value))
        if None in value:
            raise BadRequest("a list in the object holds null; its items must have values")
        return [item if type(item) in _ATOMS else _copied(item) for item in value]
    return value


def _prune(value: Any, schema: SchemaNode | None) -> None:
    if schema is None or schema.free_form:
        return
    if isinstance(value, list):
        for item in value:
            _prune(item, schema.item())
    elif isinstance(value, dict):
        for key in list(value):
            below = schema.child(key)
            if below is None and schema.fields:
                del value[key]
            else:
                _prune(value[key], below)


def _cannot_be_handled(resource: Resource, why: str) -> BadRequest:
    return BadRequest(
        f'{resource.kind} in version "{resource.version}" cannot be handled as a '
        f"{resource.kind}: {why}"
    )
