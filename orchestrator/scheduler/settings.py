"""Settings of the scheduler."""

from dataclasses import dataclass
from typing import Literal

Strategy = Literal["resource-aware", "round-robin"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerSettings:
    """How pods are spread over hosts.

    Attributes:
        strategy: for pods whose schedulerName is "default-scheduler" or empty. "resource-aware"
            prefers hosts with much room and few replicas of the same workload; "round-robin"
            takes the hosts that fit in turn. A pod chooses for itself with schedulerName.
        batch_pods: most pods decided on in one cycle; their binds share a transaction.
        explained_nodes: hosts that the message of an unschedulable pod explains one by one.
    """

    strategy: Strategy = "resource-aware"
    batch_pods: int = 256
    explained_nodes: int = 10
