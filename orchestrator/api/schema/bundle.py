"""The generated data about Kubernetes' kinds, loaded when first asked for.

`scripts/generate-schema` writes the files under `data/`; nothing here changes them. Definitions are
in the shape of OpenAPI v3's `components.schemas`; what is loaded is shared and must not be mutated.
"""

import zlib
from functools import cache
from importlib.resources import files
from typing import Any, Final

import msgspec

from orchestrator.api.resources import Resource
from orchestrator.api.schema.metrics import METRICS
from orchestrator.api.schema.placement import PLACEMENT

KUBERNETES_VERSION: Final = "1.33.0"
"""The Kubernetes version whose API is served: definitions, field numbers, and /version."""

Definition = dict[str, Any]
"""One schema of OpenAPI v3."""

REF_PREFIX: Final = "#/components/schemas/"
GVK_FIELD: Final = "x-kubernetes-group-version-kind"


class WireRow(msgspec.Struct, array_like=True, frozen=True):
    """One field of a Go struct behind a definition.

    Attributes:
        json_name: its name in JSON; empty for inline.
        number: protobuf field number; 0 when it is not on the wire.
        shape: "" (Go always writes it), "*" (pointer), "[]" (list), "{}" (map with string keys).
        base: bool, int32, int64, float64, string, bytes, quantity, time, micro_time,
            int_or_string, raw, strings (a list wrapped in a message), message, or inline (the
            fields of an embedded struct, one level up in JSON).
        reference: the definition behind message and inline.
        go_type: as Go prints it, without a leading pointer: "[]v1.Container".
    """

    json_name: str
    number: int
    shape: str
    base: str
    reference: str
    go_type: str


class _Definitions(msgspec.Struct):
    kubernetes: str
    definitions: dict[str, Definition]


class _Wire(msgspec.Struct):
    kubernetes: str
    messages: dict[str, tuple[WireRow, ...]]


def _read(name: str) -> bytes:
    packed = files(__package__).joinpath("data", name).read_bytes()
    return zlib.decompress(packed, wbits=31)


@cache
def definitions() -> dict[str, Definition]:
    """Every definition by its full name ("io.k8s.api.apps.v1.Deployment"), sorted; shared."""
    generated = msgspec.json.decode(_read("definitions.json.gz"), type=_Definitions).definitions
    return dict(sorted((generated | METRICS | PLACEMENT).items()))


@cache
def wire_messages() -> dict[str, tuple[WireRow, ...]]:
    """The Go fields of every definition that is a Go struct; shared."""
    return msgspec.json.decode(_read("wire.json.gz"), type=_Wire).messages


@cache
def _names_by_kind() -> dict[tuple[str, str, str], str]:
    return {
        (row["group"], row["version"], row["kind"]): name
        for name, schema in definitions().items()
        for row in schema.get(GVK_FIELD, ())
    }


def name_of_kind(api_version: str, kind: str) -> str | None:
    """The definition's name for an apiVersion and kind; None when it is not in the bundle.

    Meta kinds (DeleteOptions, Status) are found under each served group and version.
    """
    group, _, version = api_version.rpartition("/")
    return _names_by_kind().get((group, version, kind))


def name_of(resource: Resource) -> str:
    """The definition's name of a served resource.

    Raises:
        KeyError: the bundle is older than the table of kinds; run scripts/generate-schema.
    """
    if resource.custom is not None:
        return resource.custom.definition
    return _names_by_kind()[resource.group, resource.version, resource.kind]


def reference_of(schema: Definition) -> str | None:
    """The name of the definition that a schema refers to, wrapped in allOf or not."""
    inner = schema["allOf"][0] if "allOf" in schema else schema
    reference = inner.get("$ref")
    return reference.removeprefix(REF_PREFIX) if isinstance(reference, str) else None
