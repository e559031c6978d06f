"""JSON merge patch. Source: RFC 7386."""

from collections.abc import Mapping
from typing import Any

from orchestrator.api.custom.defaulting import copied


def apply(document: Any, patch: Any) -> Any:
    """The patched document; null removes, lists are replaced whole. Changes neither argument."""
    if not isinstance(patch, Mapping):
        return copied(patch)
    result: dict[str, Any] = dict(document) if isinstance(document, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = apply(result.get(key), value)
    return result
