"""Values that must not be printed."""


class Secret:
    """Holds a secret string; its repr and str are redacted, so logs and dumps stay clean."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself; call it only where the value leaves for its one consumer."""
        return self._value

    def __repr__(self) -> str:
        """Redacted."""
        return "Secret(***)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        """Equal when the values are."""
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        """Hash of the value."""
        return hash(self._value)
