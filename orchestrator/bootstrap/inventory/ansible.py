"""Reads an Ansible YAML inventory: groups, hosts, children and the connection variables.

Groups become labels `group.orch.dev/NAME: "true"`. Variables that only Ansible's playbooks read
are theirs and pass without a word; connection variables that orch cannot honour are faults.
Source: Ansible documentation, "How to build your inventory" (order of variables included).
"""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from orchestrator.bootstrap.inventory import values
from orchestrator.bootstrap.inventory.folders import Folders
from orchestrator.bootstrap.inventory.located import Located
from orchestrator.bootstrap.inventory.model import (
    DEFAULT_CLUSTER,
    DEFAULT_PORT,
    Inventory,
    InventoryNode,
    Problems,
)
from orchestrator.bootstrap.inventory.native import expect
from orchestrator.bootstrap.inventory.nodes import check_port, check_unique, read_identity_file
from orchestrator.bootstrap.inventory.ranges import RangeError, expand

GROUP_LABEL: Final = "group.orch.dev/"
GROUP_KEYS: Final = frozenset({"hosts", "children", "vars"})
_ALIASES: Final = {
    "ansible_ssh_host": "ansible_host",
    "ansible_ssh_port": "ansible_port",
    "ansible_ssh_user": "ansible_user",
    "ansible_private_key_file": "ansible_ssh_private_key_file",
    "ansible_sudo": "ansible_become",
}
_CANNOT: Final = {
    "ansible_password": "orch logs in with keys; use ansible_ssh_private_key_file",
    "ansible_ssh_pass": "orch logs in with keys; use ansible_ssh_private_key_file",
    "ansible_become_password": "orch needs sudo without a password (NOPASSWD in sudoers)",
    "ansible_become_pass": "orch needs sudo without a password (NOPASSWD in sudoers)",
}
_JUMP: Final = re.compile(r"ProxyJump[= ](\S+)")


@dataclass(slots=True)
class _Host:
    line: int
    groups: list[str] = field(default_factory=list)
    layers: list[tuple[int, str, Mapping[str, Located]]] = field(default_factory=list)
    own: dict[str, Located] = field(default_factory=dict)


def looks_like_ansible(document: Located) -> bool:
    """Whether every top-level entry is a group: a mapping of hosts, children, vars."""
    groups = document.mapping()
    if not groups or "nodes" in groups:
        return False
    bodies = [g.mapping() for g in groups.values()]
    return any(b.keys() & GROUP_KEYS for b in bodies) and (
        "all" in groups or all(b.keys() <= GROUP_KEYS for b in bodies)
    )


def read_ansible(document: Located, problems: Problems, folders: Folders) -> Inventory:
    """The inventory; faults go to `problems`, and what is at fault is left out."""
    hosts: dict[str, _Host] = {}
    for name, body in document.mapping().items():
        _read_group(name, body, (), hosts, problems)
    if not hosts:
        problems.add(
            document.line, "hosts", "there are no hosts",
            "write all: {hosts: {web1: {ansible_host: 203.0.113.10}}}",
        )  # fmt: skip
    nodes = [
        node
        for name, host in hosts.items()
        if (node := _node(name, host, problems, folders)) is not None
    ]
    check_unique(nodes, problems)
    return Inventory(DEFAULT_CLUSTER, tuple(nodes), notes=problems.notes, source="ansible")


def _read_group(
    name: str,
    body: Located,
    above: tuple[tuple[str, Located], ...],
    hosts: dict[str, _Host],
    problems: Problems,
) -> None:
    if body.value is None:
        return
    if not expect(body, dict, problems, "a group has hosts, children and vars"):
        return
    for key, entry in body.mapping().items():
        if key not in GROUP_KEYS:
            problems.add(entry.line, entry.path, "unknown key", "a group has hosts, children, vars")
        elif entry.value is not None:
            expect(entry, dict, problems, f"write {key}: as a mapping")
    if name in {n for n, _ in above}:
        problems.add(body.line, body.path, f"group {name!r} contains itself", "remove one of them")
        return
    chain = (*above, (name, body))
    for pattern, entry in _section(body, "hosts").items():
        try:
            names = expand(pattern) or [pattern]
        except RangeError as error:
            problems.add(entry.line, entry.path, str(error))
            continue
        for each in names:
            _join(hosts.setdefault(each, _Host(entry.line)), entry, chain)
    for child, entry in _section(body, "children").items():
        _read_group(child, entry, chain, hosts, problems)


def _section(body: Located, key: str) -> dict[str, Located]:
    entry = body.mapping().get(key)
    return entry.mapping() if entry else {}


