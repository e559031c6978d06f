"""Rules of schemas, in CEL: `x-kubernetes-validations`.

They are checked where the CEL library is installed (the extra "cel"); elsewhere they are kept, and
a warning says so when they are defined. What a rule may cost is bounded before it runs
(`api/expressions`). A rule that calls what is not there, or asks for an optional oldSelf, is not
checked, with a warning as well.

Source: Kubernetes docs, "Validation rules"; Common Expression Language.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from orchestrator.api.custom.functions import KNOWN
from orchestrator.api.custom.pruning import Schema, below_of
from orchestrator.api.expressions import (
    CALL,
    MOST_STEPS,
    OUT_OF_BUDGET,
    RESERVED,
    available,
    depth,
    evaluated,
    longest,
    program,
    without_literals,
)
from orchestrator.api.validation.collector import Faults

RULES: Final = "x-kubernetes-validations"

_ABSENT: Final = object()
_ESCAPES: Final = (("__", "__underscores__"), (".", "__dot__"), ("-", "__dash__"),
                   ("/", "__slash__"))  # fmt: skip
_DURATION: Final = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|\u00b5s|ms|s|m|h)")
_UNITS_S: Final = {"ns": 1e-9, "us": 1e-6, "\u00b5s": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}


def compile_fault(rule: str) -> str:
    """What is wrong with a rule's text; "" when nothing is, or nobody can tell."""
    try:
        program(rule)
    except ValueError as error:
        return str(error).splitlines()[0]
    return ""


def why_unchecked(rule: Mapping[str, Any]) -> str:
    """Why a rule is kept and not checked; "" when it is checked."""
    if not available():
        return "the CEL library is not installed"
    if rule.get("optionalOldSelf"):
        return "oldSelf cannot be optional"
    text = without_literals(f"{rule.get('rule', '')}\n{rule.get('messageExpression', '')}")
    unknown = [match[1] for match in CALL.finditer(text) if match[1] and match[1] not in KNOWN]
    if unknown:
        return f"it calls {unknown[0]}"
    return "it uses optional fields" if ".?" in text or "[?" in text else ""


def has_rules(schema: Schema) -> bool:
    """Whether a schema or anything below it has rules."""
    return bool(schema.get(RULES)) or any(has_rules(below) for below in _parts(schema))


def check_rules(
    faults: Faults, value: Any, schema: Schema, path: str = "", old: Any = _ABSENT
) -> None:
    """Appends the rules that a value breaks.

    Args:
        faults: collects.
        value: right by the rest of the schema.
        schema: structural.
        path: of the value; "" for a whole document.
        old: what stood there before; leave it out for a create.
    """
    if value is None or (old is not _ABSENT and old == value):
        return
    if schema.get(RULES):
        _check_here(faults, value, schema, path, old)
    if isinstance(value, dict):
        for key in sorted(value):
            below = below_of(schema, key)
            if below:
                was = old.get(key, _ABSENT) if isinstance(old, dict) else _ABSENT
                check_rules(faults, value[key], below, f"{path}.{key}" if path else key, was)
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        keys = tuple(schema.get("x-kubernetes-list-map-keys") or ())
        before = _by_keys(old, keys)
        for index, item in enumerate(value):
            was = before.get(_keys_of(item, keys), _ABSENT) if keys else _ABSENT
            check_rules(faults, item, schema["items"], f"{path}[{index}]", was)


def _check_here(faults: Faults, value: Any, schema: Schema, path: str, old: Any) -> None:
    variables = {"self": _shown(value, schema, root=not path)}
    if old is not _ABSENT and old is not None:
        variables["oldSelf"] = _shown(old, schema, root=not path)
    for rule in schema[RULES]:
        if why_unchecked(rule):
            continue
        if "oldSelf" not in variables and _mentions_old(rule["rule"]):
            continue  # a rule about a change, and nothing changes
        if _steps(rule["rule"], variables["self"]) > MOST_STEPS:
            faults.invalid(path or "<nil>", _kind(value), OUT_OF_BUDGET)
            return
        _report(faults, rule, value, path, variables)


def _report(
    faults: Faults, rule: Mapping[str, Any], value: Any, path: str, variables: dict[str, Any]
) -> None:
    text = rule["rule"].strip()
    message = rule.get("message") or f"failed rule: {text}"
    place = f"{path}{rule.get('fieldPath', '')}" or "<nil>"
    place = place.removeprefix(".")
    try:
        if evaluated(text, variables) is True:
            return
    except ValueError as error:
        faults.invalid(place, _kind(value), f"{error} evaluating rule: {message}")
        return
    if rule.get("messageExpression"):
        message = _made_message(rule["messageExpression"], variables) or message
    match rule.get("reason"):
        case "FieldValueRequired":
            faults.required(place, message)
        case "FieldValueForbidden":
            faults.forbidden(place, message)
        case "FieldValueDuplicate":
            faults.duplicate(place, _kind(value))
        case _:
            faults.invalid(place, _kind(value), message)


def _made_message(expression: str, variables: dict[str, Any]) -> str:
    try:
        made = evaluated(expression, variables)
    except ValueError:
        return ""
    return made.strip() if isinstance(made, str) and "\n" not in made.strip() else ""


# ------------------------------------------------------------ values


def _shown(value: Any, schema: Schema, *, root: bool = False) -> Any:
    """A value as rules see it: names escaped, numbers and times by the schema's types."""
    if isinstance(value, dict):
        properties = schema.get("properties") or {}
        made = {
            escaped(key) if key in properties else key: _shown(item, below)
            for key, item in value.items()
            if (below := below_of(schema, key)) is not None
        }
        if root or schema.get("x-kubernetes-embedded-resource"):
            made |= {key: value[key] for key in ("apiVersion", "kind") if key in value}
            meta = value.get("metadata") or {}
            made["metadata"] = {k: meta[k] for k in ("name", "generateName") if k in meta}
        return made
    if isinstance(value, list):
        items = schema.get("items")
        return [_shown(item, items if isinstance(items, dict) else {}) for item in value]
    if schema.get("type") == "number" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        return _of_format(value, schema.get("format", ""))
    return value


def escaped(name: str) -> str:
    """A field's name as rules write it: "__namespace__", "a__dash__b"."""
    if name in RESERVED:
        return f"__{name}__"
    for text, escape in _ESCAPES:
        name = name.replace(text, escape)
    return name


def _of_format(text: str, name: str) -> Any:
    if name in {"date-time", "datetime"}:
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            return text
    if name == "duration" and text:
        seconds = sum(float(n) * _UNITS_S[unit] for n, unit in _DURATION.findall(text))
        return timedelta(seconds=-seconds if text.startswith("-") else seconds)
    return text


def _kind(value: object) -> str:
    match value:
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


def _by_keys(old: Any, keys: tuple[str, ...]) -> dict[str, Any]:
    if not keys or not isinstance(old, list):
        return {}
    return {_keys_of(one, keys): one for one in old}


def _keys_of(item: Any, keys: tuple[str, ...]) -> str:
    return repr([item.get(key) for key in keys]) if isinstance(item, dict) else ""


def _parts(schema: Schema) -> Iterator[Schema]:
    yield from (schema.get("properties") or {}).values()
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield schema[key]


# ------------------------------------------------------------ cost


def _mentions_old(rule: str) -> bool:
    return re.search(r"\boldSelf\b", without_literals(rule)) is not None


def _steps(rule: str, value: Any) -> int:
    walks = depth(rule)
    return 0 if walks == 0 else int(longest(value) ** walks)
