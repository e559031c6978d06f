"""Field selectors: which fields each kind can be selected by, and matching.

Source: Kubernetes API concepts, "Field Selectors"; fields.ParseSelector.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

_Path = tuple[str, ...]
Read = Callable[[_Path], Any]
"""Gives one value of an object by its path in the document; None where it has none."""

_COMMON: Final[Mapping[str, _Path]] = {
    "metadata.name": ("metadata", "name"),
    "metadata.namespace": ("metadata", "namespace"),
}


def _dotted(*names: str) -> dict[str, _Path]:
    return {name: tuple(name.split(".")) for name in names}


_BY_RESOURCE: Final[Mapping[str, Mapping[str, _Path]]] = MappingProxyType({
    "pods": _dotted(
        "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName",
        "spec.hostNetwork", "status.phase", "status.podIP", "status.podIPs",
        "status.nominatedNodeName",
    ),
    "events": {
        **_dotted(
            "involvedObject.kind", "involvedObject.namespace", "involvedObject.name",
            "involvedObject.uid", "involvedObject.apiVersion", "involvedObject.resourceVersion",
            "involvedObject.fieldPath", "reason", "type", "reportingComponent",
        ),
        "source": ("source", "component"),
    },
    "events.events.k8s.io": {  # as core Events are stored
        **{
            f"regarding.{name}": ("involvedObject", name)
            for name in (
                "kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath",
            )
        },
        **_dotted("reason", "type"),
        "reportingController": ("reportingComponent",),
    },
    "secrets": _dotted("type"),
    "namespaces": {**_dotted("status.phase"), "name": ("metadata", "name")},
    "nodes": _dotted("spec.unschedulable"),
    "certificatesigningrequests.certificates.k8s.io": _dotted("spec.signerName"),
    "services": _dotted("spec.clusterIP", "spec.type"),
    "jobs.batch": _dotted("status.successful"),
    "replicasets.apps": _dotted("status.replicas"),
    "replicationcontrollers": _dotted("status.replicas"),
})  # fmt: skip

_WHEN_ABSENT: Final[Mapping[str, str]] = {
    "spec.unschedulable": "false",
    "spec.hostNetwork": "false",
    "status.replicas": "0",
    "status.successful": "0",
}


@dataclass(frozen=True, slots=True)
class FieldTerm:
    """One term.

    Attributes:
        field: as the client wrote it.
        path: where the value stands in the document.
        value: to compare with.
        negated: != instead of =.
    """

    field: str
    path: _Path
    value: str
    negated: bool = False

    def matches(self, read: Read) -> bool:
        """Whether the object meets this term; an absent field counts as its zero value."""
        return (_value(read, self.path, self.field) == self.value) != self.negated


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """Terms that must all hold."""

    terms: tuple[FieldTerm, ...] = ()

    def matches(self, read: Read) -> bool:
        """Whether the object whose values `read` gives meets every term."""
        return all(term.matches(read) for term in self.terms)

    def __bool__(self) -> bool:
        """Whether anything can be filtered out."""
        return bool(self.terms)

    def required(self, field: str) -> str | None:
        """The value that `field` must have, or None when no = term names it."""
        for term in self.terms:
            if term.field == field and not term.negated:
                return term.value
        return None

    def __str__(self) -> str:
        """The selector as text."""
        return ",".join(
            f"{term.field}{'!=' if term.negated else '='}{_escape(term.value)}"
            for term in self.terms
        )


def parse_field_selector(
    text: str, resource: str, further: Mapping[str, _Path] | None = None
) -> FieldSelector:
    """The selector of a query: "spec.nodeName=a,status.phase!=Failed". Terms may repeat.

    Args:
        text: the query's value.
        resource: group-resource, which decides about the fields.
        further: fields of this kind that the table does not know, with their paths.

    Raises:
        ValueError: it cannot be read, or the kind cannot be selected by that field.
    """
    known = {**_COMMON, **_BY_RESOURCE.get(resource, {}), **(further or {})}
    terms: list[FieldTerm] = []
    for part in _split(text):
        if not part:
            continue
        field, operator, raw = _operands(part)
        value = _unescape(raw)
        path = known.get(field)
        if path is None:
            raise ValueError(f"field label not supported: {field}")
        terms.append(FieldTerm(field, path, value, operator == "!="))
    return FieldSelector(tuple(terms))


def _value(read: Read, path: _Path, field: str) -> str:
    found = read(path)
    if field == "status.podIPs":
        return ",".join(item.get("ip", "") for item in found or ())
    if field == "reportingComponent" and not found:
        found = read(("source", "component"))
    if field == "source" and not found:
        found = read(("reportingComponent",))
    match found:
        case None:
            return _WHEN_ABSENT.get(field, "")
        case bool():
            return "true" if found else "false"
        case _:
            return str(found)


def _split(text: str) -> list[str]:
    parts, current, escaped = [], "", False
    for character in text:
        if escaped:
            current += character
            escaped = False
        elif character == "\\":
            current += character
            escaped = True
        elif character == ",":
            parts.append(current)
            current = ""
        else:
            current += character
    return [*parts, current]


def _operands(part: str) -> tuple[str, str, str]:
    for position, _ in enumerate(part):
        for operator in ("!=", "==", "="):
            if part.startswith(operator, position):
                field = part[:position].strip()
                return field, operator, part[position + len(operator) :]
    raise ValueError(f"invalid selector: '{part}'; can't understand '{part}'")


def _unescape(text: str) -> str:
    result, escaped = "", False
    for character in text:
        if escaped:
            if character not in "\\,=":
                raise ValueError(f"invalid field selector: invalid escape sequence: \\{character}")
            result += character
            escaped = False
        elif character == "\\":
            escaped = True
        elif character in ",=":
            raise ValueError(f"invalid field selector: unescaped character in value: {character}")
        else:
            result += character
    if escaped:
        raise ValueError("invalid field selector: trailing escape character")
    return result


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace(",", "\\,").replace("=", "\\=")
