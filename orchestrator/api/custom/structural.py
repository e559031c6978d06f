"""Whether a schema is structural: every value's type is said, and said outside of alternatives.

Source: Kubernetes docs, "Specifying a structural schema", "Validation", "Defaulting";
apiextensions-apiserver's ValidateCustomResourceDefinitionOpenAPISchema and structural schemas.
"""

from collections.abc import Mapping
from typing import Any, Final

from orchestrator.api.custom import patterns
from orchestrator.api.custom.checking import check
from orchestrator.api.custom.defaulting import copied, default
from orchestrator.api.custom.pruning import prune
from orchestrator.api.custom.rules import RULES, compile_fault
from orchestrator.api.validation.collector import Faults

Schema = Mapping[str, Any]

_TYPES: Final = ("array", "boolean", "integer", "number", "object", "string")
_UNKNOWN: Final = (
    "$ref", "$schema", "additionalItems", "definitions", "dependencies", "id", "patternProperties",
)  # fmt: skip
_NOT_IN_VALUES: Final = (
    "additionalProperties", "default", "description", "nullable", "title", "type",
    "x-kubernetes-embedded-resource", "x-kubernetes-int-or-string",
    "x-kubernetes-list-map-keys", "x-kubernetes-list-type", "x-kubernetes-map-type",
    "x-kubernetes-preserve-unknown-fields",
)  # fmt: skip
_ALTERNATIVES: Final = ("allOf", "anyOf", "oneOf")
_REASONS: Final = (
    "FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired",
)  # fmt: skip
_INT_OR_STRING: Final = [{"type": "integer"}, {"type": "string"}]
_MAP_KEYS: Final = "x-kubernetes-list-map-keys"


def check_structural(faults: Faults, schema: Schema, path: str) -> None:
    """Appends what is wrong with the schema of whole objects.

    Args:
        faults: collects.
        schema: of types that are right (`schema.strict`).
        path: of the schema: "spec.versions[0].schema.openAPIV3Schema".
    """
    kind = schema.get("type", "")
    if not kind:
        faults.required(f"{path}.type", "must not be empty at the root")
    elif kind != "object":
        faults.invalid(f"{path}.type", kind, "must be object at the root")
    if schema.get("nullable"):
        faults.forbidden(f"{path}.nullable", "nullable cannot be true at the root")
    _check(faults, schema, path, "", resource=True)


def _check(
    faults: Faults, schema: Schema, path: str, place: str, *, resource: bool = False
) -> None:
    """One schema; `place` says what it describes, "" at the root."""
    resource = resource or bool(schema.get("x-kubernetes-embedded-resource"))
    if place:
        _check_type(faults, schema, path, place)
    _check_forms(faults, schema, path)
    _check_extensions(faults, schema, path)
    _check_lists(faults, schema, path)
    for name, below in sorted((schema.get("properties") or {}).items()):
        here = f"{path}.properties[{name}]"
        if resource and name == "metadata":
            _check_metadata(faults, below, here)
        if resource and name in {"apiVersion", "kind"} and below.get("type") != "string":
            faults.invalid(f"{here}.type", below.get("type", ""), "must be string")
        _check(faults, below, here, "object fields")
    below = schema.get("additionalProperties")
    if isinstance(below, dict):
        _check(faults, below, f"{path}.additionalProperties", "object fields")
    if isinstance(schema.get("items"), dict):
        _check(faults, schema["items"], f"{path}.items", "array items")
    _check_alternatives(faults, schema, path)
    for index, rule in enumerate(schema.get(RULES) or ()):
        _check_rule(faults, rule, f"{path}.{RULES}[{index}]")
    if "default" in schema:
        _check_default(faults, schema, path)


def _check_rule(faults: Faults, rule: Schema, path: str) -> None:
    text = rule.get("rule", "").strip()
    if not text:
        faults.required(f"{path}.rule", "rule is not specified")
        return
    wrong = compile_fault(text)
    if wrong:
        faults.invalid(f"{path}.rule", text, f"compilation failed: {wrong}")
    expression = rule.get("messageExpression")
    wrong = compile_fault(expression) if expression else ""
    if wrong:
        faults.invalid(
            f"{path}.messageExpression", expression,
            f"messageExpression compilation failed: {wrong}",
        )  # fmt: skip
    if "\n" in text and not rule.get("message") and not expression:
        faults.required(f"{path}.message", "message must be specified if rule contains line breaks")
    reason = rule.get("reason")
    if reason is not None and reason not in _REASONS:
        faults.unsupported(f"{path}.reason", reason, _REASONS)


