"""JSON patch, by the `jsonpatch` library; its exceptions become ours. Source: RFC 6902."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import jsonpatch
from jsonpointer import JsonPointerException

from orchestrator.kit.errors import BadRequest, EntityTooLarge, Invalid

MOST_OPERATIONS: Final = 10_000
_WITH_VALUE: Final = frozenset({"add", "replace", "test"})
_WITH_FROM: Final = frozenset({"move", "copy"})
_OPERATIONS: Final = _WITH_VALUE | _WITH_FROM | {"remove"}


def apply(document: Mapping[str, Any], operations: Sequence[Mapping[str, Any]]) -> Any:
    """The patched document; all operations or none. Changes neither argument.

    Raises:
        BadRequest: an operation that is none, or lacks a part.
        EntityTooLarge: more than 10,000 operations.
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
        return jsonpatch.JsonPatch(list(operations)).apply(document)
    except (jsonpatch.JsonPatchException, JsonPointerException, TypeError, KeyError) as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise Invalid(f"the JSON patch cannot be applied: {text}") from error


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
