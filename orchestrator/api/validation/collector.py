"""Collects faults with their field paths, worded as Kubernetes words them.

Source: apimachinery util/validation/field.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from orchestrator.kit.errors import Cause

IMMUTABLE: Final = "field is immutable"
NOT_NEGATIVE: Final = "must be greater than or equal to 0"
POSITIVE: Final = "must be greater than 0"


class Faults:
    """A growing list of causes; field paths are complete ("spec.containers[0].name")."""

    def __init__(self) -> None:
        self.causes: list[Cause] = []

    def required(self, field: str, detail: str = "") -> None:
        """A value must be there."""
        self.add("FieldValueRequired", field, _with("Required value", detail))

    def invalid(self, field: str, value: Any, detail: str) -> None:
        """The value is wrong."""
        self.add("FieldValueInvalid", field, _with(f"Invalid value: {shown(value)}", detail))

    def unsupported(self, field: str, value: Any, supported: Iterable[str]) -> None:
        """The value is none of a closed set."""
        known = ", ".join(f'"{one}"' for one in sorted(supported))
        text = f"Unsupported value: {shown(value)}: supported values: {known}"
        self.add("FieldValueNotSupported", field, text)

    def duplicate(self, field: str, value: Any) -> None:
        """The value stands elsewhere already."""
        self.add("FieldValueDuplicate", field, f"Duplicate value: {shown(value)}")

    def forbidden(self, field: str, detail: str) -> None:
        """The field may not be set, or not be changed."""
        self.add("FieldValueForbidden", field, _with("Forbidden", detail))

    def not_found(self, field: str, value: Any) -> None:
        """The value refers to something that is not there."""
        self.add("FieldValueNotFound", field, f"Not found: {shown(value)}")

    def too_long(self, field: str, most_bytes: int) -> None:
        """The value is too long."""
        text = f"Too long: may not be more than {most_bytes} bytes"
        self.add("FieldValueTooLong", field, text)

    # ------------------------------------------------------------ common checks

    def check_words(self, field: str, value: str, faults: Iterable[str]) -> None:
        """One `invalid` for each sentence."""
        for fault in faults:
            self.invalid(field, value, fault)

    def check_number(self, field: str, value: int | None, least: int = 0) -> None:
        """Not below `least` (0 or 1); None is fine."""
        if value is not None and value < least:
            self.invalid(field, value, NOT_NEGATIVE if least == 0 else POSITIVE)

    def check_port(self, field: str, value: int) -> None:
        """A port number 1..65535."""
        if not 1 <= value <= 65535:
            self.invalid(field, value, "must be between 1 and 65535, inclusive")

    def check_choice(self, field: str, value: str, supported: Collection[str]) -> None:
        """One of a closed set; absent is a fault too."""
        if not value:
            self.required(field)
        elif value not in supported:
            self.unsupported(field, value, supported)

    def check_immutable(self, field: str, new: Any, old: Any) -> None:
        """The value is as it was."""
        if new != old:
            self.invalid(field, new, IMMUTABLE)

    def add(self, reason: str, field: str, message: str) -> None:
        """A fault in words of its own; the reason as in `Cause.reason`."""
        self.causes.append(Cause(reason, message, field))


def shown(value: Any) -> str:
    """A value as messages show it: strings quoted, the rest as JSON."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, Mapping) and not value:
        return "{}"
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _with(text: str, detail: str) -> str:
    return f"{text}: {detail}" if detail else text
