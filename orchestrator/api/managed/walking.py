"""From documents to sets of fields: all fields of one, and what differs between two.

How lists and maps are owned is the schema's word: atomic ones as a whole, lists of type map item by
item by their keys, lists of type set value by value, the rest field by field. Source: Kubernetes
concepts, "Server-Side Apply", "Merge strategy".
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from json.encoder import encode_basestring
from typing import Any, Final, Protocol

from orchestrator.api.managed.fieldset import SELF, Fields
from orchestrator.kit.errors import BadRequest

_KEY_DEFAULTS: Final[Mapping[str, Any]] = {"protocol": "TCP"}
"""Of fields that identify items and may be left out."""


class MergeSchema(Protocol):
    """What must be known of a place; `api.schema.nodes.SchemaNode` knows it.

    Attributes:
        list_type: "map", "set", or something else for lists that are owned as a whole.
        list_map_keys: for "map": the fields that identify an item.
        map_type: "atomic" for objects that are owned as a whole.
        fields: names of an object's known fields; empty for maps.
    """

    list_type: str
    list_map_keys: tuple[str, ...]
    map_type: str
    fields: tuple[str, ...]

    def child(self, field: str) -> "MergeSchema | None":
        """The schema of a field or of a map's values."""
        ...

    def item(self) -> "MergeSchema | None":
        """The schema of a list's items."""
        ...


@dataclass(frozen=True, slots=True)
class Comparison:
    """How one document differs from another.

    Attributes:
        changed: what is new or has another value.
        removed: what is gone.
    """

    changed: Fields
    removed: Fields


def is_granular(schema: MergeSchema | None) -> bool:
    """Whether the fields of an object here have owners of their own."""
    return schema is None or schema.map_type != "atomic"


def is_associative(schema: MergeSchema | None) -> bool:
    """Whether the items of a list here have owners of their own."""
    return schema is not None and schema.list_type in {"map", "set"}


def element(item: Any, schema: MergeSchema) -> str:
    """The path element of a list's item.

    Raises:
        BadRequest: a field that identifies it is missing.
    """
    if schema.list_type == "set":
        return f"v:{_json(item)}"
    if type(item) is not dict and not isinstance(item, Mapping):
        raise BadRequest("an item of a list that is merged by keys must be an object")
    keys: list[str] = []
    for name in sorted(schema.list_map_keys):
        value = item.get(name, _KEY_DEFAULTS.get(name))
        if value is None:
            raise BadRequest(
                f"associative list with keys has an element that omits key field {name!r} (and "
                "doesn't have default value)".replace("'", '"')
            )
        keys.append(f"{encode_basestring(name)}:{_json(value)}")
    return f"k:{{{','.join(keys)}}}"


def _json(value: Any) -> str:
    if type(value) is str:  # nearly always; an encoder for all there is takes ten times as long
        return encode_basestring(value)
    if type(value) is int:
        return str(value)
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def elements(items: Sequence[Any], schema: MergeSchema) -> dict[str, Any]:
    """The items by path element; of several with the same keys the first."""
    found: dict[str, Any] = {}
    for item in items:
        found.setdefault(element(item, schema), item)
    return found


def applied_fields(document: Mapping[str, Any], schema: MergeSchema | None) -> Fields:
    """The fields that an applied configuration speaks of.

    Raises:
        BadRequest: an item of a list has no keys.
    """
    return {f"f:{k}": _applied(v, _child(schema, k)) for k, v in document.items()}


def _applied(value: Any, schema: MergeSchema | None) -> Fields:
    if isinstance(value, Mapping) and value and is_granular(schema):
        return applied_fields(value, schema)
    if isinstance(value, list) and value and schema is not None and is_associative(schema):
        below = schema.item()
        return {
            key: {SELF: {}, **node} if (node := _applied(item, below)) else {}
            for key, item in elements(value, schema).items()
        }
    return {}


