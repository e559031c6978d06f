"""What pods and hosts use right now: measured values, and who has them.

They change all the time and are of no worth once they are old, so they live in the memory of
whoever measures, not in the store. Source: Kubernetes, "Resource metrics pipeline".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from orchestrator.store.objects import StoredObject


@dataclass(frozen=True, slots=True)
class Usage:
    """What something uses.

    Attributes:
        cpu_nanocores: thousand-millionths of a processor, on average over the window.
        memory_bytes: working set: what cannot be taken away without harm.
    """

    cpu_nanocores: int
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class NodeUsage:
    """What a host uses.

    Attributes:
        at_s: end of the window, wall seconds.
        window_s: how long the processor was measured.
        usage: of everything on the host.
    """

    at_s: float
    window_s: float
    usage: Usage


@dataclass(frozen=True, slots=True)
class PodUsage:
    """What a pod's containers use.

    Attributes:
        at_s: end of the window, wall seconds.
        window_s: how long the processor was measured.
        containers: by name, those that run.
    """

    at_s: float
    window_s: float
    containers: Mapping[str, Usage]


class UsageSource(Protocol):
    """Knows what is used."""

    def node_usage(self, name: str) -> NodeUsage | None:
        """Of a host; None when nothing recent is known."""
        ...

    def pod_usage(self, pod: StoredObject) -> PodUsage | None:
        """Of a pod; None when nothing recent is known of all its running containers."""
        ...
