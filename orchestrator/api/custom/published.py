"""What OpenAPI shows of a custom kind: its schema with the parts that every object has.

Source: Kubernetes docs, "Publish Validation Schema in OpenAPI".
"""

from collections.abc import Mapping
from typing import Any, Final

from orchestrator.api.schema.bundle import GVK_FIELD, REF_PREFIX, Definition, definitions

_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1."
_IN_V2: Final = frozenset({
    "$ref", "additionalProperties", "description", "format", "items", "properties", "required",
    "type",
})  # fmt: skip


def definition_name(group: str, version: str, kind: str) -> str:
    """The definition's name for Widget of example.com/v1: "com.example.v1.Widget"."""
    return ".".join([*reversed(group.split(".")), version, kind])


def published_schema(schema: Mapping[str, Any], group: str, version: str, kind: str) -> Definition:
    """The schema of whole objects, with metadata and the kind that it belongs to."""
    made = _embedded(schema)
    made.setdefault("type", "object")
    made["properties"] = {**(made.get("properties") or {}), **_object_properties()}
    made[GVK_FIELD] = [{"group": group, "kind": kind, "version": version}]
    return made


def published_list(name: str, group: str, version: str, kind: str, list_kind: str) -> Definition:
    """The schema of a list; `name` is the definition's of its items."""
    properties = _object_properties()
    properties["metadata"] = {"$ref": f"{REF_PREFIX}{_META}ListMeta"}
    properties["items"] = {
        "description": f"List of {kind}. More info: "
        "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md",
        "type": "array",
        "items": {"$ref": REF_PREFIX + name},
    }
    return {
        "description": f"{list_kind} is a list of {kind}",
        "type": "object",
        "required": ["items"],
        "properties": properties,
        GVK_FIELD: [{"group": group, "kind": list_kind, "version": version}],
    }


def in_v2(schema: Definition) -> Definition:
    """As much of a published schema as OpenAPI v2 has words for, in the words of v3."""
    if "allOf" in schema and "$ref" in (schema["allOf"][0] or {}):
        return {"allOf": [schema["allOf"][0]]}
    out: Definition = {}
    for key, value in schema.items():
        if key == "properties":
            out[key] = {name: in_v2(part) for name, part in value.items()}
        elif key in {"items", "additionalProperties"}:
            out[key] = in_v2(value) if isinstance(value, dict) else {"type": "object"}
        elif key in _IN_V2 or key.startswith("x-"):
            out[key] = value
    return out


def _object_properties() -> dict[str, Any]:
    sample = definitions()["io.k8s.api.core.v1.ConfigMap"]["properties"]
    return {name: sample[name] for name in ("apiVersion", "kind", "metadata")}


def _embedded(schema: Mapping[str, Any]) -> Definition:
    """A copy in which embedded objects show apiVersion, kind and metadata."""
    made: Definition = dict(schema)
    if isinstance(schema.get("properties"), dict):
        made["properties"] = {k: _embedded(v) for k, v in schema["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            made[key] = _embedded(schema[key])
    if schema.get("x-kubernetes-embedded-resource"):
        made["properties"] = {**(made.get("properties") or {}), **_object_properties()}
    return made
