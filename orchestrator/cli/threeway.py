"""The patch of a client-side apply: what the user changed since the last apply, and nothing else.

Three documents go in: what was applied last (the annotation), what is to be applied now, and what
is live. Fields that the user dropped are removed, fields that the user states are set, everything
else (defaults, other writers' fields) is left alone. The result is a strategic merge patch.
Source: Kubernetes, "How apply calculates differences and merges changes".
"""

from typing import Any, Protocol

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class Schema(Protocol):
    """What the patch needs to know of a place in a kind's schema (`api.schema.nodes`)."""

    def child(self, field: str) -> "Schema | None":
        """The schema of a field."""
        ...

    def item(self) -> "Schema | None":
        """The schema of a list's items."""
        ...

    @property
    def patch_merge_key(self) -> str:
        """The key by which a list's items are merged; "" when the list is replaced."""
        ...

    @property
    def patch_strategies(self) -> frozenset[str]:
        """merge, replace, retainKeys."""
        ...


def three_way(
    last: dict[str, Any], wanted: dict[str, Any], live: dict[str, Any], schema: Schema | None
) -> dict[str, Any]:
    """The strategic merge patch from `live` to `wanted`; {} when there is nothing to do."""
    patch: dict[str, Any] = {}
    for field, value in wanted.items():
        part = schema.child(field) if schema else None
        change = _change(last.get(field), value, live.get(field), part, field, patch)
        if change is not None:
            patch[field] = change
    for field in last:
        if field not in wanted and field in live:
            patch[field] = None
    if patch and schema and "retainKeys" in schema.patch_strategies:
        patch["$retainKeys"] = sorted(wanted)
    return patch


def _change(
    last: Any, wanted: Any, live: Any, schema: Schema | None, field: str, patch: dict[str, Any]
) -> Any:
    if isinstance(wanted, dict):
        if not isinstance(live, dict):
            return wanted
        return three_way(last if isinstance(last, dict) else {}, wanted, live, schema) or None
    if isinstance(wanted, list) and isinstance(live, list) and schema:
        if schema.patch_merge_key and "merge" in schema.patch_strategies:
            return _keyed(last, wanted, live, schema, field, patch)
        if "merge" in schema.patch_strategies:
            return _primitives(last, wanted, live, field, patch)
    return None if wanted == live else wanted


def _keyed(
    last: Any,
    wanted: list[dict[str, Any]],
    live: list[dict[str, Any]],
    schema: Schema,
    field: str,
    patch: dict[str, Any],
) -> list[dict[str, Any]] | None:
    key, item = schema.patch_merge_key, schema.item()
    before = {i.get(key): i for i in last or []}
    there = {i.get(key): i for i in live}
    changes: list[dict[str, Any]] = []
    for entry in wanted:
        name = entry.get(key)
        if name not in there:
            changes.append(entry)
            continue
        change = three_way(before.get(name, {}), entry, there[name], item)
        if change:
            changes.append({key: name, **change})
    names = [entry.get(key) for entry in wanted]
    changes += [{"$patch": "delete", key: n} for n in before if n not in names and n in there]
    ordered = [n for n in there if n in names]
    if changes or ordered != [n for n in names if n in there]:
        patch[f"$setElementOrder/{field}"] = [{key: n} for n in names]
        return changes or None
    return None


def _primitives(
    last: Any, wanted: list[Any], live: list[Any], field: str, patch: dict[str, Any]
) -> list[Any] | None:
    gone = [v for v in last or [] if v not in wanted and v in live]
    if gone:
        patch[f"$deleteFromPrimitiveList/{field}"] = gone
    new = [v for v in wanted if v not in live]
    if gone or new:
        patch[f"$setElementOrder/{field}"] = wanted
    return new or None
