"""The state directory as bootstrap knows it: settings that it writes, what it changed on hosts.

server.yaml      settings of the server; bootstrap sets name and ports, people may add more
inventory.json   the inventory of the last bootstrap, for `orch status` and people
changes.json     per host: packages installed, groups joined; what `orch reset` takes back
known_hosts      pinned host keys
server.pid, server.log
"""

import json
import socket
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from orchestrator.bootstrap.inventory.model import Inventory
from orchestrator.credentials.files import ensure_directory, write_atomic, write_if_changed
from orchestrator.kit.errors import ConfigError

DEFAULT_API_PORT: Final = 8080
DEFAULT_LB_PORT: Final = 8081
_ANY_ADDRESS: Final = frozenset({"", "0.0.0.0", "::"})


@dataclass(frozen=True, slots=True)
class HostChanges:
    """What bootstrap changed on one host, as far as somebody may want it back.

    Attributes:
        packages: new on the host since, those included that came with the ones we asked for.
        groups: that the login was put into.
        user: the login.
    """

    packages: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    user: str = ""


class StateDirectory:
    """Paths and small files of one state directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.settings = path / "server.yaml"
        self.known_hosts = path / "known_hosts"
        self.kubeconfig = path / "admin.kubeconfig"
        self.pid = path / "server.pid"
        self.log = path / "server.log"
        self.balancer_pid = path / "loadbalancer" / "haproxy.pid"
        self._changes = path / "changes.json"
        self._inventory = path / "inventory.json"

    def ensure(self) -> None:
        """Makes the directory, for its owner only.

        Raises:
            ConfigError: it cannot be made; says what to do.
        """
        try:
            ensure_directory(self.path)
        except OSError as error:
            raise ConfigError([
                f"cannot make the state directory {self.path}: {error.strerror}; "
                "choose another with --state-dir or $ORCH_STATE_DIR"
            ]) from error  # fmt: skip

    def read_settings(self) -> dict[str, Any]:
        """server.yaml as a mapping; {} when there is none.

        Raises:
            ConfigError: it is not YAML.
        """
        if not self.settings.is_file():
            return {}
        try:
            document = yaml.safe_load(self.settings.read_text())
        except yaml.YAMLError as error:
            raise ConfigError([f"{self.settings}: not YAML: {error}"]) from error
        return document if isinstance(document, dict) else {}

    def write_settings(self, wanted: Mapping[str, Mapping[str, Any] | str]) -> bool:
        """Sets these keys, one level deep, and leaves the others; whether anything changed.

        A file that says all this already is not touched, so comments in it stay.
        """
        document = self.read_settings()
        merged = dict(document)
        for section, values in wanted.items():
            if isinstance(values, Mapping):
                merged[section] = {**(document.get(section) or {}), **values}
            else:
                merged[section] = values
        if merged == document and self.settings.is_file():
            return False
        text = "# Settings of `orch server`; restart it after a change.\n" + yaml.safe_dump(
            merged, sort_keys=False
        )
        write_atomic(self.settings, text.encode())
        return True

    def port(self, section: str, default: int) -> int:
        """The port that server.yaml gives a section, or the default."""
        value = (self.read_settings().get(section) or {}).get("port", default)
        return value if isinstance(value, int) else default

    def api_host(self) -> str:
        """Where the API server is reached from this machine."""
        host = (self.read_settings().get("apiserver") or {}).get("host", "")
        return host if isinstance(host, str) and host not in _ANY_ADDRESS else "127.0.0.1"

    def write_inventory(self, inventory: Inventory) -> None:
        """Keeps what was bootstrapped last."""
        write_if_changed(self._inventory, json.dumps(asdict(inventory), indent=1).encode())

    def changes(self) -> dict[str, HostChanges]:
        """What was changed, by node."""
        if not self._changes.is_file():
            return {}
        document = json.loads(self._changes.read_text())
        return {
            node: HostChanges(tuple(c["packages"]), tuple(c["groups"]), c["user"])
            for node, c in document.items()
        }

    def add_changes(self, new: Mapping[str, HostChanges]) -> None:
        """Adds to what was changed."""
        if not new:
            return
        merged = self.changes()
        for node, change in new.items():
            before = merged.get(node, HostChanges())
            merged[node] = HostChanges(
                tuple(dict.fromkeys((*before.packages, *change.packages))),
                tuple(dict.fromkeys((*before.groups, *change.groups))),
                change.user or before.user,
            )
        self._write_changes(merged)

    def drop_changes(self, nodes: Iterable[str]) -> None:
        """Forgets what was changed on these hosts, after it was taken back."""
        kept = self.changes()
        for node in nodes:
            kept.pop(node, None)
        self._write_changes(kept)

    def _write_changes(self, changes: Mapping[str, HostChanges]) -> None:
        document = {node: asdict(change) for node, change in sorted(changes.items())}
        write_if_changed(self._changes, json.dumps(document, indent=1).encode())


def own_names(towards: Iterable[str] = ()) -> list[str]:
    """This machine's names and the addresses that it has on the way to others; without repeats."""
    names = [socket.gethostname()]
    for host in ("192.0.2.1", *towards):
        try:
            family, kind, _, _, address = socket.getaddrinfo(host, 9, type=socket.SOCK_DGRAM)[0]
            with socket.socket(family, kind) as probe:
                probe.connect(address)
                names.append(probe.getsockname()[0])
        except OSError:
            continue
    return list(dict.fromkeys(n for n in names if n not in _ANY_ADDRESS))
