"""What paths in an inventory are relative to."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Folders:
    """What relative paths and `~` are relative to.

    Attributes:
        base: the inventory file's own directory.
        home: the user's home directory.
    """

    base: Path
    home: Path

    def resolve(self, text: str) -> Path:
        """The absolute path that a path in the file stands for."""
        if text == "~" or text.startswith("~/"):
            return self.home / text[2:]
        return (self.base / text).absolute()
