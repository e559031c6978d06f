"""Reads an inventory of any accepted shape; all faults at once."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import yaml

from orchestrator.bootstrap.inventory import checks
from orchestrator.bootstrap.inventory.ansible import parse_ansible
from orchestrator.bootstrap.inventory.located import Reader, kind_of
from orchestrator.bootstrap.inventory.model import Inventory
from orchestrator.bootstrap.inventory.native import TOP_KEYS, parse_native
from orchestrator.bootstrap.inventory.openssh import looks_like_openssh, parse_openssh
from orchestrator.kit.errors import ConfigError


def load_inventory(path: Path, env: Mapping[str, str]) -> Inventory:
    """The inventory in a file.

    Args:
        path: orch's YAML, Ansible's YAML, or an OpenSSH client configuration; told apart by shape.
        env: variables for `${NAME}` references.

    Raises:
        ConfigError: with every fault, each "FILE:LINE: FIELD: what is wrong; what would be right".
    """
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path}: cannot be read: {error}"]) from error
    inventory, problems = parse_inventory(text, str(path), path.absolute().parent, env)
    if problems:
        raise ConfigError(problems)
    return replace(inventory, path=str(path.absolute()))


def parse_inventory(
    text: str, file: str, base: Path, env: Mapping[str, str]
) -> tuple[Inventory, list[str]]:
    """(the inventory, its faults); with faults the inventory is what could be read."""
    reader = Reader(file, env)
    inventory = _parse(reader, text, base)
    checks.check_unique(reader.problems, inventory.hosts)
    return inventory, reader.problems


def _parse(reader: Reader, text: str, base: Path) -> Inventory:
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        if looks_like_openssh(text):
            return parse_openssh(reader, text, base)
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        reader.problems.append(f"{reader.file}:{line}: not YAML: {error.problem}")
        return Inventory("orch", ())
    if isinstance(root, yaml.MappingNode):
        keys = {str(k.value) for k, _ in root.value}
        if keys & TOP_KEYS or not _ansible_shape(root):
            return parse_native(reader, root, base)
        return parse_ansible(reader, root, base)
    if looks_like_openssh(text):
        return parse_openssh(reader, text, base)
    what = kind_of(root) if root is not None else "empty"
    reader.problems.append(
        f"{reader.file}:1: is {what}; an inventory is a mapping with the key 'nodes', "
        "an Ansible YAML inventory, or an OpenSSH client configuration"
    )
    return Inventory("orch", ())


def _ansible_shape(root: yaml.MappingNode) -> bool:
    """Whether every top value is a group: empty, or a mapping of hosts, children and vars."""
    groups = {"hosts", "children", "vars"}
    return all(
        (isinstance(v, yaml.ScalarNode) and v.tag.endswith(":null"))
        or (isinstance(v, yaml.MappingNode) and {str(k.value) for k, _ in v.value} & groups)
        for _, v in root.value
    )
