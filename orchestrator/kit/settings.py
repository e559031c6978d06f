"""Settings files: a YAML mapping into one tree of frozen dataclasses, every fault at once.

Each part of the server defines its own dataclass; this module only turns text into it. Unknown
keys, wrong types and values are reported with file, line and what would be right.
"""

import collections.abc
import dataclasses
import difflib
import types
import typing
from typing import Any, TypeVar

import msgspec
import yaml

from orchestrator.kit.errors import ConfigError

Tree = TypeVar("Tree")


def load_settings(text: str, tree: type[Tree], name: str) -> Tree:
    """The settings that `text` gives on top of the defaults of `tree`.

    Args:
        text: YAML; empty means all defaults.
        tree: a frozen dataclass, its fields plain values, further such dataclasses, or mappings
            of names to such.
        name: the file's name, for messages.

    Raises:
        ConfigError: with every fault found.
    """
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError([f"{name}:{line}: not YAML: {error.problem}"]) from error
    problems: list[str] = []
    if node is None:
        return tree()
    values = _mapping(node, tree, name, "", problems)
    if problems:
        raise ConfigError(problems)
    return values


def _mapping(node: yaml.Node, kind: type[Tree], name: str, path: str, problems: list[str]) -> Tree:
    if not isinstance(node, yaml.MappingNode):
        line = node.start_mark.line + 1
        problems.append(f"{name}:{line}: {path or 'the file'}: must be a mapping of settings")
        return kind()
    hints = typing.get_type_hints(kind)
    fields = {f.name for f in dataclasses.fields(typing.cast("Any", kind))}
    given: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key, line = str(key_node.value), key_node.start_mark.line + 1
        inner = f"{path}.{key}" if path else key
        if key not in fields:
            near = difflib.get_close_matches(key, fields, n=1)
            right = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(fields))}"
            problems.append(f"{name}:{line}: {inner}: unknown setting; {right}")
        elif dataclasses.is_dataclass(hints[key]):
            given[key] = _mapping(value_node, hints[key], name, inner, problems)
        elif (kind_of := named_kind(hints[key])) is not None:
            given[key] = _named(value_node, kind_of, name, inner, problems)
        else:
            value = yaml.SafeLoader("").construct_object(value_node, deep=True)
            try:
                given[key] = msgspec.convert(value, hints[key])
            except msgspec.ValidationError:
                wanted = _words(hints[key])
                problems.append(f"{name}:{line}: {inner}: {value!r} is wrong; must be {wanted}")
    return kind() if problems else kind(**given)


def named_kind(hint: Any) -> Any:
    """The settings that a mapping of names has as values; None for other types."""
    arguments = typing.get_args(hint)
    plain = typing.get_origin(hint) is not collections.abc.Mapping or len(arguments) != 2
    return None if plain or not dataclasses.is_dataclass(arguments[1]) else arguments[1]


def _named(
    node: yaml.Node, kind: type[Tree], name: str, path: str, problems: list[str]
) -> dict[str, Tree]:
    if not isinstance(node, yaml.MappingNode):
        line = node.start_mark.line + 1
        problems.append(f"{name}:{line}: {path}: must be a mapping of names to settings")
        return {}
    return {
        str(key.value): _mapping(value, kind, name, f"{path}.{key.value}", problems)
        for key, value in node.value
    }


def _words(hint: Any) -> str:
    plain = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
    if hint in plain:
        return plain[hint]
    if typing.get_origin(hint) is typing.Literal:
        return " or ".join(str(a) for a in typing.get_args(hint))
    if isinstance(hint, types.UnionType):
        return " or ".join(_words(a) for a in typing.get_args(hint) if a is not type(None))
    return str(hint).replace("typing.", "")
