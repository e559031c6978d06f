"""Checks a value against a structural schema, in the words that Kubernetes uses for it.

What an update leaves as it was is not checked again, so that a schema that became stricter does not
lock up the objects that are there ("ratcheting"). Items of lists are compared with their old selves
only where keys identify them.

Source: Kubernetes docs, "Validation" and "Validation ratcheting" of custom resources; JSON Schema
validation as OpenAPI v3.0 has it; messages of go-openapi/validate.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from orchestrator.api.custom import formats, patterns
from orchestrator.api.custom.pruning import Schema
from orchestrator.api.validation.collector import Faults, shown

_ABSENT: Final = object()
_BITS: Final = {"int32": 1 << 31, "int64": 1 << 63}


def check(faults: Faults, value: Any, schema: Schema, path: str = "", old: Any = _ABSENT) -> None:
    """Appends what is wrong with a value.

    Args:
        faults: collects.
        value: JSON; defaults filled in.
        schema: what it should be like.
        path: of the value, for messages; "" for a whole document.
        old: what stood there before; leave it out for a create.
    """
    if old is not _ABSENT and old == value:
        return
    if value is None and schema.get("nullable"):
        return
    if not _check_type(faults, value, schema, path):
        return
    match value:
        case bool() | None:
            pass
        case str():
            _check_text(faults, value, schema, path)
        case int() | float():
            _check_number(faults, value, schema, path)
        case list():
            _check_list(faults, value, schema, path, old)
        case dict():
            _check_object(faults, value, schema, path, old)
    _check_enum(faults, value, schema, path)
    _check_alternatives(faults, value, schema, path)


def type_of(value: object) -> str:
    """The name of a JSON value's type."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def _check_type(faults: Faults, value: Any, schema: Schema, path: str) -> bool:
    wanted = schema.get("type", "")
    if schema.get("x-kubernetes-int-or-string"):
        wanted = "integer,string"
    found = type_of(value)
    if not wanted or found in wanted.split(",") or (found == "integer" and wanted == "number"):
        return True
    if found == "number" and "integer" in wanted and value.is_integer():
        return True
    said = "must be of type"
    faults.add(
        "FieldValueTypeInvalid",
        _field(path),
        f'Invalid value: "{found}": {_in_body(path)} {said} {wanted}: "{found}"',
    )
    return False


def _check_text(faults: Faults, value: str, schema: Schema, path: str) -> None:
    length = len(value)
    most, least = schema.get("maxLength"), schema.get("minLength")
    if most is not None and length > most:
        faults.too_long(_field(path), int(most))
    if least is not None and length < least:
        _wrong(faults, path, value, f"should be at least {_number(least)} chars long")
    pattern = schema.get("pattern")
    if pattern and not patterns.matches(pattern, value):
        _wrong(faults, path, value, f"should match '{pattern}'")
    name = schema.get("format")
    if name and not formats.is_of(name, value):
        _wrong(faults, path, value, f"must be of type {name}: {shown(value)}")


def _check_number(faults: Faults, value: float, schema: Schema, path: str) -> None:
    most, least = schema.get("maximum"), schema.get("minimum")
    if most is not None:
        if schema.get("exclusiveMaximum"):
            if value >= most:
                _wrong(faults, path, value, f"should be less than {_number(most)}")
        elif value > most:
            _wrong(faults, path, value, f"should be less than or equal to {_number(most)}")
    if least is not None:
        if schema.get("exclusiveMinimum"):
            if value <= least:
                _wrong(faults, path, value, f"should be greater than {_number(least)}")
        elif value < least:
            _wrong(faults, path, value, f"should be greater than or equal to {_number(least)}")
    factor = schema.get("multipleOf")
    if factor and abs(value / factor - round(value / factor)) > 1e-9:
        _wrong(faults, path, value, f"should be a multiple of {_number(factor)}")
    limit = _BITS.get(schema.get("format", ""))
    if limit is not None and not -limit <= value < limit:
        _wrong(faults, path, value, f"must be of type {schema['format']}: {shown(value)}")


def _check_enum(faults: Faults, value: Any, schema: Schema, path: str) -> None:
    known = schema.get("enum")
    if known is None or any(one == value and type(one) is type(value) for one in known):
        return
    said = ", ".join(json.dumps(one if isinstance(one, str) else shown(one)) for one in known)
    faults.add(
        "FieldValueNotSupported",
        _field(path),
        f"Unsupported value: {shown(value)}: supported values: {said}",
    )


# ------------------------------------------------------------ lists


