"""YAML values that know where they stand, and a reader that collects every fault.

PyYAML's nodes carry line numbers, its constructed values do not; so faults are found on nodes.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import yaml

_REFERENCE = re.compile(r"\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_WORDS = {"str": "text", "int": "a whole number", "bool": "true or false"}


@dataclass(slots=True)
class Reader:
    """Reads values from YAML nodes; faults go to `problems`, each once, and reading goes on.

    Attributes:
        file: the file's name, for messages.
        env: variables for `${NAME}`.
        problems: "FILE:LINE: FIELD: what is wrong; what would be right".
    """

    file: str
    env: Mapping[str, str]
    problems: list[str] = field(default_factory=list)

    def fault(self, node: yaml.Node | None, path: str, wrong: str, right: str) -> None:
        """Records a fault at a node (None: at the file's first line)."""
        line = node.start_mark.line + 1 if node is not None else 1
        text = f"{self.file}:{line}: {path}: {wrong}; {right}"
        if text not in self.problems:
            self.problems.append(text)

    def entries(
        self, node: yaml.Node, path: str, known: frozenset[str] | None = None
    ) -> Iterator[tuple[str, yaml.Node, yaml.Node, str]]:
        """(key, key node, value node, path) of a mapping; unknown and repeated keys are faults."""
        if not isinstance(node, yaml.MappingNode):
            self.fault(node, path, f"is {kind_of(node)}", "must be a mapping (key: value)")
            return
        seen: set[str] = set()
        for key_node, value_node in node.value:
            key = str(key_node.value)
            inner = f"{path}.{key}" if path else key
            if key in seen:
                self.fault(key_node, inner, "is given twice", "keep one of them")
                continue
            seen.add(key)
            if known is not None and key not in known:
                near = difflib.get_close_matches(key, sorted(known), n=1)
                right = (
                    f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(known))}"
                )
                self.fault(key_node, inner, "unknown key", right)
                continue
            yield key, key_node, value_node, inner

    def items(self, node: yaml.Node, path: str) -> Iterator[tuple[yaml.Node, str]]:
        """(node, path) of a list's items."""
        if not isinstance(node, yaml.SequenceNode):
            self.fault(node, path, f"is {kind_of(node)}", "must be a list")
            return
        for i, item in enumerate(node.value):
            yield item, f"{path}[{i}]"

    def text(self, node: yaml.Node, path: str) -> str:
        """A string with `${NAME}` references filled in; "" after a fault."""
        if not isinstance(node, yaml.ScalarNode) or node.tag.endswith(":null"):
            self.fault(node, path, f"is {kind_of(node)}", "must be text")
            return ""
        if node.tag.endswith((":bool", ":float")) and not node.style:
            self.fault(node, path, f"{node.value} is no text", f'write it as "{node.value}"')
            return ""

        def fill(match: re.Match[str]) -> str:
            name = match.group(1)
            if name is None:
                return "$"
            if name not in self.env:
                self.fault(
                    node, path, f"${{{name}}} is not set", f"export {name}=... before running orch"
                )
                return ""
            return self.env[name]

        return _REFERENCE.sub(fill, str(node.value))

    def integer(self, node: yaml.Node, path: str, low: int, high: int) -> int:
        """A whole number within bounds; `low` after a fault."""
        text = self.text(node, path)
        if text.isdigit() and low <= int(text) <= high:
            return int(text)
        if text:
            self.fault(
                node, path, f"{text!r} is out of range", f"a whole number from {low} to {high}"
            )
        return low

    def boolean(self, node: yaml.Node, path: str) -> bool:
        """True or false."""
        if isinstance(node, yaml.ScalarNode) and node.tag.endswith(":bool"):
            return str(node.value).lower() in {"true", "yes", "on"}
        self.fault(node, path, f"is {kind_of(node)}", "must be true or false")
        return False

    def strings(self, node: yaml.Node, path: str) -> dict[str, str]:
        """A mapping of text to text; numbers and booleans are taken as they are written."""
        found: dict[str, str] = {}
        for key, _, value, inner in self.entries(node, path):
            if isinstance(value, yaml.ScalarNode) and not value.tag.endswith(":null"):
                value = yaml.ScalarNode(
                    "tag:yaml.org,2002:str", value.value, value.start_mark, value.end_mark
                )
            found[key] = self.text(value, inner)
        return found


def kind_of(node: yaml.Node) -> str:
    """What a node is, in words: "a list", "empty", "a whole number"."""
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    tag = str(node.tag).rpartition(":")[2]
    return "empty" if tag == "null" else _WORDS.get(tag, tag)
