"""Settings of the scheduler."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Strategy = Literal["resource-aware", "round-robin"]
Fit = Literal["least", "most", "ratio"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One way to choose among the hosts that fit; a pod names it with schedulerName.

    Attributes:
        strategy: "resource-aware" takes the host with the best scores, "round-robin" the hosts
            that fit in turn.
        fit: "least" prefers empty hosts, "most" full ones, "ratio" follows `shape`.
        shape: for "ratio", points of (percent used, score 0 to 10) with straight lines between.
        weight_fit: of how full a host is; weights are 0 to 100.
        weight_balance: of cpu and memory filling evenly.
        weight_workload: of few pods of the same workload on the host.
        weight_zones: of few pods of the same workload in the host's zone.
        weight_taints: of few PreferNoSchedule taints that the pod does not bear.
        weight_affinity: of preferred node affinity.
        weight_neighbours: of preferred affinity and anti-affinity to pods.
        weight_spread: of topology spread constraints with ScheduleAnyway.
        weight_images: of images that are there.
    """

    strategy: Strategy = "resource-aware"
    fit: Fit = "least"
    shape: tuple[tuple[int, int], ...] = ((0, 10), (100, 0))
    weight_fit: int = 1
    weight_balance: int = 1
    weight_workload: int = 3
    weight_zones: int = 2
    weight_taints: int = 3
    weight_affinity: int = 2
    weight_neighbours: int = 2
    weight_spread: int = 2
    weight_images: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerSettings:
    """How pods are spread over hosts.

    Attributes:
        strategy: for pods whose schedulerName is "default-scheduler" or empty: "resource-aware",
            "round-robin", or the name of one of `profiles`.
        profiles: further ways to choose, by the name that pods give as schedulerName.
        batch_pods: most pods decided on in one cycle; their binds share a transaction.
    """

    strategy: str = "resource-aware"
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    batch_pods: int = 256


BUILT_IN: Mapping[str, Profile] = {
    "resource-aware": Profile(),
    "round-robin": Profile(strategy="round-robin"),
}
DEFAULT_SCHEDULER = "default-scheduler"


def profile_of(scheduler: str, settings: SchedulerSettings) -> Profile | None:
    """The profile that a pod's schedulerName asks for; None when it is for another scheduler."""
    name = settings.strategy if scheduler in {"", DEFAULT_SCHEDULER} else scheduler
    return settings.profiles.get(name) or BUILT_IN.get(name)
