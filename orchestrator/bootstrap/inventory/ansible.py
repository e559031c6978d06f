"""Ansible's YAML inventory: groups with hosts, children and vars.

Variables of outer groups are overridden by inner ones, those by the host's own. Every group that a
host is in, directly or through children, becomes the label `orch.dev/group.NAME=true`. Variables
that are not about connecting are Ansible's business and are left alone.
Source: Ansible documentation, "How to build your inventory".
"""

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from orchestrator.bootstrap.inventory import checks
from orchestrator.bootstrap.inventory.located import Reader
from orchestrator.bootstrap.inventory.model import HostEntry, Inventory

_GROUP_KEYS = frozenset({"hosts", "children", "vars"})
_IMPLICIT = frozenset({"all", "ungrouped"})
_UNFIT = re.compile(r"[^A-Za-z0-9_.-]")


@dataclass(slots=True)
class _Host:
    node: yaml.Node
    groups: set[str] = field(default_factory=set)
    variables: dict[str, tuple[yaml.Node, str]] = field(default_factory=dict)
    own: dict[str, tuple[yaml.Node, str]] = field(default_factory=dict)


def parse_ansible(reader: Reader, root: yaml.Node, base: Path) -> Inventory:
    """An inventory from the root node of an Ansible YAML inventory."""
    found: dict[str, _Host] = {}
    for name, _, group, path in reader.entries(root, ""):
        _group(reader, name, group, path, (), {}, found)
    hosts = [_entry(reader, name, host, base) for name, host in found.items()]
    if not hosts and not reader.problems:
        reader.fault(root, "all.hosts", "no host is named", "all: {hosts: {web-1: {}}}")
    return Inventory("orch", tuple(h for h in hosts if h))


def _group(
    reader: Reader,
    name: str,
    node: yaml.Node,
    path: str,
    outer: tuple[str, ...],
    inherited: dict[str, tuple[yaml.Node, str]],
    found: dict[str, _Host],
) -> None:
    if _empty(node):
        return
    groups = (*outer, name)
    parts = {k: (v, p) for k, _, v, p in reader.entries(node, path, _GROUP_KEYS)}
    variables = dict(inherited)
    if "vars" in parts and not _empty(parts["vars"][0]):
        variables |= {k: (v, p) for k, _, v, p in reader.entries(*parts["vars"])}
    if "hosts" in parts and not _empty(parts["hosts"][0]):
        for pattern, key_node, value, inner in reader.entries(*parts["hosts"]):
            names = checks.expand(pattern)
            if names is None:
                reader.fault(key_node, inner, "a range runs backwards", "[first:last]")
                continue
            own = {}
            if not _empty(value):
                own = {k: (v, p) for k, _, v, p in reader.entries(value, inner)}
            for host_name in names:
                host = found.setdefault(host_name, _Host(key_node))
                host.groups |= set(groups)
                host.variables |= variables
                host.own |= own
    if "children" in parts and not _empty(parts["children"][0]):
        for child, _, value, inner in reader.entries(*parts["children"]):
            _group(reader, child, value, inner, groups, variables, found)


def _empty(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag.endswith(":null")


def _entry(reader: Reader, name: str, host: _Host, base: Path) -> HostEntry | None:
    values = {**host.variables, **host.own}
    before = len(reader.problems)

    def text(*keys: str) -> tuple[str, yaml.Node, str]:
        for key in keys:
            if key in values:
                node, path = values[key]
                return reader.text(node, path), node, path
        return "", host.node, name

    port = 22
    for key in ("ansible_port", "ansible_ssh_port"):
        if key in values:
            port = reader.integer(*values[key], 1, 65535)
    become = True
    if "ansible_become" in values:
        become = reader.boolean(*values["ansible_become"])
    address, address_node, address_path = text("ansible_host", "ansible_ssh_host")
    identity, identity_node, identity_path = text(
        "ansible_ssh_private_key_file", "ansible_private_key_file"
    )
    arguments, arguments_node, arguments_path = text("ansible_ssh_common_args")
    jump = _jump(arguments)
    checks.check_jump(reader, arguments_node, arguments_path, jump)
    node_name = name.lower().replace("_", "-")
    checks.check_name(reader, host.node, name, node_name)
    checks.check_host(reader, address_node, address_path, address or name)
    labels = {
        f"orch.dev/group.{_UNFIT.sub('-', g)}": "true"
        for g in sorted(host.groups)
        if g not in _IMPLICIT
    }
    entry = HostEntry(
        name=node_name,
        host=address or name,
        port=port,
        user=text("ansible_user", "ansible_ssh_user")[0],
        identity_file=checks.resolve_identity(reader, identity_node, identity_path, identity, base),
        jump=jump,
        become=become,
        labels=labels,
        place=f"{reader.file}:{host.node.start_mark.line + 1}",
    )
    return entry if len(reader.problems) == before else None


def _jump(arguments: str) -> str:
    """The hops that ssh arguments name: -J HOPS or -o ProxyJump=HOPS."""
    words = shlex.split(arguments)
    for position, word in enumerate(words):
        if word == "-J" and position + 1 < len(words):
            return words[position + 1]
        if word.startswith("-J") and len(word) > 2:
            return word[2:]
        key, _, value = word.removeprefix("-o").partition("=")
        if key.lower() == "proxyjump":
            return value
    return ""
