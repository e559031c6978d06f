"""Strategic merge patch: lists of objects merge by key, as the schema says.

Directives: `$patch` (replace, delete, merge) in maps and list items, `$setElementOrder/LIST`,
`$deleteFromPrimitiveList/LIST` and `$retainKeys`. Order of merged lists: the patch's items in the
order of `$setElementOrder`, else of the patch; items that only the server has keep their live order
and stand before a patch item only if they do so in the live list; new items go first.

Source: Kubernetes "Strategic Merge Patch" (sig-api-machinery/strategic-merge-patch.md).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from orchestrator.api.custom.defaulting import copied
from orchestrator.kit.errors import BadRequest

_PATCH: Final = "$patch"
_RETAIN: Final = "$retainKeys"
_ORDER: Final = "$setElementOrder/"
_DELETE: Final = "$deleteFromPrimitiveList/"

_Object = dict[str, Any]
_List = list[Any]


class PatchSchema(Protocol):
    """What the merge needs to know; `api.schema.nodes.SchemaNode` knows it."""

    @property
    def patch_merge_key(self) -> str:
        """The field that identifies a list's items."""
        ...

    @property
    def patch_strategies(self) -> frozenset[str]:
        """Of "merge", "replace" and "retainKeys" those that hold."""
        ...

    def child(self, field: str) -> "PatchSchema | None":
        """The schema of an object's field."""
        ...

    def item(self) -> "PatchSchema | None":
        """The schema of a list's items."""
        ...


def strategic_merge(
    document: Mapping[str, Any], patch: Mapping[str, Any], schema: PatchSchema | None
) -> dict[str, Any]:
    """The patched document. Changes neither argument.

    Args:
        document: the live object.
        patch: the patch, directives included; none of them is left in the result.
        schema: of the document; None where nothing is known: maps merge, lists are replaced.

    Raises:
        BadRequest: a directive or list item that makes no sense.
    """
    return _merge_map(copied(dict(document)), copied(dict(patch)), schema)


def _merge_map(live: _Object, patch: _Object, schema: PatchSchema | None) -> _Object:
    directive = patch.pop(_PATCH, None)
    match directive:
        case None | "merge":
            pass
        case "replace":
            return _plain_map(patch)
        case "delete":
            return {}
        case _:
            raise _bad_directive(directive)
    _retain_keys(live, patch)
    _ordered_lists(live, patch, schema)
    for key, value in patch.items():
        if key.startswith(_DELETE):
            _delete_primitives(live, key.removeprefix(_DELETE), value)
        elif value is None:
            live.pop(key, None)
        else:
            live[key] = _merge_value(live.get(key), value, schema.child(key) if schema else None)
    return live


def _merge_value(live: Any, value: Any, schema: PatchSchema | None) -> Any:
    strategies = schema.patch_strategies if schema else frozenset()
    if isinstance(live, dict) and isinstance(value, dict):
        if "replace" in strategies:
            return _plain(value)
        return _merge_map(live, value, schema)
    if isinstance(live, list) and isinstance(value, list) and schema and "merge" in strategies:
        return _merge_list(live, value, schema)
    return _plain(value)


def _merge_list(live: _List, patch: _List, schema: PatchSchema) -> _List:
    if not live and not patch:
        return live
    if not any(isinstance(item, dict) for item in (*live, *patch)):
        merged = list(dict.fromkeys([*live, *patch]))
        return _in_order(merged, patch, live, "")
    key = schema.patch_merge_key
    if not key:
        raise BadRequest("cannot merge lists of objects without a merge key")
    live, patch = _directives(live, patch, key)
    merged = list(live)
    for item in patch:
        found = _index(merged, _identity(item, key), key)
        if found < 0:
            merged.append(_plain(item))
        else:
            merged[found] = _merge_map(merged[found], item, schema.item())
    return _in_order(merged, patch, live, key)


def _directives(live: _List, patch: _List, key: str) -> tuple[_List, _List]:
    """Carries out the `$patch` directives among a list's items: what is left of both lists."""
    rest: _List = []
    replace = False
    for item in patch:
        directive = item.get(_PATCH) if isinstance(item, dict) else None
        match directive:
            case None:
                rest.append(item)
            case "delete":
                gone = _identity(item, key)
                live = [other for other in live if _identity(other, key) != gone]
            case "replace":
                replace = True
                if len(item) > 1:
                    rest.append({k: v for k, v in item.items() if k != _PATCH})
            case "merge":
                rest.append({k: v for k, v in item.items() if k != _PATCH})
            case _:
                raise _bad_directive(directive)
    return ([], rest) if replace else (live, rest)


