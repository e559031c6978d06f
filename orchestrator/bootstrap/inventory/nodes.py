"""What every format checks about its nodes: key files that are there, nothing twice."""

from orchestrator.bootstrap.inventory.folders import Folders
from orchestrator.bootstrap.inventory.model import InventoryNode, Problems


def check_port(text: str) -> str:
    """A port; "" when right, else what is wrong and what would be right."""
    if text.isdigit() and 1 <= int(text) <= 65535:
        return ""
    return f"{text!r} is no port; write a number of 1 to 65535, as in 22"


def read_identity_file(
    text: str, line: int, where: str, problems: Problems, folders: Folders
) -> str:
    """The absolute path of a private key that is there; "" for one at fault."""
    path = folders.resolve(text)
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as error:
        wrong = f"cannot read {path}: {error.strerror or error}"
    else:
        if b"PRIVATE KEY" in head:
            return str(path)
        wrong = f"{path} holds no private key"
    problems.add(
        line,
        where,
        wrong,
        "name the private key (not the .pub file), relative to this file or absolute",
    )
    return ""


def check_unique(nodes: list[InventoryNode], problems: Problems) -> None:
    """A fault for every name and every address that is there twice."""
    names: dict[str, InventoryNode] = {}
    addresses: dict[tuple[str, int, str], InventoryNode] = {}
    for node in nodes:
        line = int(node.place.rpartition(":")[2])
        other = names.setdefault(node.name, node)
        if other is not node:
            problems.add(
                line,
                "name",
                f"{node.name!r} is also the name of the node at {other.place}",
                "give every node a name of its own",
            )
            continue
        address = (node.host.lower(), node.port, node.jump)
        other = addresses.setdefault(address, node)
        if other is not node:
            problems.add(
                line,
                "host",
                f"{node.host}, port {node.port} is also node {other.name!r} at {other.place}",
                "one host is one node: correct the address, or remove one of the two",
            )
