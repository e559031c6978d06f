"""Decodes Kubernetes' protobuf request bodies into documents.

kubectl from 1.32 on and Helm send every typed body so, and cannot be talked out of it; answers may
stay JSON. Nothing but the bundle's wire rows is needed. Go writes every field that is no pointer,
so zero values of such fields are left out here as `omitempty` would; zeros behind pointers
(`replicas: 0`) are kept.

A field that the bundle does not know (a client newer than the bundle) is left out when it is blank
and an error when it says something: nothing is dropped silently.

Source: Kubernetes API concepts, "Kubernetes Protobuf encoding"; protobuf wire format (proto2).
"""

import base64
import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

import msgspec

from orchestrator.api.schema.bundle import WireRow, name_of_kind, wire_messages

CONTENT_TYPE: Final = "application/vnd.kubernetes.protobuf"

_MAGIC: Final = b"k8s\0"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_BLANK_DEPTH: Final = 16

_Value = Callable[[bytes, int, int, str], Any]
"""Decodes bytes[start:end] of a length-delimited value; the last argument names the place."""


class _Absent:
    """Marks a value that Go would write and JSON would leave out."""


_ABSENT: Final = _Absent()


def _varint(data: bytes, position: int, end: int) -> tuple[int, int]:
    result = shift = 0
    while position < end:
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            if result >> 64:
                break
            return result, position
        shift += 7
        if shift > 63:
            break
    else:
        raise ValueError(f"the protobuf body ends inside a number at byte {position}")
    raise ValueError(f"a number at byte {position} of the protobuf body has more than 64 bits")


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _skip(data: bytes, position: int, end: int, wire: int, place: str) -> tuple[int, int]:
    """Start and end of the value at `position`; for numbers the start is the position itself."""
    match wire:
        case 0:
            return position, _varint(data, position, end)[1]
        case 1:
            stop = position + 8
        case 2:
            length, position = _varint(data, position, end)
            stop = position + length
        case 5:
            stop = position + 4
        case _:
            raise ValueError(f"{place}: wire type {wire} is not used by Kubernetes' protobuf")
    if stop > end:
        raise ValueError(f"{place}: the protobuf body ends {stop - end} bytes too early")
    return position, stop


def _blank(data: bytes, start: int, end: int, depth: int = 0) -> bool:
    """Whether bytes are a message in which every field is zero or blank."""
    if depth > _MAX_BLANK_DEPTH:
        return False
    position = start
    try:
        while position < end:
            tag, position = _varint(data, position, end)
            first, position = _skip(data, position, end, tag & 7, "")
            nested = tag & 7 == _BYTES
            if nested and not _blank(data, first, position, depth + 1):
                return False
            if not nested and any(data[first:position]):
                return False
    except ValueError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class _Field:
    """How one field number decodes.

    Attributes:
        name: in JSON; empty for inline.
        shape: as in WireRow.
        wire: expected wire type.
        value: decodes a length-delimited value; None for numbers.
        number: turns a number into its value; None for others.
        zero: what JSON leaves out when the shape is ""; also stands for a blank list item.
    """

    name: str
    shape: str
    wire: int
    value: _Value | None
    number: Callable[[int], Any] | None
    zero: Any


_Plan = dict[int, _Field]


@cache
def _plan(definition: str) -> _Plan:
    return {row.number: _field(row) for row in wire_messages()[definition] if row.number}


def _field(row: WireRow) -> _Field:
    match row.base:
        case "bool":
            return _Field(row.json_name, row.shape, _VARINT, None, bool, False)
        case "int32" | "int64":
            return _Field(row.json_name, row.shape, _VARINT, None, _signed, 0)
        case "float64":
            return _Field(row.json_name, row.shape, _FIXED64, _float, None, 0.0)
        case "message" | "inline":
            return _Field(row.json_name, row.shape, _BYTES, _message_of(row.reference), None, {})
        case base:
            decoder, zero = _LENGTH_DELIMITED[base]
            return _Field(row.json_name, row.shape, _BYTES, decoder, None, zero)


def _message_of(definition: str) -> _Value:
    def decode_message(data: bytes, start: int, end: int, place: str) -> Any:
        out: dict[str, Any] = {}
        _message(_plan(definition), data, start, end, place, out)
        return out

    return decode_message


