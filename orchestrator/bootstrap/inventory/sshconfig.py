"""Reads an OpenSSH client configuration: every Host that is no pattern is a node.

The first value of a keyword wins, and patterns give theirs to all that match, as with ssh itself.
Source: ssh_config(5).
"""

import fnmatch
import re
import shlex
from dataclasses import dataclass, field
from typing import Final

from orchestrator.bootstrap.inventory import values
from orchestrator.bootstrap.inventory.folders import Folders
from orchestrator.bootstrap.inventory.model import (
    DEFAULT_CLUSTER,
    DEFAULT_PORT,
    Inventory,
    InventoryNode,
    Problems,
)
from orchestrator.bootstrap.inventory.nodes import check_port, check_unique, read_identity_file

_HOST_LINE: Final = re.compile(r"^\s*Host[\s=]+\S", re.IGNORECASE | re.MULTILINE)
_KEYWORD: Final = re.compile(r"\s*([A-Za-z0-9]+)(?:\s*=\s*|\s+)(.*?)\s*$")
_USED: Final = frozenset({"hostname", "port", "user", "identityfile", "proxyjump"})
_CANNOT: Final = {
    "proxycommand": "use ProxyJump",
    "include": "put the hosts into this file, or give orch the included file",
    "match": "use Host",
    "pkcs11provider": "use IdentityFile or an agent",
}


@dataclass(frozen=True, slots=True)
class _Option:
    line: int
    value: str


@dataclass(slots=True)
class _Block:
    line: int
    patterns: tuple[str, ...]
    options: dict[str, _Option] = field(default_factory=dict)

    def applies_to(self, name: str) -> bool:
        """As ssh decides: one pattern matches and no negated one does."""
        if any(fnmatch.fnmatchcase(name, p[1:]) for p in self.patterns if p.startswith("!")):
            return False
        return any(fnmatch.fnmatchcase(name, p) for p in self.patterns if not p.startswith("!"))


def looks_like_ssh_config(text: str) -> bool:
    """Whether there is a Host line."""
    return bool(_HOST_LINE.search(text))


def read_ssh_config(text: str, problems: Problems, folders: Folders) -> Inventory:
    """The inventory; faults go to `problems`, and what is at fault is left out."""
    blocks = _blocks(text, problems)
    names: dict[str, int] = {}
    for block in blocks:
        for pattern in block.patterns:
            if not re.search(r"[*?!]", pattern):
                names.setdefault(pattern, block.line)
    if not names:
        problems.add(
            1, "Host", "there is no Host without a wildcard", "write Host web-1 and its HostName"
        )
    nodes = [
        node
        for name, line in names.items()
        if (node := _node(name, line, blocks, problems, folders)) is not None
    ]
    check_unique(nodes, problems)
    return Inventory(DEFAULT_CLUSTER, tuple(nodes), notes=problems.notes, source="ssh_config")


def _blocks(text: str, problems: Problems) -> list[_Block]:
    blocks = [_Block(1, ("*",))]
    for number, raw in enumerate(text.splitlines(), start=1):
        if not raw.strip() or raw.lstrip().startswith("#"):
            continue
        match = _KEYWORD.fullmatch(raw)
        if match is None or not match[2]:
            problems.add(number, "", f"cannot read {raw.strip()!r}", "write Keyword value")
            continue
        keyword, value = match[1].lower(), match[2]
        if keyword in _CANNOT:
            problems.add(number, match[1], "cannot be honoured", _CANNOT[keyword])
        if keyword == "host":
            try:
                patterns = tuple(shlex.split(value))
            except ValueError:
                problems.add(number, "Host", f"cannot read {value!r}", "close the quotes")
                continue
            blocks.append(_Block(number, patterns))
        elif keyword == "match":
            blocks.append(_Block(number, ()))
        elif keyword in _USED:
            blocks[-1].options.setdefault(keyword, _Option(number, value.strip('"')))
        elif keyword not in _CANNOT:
            problems.note(number, f"{match[1]} is for ssh; orch does not use it")
    return blocks


def _node(
    name: str, line: int, blocks: list[_Block], problems: Problems, folders: Folders
) -> InventoryNode | None:
    chosen: dict[str, _Option] = {}
    for block in blocks:
        if block.applies_to(name):
            for keyword, option in block.options.items():
                chosen.setdefault(keyword, option)
    faults_before = len(problems)

    def text(keyword: str, check: values.Check) -> str:
        option = chosen.get(keyword)
        if option is None:
            return ""
        value = option.value.replace("%h", name) if keyword == "hostname" else option.value
        problem = check(value)
        if problem:
            problems.add(option.line, keyword, problem)
        return value

    problem = values.check_node_name(values.node_name(name))
    if problem:
        problems.add(line, "Host", problem)
    jump = text("proxyjump", _check_proxy_jump)
    port = text("port", check_port)
    identity = chosen.get("identityfile")
    node = InventoryNode(
        name=values.node_name(name),
        host=text("hostname", values.check_host) or name,
        port=int(port) if port.isdigit() else DEFAULT_PORT,
        user=text("user", values.check_user),
        identity_file=read_identity_file(
            identity.value, identity.line, "IdentityFile", problems, folders
        )
        if identity and identity.value.lower() != "none"
        else "",
        jump="" if jump.lower() == "none" else jump,
        place=problems.place(line),
    )
    return node if len(problems) == faults_before else None


def _check_proxy_jump(text: str) -> str:
    return "" if text.lower() == "none" else values.check_jump(text)