def _check_type(faults: Faults, schema: Schema, path: str, place: str) -> None:
    kind = schema.get("type", "")
    free = schema.get("x-kubernetes-preserve-unknown-fields")
    either = schema.get("x-kubernetes-int-or-string")
    if not kind and not free and not either:
        faults.required(f"{path}.type", f"must not be empty for specified {place}")
    elif kind and either:
        faults.invalid(f"{path}.type", kind, "must be empty if x-kubernetes-int-or-string is true")
    elif kind and kind not in _TYPES:
        faults.unsupported(f"{path}.type", kind, _TYPES)


def _check_forms(faults: Faults, schema: Schema, path: str) -> None:
    for name in _UNKNOWN:
        if schema.get(name):
            faults.forbidden(f"{path}.{name}", f"{name} is not supported")
    if schema.get("uniqueItems"):
        faults.forbidden(
            f"{path}.uniqueItems",
            "uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
        )
    others = schema.get("additionalProperties")
    if others is False:
        faults.forbidden(
            f"{path}.additionalProperties", "additionalProperties cannot be set to false"
        )
    elif others is not None and schema.get("properties"):
        faults.forbidden(
            f"{path}.additionalProperties",
            "additionalProperties and properties are mutual exclusive",
        )
    items = schema.get("items")
    if isinstance(items, list):
        faults.forbidden(f"{path}.items", "items must be a schema object and not an array")
    elif items is None and schema.get("type") == "array":
        faults.required(f"{path}.items", "must be specified")
    pattern = schema.get("pattern")
    if pattern:
        try:
            patterns.compiled(pattern)
        except ValueError as error:
            text = f"must be a valid regular expression, but isn't: {error}"
            faults.invalid(f"{path}.pattern", pattern, text)


def _check_extensions(faults: Faults, schema: Schema, path: str) -> None:
    free = "x-kubernetes-preserve-unknown-fields"
    if schema.get(free) is False:
        faults.invalid(f"{path}.{free}", False, "must be true or undefined")
    if schema.get("x-kubernetes-embedded-resource"):
        if schema.get("type") != "object":
            text = "must be object if x-kubernetes-embedded-resource is true"
            faults.invalid(f"{path}.type", schema.get("type", ""), text)
        if not schema.get("properties") and not schema.get(free):
            faults.required(
                f"{path}.properties",
                f"must not be empty if x-kubernetes-embedded-resource is true without {free}",
            )
    kind = schema.get("x-kubernetes-map-type")
    if kind is None:
        return
    if schema.get("type") != "object":
        faults.invalid(
            f"{path}.type", schema.get("type", ""), "must be object if x-kubernetes-map-type is set"
        )
    if kind not in {"atomic", "granular"}:
        faults.unsupported(f"{path}.x-kubernetes-map-type", kind, ("atomic", "granular"))


def _check_lists(faults: Faults, schema: Schema, path: str) -> None:
    kind, keys = schema.get("x-kubernetes-list-type"), schema.get(_MAP_KEYS) or []
    here = f"{path}.x-kubernetes-list-type"
    if kind is None:
        if keys:
            text = f"must be map if {_MAP_KEYS} is non-empty"
            faults.required(here, text)
        return
    if schema.get("type") != "array":
        text = f"must be array if x-kubernetes-list-type is {kind}"
        faults.invalid(f"{path}.type", schema.get("type", ""), text)
    if kind not in {"atomic", "set", "map"}:
        faults.unsupported(here, kind, ("atomic", "set", "map"))
    elif kind == "map" and not keys:
        text = "must not be empty if x-kubernetes-list-type is map"
        faults.required(f"{path}.{_MAP_KEYS}", text)
    elif keys and kind != "map":
        faults.invalid(here, kind, f"must be map if {_MAP_KEYS} is non-empty")
    items = schema.get("items")
    if kind == "map" and keys and isinstance(items, dict):
        _check_map_keys(faults, items, keys, path)


