"""Reads payloads strictly: every field is asked for by name and type; what is left is wrong."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Sequence

from agentshim.wire import Failure

_MISSING = object()


class Fields:
    """The fields of one object in a payload.

    Args:
        value: the object.
        path: where it is, for messages; "" for the payload itself.
    """

    def __init__(self, value: Any, path: str = "") -> None:
        if not isinstance(value, dict):
            raise Failure("bad_request", "%s must be an object" % (path or "the payload"))
        self._values: Dict[str, Any] = dict(value)
        self._path = path

    def text(self, name: str, default: Any = _MISSING, choices: Sequence[str] = ()) -> str:
        """A string; one of `choices` when given."""
        value = self._take(name, default)
        if not isinstance(value, str) or (choices and value not in choices):
            self.wrong(name, "one of %s" % ", ".join(choices) if choices else "a string")
        return str(value)

    def integer(self, name: str, default: Any = _MISSING, low: int = 0, high: int = 2**63) -> int:
        """A whole number within bounds."""
        value = self._take(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.wrong(name, "a whole number from %d to %d" % (low, high))
        return int(value)

    def optional_integer(self, name: str, low: int = 0, high: int = 2**63) -> Optional[int]:
        """A whole number within bounds, or null."""
        if self._values.get(name) is None:
            self._values.pop(name, None)
            return None
        return self.integer(name, low=low, high=high)

    def number(self, name: str, default: Any, low: float, high: float) -> float:
        """A number within bounds."""
        value = self._take(name, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self.wrong(name, "a number")
        if not low <= value <= high:
            self.wrong(name, "a number from %g to %g" % (low, high))
        return float(value)

    def boolean(self, name: str, default: bool) -> bool:
        """True or false."""
        value = self._take(name, default)
        if not isinstance(value, bool):
            self.wrong(name, "true or false")
        return bool(value)

    def strings(self, name: str, default: Any = _MISSING) -> List[str]:
        """A list of strings."""
        value = self._take(name, default)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.wrong(name, "a list of strings")
        return list(value)

    def pairs(self, name: str) -> List[List[str]]:
        """A list of [name, value] pairs; none by default."""
        value = self._take(name, [])
        if not isinstance(value, list):
            self.wrong(name, "a list of [name, value]")
        for item in value:
            if not isinstance(item, list) or [type(part) for part in item] != [str, str]:
                self.wrong(name, "a list of [name, value]")
        return list(value)

    def mapping(self, name: str, default: Any = _MISSING) -> Mapping[str, Any]:
        """An object, unread."""
        value = self._take(name, default)
        if not isinstance(value, dict):
            self.wrong(name, "an object")
        return dict(value)

    def child(self, name: str) -> Optional["Fields"]:
        """An object as fields, or None when there is none."""
        if self._values.get(name) is None:
            self._values.pop(name, None)
            return None
        return Fields(self._values.pop(name), self.where(name))

    def done(self) -> None:
        """Nothing else may be there."""
        for name in sorted(self._values):
            raise Failure("bad_request", "%s: unknown field" % self.where(name))

    def where(self, name: str) -> str:
        """The field's path."""
        return "%s.%s" % (self._path, name) if self._path else name

    def wrong(self, name: str, right: str) -> None:
        """Refuses a field."""
        raise Failure("bad_request", "%s must be %s" % (self.where(name), right))

    def _take(self, name: str, default: Any) -> Any:
        value = self._values.pop(name, default)
        if value is _MISSING:
            raise Failure("bad_request", "%s is missing" % self.where(name))
        return value