def _message(
    plan: _Plan, data: bytes, position: int, end: int, place: str, out: dict[str, Any]
) -> None:
    """Adds the fields of one message to `out`."""
    while position < end:
        tag, position = _varint(data, position, end)
        wire, field = tag & 7, plan.get(tag >> 3)
        if field is None:
            first, position = _skip(data, position, end, wire, place)
            blank = (
                _blank(data, first, position) if wire == _BYTES else not any(data[first:position])
            )
            if not blank:
                raise ValueError(f"{place}: field number {tag >> 3} is not known")
            continue
        name, shape = field.name, field.shape
        here = f"{place}.{name}" if name else place
        if field.number is not None and wire == _VARINT:
            raw, position = _varint(data, position, end)
            value = field.number(raw)
        elif field.number is not None and wire == _BYTES and shape == "[]":
            first, position = _skip(data, position, end, wire, here)
            out.setdefault(name, []).extend(_packed(field, data, first, position))
            continue
        elif wire != field.wire or field.value is None:
            raise ValueError(f"{here}: wire type {wire} where {field.wire} is expected")
        else:
            first, position = _skip(data, position, end, wire, here)
            if shape == "{}":
                key, value = _entry(field, data, first, position, here)
                out.setdefault(name, {})[key] = value
                continue
            value = field.value(data, first, position, here)
        if not name:
            out.update(value)
        elif shape == "[]":
            out.setdefault(name, []).append(field.zero if value is _ABSENT else value)
        elif value is not _ABSENT and (shape or value != field.zero):
            out[name] = value


def _packed(field: _Field, data: bytes, position: int, end: int) -> list[Any]:
    values = []
    while position < end:
        raw, position = _varint(data, position, end)
        values.append(field.number(raw) if field.number else raw)
    return values


def _entry(field: _Field, data: bytes, position: int, end: int, place: str) -> tuple[str, Any]:
    """One map entry: key 1, value 2; Go leaves neither out, others may."""
    key, value, found = "", field.zero, False
    while position < end:
        tag, position = _varint(data, position, end)
        if tag == 2 << 3 | field.wire and field.value is None:
            raw, position = _varint(data, position, end)
            value, found = field.number(raw) if field.number else raw, True
            continue
        first, position = _skip(data, position, end, tag & 7, place)
        if tag == 1 << 3 | _BYTES:
            key = _string(data, first, position, place)
        elif tag == 2 << 3 | field.wire and field.value is not None:
            value, found = field.value(data, first, position, f"{place}.{key}"), True
        else:
            raise ValueError(f"{place}: a map entry holds field {tag >> 3} of wire type {tag & 7}")
    if not found and field.value is not None:
        value = field.value(data, end, end, place)  # an empty message, which is its caller's own
    return key, field.zero if value is _ABSENT else value


# ---- values


def _string(data: bytes, start: int, end: int, place: str) -> str:
    try:
        return data[start:end].decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"{place}: not UTF-8: {error.reason}") from None


def _float(data: bytes, start: int, _end: int, _place: str) -> float:
    return float(struct.unpack_from("<d", data, start)[0])


def _base64(data: bytes, start: int, end: int, _place: str) -> str:
    return base64.b64encode(data[start:end]).decode()


def _numbers(data: bytes, position: int, end: int, place: str) -> dict[int, Any]:
    """The fields of a small message: numbers as they are, length-delimited values as spans."""
    found: dict[int, Any] = {}
    while position < end:
        tag, position = _varint(data, position, end)
        first, position = _skip(data, position, end, tag & 7, place)
        wire = tag & 7
        found[tag >> 3] = (
            _signed(_varint(data, first, end)[0]) if wire == _VARINT else (first, position)
        )
    return found


def _malformed(place: str, what: str) -> ValueError:
    return ValueError(f"{place}: {what}")


def _number_in(found: dict[int, Any], number: int, place: str) -> int:
    value = found.get(number, 0)
    if not isinstance(value, int):
        raise _malformed(place, f"field {number} is no number")
    return value


def _span_in(found: dict[int, Any], number: int, place: str) -> tuple[int, int]:
    match found.get(number, (0, 0)):
        case (int(start), int(end)):
            return start, end
        case _:
            raise _malformed(place, f"field {number} is a number")


