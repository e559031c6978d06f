"""Rows of Go structs for definitions whose Go types are not in the bundle.

kubectl, where the bundle's type information comes from, does not hold the types behind
CustomResourceDefinition. Their definitions say enough to check documents; they have no protobuf
numbers, since Kubernetes takes these kinds as JSON as well.
"""

from typing import Any, Final

from orchestrator.api.schema.bundle import WireRow, definitions, reference_of

SCHEMA: Final = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"
SCHEMA_OR: Final = frozenset({f"{SCHEMA}OrArray", f"{SCHEMA}OrBool", f"{SCHEMA}OrStringArray"})
"""A schema, or something else in its place."""


def derived_rows(definition: str) -> tuple[WireRow, ...]:
    """The fields of a definition as rows.

    Raises:
        KeyError: the bundle does not hold it.
    """
    properties = definitions()[definition].get("properties") or {}
    return tuple(_row(name, schema) for name, schema in properties.items())


def _row(name: str, schema: dict[str, Any]) -> WireRow:
    shape, inner = "", schema
    if schema.get("type") == "array":
        shape, inner = "[]", schema["items"]
    elif isinstance(schema.get("additionalProperties"), dict):
        shape, inner = "{}", schema["additionalProperties"]
    base, reference, go_type = _base(inner)
    prefix = {"[]": "[]", "{}": "map[string]"}.get(shape, "")
    return WireRow(name, 0, shape, base, reference, prefix + go_type)


def _base(schema: dict[str, Any]) -> tuple[str, str, str]:
    reference = reference_of(schema) or ""
    shape = definitions()[reference] if reference else schema
    go_type = "v1." + reference.rpartition(".")[2] if reference else ""
    if reference in SCHEMA_OR:
        return "schema_or", reference, go_type
    match shape.get("type"):
        case "object":
            return "message", reference, go_type
        case "string" if shape.get("format") == "date-time":
            return "time", "", "v1.Time"
        case "string":
            kind = "bytes" if shape.get("format") == "byte" else "string"
            return kind, "", "[]uint8" if kind == "bytes" else "string"
        case "boolean":
            return "bool", "", "bool"
        case "integer":
            size = shape.get("format") or "int64"
            return size, "", size
        case "number":
            return "float64", "", "float64"
        case _:
            return "raw", "", go_type