def _check_map_keys(faults: Faults, items: Schema, keys: list[str], path: str) -> None:
    if items.get("type") != "object":
        text = "must be object if parent array's x-kubernetes-list-type is map"
        faults.invalid(f"{path}.items.type", items.get("type", ""), text)
    properties, required = items.get("properties") or {}, items.get("required") or ()
    seen: set[str] = set()
    for index, key in enumerate(keys):
        below = properties.get(key)
        if key in seen:
            faults.duplicate(f"{path}.{_MAP_KEYS}[{index}]", key)
        seen.add(key)
        if below is None:
            text = "entries must all be names of item properties"
            faults.invalid(f"{path}.{_MAP_KEYS}[{index}]", key, text)
        elif below.get("type") in {"array", "object"}:
            text = f"must be a scalar type if parent array's {_MAP_KEYS} specifies it"
            faults.invalid(f"{path}.items.properties[{key}].type", below["type"], text)
        elif key not in required and "default" not in below:
            faults.required(
                f"{path}.items.properties[{key}].default",
                f"this property is in {_MAP_KEYS}, so it must have a default or be a required "
                "property",
            )


def _check_metadata(faults: Faults, schema: Schema, path: str) -> None:
    if schema.get("type") != "object":
        faults.invalid(f"{path}.type", schema.get("type", ""), "must be object")
    others = set(schema.get("properties") or {}) - {"name", "generateName"}
    others |= set(schema) - {"type", "properties", "description"}
    if others:
        faults.forbidden(
            path,
            "must not specify anything other than name and generateName, but metadata is "
            "implicitly specified",
        )


# ------------------------------------------------------------ alternatives


def _check_alternatives(faults: Faults, schema: Schema, path: str) -> None:
    for name in _ALTERNATIVES:
        for index, below in enumerate(schema.get(name) or ()):
            either = bool(schema.get("x-kubernetes-int-or-string")) and (
                (name == "anyOf" and schema["anyOf"] == _INT_OR_STRING)
                or (name == "allOf" and index == 0 and below == {"anyOf": _INT_OR_STRING})
            )
            if not either:
                _check_values(faults, below, schema, f"{path}.{name}[{index}]", path)
    if isinstance(schema.get("not"), dict):
        _check_values(faults, schema["not"], schema, f"{path}.not", path)


def _check_values(faults: Faults, schema: Schema, outer: Schema, path: str, where: str) -> None:
    """A schema inside an alternative: it may only restrict what `outer`, at `where`, specifies."""
    for name in _NOT_IN_VALUES:
        if schema.get(name):
            faults.forbidden(f"{path}.{name}", "must be empty to be structural")
    pattern = schema.get("pattern")
    if pattern:
        try:
            patterns.compiled(pattern)
        except ValueError as error:
            text = f"must be a valid regular expression, but isn't: {error}"
            faults.invalid(f"{path}.pattern", pattern, text)
    properties = outer.get("properties") or {}
    for name, below in sorted((schema.get("properties") or {}).items()):
        here = f"{path}.properties[{name}]"
        if name not in properties:
            faults.required(f"{where}.properties[{name}]", f"because it is defined in {here}")
            continue
        _check_values(faults, below, properties[name], here, f"{where}.properties[{name}]")
    if isinstance(schema.get("items"), dict):
        items = outer.get("items")
        if isinstance(items, dict):
            _check_values(faults, schema["items"], items, f"{path}.items", f"{where}.items")
        else:
            faults.required(f"{where}.items", f"because it is defined in {path}.items")
    for name in _ALTERNATIVES:
        for index, below in enumerate(schema.get(name) or ()):
            _check_values(faults, below, outer, f"{path}.{name}[{index}]", where)
    if isinstance(schema.get("not"), dict):
        _check_values(faults, schema["not"], outer, f"{path}.not", where)


def _check_default(faults: Faults, schema: Schema, path: str) -> None:
    here, value = f"{path}.default", copied(schema["default"])
    if value is None:
        if not schema.get("nullable"):
            faults.invalid(here, None, 'must not be null: the field is not "nullable"')
        return
    embedded = bool(schema.get("x-kubernetes-embedded-resource"))
    if isinstance(value, dict):
        wrapped = {"value": copied(value)}
        prune(wrapped, {"properties": {"value": schema}})
        if wrapped["value"] != value:
            faults.invalid(here, schema["default"], "must not have unknown fields")
            return
    default(value, schema, resource=embedded)
    check(faults, value, schema, here)