def _ordered_lists(live: _Object, patch: _Object, schema: PatchSchema | None) -> None:
    """Merges the lists whose order the patch sets, and takes them out of the patch."""
    for directive in [key for key in patch if key.startswith(_ORDER)]:
        order = patch.pop(directive)
        if not isinstance(order, list):
            raise BadRequest(f"{directive} must be a list")
        field = directive.removeprefix(_ORDER)
        here = schema.child(field) if schema else None
        before, change = live.get(field), patch.get(field)
        if not isinstance(before, list | None) or not isinstance(change, list | None):
            if change is not None and not isinstance(change, list):
                raise BadRequest(f"{field} must be a list, since {directive} orders it")
            continue
        if change is None and field in patch:
            continue  # an explicit null: the list goes
        key = here.patch_merge_key if here else ""
        if change is not None:
            _check_order(change, order, key, directive)
        if before is None and change is None:
            continue
        if before is None:
            merged = _plain(change)
        elif change is None:
            merged = before
        else:
            merged = _merge_value(before, change, here)
        patch.pop(field, None)
        gone = f"{_DELETE}{field}"
        if gone in patch:
            live[field] = merged
            _delete_primitives(live, field, patch.pop(gone))
            merged = live.get(field, [])
        live[field] = _in_order(merged, order, before or [], key)


def _check_order(change: _List, order: _List, key: str, directive: str) -> None:
    """The patch's items must stand in the order that the directive gives them."""
    positions = [
        _index(order, _identity(item, key), key)
        for item in change
        if not (isinstance(item, dict) and _PATCH in item)
    ]
    if -1 in positions or positions != sorted(positions):
        raise BadRequest(f"the order in the patch list does not match {directive}")


def _in_order(merged: _List, wanted: _List, live: _List, key: str) -> _List:
    """The merged list: the patch's items as `wanted`, the server's own as in `live`."""
    placed = [(_index(wanted, _identity(item, key), key), item) for item in merged]
    ours = [item for at, item in sorted(placed, key=lambda pair: pair[0]) if at >= 0]
    theirs = [item for at, item in placed if at < 0]
    theirs.sort(key=lambda item: _index(live, _identity(item, key), key))
    result: _List = []
    while ours and theirs:
        left = _index(live, _identity(theirs[0], key), key)
        right = _index(live, _identity(ours[0], key), key)
        result.append(theirs.pop(0) if 0 <= left < right else ours.pop(0))
    return result + ours + theirs


def _delete_primitives(live: _Object, field: str, gone: Any) -> None:
    if not isinstance(gone, list):
        raise BadRequest(f"{_DELETE}{field} must be a list")
    values = live.get(field)
    if isinstance(values, list):
        live[field] = [value for value in values if value not in gone]


def _retain_keys(live: _Object, patch: _Object) -> None:
    kept = patch.pop(_RETAIN, None)
    if kept is None:
        return
    if not isinstance(kept, list):
        raise BadRequest(f"{_RETAIN} must be a list")
    for key, value in patch.items():
        if value is not None and key not in kept and not key.startswith((_DELETE, _ORDER)):
            raise BadRequest(f'{_RETAIN} does not name the field "{key}" that the patch sets')
    for key in [key for key in live if key not in kept]:
        del live[key]


def _identity(item: Any, key: str) -> Any:
    if not key or not isinstance(item, dict):
        return item
    if key not in item:
        raise BadRequest(f'a list item lacks its merge key "{key}"')
    return item[key]


def _index(items: Sequence[Any], identity: Any, key: str) -> int:
    for position, item in enumerate(items):
        here = item.get(key) if key and isinstance(item, dict) else item
        if here == identity:
            return position
    return -1


def _plain(value: Any) -> Any:
    """A patch's value without nulls and directives, as it is taken where nothing was before."""
    if isinstance(value, dict):
        return _plain_map(value)
    if not isinstance(value, list):
        return value
    kept = []
    for item in value:
        if isinstance(item, dict) and _PATCH in item:
            directive = item[_PATCH]
            if directive == "delete" or len(item) == 1:
                continue
        kept.append(_plain(item))
    return kept


def _plain_map(value: _Object) -> _Object:
    return {
        key: _plain(inner)
        for key, inner in value.items()
        if inner is not None
        and key not in {_PATCH, _RETAIN}
        and not key.startswith((_ORDER, _DELETE))
    }


def _bad_directive(directive: object) -> BadRequest:
    return BadRequest(f'unknown $patch directive "{directive}": replace, delete or merge')
