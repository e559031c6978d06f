"""YAML with line numbers: what the typed readers of inventories work on.

A document becomes nested `Located` values: mappings with string keys, lists, and scalars that keep
their source text. References to the environment are resolved here. Source: YAML 1.1 as PyYAML
reads it, merge keys included.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

from orchestrator.bootstrap.inventory.model import Problems

_REFERENCE: Final = re.compile(r"\$(\$(?=\{)|\{([^}]*)\})")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_KINDS: Final = {dict: "a mapping", list: "a list", str: "a string", bool: "true or false"}


@dataclass(frozen=True, slots=True)
class Located:
    """A value with its place.

    Attributes:
        value: dict[str, Located], list[Located], or a scalar (str, int, float, bool, None).
        line: counted from 1.
        path: "nodes[2].port"; "" for the whole document.
        text: a scalar's source text with references resolved; "" for the others.
    """

    value: Any
    line: int
    path: str
    text: str = ""

    @property
    def kind(self) -> str:
        """What it is, in words, for messages."""
        if self.value is None:
            return "nothing"
        return _KINDS.get(type(self.value), f"the number {self.text}")

    def mapping(self) -> dict[str, "Located"]:
        """Its entries; {} when it is no mapping (or nothing at all)."""
        return self.value if isinstance(self.value, dict) else {}

    def items(self) -> list["Located"]:
        """Its entries; [] when it is no list."""
        return self.value if isinstance(self.value, list) else []


def parse_yaml(text: str, problems: Problems, environment: Mapping[str, str]) -> Located | None:
    """The document; None when it is not YAML or not one document (then with a fault)."""
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        return _Reader(loader, problems, environment).read(node, "")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        problems.add(line, "", f"not YAML: {error.problem or error.context}")
        return None
    except (yaml.YAMLError, ValueError) as error:
        problems.add(1, "", f"not YAML: {error}")
        return None
    finally:
        loader.dispose()


class _Reader:
    def __init__(
        self, loader: yaml.SafeLoader, problems: Problems, environment: Mapping[str, str]
    ) -> None:
        self._loader = loader
        self._problems = problems
        self._environment = environment

    def read(self, node: Any, path: str) -> Located:
        line = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            return Located(dict(self._entries(node, path)), line, path)
        if isinstance(node, yaml.SequenceNode):
            children = [self.read(child, f"{path}[{i}]") for i, child in enumerate(node.value)]
            return Located(children, line, path)
        return self._scalar(node, line, path)

    def _entries(self, node: yaml.MappingNode, path: str) -> Iterator[tuple[str, Located]]:
        seen: dict[str, int] = {}
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                continue
            name, line = str(key.value), key.start_mark.line + 1
            if name in seen:
                self._problems.add(
                    line, _join(path, name), f"is here twice (also in line {seen[name]})",
                    "keep one",
                )  # fmt: skip
            seen[name] = line
        self._loader.flatten_mapping(node)
        for key, child in node.value:
            name = str(key.value)
            entry = self.read(child, _join(path, name))
            if entry.value is None or isinstance(entry.value, dict | list):
                entry = Located(entry.value, key.start_mark.line + 1, entry.path)
            yield name, entry

    def _scalar(self, node: Any, line: int, path: str) -> Located:
        text = str(node.value)
        if "${" in text:
            resolved = self._resolve(text, line, path)
            return Located(resolved, line, path, resolved)
        return Located(self._loader.construct_object(node), line, path, text)

    def _resolve(self, text: str, line: int, path: str) -> str:
        def value(match: re.Match[str]) -> str:
            if match[2] is None:
                return "$"
            if not _VARIABLE.fullmatch(match[2]):
                self._problems.hopeless(
                    line, path, f"{match[0]!r} is no reference to an environment variable",
                    "write ${NAME}, or $${ for a literal ${",
                )  # fmt: skip
            elif match[2] not in self._environment:
                self._problems.hopeless(
                    line, path, f"environment variable {match[2]} is not set",
                    f"export {match[2]}=..., or write the value",
                )  # fmt: skip
            return self._environment.get(match[2], "")

        return _REFERENCE.sub(value, text)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
