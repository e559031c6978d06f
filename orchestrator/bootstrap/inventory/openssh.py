"""An OpenSSH client configuration as an inventory: one node per `Host` without wildcards.

Source: ssh_config(5); parsed by paramiko's SSHConfig, which comes with fabric.
"""

import re
from pathlib import Path

import paramiko

from orchestrator.bootstrap.inventory import checks
from orchestrator.bootstrap.inventory.located import Reader
from orchestrator.bootstrap.inventory.model import HostEntry, Inventory

_HOST_LINE = re.compile(r"^\s*Host(?:\s+|\s*=\s*)(.+?)\s*$", re.IGNORECASE | re.MULTILINE)


def looks_like_openssh(text: str) -> bool:
    """Whether a file has `Host` sections, which no YAML inventory has."""
    return _HOST_LINE.search(text) is not None


def parse_openssh(reader: Reader, text: str, base: Path) -> Inventory:
    """An inventory from the text of an OpenSSH client configuration."""
    try:
        config = paramiko.SSHConfig.from_text(text)
    except paramiko.ConfigParseError as error:
        reader.problems.append(f"{reader.file}:1: not an OpenSSH configuration: {error}")
        return Inventory("orch", ())
    lines = _lines(text)
    hosts: list[HostEntry] = []
    for alias, line in lines.items():
        if any(c in alias for c in "*?!"):
            continue
        found = config.lookup(alias)
        place = f"{reader.file}:{line}"
        name = alias.lower().replace("_", "-")
        faults = Reader(reader.file, reader.env)
        checks.check_name(faults, None, f"Host {alias}", name)
        keys = found.get("identityfile") or []
        identity = ""
        if keys:
            identity = checks.resolve_identity(
                faults, None, f"Host {alias}: IdentityFile", str(keys[0]), base
            )
        jump = str(found.get("proxyjump", ""))
        jump = "" if jump.lower() == "none" else jump
        checks.check_jump(faults, None, f"Host {alias}: ProxyJump", jump)
        prefix = f"{reader.file}:1:"
        reader.problems += [place + ":" + p.removeprefix(prefix) for p in faults.problems]
        hosts.append(
            HostEntry(
                name=name,
                host=str(found.get("hostname", alias)),
                port=int(found.get("port", 22)),
                user=str(found.get("user", "")),
                identity_file=identity,
                jump=jump,
                place=place,
            )
        )
    if not hosts:
        reader.problems.append(
            f"{reader.file}:1: Host: no host without wildcards; write a Host section per node"
        )
    return Inventory("orch", tuple(hosts))


def _lines(text: str) -> dict[str, int]:
    """Host aliases in the file's order, each with the line of its section."""
    found: dict[str, int] = {}
    for match in _HOST_LINE.finditer(text):
        line = text.count("\n", 0, match.start(1)) + 1
        for alias in match.group(1).split():
            found.setdefault(alias.strip('"'), line)
    return found
