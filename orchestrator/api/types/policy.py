"""Views of PodDisruptionBudget and PriorityClass.

Source: Kubernetes API, policy/v1 and scheduling.k8s.io/v1.
"""

from orchestrator.api.types.meta import Condition, LabelSelector, ObjectMeta, View


class BudgetSpec(View, frozen=True):
    """`spec` of a PodDisruptionBudget; one of the two bounds is set, a number or a percentage."""

    min_available: int | str | None = None
    max_unavailable: int | str | None = None
    selector: LabelSelector | None = None
    unhealthy_pod_eviction_policy: str = "IfHealthyBudget"


class BudgetStatus(View, frozen=True):
    """`status` of a PodDisruptionBudget."""

    observed_generation: int = 0
    disruptions_allowed: int = 0
    current_healthy: int = 0
    desired_healthy: int = 0
    expected_pods: int = 0
    disrupted_pods: dict[str, str] | None = None
    conditions: tuple[Condition, ...] = ()


class PodDisruptionBudget(View, frozen=True):
    """A PodDisruptionBudget."""

    metadata: ObjectMeta = ObjectMeta()
    spec: BudgetSpec = BudgetSpec()
    status: BudgetStatus = BudgetStatus()


class PriorityClass(View, frozen=True):
    """A PriorityClass."""

    metadata: ObjectMeta = ObjectMeta()
    value: int = 0
    global_default: bool = False
    preemption_policy: str = "PreemptLowerPriority"
