"""Expressions in CEL: compiled, run, and bounded; what rules of schemas and policies share.

The library is optional (the extra "cel"). What an expression may cost is bounded before it runs:
nested walks over long lists are refused, as Kubernetes refuses them by its cost budget. Neighbours:
`custom/rules` (rules of schemas), `admission` (policies), `custom/functions` (what can be called).

Source: Common Expression Language; Kubernetes docs, "CEL in Kubernetes".
"""

import importlib.util
import re
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any, Final

from orchestrator.api.custom.functions import FUNCTIONS

MOST_STEPS: Final = 1_000_000
"""Steps that one expression may take at worst; about a second."""
OUT_OF_BUDGET: Final = (
    "validation failed due to running out of cost budget, no further validation rules will be run"
)
RESERVED: Final = frozenset({
    "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function",
    "if", "import", "let", "loop", "package", "namespace", "return", "var", "void", "while",
})  # fmt: skip
"""Words that are no identifiers."""
CALL: Final = re.compile(r"(\w+)\s*\(|\(|\)")
LITERALS: Final = re.compile(
    r"""[rRbB]{0,2}(?:'{3}(?:\\.|[^\\])*?'{3}|"{3}(?:\\.|[^\\])*?"{3}"""
    r"""|'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")|//[^\n]*""",
    re.DOTALL,
)
"""Strings and comments: what stands there is no part of the expression."""

_MACROS: Final = frozenset({"all", "exists", "exists_one", "existsOne", "filter", "map"})


@cache
def available() -> bool:
    """Whether the CEL library is installed."""
    return importlib.util.find_spec("cel") is not None


@lru_cache(maxsize=1024)
def program(text: str) -> Any:
    """The compiled expression; None without the library.

    Raises:
        ValueError: it cannot be read.
    """
    if not available():
        return None
    import cel  # half a second: only for who needs it

    try:
        return cel.compile(text)
    except BaseException as error:  # the library is Rust: a panic is no Exception
        raise _as_value_error(error) from error


def bare_context() -> Any:
    """What expressions run in, with nothing in it yet."""
    import cel

    return cel.Context()


def context(variables: Mapping[str, Any]) -> Any:
    """What expressions run in: variables by name, and Kubernetes' functions."""
    made = bare_context()
    for name, value in variables.items():
        made.add_variable(name, value)
    for name, function in FUNCTIONS.items():
        made.add_function(name, function)
    return made


def run(compiled: Any, where: Any) -> Any:
    """What a compiled expression gives in a context.

    Raises:
        ValueError: it gives nothing: no such field, a division by zero, ...
    """
    try:
        return compiled.execute(where)
    except BaseException as error:  # as above
        raise _as_value_error(error) from error


def evaluated(text: str, variables: Mapping[str, Any]) -> Any:
    """What an expression gives for these variables.

    Raises:
        ValueError: it cannot be read, or gives nothing.
    """
    return run(program(text), context(variables))


def without_literals(text: str) -> str:
    """An expression with its strings emptied and its comments gone."""
    return LITERALS.sub(lambda found: " " if found[0].startswith("//") else "''", text)


def _as_value_error(error: BaseException) -> ValueError:
    if isinstance(error, KeyboardInterrupt | SystemExit):
        raise error
    if isinstance(error, KeyError):
        return ValueError(f"no such key: {error.args[0]}")
    return ValueError(str(error) or type(error).__name__)


# ------------------------------------------------------------ cost


@lru_cache(maxsize=1024)
def depth(text: str) -> int:
    """How many walks over lists and maps stand inside one another."""
    deepest = 0
    open_calls: list[bool] = []
    for match in CALL.finditer(without_literals(text)):
        if match[0] == ")":
            if open_calls:
                open_calls.pop()
            continue
        open_calls.append(match[1] in _MACROS)
        deepest = max(deepest, sum(open_calls))
    return deepest


def longest(value: Any) -> int:
    """The length of the longest list or map in a value."""
    if isinstance(value, dict):
        return max([len(value), *map(longest, value.values())])
    if isinstance(value, list):
        return max([len(value), *map(longest, value)])
    return 1
