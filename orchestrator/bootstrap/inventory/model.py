"""What an inventory says: a cluster and its hosts, checked and complete."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class TaintEntry:
    """One taint as the inventory states it: "key=value:Effect"."""

    key: str
    value: str
    effect: str

    def document(self) -> dict[str, str]:
        """As `Node.spec.taints[]` has it."""
        value = {"value": self.value} if self.value else {}
        return {"key": self.key, **value, "effect": self.effect}


@dataclass(frozen=True, slots=True)
class HostEntry:
    """One host.

    Attributes:
        name: the Node's name.
        host: address or DNS name that SSH connects to.
        port: of sshd.
        user: login; "" for the user who runs orch.
        identity_file: absolute path of a private key; "" for the agent and the defaults.
        jump: "user@host:port" hops, comma-separated, nearest first; "" for none.
        become: whether `sudo -n` may be used.
        labels: for the Node.
        taints: for the Node.
        capacity: caps on what the host offers: {"cpu": "3", "memory": "6Gi"}.
        place: "FILE:LINE" of its entry.
    """

    name: str
    host: str
    port: int = 22
    user: str = ""
    identity_file: str = ""
    jump: str = ""
    become: bool = True
    labels: dict[str, str] = field(default_factory=dict)
    taints: tuple[TaintEntry, ...] = ()
    capacity: dict[str, str] = field(default_factory=dict)
    place: str = ""


@dataclass(frozen=True, slots=True)
class Inventory:
    """A checked inventory.

    Attributes:
        cluster: its name, also the kubeconfig context's.
        hosts: in the file's order.
        network: the backend of the pod network; "none" means published ports only.
        path: the file.
    """

    cluster: str
    hosts: tuple[HostEntry, ...]
    network: Literal["none"] = "none"
    path: str = ""