def _join(host: _Host, entry: Located, chain: tuple[tuple[str, Located], ...]) -> None:
    host.own.update(entry.mapping())
    for depth, (name, body) in enumerate(chain):
        if name not in {"all", "ungrouped"} and name not in host.groups:
            host.groups.append(name)
        host.layers.append((0 if name == "all" else depth + 1, name, _section(body, "vars")))


def _variables(host: _Host) -> dict[str, Located]:
    """Merged as Ansible does: all, then parents before children, then by name, then the host."""
    merged: dict[str, Located] = {}
    for _, _, layer in sorted(host.layers, key=lambda x: (x[0], x[1])):
        merged.update(layer)
    merged.update(host.own)
    return {_ALIASES.get(name, name): entry for name, entry in merged.items()}


def _node(name: str, host: _Host, problems: Problems, folders: Folders) -> InventoryNode | None:
    variables = _variables(host)
    faults_before = len(problems)
    for key, entry in variables.items():
        if key in _CANNOT:
            problems.add(entry.line, entry.path, "cannot be used", _CANNOT[key])
        elif key.startswith("ansible_") and "{{" in entry.text:
            problems.add(
                entry.line, entry.path, "is a template, which only Ansible can fill in",
                "write the value, or ${NAME} for an environment variable",
            )  # fmt: skip
    connection = variables.get("ansible_connection")
    if connection is not None and connection.text not in {"ssh", "smart", "paramiko", ""}:
        problems.add(
            connection.line, connection.path, f"{connection.text!r} is not ssh",
            "orch reaches hosts by ssh only; leave this host out",
        )  # fmt: skip
    node = InventoryNode(
        name=_checked(values.node_name(name), host.line, name, values.check_node_name, problems),
        host=_text(variables, "ansible_host", values.check_host, problems) or name,
        port=_port(variables.get("ansible_port"), problems),
        user=_text(variables, "ansible_user", values.check_user, problems),
        identity_file=_identity(variables, problems, folders),
        jump=_jump(variables, problems),
        become=_become(variables.get("ansible_become"), problems),
        labels={GROUP_LABEL + g: "true" for g in host.groups if _label(g, host.line, problems)},
        place=problems.place(host.line),
    )
    return node if len(problems) == faults_before else None


def _checked(text: str, line: int, where: str, check: values.Check, problems: Problems) -> str:
    problem = check(text)
    if problem:
        problems.add(line, where, problem)
    return text


def _text(
    variables: Mapping[str, Located], key: str, check: values.Check, problems: Problems
) -> str:
    entry = variables.get(key)
    if entry is None or "{{" in entry.text:
        return ""
    return _checked(entry.text, entry.line, entry.path, check, problems)


def _identity(variables: Mapping[str, Located], problems: Problems, folders: Folders) -> str:
    entry = variables.get("ansible_ssh_private_key_file")
    if entry is None or "{{" in entry.text:
        return ""
    return read_identity_file(entry.text, entry.line, entry.path, problems, folders)


def _port(entry: Located | None, problems: Problems) -> int:
    if entry is None or "{{" in entry.text:
        return DEFAULT_PORT
    text = _checked(entry.text, entry.line, entry.path, check_port, problems)
    return int(text) if text.isdigit() else DEFAULT_PORT


def _become(entry: Located | None, problems: Problems) -> bool:
    if entry is None:
        return True
    words = {"true": True, "yes": True, "1": True, "on": True,
             "false": False, "no": False, "0": False, "off": False}  # fmt: skip
    found = words.get(entry.text.lower())
    if found is None:
        problems.add(entry.line, entry.path, f"{entry.text!r} is neither true nor false")
    return True if found is None else found


def _jump(variables: Mapping[str, Located], problems: Problems) -> str:
    """ProxyJump or -J out of the ssh arguments; anything else there cannot be honoured."""
    for key in ("ansible_ssh_common_args", "ansible_ssh_extra_args"):
        entry = variables.get(key)
        if entry is None or not entry.text.strip():
            continue
        found = _jump_argument(entry.text)
        if not found or values.check_jump(found):
            problems.add(
                entry.line, entry.path, f"{entry.text!r} cannot be honoured",
                "only a jump host can: -J user@bastion or -o ProxyJump=user@bastion",
            )  # fmt: skip
        else:
            return found
    return ""


def _jump_argument(text: str) -> str:
    try:
        words = shlex.split(text)
    except ValueError:
        return ""
    if len(words) == 2 and words[0] == "-J":
        return words[1]
    if len(words) == 1 and words[0].startswith("-J"):
        return words[0][2:]
    rest = " ".join(words).removeprefix("-o").strip()
    match = _JUMP.fullmatch(rest)
    return match[1] if match else ""


def _label(group: str, line: int, problems: Problems) -> bool:
    problem = values.check_label_key(GROUP_LABEL + group)
    if problem:
        problems.note(line, f"group {group!r} cannot be a label: {problem}")
    return not problem
