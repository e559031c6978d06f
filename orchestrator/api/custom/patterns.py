"""Regular expressions of schemas, as Go reads them: by RE2, in time linear to the text.

Python's own engine means other things by the end of a text, digits and named classes, and one
pattern with one text could keep it busy for hours. Source: RE2 syntax, which is Go's regexp/syntax.
"""

from functools import lru_cache
from typing import Any, Final

import re2

_OPTIONS: Final = re2.Options()
_OPTIONS.log_errors = False


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> Any:
    """The expression, to be searched for.

    Raises:
        ValueError: it is none.
    """
    try:
        return re2.compile(pattern, _OPTIONS)
    except re2.error as error:
        said = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)
        raise ValueError(f"error parsing regexp: {said}") from error


def matches(pattern: str, text: str) -> bool:
    """Whether the text has a match.

    Raises:
        ValueError: the pattern is none.
    """
    return compiled(pattern).search(text) is not None
