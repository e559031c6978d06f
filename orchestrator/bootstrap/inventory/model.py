"""What an inventory says, whatever format it came in."""

from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Final

from orchestrator.kit.errors import ConfigError

DEFAULT_CLUSTER: Final = "orch"
DEFAULT_PORT: Final = 22


@dataclass(frozen=True, slots=True)
class InventoryTaint:
    """A taint: `effect` is NoSchedule, PreferNoSchedule or NoExecute; `value` may be ""."""

    key: str
    value: str
    effect: str


@dataclass(frozen=True, slots=True)
class InventoryNode:
    """One host.

    Attributes:
        name: becomes the Node's name.
        host: name or address that ssh connects to.
        port: of its sshd.
        user: login; "" for the one that ssh would use.
        identity_file: absolute path of the private key; "" for agent and default keys.
        jump: "user@host:port" hops, comma-separated, nearest first; "" for none.
        become: whether `sudo -n` may be used.
        labels: go on the Node.
        taints: go on the Node.
        capacity: "cpu" and "memory" as quantities; caps what the host offers.
        place: "FILE:LINE" where it is written.
    """

    name: str
    host: str
    port: int = DEFAULT_PORT
    user: str = ""
    identity_file: str = ""
    jump: str = ""
    become: bool = True
    labels: dict[str, str] = field(default_factory=dict)
    taints: tuple[InventoryTaint, ...] = ()
    capacity: dict[str, str] = field(default_factory=dict)
    place: str = ""


@dataclass(frozen=True, slots=True)
class Inventory:
    """A whole inventory.

    Attributes:
        cluster: the platform's name (kubeconfig context).
        nodes: in the order of the file, ranges expanded.
        network_backend: "none": pods are reached through published ports.
        notes: what the file says and orch does not act on, each "FILE:LINE: ...".
        source: "orch", "ansible" or "ssh_config".
    """

    cluster: str
    nodes: tuple[InventoryNode, ...]
    network_backend: str = "none"
    notes: tuple[str, ...] = ()
    source: str = "orch"


class Problems:
    """Collects every fault of one file before any is raised."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._found: list[tuple[int, str]] = []
        self._notes: list[tuple[int, str]] = []
        self._hopeless: set[str] = set()

    def __len__(self) -> int:
        """How many faults there are so far."""
        return len(self._found)

    def place(self, line: int) -> str:
        """FILE:LINE."""
        return f"{self._file}:{line}"

    def hopeless(self, line: int, where: str, wrong: str, right: str) -> None:
        """Records a fault after which nothing else that is said of this field could be true."""
        self.add(line, where, wrong, right)
        self._hopeless.add(where)

    def add(self, line: int, where: str, wrong: str, right: str = "") -> None:
        """Records a fault: "FILE:LINE: WHERE: WRONG; RIGHT"."""
        if where in self._hopeless:
            return
        head = f"{self.place(line)}: {where}: " if where else f"{self.place(line)}: "
        self._found.append((line, head + wrong + (f"; {right}" if right else "")))

    def note(self, line: int, text: str) -> None:
        """Records something that is accepted and not acted on."""
        self._notes.append((line, f"{self.place(line)}: {text}"))

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes in the order of the file."""
        return tuple(dict.fromkeys(text for _, text in sorted(self._notes)))

    def raise_if_any(self) -> None:
        """Raises ConfigError with every fault, in the order of the file."""
        if self._found:
            ordered = sorted(self._found, key=itemgetter(0))
            raise ConfigError(list(dict.fromkeys(text for _, text in ordered)))
