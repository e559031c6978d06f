"""Writes schemas as gnostic's openapiv2 protobuf messages.

Only what Kubernetes' definitions use: references, types, formats, descriptions, properties, items,
additional properties, required, and vendor extensions as YAML text (of which JSON is a part).
Source: gnostic, openapiv2 messages Document, Definitions, Schema (field numbers); protobuf wire
format.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

_encode: Final = msgspec.json.Encoder().encode

# Document
_SWAGGER, _INFO, _PATHS, _DEFINITIONS = 1, 2, 8, 9
# Schema
_REF, _FORMAT, _DESCRIPTION, _REQUIRED = 1, 2, 4, 19
_ADDITIONAL, _TYPE, _ITEMS, _PROPERTIES, _EXTENSION = 21, 22, 23, 25, 31


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _chunk(number: int, data: bytes | str) -> bytes:
    raw = data.encode() if isinstance(data, str) else data
    return _varint(number << 3 | 2) + _varint(len(raw)) + raw


def _named(number: int, name: str, value: bytes) -> bytes:
    """One entry of a list of named things: name 1, value 2."""
    return _chunk(number, _chunk(1, name) + _chunk(2, value))


def encode_schema(schema: Mapping[str, Any]) -> bytes:
    """One v2 schema as a Schema message.

    Raises:
        ValueError: it says something that this writer has no field for.
    """
    out = bytearray()
    for key, value in schema.items():
        match key:
            case "$ref":
                out += _chunk(_REF, value)
            case "format":
                out += _chunk(_FORMAT, value)
            case "description":
                out += _chunk(_DESCRIPTION, value)
            case "required":
                out += b"".join(_chunk(_REQUIRED, name) for name in value)
            case "type":
                out += _chunk(_TYPE, _chunk(1, value))
            case "items":
                out += _chunk(_ITEMS, _chunk(1, encode_schema(value)))
            case "additionalProperties":
                out += _chunk(_ADDITIONAL, _chunk(1, encode_schema(value)))
            case "properties":
                named = (_named(1, name, encode_schema(part)) for name, part in value.items())
                out += _chunk(_PROPERTIES, b"".join(named))
            case _ if key.startswith("x-"):
                out += _named(_EXTENSION, key, _chunk(2, _encode(value) + b"\n"))
            case _:
                raise ValueError(f"no field for {key!r} of a schema")
    return bytes(out)


def encode_document(info: Mapping[str, str], definitions: Mapping[str, Mapping[str, Any]]) -> bytes:
    """A Document message with info ("title", "version") and definitions; its paths are empty."""
    named = (_named(1, name, encode_schema(schema)) for name, schema in definitions.items())
    return b"".join(
        (
            _chunk(_SWAGGER, "2.0"),
            _chunk(_INFO, _chunk(1, info["title"]) + _chunk(2, info["version"])),
            _chunk(_PATHS, b""),
            _chunk(_DEFINITIONS, b"".join(named)),
        )
    )
