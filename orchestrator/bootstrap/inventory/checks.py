"""Rules that every shape of inventory keeps: names, addresses, labels, taints, jumps, ranges."""

import re
from collections.abc import Sequence
from pathlib import Path

import yaml

from orchestrator.bootstrap.inventory.located import Reader
from orchestrator.bootstrap.inventory.model import HostEntry, TaintEntry

EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_HOST = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9._:%]*[A-Za-z0-9])?")
_LABEL_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_RANGE = re.compile(r"\[(\d+):(\d+)\]")
_HOP = re.compile(r"([^@\s,]+@)?(\[[0-9A-Fa-f:]+\]|[^@\s,:]+)(:\d{1,5})?")
_QUANTITY = re.compile(r"\d+(\.\d+)?(m|k|Ki|M|Mi|G|Gi|T|Ti|P|Pi)?")
LARGEST_RANGE = 10_000


def check_name(reader: Reader, node: yaml.Node | None, path: str, name: str) -> None:
    """A node name is a DNS-1123 subdomain."""
    if not _NAME.fullmatch(name) or ".." in name:
        right = (
            "lower-case letters, digits, '-' and '.', beginning and ending with a letter or digit"
        )
        reader.fault(node, path, f"{name!r} is no node name", right)


def check_host(reader: Reader, node: yaml.Node | None, path: str, host: str) -> None:
    """An address or a DNS name, without user or port."""
    if "@" in host:
        reader.fault(node, path, f"{host!r} holds a user", "put the user under the key 'user'")
    elif host.count(":") == 1:
        reader.fault(node, path, f"{host!r} holds a port", "put the port under the key 'port'")
    elif not _HOST.fullmatch(host):
        reader.fault(node, path, f"{host!r} is no address", "an IP address or a DNS name")


def check_labels(reader: Reader, node: yaml.Node | None, path: str, labels: dict[str, str]) -> None:
    """Label keys and values keep Kubernetes' rules."""
    for key, value in labels.items():
        prefix, slash, name = key.rpartition("/")
        if not _LABEL_NAME.fullmatch(name) or (slash and not _NAME.fullmatch(prefix)):
            right = "[prefix/]name of letters, digits, '-', '_' and '.', at most 63 characters"
            reader.fault(node, f"{path}.{key}", "is no label key", right)
        if not _LABEL_VALUE.fullmatch(value):
            right = "letters, digits, '-', '_' and '.', at most 63 characters"
            reader.fault(node, f"{path}.{key}", f"{value!r} is no label value", right)


def parse_taint(reader: Reader, node: yaml.Node, path: str, text: str) -> TaintEntry | None:
    """The taint in "key=value:Effect" or "key:Effect"; None after a fault."""
    left, _, effect = text.rpartition(":")
    key, _, value = left.partition("=")
    if not left or not key:
        reader.fault(node, path, f"{text!r} is no taint", 'write "key=value:NoSchedule"')
        return None
    if effect not in EFFECTS:
        reader.fault(node, path, f"effect {effect!r} is unknown", f"one of {', '.join(EFFECTS)}")
        return None
    check_labels(reader, node, path, {key: value})
    return TaintEntry(key, value, effect)


def check_capacity(
    reader: Reader, node: yaml.Node | None, path: str, capacity: dict[str, str]
) -> None:
    """Cpu and memory as Kubernetes quantities."""
    for key, value in capacity.items():
        if key not in {"cpu", "memory"}:
            reader.fault(node, f"{path}.{key}", "unknown resource", "known: cpu, memory")
        elif not _QUANTITY.fullmatch(value):
            right = 'cores ("3", "500m")' if key == "cpu" else 'bytes ("6Gi", "512Mi")'
            reader.fault(node, f"{path}.{key}", f"{value!r} is no quantity", right)


def check_jump(reader: Reader, node: yaml.Node | None, path: str, jump: str) -> None:
    """Hops as ssh's -J takes them."""
    for hop in jump.split(",") if jump else ():
        if not _HOP.fullmatch(hop.strip()):
            reader.fault(node, path, f"{hop!r} is no jump host", "user@host or user@host:port")


def resolve_identity(
    reader: Reader, node: yaml.Node | None, path: str, text: str, base: Path
) -> str:
    """The absolute path of a private key; relative ones start at the inventory's folder."""
    if not text:
        return ""
    key = Path(text).expanduser()
    key = key if key.is_absolute() else (base / key)
    if not key.is_file():
        reader.fault(
            node, path, f"no such file: {key}", "the path of a private key, relative to this file"
        )
    elif key.suffix == ".pub":
        reader.fault(
            node, path, f"{key} is a public key", f"the private key, {key.with_suffix('')}"
        )
    return str(key.absolute())


def expand(text: str) -> list[str] | None:
    """All values of "web-[1:3]": web-1, web-2, web-3; ["web"] without a range; None if backwards.

    "[01:20]" keeps the leading zeros.
    """
    match = _RANGE.search(text)
    if match is None:
        return [text]
    first, last = match.groups()
    if int(last) < int(first) or int(last) - int(first) >= LARGEST_RANGE:
        return None
    width = len(first) if first.startswith("0") else 0
    head, tail = text[: match.start()], text[match.end() :]
    return [f"{head}{n:0{width}d}{tail}" for n in range(int(first), int(last) + 1)]


def check_unique(problems: list[str], hosts: Sequence[HostEntry]) -> None:
    """Names and (address, port, jump) occur once."""
    names: dict[str, str] = {}
    addresses: dict[tuple[str, int, str], HostEntry] = {}
    for host in hosts:
        if host.name in names:
            problems.append(
                f"{host.place}: name: {host.name!r} is already at {names[host.name]}; "
                "every node needs a name of its own"
            )
            continue
        names[host.name] = host.place
        address = (host.host, host.port, host.jump)
        other = addresses.setdefault(address, host)
        if other is not host:
            problems.append(
                f"{host.place}: host: {host.host}:{host.port} is already node {other.name!r} at "
                f"{other.place}; one entry per host"
            )
