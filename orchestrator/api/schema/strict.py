"""Strict decoding: fields that Kubernetes does not know, values of the wrong type, doubled keys.

One walk over a decoded document with the rows of the Go structs, so that what is said is what
kubectl's users know from Kubernetes, Go type names included. A right document costs no strings: a
path is put together only on the way back from a fault. Defaults, required fields and ranges are
validation's business, not this module's.

Source: Kubernetes API concepts, "Field validation"; encoding/json's UnmarshalTypeError.
"""

import binascii
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from orchestrator.api.resources import Resource
from orchestrator.api.schema.bundle import WireRow, name_of, wire_messages
from orchestrator.api.schema.derived import SCHEMA, derived_rows

_RFC3339: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_BASE64_PREFIX: Final = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_QUANTITY_MESSAGE: Final = (
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
)


@dataclass(frozen=True, slots=True)
class Findings:
    """What is wrong with a document, in document order.

    Attributes:
        unknown: `unknown field "spec.replicaz"`, each field once.
        wrong_types: `json: cannot unmarshal string into Go struct field
            DeploymentSpec.spec.replicas of type int32`, and texts of that kind; a document with
            one cannot be stored. Kubernetes names the first only.
    """

    unknown: tuple[str, ...] = ()
    wrong_types: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything is wrong."""
        return bool(self.unknown or self.wrong_types)


_NOTHING: Final = Findings()


@dataclass(slots=True)
class _Fault:
    """One finding on its way up: `steps` are its path, innermost first.

    Attributes:
        text: what follows the path, or for unknown fields nothing.
        struct: Go struct that holds the field; empty for unknown fields.
        steps: path steps; a field's name or map key, or a list index.
        fields: the same, struct fields only, as Go's decoder names the place.
    """

    steps: list[str | int]
    value: str = ""
    go_type: str = ""
    struct: str = ""
    message: str = ""
    fields: list[str] = field(default_factory=list)

    def said(self) -> str:
        if self.message:
            return f'{self.message} in field "{self._path()}"'
        if not self.struct:
            return f'unknown field "{self._path()}"'
        place = ".".join([self.struct, *reversed(self.fields)])
        what = f"json: cannot unmarshal {self.value} into Go struct field {place}"
        return f"{what} of type {self.go_type}"

    def _path(self) -> str:
        text = ""
        for step in reversed(self.steps):
            if isinstance(step, int):
                text += f"[{step}]"
            else:
                text += f".{step}" if text else step
        return text


_Checker = Callable[[Any, list[_Fault]], None]
"""Appends the faults of one value (never None), paths relative to it."""


def _json_type(value: object) -> str:
    match value:
        case bool():
            return "bool"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def _wrong(value: object, go_type: str) -> _Fault:
    return _Fault([], value=_json_type(value), go_type=go_type)


def _kind_checker(kind: type, go_type: str) -> _Checker:
    def check(value: Any, faults: list[_Fault]) -> None:
        if type(value) is not kind:
            faults.append(_wrong(value, go_type))

    return check


def _integer_checker(go_type: str, bits: int) -> _Checker:
    limit = 1 << (bits - 1)

    def check(value: Any, faults: list[_Fault]) -> None:
        if type(value) is int and -limit <= value < limit:
            return
        fault = _wrong(value, go_type)
        if fault.value == "number":
            fault.value = f"number {value}"
        faults.append(fault)

    return check


def _bytes_checker(go_type: str) -> _Checker:
    def check(value: Any, faults: list[_Fault]) -> None:
        if type(value) is not str:
            faults.append(_wrong(value, go_type))
            return
        packed = value.replace("\r", "").replace("\n", "")
        try:
            binascii.a2b_base64(packed, strict_mode=True)
        except ValueError:
            match = _BASE64_PREFIX.match(packed)
            offset = match.end() if match else 0
            if offset == len(packed):
                offset -= offset % 4
            faults.append(_Fault([], message=f"illegal base64 data at input byte {offset}"))

    return check


def _time_checker(go_type: str) -> _Checker:
    def check(value: Any, faults: list[_Fault]) -> None:
        if type(value) is not str:
            faults.append(_wrong(value, go_type))
        elif not _RFC3339.fullmatch(value):
            shown = json.dumps(value, ensure_ascii=False)
            message = f'parsing time {shown} as "2006-01-02T15:04:05Z07:00": cannot parse'
            faults.append(_Fault([], message=message))

    return check


def _quantity_checker() -> _Checker:
    def check(value: Any, faults: list[_Fault]) -> None:
        if type(value) not in {str, int, float}:
            faults.append(_Fault([], message=_QUANTITY_MESSAGE))

    return check


def _int_or_string_checker() -> _Checker:
    integer = _integer_checker("int32", 32)  # Go tries the number last, and speaks of that

    def check(value: Any, faults: list[_Fault]) -> None:
        if type(value) is not str:
            integer(value, faults)

    return check


def _schema_or_checker() -> _Checker:
    def check(value: Any, faults: list[_Fault]) -> None:
        if type(value) is dict:  # what else may stand there is validation's business
            _shared_struct_checker(SCHEMA, "v1.JSONSchemaProps")(value, faults)

    return check


def _anything(_value: Any, _faults: list[_Fault]) -> None:
    """Free-form JSON."""


def _list_checker(item: _Checker, go_type: str) -> _Checker:
    def check(value: Any, faults: list[_Fault]) -> None:
        if type(value) is not list:
            faults.append(_wrong(value, go_type))
            return
        before = len(faults)
        for index, element in enumerate(value):
            if element is None:
                continue
            item(element, faults)
            if len(faults) > before:
                for fault in faults[before:]:
                    fault.steps.append(index)
                before = len(faults)

    return check


def _map_checker(item: _Checker, go_type: str) -> _Checker:
    def check(value: Any, faults: list[_Fault]) -> None:
        if type(value) is not dict:
            faults.append(_wrong(value, go_type))
            return
        before = len(faults)
        for key, element in value.items():
            if element is None:
                continue
            item(element, faults)
            if len(faults) > before:
                for fault in faults[before:]:
                    fault.steps.append(key)
                before = len(faults)

    return check


def _struct_checker(definition: str, go_type: str) -> _Checker:
    struct = definition.rpartition(".")[2]
    fields: dict[str, _Checker] = {}

    def check(value: Any, faults: list[_Fault]) -> None:
        if type(value) is not dict:
            faults.append(_wrong(value, go_type))
            return
        known = fields or _fill(fields, definition)
        before = len(faults)
        for name, element in value.items():
            checker = known.get(name)
            if checker is None:
                faults.append(_Fault([name]))
                before = len(faults)
                continue
            if element is None:
                continue
            checker(element, faults)
            if len(faults) > before:
                for fault in faults[before:]:
                    fault.steps.append(name)
                    fault.fields.append(name)
                    fault.struct = fault.struct or (struct if fault.go_type else "")
                before = len(faults)

    return check


def _fill(fields: dict[str, _Checker], definition: str) -> dict[str, _Checker]:
    """Fills in a struct's checkers; later than the struct's own, since structs refer in circles."""
    rows = wire_messages().get(definition)
    for row in derived_rows(definition) if rows is None else rows:
        if row.base == "inline":
            _fill(fields, row.reference)
        else:
            fields[row.json_name] = _checker_of(row)
    return fields


def _checker_of(row: WireRow) -> _Checker:
    if not row.shape.strip("*"):
        return _base_checker(row, row.go_type)
    inner = row.go_type.removeprefix("[]" if row.shape == "[]" else "map[string]")
    named = inner == row.go_type  # "v1.ResourceList": the element's Go name is not told
    item = _base_checker(row, row.base if named else inner)
    make = _list_checker if row.shape == "[]" else _map_checker
    return make(item, row.go_type)


def _base_checker(row: WireRow, go_type: str) -> _Checker:
    match row.base:
        case "message":
            return _shared_struct_checker(row.reference, go_type)
        case "string":
            return _kind_checker(str, go_type)
        case "bool":
            return _kind_checker(bool, go_type)
        case "int32" | "int64":
            return _integer_checker(go_type, int(row.base[3:]))
        case "float64":
            return _number_checker(go_type)
        case "bytes":
            return _bytes_checker(go_type)
        case "time" | "micro_time":
            return _time_checker(go_type)
        case "quantity":
            return _quantity_checker()
        case "int_or_string":
            return _int_or_string_checker()
        case "strings":
            return _list_checker(_kind_checker(str, "string"), go_type)
        case "raw":
            return _anything
        case "schema_or":
            return _schema_or_checker()
        case other:
            raise ValueError(f"the bundle has a field of base {other!r}: regenerate it")


def _number_checker(go_type: str) -> _Checker:
    def check(value: Any, faults: list[_Fault]) -> None:
        if type(value) not in {int, float}:
            faults.append(_wrong(value, go_type))

    return check


@cache
def _shared_struct_checker(definition: str, go_type: str) -> _Checker:
    return _struct_checker(definition, go_type)


def check_definition(definition: str, document: Mapping[str, Any]) -> Findings:
    """Checks a document against a definition ("io.k8s.api.autoscaling.v1.Scale").

    Raises:
        KeyError: the bundle does not hold the definition.
    """
    faults: list[_Fault] = []
    _shared_struct_checker(definition, definition.rpartition(".")[2])(document, faults)
    if not faults:
        return _NOTHING
    unknown = dict.fromkeys(f.said() for f in faults if not (f.struct or f.message))
    wrong = dict.fromkeys(f.said() for f in faults if f.struct or f.message)
    return Findings(tuple(unknown), tuple(wrong))


def check(resource: Resource, document: Mapping[str, Any]) -> Findings:
    """Everything about a document that Kubernetes' strict decoder would turn down.

    The document is not changed. Explicit nulls count as absent, as they do in Go.

    Raises:
        KeyError: the bundle does not hold the kind.
    """
    return check_definition(name_of(resource), document)


class _Doubled(dict[str, Any]):
    """An object in which some keys came more than once."""

    __slots__ = ("again",)

    again: list[str]


def duplicates(data: bytes) -> tuple[str, ...]:
    """`duplicate field "spec.replicas"` for every key that an object of a JSON text repeats.

    Raises:
        ValueError: it is no JSON, or nested too deeply.
    """
    found: list[_Doubled] = []

    def build(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        plain = dict(pairs)
        if len(plain) == len(pairs):
            return plain
        doubled = _Doubled(plain)
        seen: set[str] = set()
        doubled.again = [key for key, _ in pairs if key in seen or seen.add(key)]  # type: ignore[func-returns-value]  # set.add gives None: the first occurrence is left out
        found.append(doubled)
        return doubled

    try:
        document = json.loads(data, object_pairs_hook=build)
        return tuple(dict.fromkeys(_places(document, ""))) if found else ()
    except RecursionError:
        raise ValueError("the document is nested too deeply") from None


def _places(value: object, path: str) -> list[str]:
    said: list[str] = []
    if isinstance(value, dict):
        dot = f"{path}." if path else ""
        if isinstance(value, _Doubled):
            said += [f'duplicate field "{dot}{key}"' for key in value.again]
        for key, element in value.items():
            said += _places(element, f"{dot}{key}")
    elif isinstance(value, list):
        for index, element in enumerate(value):
            said += _places(element, f"{path}[{index}]")
    return said
