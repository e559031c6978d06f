"""orch's own inventory: cluster, defaults, network, nodes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from orchestrator.bootstrap.inventory import checks
from orchestrator.bootstrap.inventory.located import Reader
from orchestrator.bootstrap.inventory.model import HostEntry, Inventory

TOP_KEYS = frozenset({"cluster", "defaults", "network", "nodes"})
DEFAULT_KEYS = frozenset(
    {"user", "port", "identity_file", "jump", "become", "labels", "taints", "capacity"}
)
NODE_KEYS = DEFAULT_KEYS | {"name", "host"}
_LABEL_MAPS = ("labels", "capacity")


def parse_native(reader: Reader, root: yaml.Node, base: Path) -> Inventory:
    """An inventory from its root node; faults go to the reader."""
    parts: dict[str, tuple[yaml.Node, str]] = {}
    for key, _, value, path in reader.entries(root, "", TOP_KEYS):
        parts[key] = (value, path)
    cluster = reader.text(*parts["cluster"]) if "cluster" in parts else "orch"
    if cluster:
        checks.check_name(reader, parts.get("cluster", (None, ""))[0], "cluster", cluster)
    if "network" in parts:
        _network(reader, *parts["network"])
    defaults: dict[str, Any] = {}
    if "defaults" in parts:
        defaults = _fields(reader, *parts["defaults"], DEFAULT_KEYS, base)
    if "nodes" not in parts:
        reader.fault(root, "nodes", "missing", "a list of hosts: nodes: [{name: a, host: b}]")
        return Inventory(cluster, ())
    hosts: list[HostEntry] = []
    for node, path in reader.items(*parts["nodes"]):
        hosts += _hosts(reader, node, path, defaults, base)
    if not hosts and not reader.problems:
        reader.fault(parts["nodes"][0], "nodes", "is empty", "name at least one host")
    return Inventory(cluster, tuple(hosts))


def _network(reader: Reader, node: yaml.Node, path: str) -> None:
    for _, _, value, inner in reader.entries(node, path, frozenset({"backend"})):
        backend = reader.text(value, inner)
        if backend != "none":
            reader.fault(
                value, inner, f"{backend!r} is not supported", "none (pods use published ports)"
            )


def _fields(
    reader: Reader, node: yaml.Node, path: str, known: frozenset[str], base: Path
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, _, value, inner in reader.entries(node, path, known):
        match key:
            case "port":
                found[key] = reader.integer(value, inner, 1, 65535)
            case "become":
                found[key] = reader.boolean(value, inner)
            case "labels":
                found[key] = reader.strings(value, inner)
                checks.check_labels(reader, value, inner, found[key])
            case "capacity":
                found[key] = reader.strings(value, inner)
                checks.check_capacity(reader, value, inner, found[key])
            case "taints":
                taints = [
                    checks.parse_taint(reader, item, at, reader.text(item, at))
                    for item, at in reader.items(value, inner)
                ]
                found[key] = tuple(t for t in taints if t)
            case "identity_file":
                text = reader.text(value, inner)
                found[key] = checks.resolve_identity(reader, value, inner, text, base)
            case "jump":
                found[key] = reader.text(value, inner)
                checks.check_jump(reader, value, inner, found[key])
            case _:
                found[key] = reader.text(value, inner)
    return found


def _hosts(
    reader: Reader, node: yaml.Node, path: str, defaults: dict[str, Any], base: Path
) -> list[HostEntry]:
    before = len(reader.problems)
    own = _fields(reader, node, path, NODE_KEYS, base)
    if not isinstance(node, yaml.MappingNode):
        return []
    if "name" not in own:
        reader.fault(node, f"{path}.name", "missing", "name: web-1")
        return []
    names, hosts = checks.expand(own["name"]), checks.expand(own.get("host") or own["name"])
    if names is None or hosts is None:
        reader.fault(
            node, path, "a range runs backwards or is too long",
            f"[first:last], at most {checks.LARGEST_RANGE} hosts",
        )  # fmt: skip
        return []
    if len(names) != len(hosts):
        reader.fault(
            node, f"{path}.host",
            f"gives {len(hosts)} address(es) for {len(names)} name(s)",
            "use a range of the same length in name and host",
        )  # fmt: skip
        return []
    checks.check_name(reader, node, f"{path}.name", names[0])
    if hosts[0]:
        checks.check_host(reader, node, f"{path}.host", hosts[0])
    if len(reader.problems) > before:
        return []
    merged = {**defaults, **own}
    for key in _LABEL_MAPS:
        merged[key] = {**defaults.get(key, {}), **own.get(key, {})}
    merged.pop("name")
    merged.pop("host", None)
    first = HostEntry(
        name=names[0],
        host=hosts[0],
        place=f"{reader.file}:{node.start_mark.line + 1}",
        **merged,
    )
    return [replace(first, name=n, host=h) for n, h in zip(names, hosts, strict=True)]
