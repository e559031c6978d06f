"""Reads an inventory file of any of the three formats."""

import re
from collections.abc import Mapping
from pathlib import Path

from orchestrator.bootstrap.inventory.ansible import looks_like_ansible, read_ansible
from orchestrator.bootstrap.inventory.folders import Folders
from orchestrator.bootstrap.inventory.located import parse_yaml
from orchestrator.bootstrap.inventory.model import Inventory, Problems
from orchestrator.bootstrap.inventory.native import TOP_KEYS, read_native
from orchestrator.bootstrap.inventory.sshconfig import looks_like_ssh_config, read_ssh_config
from orchestrator.kit.errors import ConfigError


def load_inventory(path: Path, environment: Mapping[str, str], home: Path) -> Inventory:
    """The inventory in a file; the format is told by its shape.

    Args:
        path: the file.
        environment: what `${NAME}` refers to.
        home: what `~` stands for.

    Raises:
        ConfigError: every fault in it, each "FILE:LINE: FIELD: what is wrong; what would be right".
    """
    try:
        text = path.read_text()
    except OSError as error:
        raise ConfigError([f"{path}: cannot read it: {error.strerror or error}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: not a text file: {error}"]) from error
    return parse_inventory(text, path, environment, home)


def parse_inventory(text: str, path: Path, environment: Mapping[str, str], home: Path) -> Inventory:
    """The same for text; relative paths are relative to `path`'s directory."""
    problems = Problems(path)
    folders = Folders(path.absolute().parent, home)
    if looks_like_ssh_config(text) and not re.search(r"^\w+:", text, re.MULTILINE):
        inventory = read_ssh_config(text, problems, folders)
        problems.raise_if_any()
        return inventory
    document = parse_yaml(text, problems, environment)
    if document is None or not isinstance(document.value, dict):
        problems.raise_if_any()
        kind = document.kind if document else "empty"
        problems.add(
            1, "", f"is no inventory: it is {kind}",
            f"write a mapping with {', '.join(TOP_KEYS)}; inventory.example.yaml shows every key",
        )  # fmt: skip
        problems.raise_if_any()
    assert document is not None  # noqa: S101  # raised above
    reader = read_ansible if looks_like_ansible(document) else read_native
    inventory = reader(document, problems, folders)
    problems.raise_if_any()
    return inventory
