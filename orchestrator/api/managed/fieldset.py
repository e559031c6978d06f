"""Sets of fields, in the form in which `managedFields[].fieldsV1` shows them.

A set is a tree of path elements: "f:NAME" a field, 'k:{"name":"c"}' an item of a list by its keys,
'v:"x"' an item of a set by its value. A node without children is a member of the set; a node with
children is one only when it holds "." as well. The root itself is never a member. Trees are values:
no function changes its arguments.

Source: Kubernetes API, meta/v1 FieldsV1.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

Fields = dict[str, Any]
"""Path element to node; a node is again `Fields`."""

SELF: Final = "."
_MEMBER: Final[Fields] = {SELF: {}}


def is_member(node: Fields) -> bool:
    """Whether the place of a node is itself in the set."""
    return not node or SELF in node


def node_of(children: Fields, *, member: bool) -> Fields | None:
    """A node; None when there is nothing to say of its place."""
    if member:
        return {**_MEMBER, **children} if children else {}
    return children or None


def below(node: Fields) -> Fields:
    """The children of a node, as a set of their own."""
    if SELF in node:
        return {key: child for key, child in node.items() if key != SELF}
    return node


def union(one: Fields, other: Fields) -> Fields:
    """What is in either."""
    if not one or not other:
        return one or other
    result = dict(one)
    for key, node in other.items():
        known = result.get(key)
        if known is None:
            result[key] = node
        elif known is not node:
            member = is_member(known) or is_member(node)
            result[key] = node_of(union(below(known), below(node)), member=member)
    return result


def difference(one: Fields, other: Fields) -> Fields:
    """What is in the first and not in the second."""
    if not other:
        return one
    result: Fields = {}
    for key, node in one.items():
        against = other.get(key)
        if against is None:
            result[key] = node
            continue
        if not node and is_member(against):
            continue  # a member without children: nearly all of them
        member = is_member(node) and not is_member(against)
        left = node_of(difference(below(node), below(against)), member=member)
        if left is not None:
            result[key] = left
    return result


def intersection(one: Fields, other: Fields) -> Fields:
    """What is in both."""
    result: Fields = {}
    for key, node in one.items():
        against = other.get(key)
        if against is None:
            continue
        member = is_member(node) and is_member(against)
        both = node_of(intersection(below(node), below(against)), member=member)
        if both is not None:
            result[key] = both
    return result


def paths(fields: Fields, prefix: str = "") -> Iterator[str]:
    """The members as people read them: `.spec.containers[name="c"].image`; sorted."""
    for key, node in sorted(fields.items()):
        here = prefix + _shown(key)
        if is_member(node):
            yield here
        yield from paths(below(node), here)


def parse(text: Any) -> Fields:
    """A set out of an entry that a client sent.

    Raises:
        ValueError: it is no tree of path elements.
    """
    if not isinstance(text, dict):
        raise ValueError("fieldsV1 must be an object")  # noqa: TRY004  # a fault of the text
    for key, node in text.items():
        if key == SELF:
            if node != {}:
                raise ValueError('"." holds nothing')
            continue
        if key[:2] in {"k:", "v:"}:
            json.loads(key[2:])
        elif key[:2] not in {"f:", "i:"}:
            raise ValueError(f"unknown path element {key!r}")
        parse(node)
    return text


def _shown(key: str) -> str:
    kind, value = key[:2], key[2:]
    if kind == "f:":
        return f".{value}"
    if kind == "v:":
        return f"[={value}]"
    if kind == "k:":
        keys = json.loads(value)
        return f"[{','.join(f'{k}={json.dumps(v)}' for k, v in sorted(keys.items()))}]"
    return f"[{value}]"
