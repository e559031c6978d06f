"""A walker over the definitions: which fields there are, and how lists and maps merge.

Strategic merge patch, server-side apply and ordering read their metadata here. Nodes are cached per
resource and made as they are walked. Source: Kubernetes API concepts, "x-kubernetes-patch-*" and
"x-kubernetes-list-*" OpenAPI extensions.
"""

from functools import cache
from typing import Any, Final

from orchestrator.api.resources import Resource
from orchestrator.api.schema.bundle import Definition, definitions, name_of, reference_of
from orchestrator.api.schema.derived import SCHEMA, SCHEMA_OR

_ABSENT: Final = object()


class SchemaNode:
    """What Kubernetes says about the value at one path of a document.

    Attributes:
        definition: full name of the definition that gives the value's shape; empty when the shape
            is written in place.
        type: "object", "array", "string", "integer", "number", "boolean"; empty where several
            fit (quantities, int-or-string).
        patch_merge_key: for a list of objects that merges: the field that identifies an item.
        patch_strategies: of "merge", "replace" and "retainKeys" those that hold; empty: replace.
        list_type: "atomic", "set", "map" or empty (atomic).
        list_map_keys: for list_type "map": the fields that identify an item.
        map_type: "atomic", "granular" or empty (granular).
        fields: the names of an object's known fields, sorted; empty for maps and free-form objects.
    """

    __slots__ = (
        "_children", "_item", "_schema", "_shape", "definition", "fields", "list_map_keys",
        "list_type", "map_type", "patch_merge_key", "patch_strategies", "type",
    )  # fmt: skip

    def __init__(self, schema: Definition) -> None:
        self._schema = schema
        self.definition = reference_of(schema) or ""
        if self.definition in SCHEMA_OR:
            self.definition = SCHEMA
        self._shape = definitions()[self.definition] if self.definition else schema
        self._children: dict[str, SchemaNode | None] = {}
        self._item: SchemaNode | object | None = _ABSENT
        self.type: str = self._shape.get("type", "")
        self.patch_merge_key: str = self._said("patch-merge-key", "")
        self.patch_strategies: frozenset[str] = frozenset(
            filter(None, self._said("patch-strategy", "").split(","))
        )
        self.list_type: str = self._said("list-type", "")
        self.list_map_keys: tuple[str, ...] = tuple(self._said("list-map-keys", []))
        self.map_type: str = self._said("map-type", "")
        self.fields: tuple[str, ...] = tuple(self._shape.get("properties", ()))

    def _said(self, key: str, default: Any) -> Any:
        found = self._schema.get(f"x-kubernetes-{key}", _ABSENT)
        if found is _ABSENT:
            found = self._shape.get(f"x-kubernetes-{key}", default)
        return found

    @property
    def description(self) -> str:
        """What the field means; the type's text where the field has none of its own."""
        text: str = self._schema.get("description") or self._shape.get("description", "")
        return text

    @property
    def required(self) -> tuple[str, ...]:
        """The fields that an object must have."""
        return tuple(self._shape.get("required", ()))

    @property
    def free_form(self) -> bool:
        """Whether any JSON may stand below: an object about which nothing is said."""
        shape = self._shape
        if shape.get("x-kubernetes-preserve-unknown-fields") and "properties" not in shape:
            return True
        known = "properties" in shape or "additionalProperties" in shape
        return self.type == "object" and not known

    def child(self, field: str) -> "SchemaNode | None":
        """The node of an object's field, or of a map's value; None when it is not known."""
        try:
            return self._children[field]
        except KeyError:
            pass
        schema = self._shape.get("properties", {}).get(field)
        if schema is None:
            return self.value()
        node = self._children[field] = SchemaNode(schema)
        return node

    def value(self) -> "SchemaNode | None":
        """The node of a map's values, whatever the key; None when this is not a map."""
        return self._below("additionalProperties")

    def item(self) -> "SchemaNode | None":
        """The node of a list's items; None when this is not a list."""
        return self._below("items")

    def _below(self, key: str) -> "SchemaNode | None":
        if self._item is _ABSENT:
            schema = self._shape.get("items", self._shape.get("additionalProperties"))
            self._item = SchemaNode(schema) if isinstance(schema, dict) else None
        return self._item if key in self._shape and isinstance(self._item, SchemaNode) else None

    def __repr__(self) -> str:
        """Definition or type."""
        return f"SchemaNode({self.definition or self.type})"


def schema_of(resource: Resource) -> SchemaNode:
    """The root node of a served resource's documents.

    Raises:
        KeyError: the bundle does not hold the kind.
    """
    if resource.custom is not None:
        return resource.custom.node
    return schema_of_kind(name_of(resource))


@cache
def schema_of_kind(definition: str) -> SchemaNode:
    """The root node of a definition ("io.k8s.api.autoscaling.v1.Scale").

    Raises:
        KeyError: the bundle does not hold it.
    """
    return SchemaNode(definitions()[definition])
