"""Ranges for fleets: `web-[1:20]`, `[01:12]`, `[a:f]`, `[1:9:2]`; pure.

Source: the host ranges of Ansible's inventory.
"""

import re
from collections.abc import Sequence
from typing import Final

MAX_EXPANSION: Final = 10_000
_RANGE: Final = re.compile(r"\[([0-9]+|[a-z]|[A-Z]):([0-9]+|[a-z]|[A-Z])(?::([0-9]+))?\]")
_LOOKS_LIKE: Final = re.compile(r"\[[^\]:]*:[^\]]*\]")


class RangeError(ValueError):
    """A range that cannot be expanded; says why and what would be right."""


def expand(text: str) -> list[str] | None:
    """All texts that a range stands for, in order; None when there is no range in it.

    Raises:
        RangeError: it runs backwards, mixes letters and digits, or there are two.
    """
    found = list(_RANGE.finditer(text))
    if not found:
        if _LOOKS_LIKE.search(text) and not text.startswith("["):
            raise RangeError(f"{text!r} has no range in its brackets; write one like web-[1:20]")
        return None
    if len(found) > 1:
        raise RangeError(f"{text!r} has two ranges; write one node entry for each of the first")
    match = found[0]
    values = _values(match[1], match[2], int(match[3] or "1"), text)
    return [text[: match.start()] + value + text[match.end() :] for value in values]


def _values(first: str, last: str, step: int, text: str) -> Sequence[str]:
    if first.isdigit() != last.isdigit() or first.isupper() != last.isupper():
        raise RangeError(f"{text!r} mixes letters and digits in its range; write [1:20] or [a:f]")
    if step < 1:
        raise RangeError(f"{text!r} has a step of 0; write [1:9:2]")
    if first.isdigit():
        start, end = int(first), int(last)
    else:
        start, end = ord(first), ord(last)
    if end < start:
        raise RangeError(f"{text!r} runs backwards; write [{last}:{first}]")
    if (end - start) // step >= MAX_EXPANSION:
        raise RangeError(f"{text!r} stands for more than {MAX_EXPANSION} hosts")
    numbers = range(start, end + 1, step)
    if not first.isdigit():
        return [chr(n) for n in numbers]
    width = len(first) if first.startswith("0") else 0
    return [str(n).zfill(width) for n in numbers]
