"""Settings of the rebalance."""

from collections.abc import Mapping
from dataclasses import dataclass, field

_FEW: Mapping[str, int] = {"cpu": 20, "memory": 20, "pods": 20}
_MANY: Mapping[str, int] = {"cpu": 50, "memory": 50, "pods": 50}


@dataclass(frozen=True, slots=True, kw_only=True)
class RebalanceSettings:
    """Whether and how running pods are moved; the strategies are those of Kubernetes' descheduler.

    A pod is moved by an eviction, so PodDisruptionBudgets hold, and only where the scheduler would
    put its replacement on another host, which mends what is wrong. Of one workload one pod moves
    at a time, the next when all of the workload are ready again.

    Attributes:
        enabled: whether this server moves running pods at all.
        dry_run: moves nothing and only says, as Events of the pods, what it would do next.
        every_s: between looks; a host that comes or changes is looked at at once.
        moves_per_minute: most pods moved within a minute.
        min_age_s: pods that began less than this ago stay.
        min_replicas: pods of workloads with fewer pods stay; moving the only one is a gap.
        priority_below: pods of this priority and above stay; by default those of the classes
            system-cluster-critical and system-node-critical.
        namespaces_excluded: pods of these namespaces stay.
        local_storage: pods with emptyDir or hostPath volumes move too, and lose what is in them.
        duplicates: moves pods of a workload that has several on one host to hosts with fewer.
        spread: moves pods where a topology spread constraint with DoNotSchedule is violated.
        spread_soft: the same for those with ScheduleAnyway.
        taints: moves pods that do not tolerate a NoSchedule taint of their host; taints
            `node.kubernetes.io/...` aside, so that a cordoned host keeps its pods.
        node_affinity: moves pods whose node selector or required node affinity does not allow
            their host any more.
        anti_affinity: moves pods beside which required anti-affinity allows no such pod.
        low_utilization: moves pods from overused hosts to underused ones; by what pods request.
        low_below: percent by resource; a host that is below all of them is underused.
        low_above: percent by resource; a host that is above one of them is overused. A host gets
            no pod that would bring it there.
        high_utilization: empties underused hosts in favour of others; only of use with a profile
            of the scheduler that prefers full hosts (`fit: most`).
        high_below: percent by resource; a host that is below all of them is emptied.
    """

    enabled: bool = False
    dry_run: bool = False
    every_s: float = 10.0
    moves_per_minute: int = 6
    min_age_s: float = 60.0
    min_replicas: int = 2
    priority_below: int = 2_000_000_000
    namespaces_excluded: tuple[str, ...] = ("kube-system",)
    local_storage: bool = False
    duplicates: bool = True
    spread: bool = True
    spread_soft: bool = False
    taints: bool = True
    node_affinity: bool = True
    anti_affinity: bool = True
    low_utilization: bool = True
    low_below: Mapping[str, int] = field(default_factory=lambda: dict(_FEW))
    low_above: Mapping[str, int] = field(default_factory=lambda: dict(_MANY))
    high_utilization: bool = False
    high_below: Mapping[str, int] = field(default_factory=lambda: dict(_FEW))