_ATOMS: Final = frozenset({str, int, bool, float})
"""What most fields hold, and has nothing below it."""
_NOTHING_BELOW: Final[Fields] = {}
"""Shared: sets are values, which nobody changes."""


def added_fields(document: Mapping[str, Any], schema: MergeSchema | None) -> Fields:
    """All fields of something that was not there before.

    Raises:
        BadRequest: an item of a list has no keys.
    """
    found: Fields = {}
    _add_fields(document, schema, found)
    return found


def _add_fields(document: Mapping[str, Any], schema: MergeSchema | None, found: Fields) -> None:
    for key, value in document.items():
        found[f"f:{key}"] = (
            _NOTHING_BELOW
            if type(value) in _ATOMS or not value
            else _added(value, schema.child(key) if schema is not None else None)
        )


def _added(value: Any, schema: MergeSchema | None, *, is_item: bool = False) -> Fields:
    """What there is at a place; items of lists are something by themselves."""
    if type(value) in _ATOMS or not value:
        return _NOTHING_BELOW
    if type(value) is dict or isinstance(value, Mapping):
        if schema is not None and schema.map_type == "atomic":
            return _NOTHING_BELOW
        # an object with known fields is there by its fields; a map is something by itself
        itself = is_item or schema is None or not schema.fields
        found: Fields = {SELF: _NOTHING_BELOW} if itself else {}
        _add_fields(value, schema, found)
        return found
    if isinstance(value, list) and schema is not None and is_associative(schema):
        below = schema.item()
        found = {SELF: _NOTHING_BELOW}
        for item in value:
            key = element(item, schema)
            if key not in found:  # of several with the same keys the first
                found[key] = _added(item, below, is_item=True)
        return found
    return _NOTHING_BELOW


def compare(
    old: Mapping[str, Any], new: Mapping[str, Any], schema: MergeSchema | None
) -> Comparison:
    """How an object differs from what it was.

    Raises:
        BadRequest: an item of a list has no keys.
    """
    changed: Fields = {}
    removed: Fields = {}
    for key, value in new.items():
        if key not in old:
            changed[f"f:{key}"] = _added(value, _child(schema, key))
        elif old[key] != value:
            _compare_values(f"f:{key}", old[key], value, _child(schema, key), changed, removed)
    for key, value in old.items():
        if key not in new:
            removed[f"f:{key}"] = _gone(value, _child(schema, key))
    return Comparison(changed, removed)


def _compare_values(
    key: str, old: Any, new: Any, schema: MergeSchema | None, changed: Fields, removed: Fields
) -> None:
    if isinstance(old, Mapping) and isinstance(new, Mapping) and is_granular(schema):
        found = compare(old, new, schema)
    elif (
        isinstance(old, list) and isinstance(new, list)
        and schema is not None and is_associative(schema)
    ):  # fmt: skip
        found = _compare_lists(elements(old, schema), elements(new, schema), schema.item())
    else:
        changed[key] = {}
        return
    if found.changed:
        changed[key] = found.changed
    if found.removed:
        removed[key] = found.removed


def _compare_lists(
    old: Mapping[str, Any], new: Mapping[str, Any], schema: MergeSchema | None
) -> Comparison:
    changed: Fields = {}
    removed: Fields = {}
    for key, value in new.items():
        if key not in old:
            changed[key] = _added(value, schema, is_item=True)
        elif old[key] != value:
            _compare_values(key, old[key], value, schema, changed, removed)
    for key, value in old.items():
        if key not in new:
            removed[key] = _gone(value, schema)
    return Comparison(changed, removed)


def _gone(value: Any, schema: MergeSchema | None) -> Fields:
    """A place that is gone, with everything below it."""
    node = _added(value, schema)
    return {SELF: {}, **node} if node else {}


def _child(schema: MergeSchema | None, key: str) -> MergeSchema | None:
    return schema.child(key) if schema is not None else None
