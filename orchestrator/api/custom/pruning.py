"""Takes out of an object what its schema does not specify, and says what that was.

Every object that is a resource (the document itself, embedded ones) keeps apiVersion, kind and
metadata. Below `x-kubernetes-preserve-unknown-fields` everything stays that the schema does not
speak of. Source: Kubernetes docs, "Field pruning".
"""

from collections.abc import Mapping
from typing import Any, Final

Schema = Mapping[str, Any]

_OF_RESOURCES: Final = frozenset({"apiVersion", "kind", "metadata"})
_NOTHING: Final[Schema] = {}


def prune(document: dict[str, Any], schema: Schema) -> list[str]:
    """Prunes a document in place; returns the paths taken out ("spec.a[0].b"), sorted."""
    found: list[str] = []
    _prune(document, schema, "", found, resource=True)
    return sorted(found)


def drop_nulls(value: Any, schema: Schema) -> None:
    """Takes out nulls of fields that are not nullable, in place; defaults may fill them then."""
    if isinstance(value, list):
        items = schema.get("items")
        for item in value:
            drop_nulls(item, items if isinstance(items, dict) else _NOTHING)
    elif isinstance(value, dict):
        for key in list(value):
            below = below_of(schema, key)
            if below is None:
                continue
            if value[key] is None and not below.get("nullable"):
                del value[key]
            else:
                drop_nulls(value[key], below)


def below_of(schema: Schema, key: str) -> Schema | None:
    """The schema of an object's field or a map's value; None when nothing is said about it."""
    found = (schema.get("properties") or _NOTHING).get(key)
    if found is None:
        found = schema.get("additionalProperties")
    if isinstance(found, dict):
        return found
    return _NOTHING if found is True else None


def _prune(value: Any, schema: Schema, path: str, found: list[str], *, resource: bool) -> None:
    if isinstance(value, list):
        items = schema.get("items")
        if not isinstance(items, dict):
            if schema.get("x-kubernetes-preserve-unknown-fields"):
                return
            items = _NOTHING
        embedded = bool(items.get("x-kubernetes-embedded-resource"))
        for index, item in enumerate(value):
            _prune(item, items, f"{path}[{index}]", found, resource=embedded)
    elif isinstance(value, dict):
        keep = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
        for key in list(value):
            if resource and key in _OF_RESOURCES:
                continue
            here = f"{path}.{key}" if path else key
            below = below_of(schema, key)
            if below is not None:
                embedded = bool(below.get("x-kubernetes-embedded-resource"))
                _prune(value[key], below, here, found, resource=embedded)
            elif not keep:
                del value[key]
                found.append(here)
