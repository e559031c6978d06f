"""An expression of a policy: compiled, and held against what it may use.

The library finds out at run time only that a name means nothing; Kubernetes says so when a policy
is written, and so does this module. `variables.x` becomes a call of `variables__x()`, so that a
variable is worked out when, and only when, an expression gets to it. Putting an object into the
library's form costs more than most expressions, so it is told what each can reach.

Source: Kubernetes docs, "Validation Expression", "Variable composition".
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.api import expressions
from orchestrator.api.admission.authority import NAMES
from orchestrator.api.custom.functions import KNOWN

OBJECT: Final = "object"
OLD: Final = "oldObject"
REQUEST: Final = "request"
PARAMS: Final = "params"
NAMESPACE: Final = "namespaceObject"
AUTHORIZER: Final = "authorizer"
VARIABLES: Final = "variables"

Reach = Mapping[str, Any] | None
"""The fields of objects that are looked at, by name, with those below them; None is everything."""

_ALWAYS: Final = frozenset({OBJECT, OLD, REQUEST, NAMESPACE})
_TYPES: Final = frozenset({
    "bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint",
})  # fmt: skip
_FIELDS: Final = {
    REQUEST: frozenset({
        "dryRun", "kind", "name", "namespace", "operation", "options", "requestKind",
        "requestResource", "requestSubResource", "resource", "subResource", "userInfo",
    }),
    NAMESPACE: frozenset({"metadata", "spec", "status"}),
}  # fmt: skip
_BOUND: Final = re.compile(r"\.\s*(?:all|exists|exists_one|existsOne|filter|map)\s*\(\s*(\w+)\s*,")
_FIELD: Final = re.compile(r"(\.\s*)?\b(request|namespaceObject)\s*\.\s*(\w+)")
_VARIABLE: Final = re.compile(r"(\.\s*)?\bvariables\b(?:\s*\.\s*(\w+))?")
_LITERAL_OR_VARIABLE: Final = re.compile(
    rf"({expressions.LITERALS.pattern})|(?<![\w.])variables\s*\.\s*(\w+)", re.DOTALL
)
_WORD: Final = re.compile(r"[A-Za-z]\w*")
_CHAIN: Final = re.compile(
    r"(?<![\w.])(?:object|oldObject)\b((?:\s*\.\s*[A-Za-z_]\w*)*)(\s*\(|\s*[!=]=\s*null\b)?"
)
"""Where an expression gets at an object: the fields that follow, and what follows them."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression.

    Attributes:
        text: as it was written.
        program: of the library.
        roots: which of object, oldObject, request, ... it uses.
        variables: the names of the variables that it uses.
        functions: the names of the functions that it calls.
        walks: how many walks over lists stand inside one another.
        maps: whether it makes lists.
        reach: what it can get at of object and oldObject.
    """

    text: str
    program: Any
    roots: frozenset[str]
    variables: frozenset[str]
    functions: frozenset[str]
    walks: int
    maps: bool
    reach: Reach


def compiled(
    text: str, *, params: bool, authorizer: bool, variables: Collection[str] = ()
) -> Expression:
    """Compiles an expression.

    Args:
        text: in CEL.
        params: whether there is `params`.
        authorizer: whether there is `authorizer`.
        variables: names that `variables` has.

    Raises:
        ValueError: it cannot be read, or uses what is not there; "compilation failed: ...".
    """
    try:
        program = expressions.program(text)
    except ValueError as error:
        raise _failed(str(error).partition("': ")[2] or str(error)) from error
    if program is None:
        raise ValueError("the CEL library is not installed")
    bare = _blanked(text)
    used = {found[2] for found in _VARIABLE.finditer(bare) if not found[1]}
    _check_variables(text, bare, used, variables)
    known = _ALWAYS | ({PARAMS} if params else set()) | ({AUTHORIZER} if authorizer else set())
    bound = {found[1] for found in _BOUND.finditer(bare)}
    names = set(program.variables()) - {VARIABLES}
    for name in sorted(names - known - _TYPES - bound):
        raise _undeclared(text, bare, name)
    callable_names = KNOWN | NAMES if AUTHORIZER in names & known else KNOWN
    functions = frozenset(program.functions())
    for name in sorted(functions - callable_names):
        if _WORD.fullmatch(name):
            raise _undeclared(text, bare, name)
    for found in _FIELD.finditer(bare):
        if not found[1] and found[3] not in _FIELDS[found[2]]:
            raise _at(text, found.start(3) - 1, f"undefined field '{found[3]}'")
    if used:
        program = _with_calls(text)
    return Expression(
        text=text,
        program=program,
        roots=frozenset(names & known),
        variables=frozenset(used),
        functions=functions & callable_names,
        walks=expressions.depth(text),
        maps=re.search(r"\bmap\b", bare) is not None,
        reach=_reach(bare),
    )


def _reach(bare: str) -> Reach:
    reach: Reach = {}
    for found in _CHAIN.finditer(bare):
        fields = tuple(re.findall(r"\w+", found[1]))
        follows = (found[2] or "").strip()
        if follows.startswith("("):
            fields = fields[:-1]  # a method, not a field
        elif follows and not fields:
            continue  # whether there is an object at all
        reach = united(reach, _only(fields))
    return reach


def _only(fields: tuple[str, ...]) -> Reach:
    reach: Reach = None
    for name in reversed(fields):
        reach = {name: reach}
    return reach


def united(one: Reach, other: Reach) -> Reach:
    """What two reaches get at together."""
    if one is None or other is None:
        return None
    made = dict(one)
    for name, below in other.items():
        made[name] = united(one[name], below) if name in one else below
    return made


def within(reach: Reach, value: Any) -> Any:
    """The part of a value that a reach gets at; what is no object is taken whole."""
    if reach is None or not isinstance(value, Mapping):
        return value
    return {name: within(below, value[name]) for name, below in reach.items() if name in value}


def function_of(variable: str) -> str:
    """What a variable is called as."""
    return f"{VARIABLES}__{variable}"


def _check_variables(text: str, bare: str, used: set[str], known: Collection[str]) -> None:
    if not used:
        return
    if not known or None in used:
        raise _undeclared(text, bare, VARIABLES)
    for name in sorted(used - set(known)):
        at = re.search(rf"\bvariables\s*\.\s*{re.escape(name)}\b", bare)
        raise _at(text, bare.index(".", at.start() if at else 0), f"undefined field '{name}'")


def _with_calls(text: str) -> Any:
    def call(found: re.Match[str]) -> str:
        return found[1] or f"{function_of(found[2])}()"

    try:
        return expressions.program(_LITERAL_OR_VARIABLE.sub(call, text))
    except ValueError as error:
        raise _failed(str(error).partition("': ")[2] or str(error)) from error


def _blanked(text: str) -> str:
    """The text with spaces in place of literals, so that all else stands where it stood."""
    return expressions.LITERALS.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)


def _undeclared(text: str, bare: str, name: str) -> ValueError:
    at = re.search(rf"\b{re.escape(name)}\b", bare)
    place = at.start() if at else 0
    return _at(text, place, f"undeclared reference to '{name}' (in container '')")


def _at(text: str, place: int, message: str) -> ValueError:
    """An error as CEL shows it: with its line, and a mark below its column."""
    before = text[:place]
    line, column = before.count("\n") + 1, place - (before.rfind("\n") + 1)
    shown = text.splitlines()[line - 1] if text else ""
    return _failed(f"ERROR: <input>:{line}:{column + 1}: {message}\n | {shown}\n | {'.' * column}^")


def _failed(message: str) -> ValueError:
    return ValueError(f"compilation failed: {message}")