def _text_in(found: dict[int, Any], number: int, data: bytes, place: str) -> str:
    start, end = _span_in(found, number, place)
    return _string(data, start, end, place)


def _moment(data: bytes, start: int, end: int, place: str) -> datetime | None:
    if start == end:
        return None
    found = _numbers(data, start, end, place)
    nanos = _number_in(found, 2, place)
    try:
        return _EPOCH + timedelta(seconds=_number_in(found, 1, place), microseconds=nanos // 1000)
    except OverflowError:
        raise ValueError(f"{place}: a time out of range") from None


def _time(data: bytes, start: int, end: int, place: str) -> Any:
    moment = _moment(data, start, end, place)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else _ABSENT


def _micro_time(data: bytes, start: int, end: int, place: str) -> Any:
    moment = _moment(data, start, end, place)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if moment else _ABSENT


def _quantity(data: bytes, start: int, end: int, place: str) -> Any:
    text = _text_in(_numbers(data, start, end, place), 1, data, place)
    return text or _ABSENT


def _int_or_string(data: bytes, start: int, end: int, place: str) -> int | str:
    found = _numbers(data, start, end, place)
    if _number_in(found, 1, place) == 1:
        return _text_in(found, 3, data, place)
    return _number_in(found, 2, place)


def _raw(data: bytes, start: int, end: int, place: str) -> Any:
    text = _text_in(_numbers(data, start, end, place), 1, data, place)
    if not text:
        return _ABSENT
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise ValueError(f"{place}: holds no JSON: {error}") from None
    except RecursionError:
        raise ValueError(f"{place}: holds JSON that is nested too deeply") from None


def _strings(data: bytes, position: int, end: int, place: str) -> list[str]:
    found = []
    while position < end:
        tag, position = _varint(data, position, end)
        first, position = _skip(data, position, end, tag & 7, place)
        if tag != 1 << 3 | _BYTES:
            raise ValueError(f"{place}: a list of strings holds field {tag >> 3}")
        found.append(_string(data, first, position, place))
    return found


_LENGTH_DELIMITED: Final[dict[str, tuple[_Value, Any]]] = {
    "string": (_string, ""),
    "bytes": (_base64, ""),
    "time": (_time, None),
    "micro_time": (_micro_time, None),
    "quantity": (_quantity, "0"),
    "int_or_string": (_int_or_string, 0),
    "raw": (_raw, None),
    "strings": (_strings, []),
}


# ---- the envelope


def _definition_of(api_version: str, kind: str) -> str:
    # DeleteOptions and its like are sent under the apiVersion of whatever they are about.
    name = name_of_kind(api_version, kind) or (
        name_of_kind("v1", kind) if kind == "DeleteOptions" else None
    )
    if name is None or name not in wire_messages():
        raise ValueError(f'no kind "{kind}" is served in version "{api_version}" as protobuf')
    return name


def decode(data: bytes) -> dict[str, Any]:
    """The document in a body of media type `application/vnd.kubernetes.protobuf`.

    The same document that the client would have sent as JSON, fresh for the caller to change;
    apiVersion and kind first.

    Raises:
        ValueError: no Kubernetes protobuf, a kind that the bundle does not hold, truncated data, a
            field with content that is not known, a value of another wire type.
    """
    if not data.startswith(_MAGIC):
        raise ValueError("the body does not start as Kubernetes' protobuf does")
    envelope = _numbers(data, len(_MAGIC), len(data), "the protobuf envelope")
    type_start, type_end = _span_in(envelope, 1, "the protobuf envelope")
    if encoding := _text_in(envelope, 3, data, "contentEncoding"):
        raise ValueError(f"the protobuf envelope has content encoding {encoding!r}")
    if content_type := _text_in(envelope, 4, data, "contentType"):
        raise ValueError(f"the protobuf envelope holds content of type {content_type!r}")
    type_meta = _numbers(data, type_start, type_end, "the protobuf envelope's type")
    api_version = _text_in(type_meta, 1, data, "apiVersion")
    kind = _text_in(type_meta, 2, data, "kind")
    plan = _plan(_definition_of(api_version, kind))
    document: dict[str, Any] = {"apiVersion": api_version, "kind": kind}
    start, end = _span_in(envelope, 2, "the protobuf envelope")
    _message(plan, data, start, end, kind, document)
    return document
