r"""Regular expressions of schemas: written for Go, run by Python.

Where both write the same thing differently it is rewritten: `$` and `\z` are the end of the text,
classes such as `[[:alpha:]]` are spelt out, `\d` and `\w` are ASCII. Unicode classes (`\pL`) are
not there in Python: such a pattern is not checked, and a warning says so when it is defined.
Source: Go's regexp/syntax.
"""

import re
from functools import lru_cache
from typing import Final

_POSIX: Final = {
    "[:alnum:]": "0-9A-Za-z", "[:alpha:]": "A-Za-z", "[:blank:]": r"\t ", "[:digit:]": "0-9",
    "[:lower:]": "a-z", "[:upper:]": "A-Z", "[:punct:]": "!-/:-@\\[-`{-~",
    "[:space:]": r"\t\n\v\f\r ", "[:word:]": r"0-9A-Za-z_", "[:xdigit:]": "0-9A-Fa-f",
}  # fmt: skip
_UNICODE_CLASS: Final = re.compile(r"(?<!\\)(?:\\\\)*\\[pP]")


def is_checkable(pattern: str) -> bool:
    """Whether it says nothing that Python's expressions cannot."""
    return _UNICODE_CLASS.search(pattern) is None


@lru_cache(maxsize=4096)
def compiled(pattern: str) -> re.Pattern[str]:
    """The expression, to be searched for.

    Raises:
        ValueError: it is none.
    """
    try:
        return re.compile(_rewritten(pattern), re.ASCII)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"error parsing regexp: {error}: `{pattern}`") from error


def matches(pattern: str, text: str) -> bool:
    """Whether the text has a match; True for what cannot be checked."""
    return not is_checkable(pattern) or compiled(pattern).search(text) is not None


def _rewritten(pattern: str) -> str:
    out: list[str] = []
    in_class = False
    at = 0
    while at < len(pattern):
        here = pattern[at]
        if here == "\\" and at + 1 < len(pattern):
            pair = pattern[at : at + 2]
            out.append(r"\Z" if pair == r"\z" else pair)
            at += 2
            continue
        posix = next((name for name in _POSIX if in_class and pattern.startswith(name, at)), "")
        if posix:
            out.append(_POSIX[posix])
            at += len(posix)
            continue
        if here == "[" and not in_class:
            in_class = True
            length = 3 if pattern[at + 1 : at + 3] == "^]" else 2
            if pattern[at + 1 : at + 2] == "]" or length == 3:  # a bracket first is a character
                out.append(pattern[at : at + length].replace("]", r"\]"))
                at += length
                continue
        elif here == "]":
            in_class = False
        out.append(r"\Z" if here == "$" and not in_class else here)
        at += 1
    return "".join(out)
