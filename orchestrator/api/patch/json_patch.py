"""JSON patch, by the `jsonpatch` library; its exceptions become ours. Source: RFC 6902."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any, Final

import jsonpatch
import msgspec
from jsonpointer import JsonPointer, JsonPointerException

from orchestrator.kit.errors import BadRequest, EntityTooLarge, Invalid

MOST_OPERATIONS: Final = 10_000
MOST_COPIED_BYTES: Final = 3 * 1024 * 1024
"""All copies of one patch together, as Kubernetes: each can double the document."""
_WITH_VALUE: Final = frozenset({"add", "replace", "test"})
_WITH_FROM: Final = frozenset({"move", "copy"})
_OPERATIONS: Final = _WITH_VALUE | _WITH_FROM | {"remove"}


def apply(document: Mapping[str, Any], operations: Sequence[Mapping[str, Any]]) -> Any:
    """The patched document; all operations or none. Changes neither argument.

    Raises:
        BadRequest: an operation that is none, or lacks a part.
        EntityTooLarge: more than 10,000 operations, or 3 MiB that are copied.
        Invalid: an operation that does not fit the document, or a test that fails.
    """
    if len(operations) > MOST_OPERATIONS:
        raise EntityTooLarge(
            f"The allowed maximum operations in a JSON patch is {MOST_OPERATIONS}, "
            f"got {len(operations)}"
        )
    for index, operation in enumerate(operations):
        _check(index, operation)
    try:
        if any(operation["op"] == "copy" for operation in operations):
            return _one_by_one(document, operations)
        return jsonpatch.JsonPatch(list(operations)).apply(document)
    except (jsonpatch.JsonPatchException, JsonPointerException, TypeError, KeyError) as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise Invalid(f"the JSON patch cannot be applied: {text}") from error


def _one_by_one(document: Mapping[str, Any], operations: Sequence[Mapping[str, Any]]) -> Any:
    """The patched document; counts what is copied, before it is."""
    patched: Any = copy.deepcopy(document)
    copied_bytes = 0
    for operation in operations:
        if operation["op"] == "copy":
            source = JsonPointer(operation["from"]).resolve(patched)
            copied_bytes += len(msgspec.json.encode(source))
            if copied_bytes > MOST_COPIED_BYTES:
                raise EntityTooLarge(
                    "Unable to complete the copy, the accumulated size increase of copy exceeds "
                    f"the limit {MOST_COPIED_BYTES}"
                )
        patched = jsonpatch.JsonPatch([operation]).apply(patched, in_place=True)
    return patched


def _check(index: int, operation: Any) -> None:
    if not isinstance(operation, Mapping):
        raise BadRequest(f"JSON patch: operation {index}: must be an object")
    name, path = operation.get("op"), operation.get("path")
    if not isinstance(name, str) or name not in _OPERATIONS:
        known = ", ".join(sorted(_OPERATIONS))
        raise BadRequest(f"JSON patch: operation {index}: op must be one of {known}")
    _check_pointer(index, "path", path)
    if name in _WITH_VALUE and "value" not in operation:
        raise BadRequest(f'JSON patch: operation {index}: {name} needs "value"')
    if name in _WITH_FROM:
        _check_pointer(index, "from", operation.get("from"))
    if name == "remove" and path == "":
        raise BadRequest(f"JSON patch: operation {index}: the whole object cannot be removed")


def _check_pointer(index: int, key: str, pointer: object) -> None:
    if not isinstance(pointer, str) or (pointer and not pointer.startswith("/")):
        raise BadRequest(f'JSON patch: operation {index}: {key} must be a JSON pointer ("/a/b")')
