"""Fills in the defaults of a schema. Source: Kubernetes docs, "Defaulting"."""

from typing import Any, Final

import msgspec

from orchestrator.api.custom.pruning import Schema, below_of

_OF_RESOURCES: Final = frozenset({"apiVersion", "kind", "metadata"})


def default(value: Any, schema: Schema, *, resource: bool = True) -> None:
    """Fills in what is absent, in place; a default that was filled in gets its own defaults.

    Args:
        value: the document, or a part of it.
        schema: structural, of that part.
        resource: the value is a whole object: its metadata is not for the schema to default.
    """
    if isinstance(value, list):
        items = schema.get("items")
        if isinstance(items, dict):
            for item in value:
                default(item, items, resource=bool(items.get("x-kubernetes-embedded-resource")))
    elif isinstance(value, dict):
        for key, below in (schema.get("properties") or {}).items():
            if "default" in below and key not in value and not (resource and key in _OF_RESOURCES):
                value[key] = copied(below["default"])
        for key, item in value.items():
            if resource and key in _OF_RESOURCES:
                continue
            field = below_of(schema, key)
            if field is not None:
                default(item, field, resource=bool(field.get("x-kubernetes-embedded-resource")))


def has_defaults(schema: Schema) -> bool:
    """Whether anything below can be filled in."""
    if "default" in schema:
        return True
    below = [*(schema.get("properties") or {}).values()]
    below += [schema.get("items"), schema.get("additionalProperties")]
    return any(has_defaults(one) for one in below if isinstance(one, dict))


def copied(value: Any) -> Any:
    """A deep copy of a JSON value."""
    if isinstance(value, dict | list):
        return msgspec.json.decode(msgspec.json.encode(value))
    return value
