"""Merges an applied configuration into an object, and takes fields out of one.

Source: Kubernetes concepts, "Server-Side Apply"; the order of merged lists is that of
structured-merge-diff: applied items in their order, the others where they stood.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.api.managed.fieldset import Fields, below, is_member, node_of
from orchestrator.api.managed.walking import (
    MergeSchema,
    element,
    elements,
    is_associative,
    is_granular,
)

Document = dict[str, Any]


def merge(
    live: Mapping[str, Any], applied: Mapping[str, Any], schema: MergeSchema | None
) -> Document:
    """The live object with what the configuration says; neither is changed.

    Raises:
        BadRequest: an item of a list has no keys.
    """
    result = dict(live)
    for key, value in applied.items():
        child = schema.child(key) if schema is not None else None
        result[key] = _merged(result[key], value, child) if key in result else value
    return result


def _merged(live: Any, applied: Any, schema: MergeSchema | None) -> Any:
    if isinstance(live, Mapping) and isinstance(applied, Mapping) and is_granular(schema):
        return merge(live, applied, schema)
    lists = isinstance(live, list) and isinstance(applied, list)
    if lists and schema is not None and is_associative(schema):
        return _merged_list(live, applied, schema)
    return applied


def _merged_list(live: Sequence[Any], applied: Sequence[Any], schema: MergeSchema) -> list[Any]:
    below_it = schema.item()
    there = elements(live, schema)
    wanted = elements(applied, schema)
    result: list[Any] = []
    left = [element(item, schema) for item in live]
    at = 0
    for key in wanted:
        if key in there:
            # what stands before it in the live list, and is not applied, goes before it
            at = _take_others(live, left, at, key, wanted, result)
            result.append(_merged(there[key], wanted[key], below_it))
        else:
            result.append(wanted[key])
    result += [item for item, key in zip(live[at:], left[at:], strict=True) if key not in wanted]
    return result


def _take_others(
    live: Sequence[Any],
    keys: Sequence[str],
    at: int,
    until: str,
    wanted: Mapping[str, Any],
    result: list[Any],
) -> int:
    """Takes over the items that nobody applies, up to the place of `until`; where to go on."""
    position = keys.index(until)
    if position < at:
        return at
    result += [live[index] for index in range(at, position) if keys[index] not in wanted]
    return position + 1


def named(fields: Fields, schema: MergeSchema | None) -> Fields:
    """The set with every known field of an object that it leads through as a member.

    Source: structured-merge-diff, Set.EnsureNamedFieldsAreMembers.
    """
    known = frozenset(schema.fields) if schema is not None else frozenset()
    result: Fields = {}
    for key, node in fields.items():
        child = _schema_below(schema, key)
        member = is_member(node) or (key[:2] == "f:" and key[2:] in known)
        made = node_of(named(below(node), child), member=member)
        result[key] = made if made is not None else {}
    return result


def without(document: Mapping[str, Any], fields: Fields, schema: MergeSchema | None) -> Document:
    """The object without the members of a set; an object that loses all its fields goes too."""
    result: Document = {}
    for key, value in document.items():
        node = fields.get(f"f:{key}")
        if node is None:
            result[key] = value
            continue
        if is_member(node):
            continue
        child = schema.child(key) if schema is not None else None
        left = _without(value, below(node), child)
        if left not in ({}, []):
            result[key] = left
    return result


def _without(value: Any, fields: Fields, schema: MergeSchema | None) -> Any:
    if isinstance(value, Mapping) and is_granular(schema):
        return without(value, fields, schema)
    if isinstance(value, list) and schema is not None and is_associative(schema):
        result: list[Any] = []
        for item in value:
            node = fields.get(element(item, schema))
            if node is None:
                result.append(item)
            elif not is_member(node):
                result.append(_without(item, below(node), schema.item()))
        return result
    return value


def _schema_below(schema: MergeSchema | None, key: str) -> MergeSchema | None:
    if schema is None:
        return None
    return schema.child(key[2:]) if key[:2] == "f:" else schema.item()