def _check_list(faults: Faults, value: list[Any], schema: Schema, path: str, old: Any) -> None:
    most, least = schema.get("maxItems"), schema.get("minItems")
    if most is not None and len(value) > most:
        _too_many(faults, path, len(value), int(most))
    if least is not None and len(value) < least:
        _wrong(faults, path, len(value), f"should have at least {_number(least)} items")
    if schema.get("uniqueItems") and len({_identity(one) for one in value}) < len(value):
        _wrong(faults, path, value, "shouldn't contain duplicates")
    items = schema.get("items")
    keys = tuple(schema.get("x-kubernetes-list-map-keys") or ())
    before: dict[str, Any] = {}
    if keys and isinstance(old, list):
        before = {_key_of(one, keys): one for one in old if isinstance(one, dict)}
    if isinstance(items, dict):
        for index, item in enumerate(value):
            was = before.get(_key_of(item, keys), _ABSENT) if keys else _ABSENT
            check(faults, item, items, f"{path}[{index}]", was)
    kind = schema.get("x-kubernetes-list-type")
    if kind == "set":
        _check_unique(faults, path, [(_identity(one), one) for one in value])
    elif kind == "map":
        pairs = [
            (_key_of(one, keys), {key: one[key] for key in keys if key in one})
            for one in value
            if isinstance(one, dict)
        ]
        _check_unique(faults, path, pairs)


def _check_unique(faults: Faults, path: str, items: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for index, (identity, item) in enumerate(items):
        if identity in seen:
            faults.duplicate(f"{path}[{index}]", item)
        seen.add(identity)


def _key_of(item: Any, keys: tuple[str, ...]) -> str:
    found = item if isinstance(item, dict) else {}
    return _identity([found.get(key) for key in keys])


def _identity(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


# ------------------------------------------------------------ objects


def _check_object(
    faults: Faults, value: Mapping[str, Any], schema: Schema, path: str, old: Any
) -> None:
    for name in schema.get("required") or ():
        if name not in value:
            faults.required(f"{path}.{name}" if path else name)
    most, least = schema.get("maxProperties"), schema.get("minProperties")
    if most is not None and len(value) > most:
        _too_many(faults, path, len(value), int(most))
    if least is not None and len(value) < least:
        _wrong(faults, path, len(value), f"should have at least {_number(least)} properties")
    properties = schema.get("properties") or {}
    others = schema.get("additionalProperties")
    for name in sorted(value):
        below = properties.get(name, others)
        if isinstance(below, dict):
            was = old.get(name, _ABSENT) if isinstance(old, dict) else _ABSENT
            check(faults, value[name], below, f"{path}.{name}" if path else name, was)


# ------------------------------------------------------------ alternatives


def _check_alternatives(faults: Faults, value: Any, schema: Schema, path: str) -> None:
    if "allOf" in schema:
        wrong = [one for one in map(_trial(value, path), schema["allOf"]) if one.causes]
        for one in wrong:
            faults.causes.extend(one.causes)
        if wrong:
            _invalid(faults, path, f"{_quoted(path)} must validate all the schemas (allOf)")
    if "anyOf" in schema:
        tried = [_trial(value, path)(one) for one in schema["anyOf"]]
        if all(one.causes for one in tried):
            said = "must validate at least one schema (anyOf)"
            _invalid(faults, path, f"{_quoted(path)} {said}")
            faults.causes.extend(_nearest(tried))
    if "oneOf" in schema:
        tried = [_trial(value, path)(one) for one in schema["oneOf"]]
        valid = sum(not one.causes for one in tried)
        if valid != 1:
            found = f"Found {valid} valid alternatives" if valid else "Found none valid"
            said = f"must validate one and only one schema (oneOf). {found}"
            _invalid(faults, path, f"{_quoted(path)} {said}")
            if not valid:
                faults.causes.extend(_nearest(tried))
    if "not" in schema and not _trial(value, path)(schema["not"]).causes:
        _invalid(faults, path, f"{_quoted(path)} must not validate the schema (not)")


def _trial(value: Any, path: str) -> Callable[[Schema], Faults]:
    def tried(schema: Schema) -> Faults:
        faults = Faults()
        check(faults, value, schema, path)
        return faults

    return tried


def _nearest(tried: list[Faults]) -> Iterator[Any]:
    """The causes of the alternative that has the fewest."""
    return iter(min(tried, key=lambda one: len(one.causes)).causes if tried else ())


# ------------------------------------------------------------ words


def _wrong(faults: Faults, path: str, value: Any, said: str) -> None:
    faults.invalid(_field(path), value, f"{_in_body(path)} {said}")


def _invalid(faults: Faults, path: str, said: str) -> None:
    faults.invalid(_field(path), "", said)


def _too_many(faults: Faults, path: str, found: int, most: int) -> None:
    noun = "items" if most != 1 else "item"
    faults.add(
        "FieldValueTooMany", _field(path), f"Too many: {found}: must have at most {most} {noun}"
    )


def _field(path: str) -> str:
    return path or "<nil>"


def _in_body(path: str) -> str:
    return f"{path} in body" if path else "in body"


def _quoted(path: str) -> str:
    return json.dumps(path or "")


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else str(value)
