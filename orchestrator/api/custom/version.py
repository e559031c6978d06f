"""One version of a custom kind: its schema, columns and subresources, ready for use.

A row of the table of kinds carries it, and is the same row as long as it carries the same one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from orchestrator.api.custom.columns import CustomColumn
from orchestrator.api.custom.rules import has_rules
from orchestrator.api.schema.bundle import Definition
from orchestrator.api.schema.nodes import SchemaNode

_Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ScalePaths:
    """Where a custom kind keeps what its scale subresource shows.

    Attributes:
        spec_replicas: field names.
        status_replicas: field names.
        selector: field names of the label selector's text; empty for none.
    """

    spec_replicas: _Path
    status_replicas: _Path
    selector: _Path = ()


@dataclass(frozen=True, eq=False)
class CustomVersion:
    """See the module.

    Attributes:
        api_version: "example.com/v1".
        stored_version: the apiVersion that objects are stored with from now on.
        mixed: whether some objects may be stored with another apiVersion than this one.
        list_kind: "WidgetList".
        schema: structural, as the definition gives it.
        stored_schema: that of the stored version; the same object when it is this one.
        published: the definition that OpenAPI shows.
        published_list: of the list.
        definition: name of the definition.
        columns: after the name.
        status: whether status is a subresource.
        scale: where the scale subresource reads and writes; None for none.
        selectable: fields that can be selected by, with the names of their paths.
        since: objects written before this revision may lack defaults of the schema; 0: none can.
        deprecation: the warning that every use of this version gets; "" for none.
    """

    api_version: str
    stored_version: str
    mixed: bool
    list_kind: str
    schema: Mapping[str, Any]
    stored_schema: Mapping[str, Any]
    published: Definition
    published_list: Definition
    definition: str
    columns: tuple[CustomColumn, ...]
    status: bool = False
    scale: ScalePaths | None = None
    selectable: Mapping[str, _Path] = field(default_factory=dict)
    since: int = 0
    deprecation: str = ""

    @cached_property
    def head(self) -> bytes:
        """How the bytes of an object start that is stored in this version (`Draft.of`)."""
        return self._head(self.api_version)

    @cached_property
    def renamed_head(self) -> bytes:
        """How the bytes of an object start that only its apiVersion tells from this version.

        Empty when the stored version is this one, or its schema is another.
        """
        alike = self.stored_version != self.api_version and self.stored_schema is self.schema
        return self._head(self.stored_version) if alike else b""

    def _head(self, api_version: str) -> bytes:
        kind = self.definition.rpartition(".")[2]
        return f'{{"kind":"{kind}","apiVersion":"{api_version}",'.encode()

    @cached_property
    def ruled(self) -> bool:
        """Whether the schema has rules."""
        return has_rules(self.schema)

    @cached_property
    def node(self) -> SchemaNode:
        """The root of the schema, as patches and server-side apply walk it."""
        return SchemaNode(self.published)
