"""Settings of horizontal pod autoscaling."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoscalingSettings:
    """How autoscalers look at their pods; as the flags of Kubernetes' controller manager.

    Attributes:
        sync_s: between looks at the pods' usage.
        tolerance: how far usage may be from its target, as a share of that, without an effect; an
            autoscaler's own `behavior` comes first.
        downscale_stabilization_s: how long a higher recommendation is kept to; an autoscaler's own
            `behavior` comes first.
        cpu_initialization_s: after a pod's start, how long its processor usage counts only when
            it was measured while the pod was ready.
        initial_readiness_s: after a pod's start, how long being not ready means that it has never
            been ready.
    """

    sync_s: float = 15.0
    tolerance: float = 0.1
    downscale_stabilization_s: float = 300.0
    cpu_initialization_s: float = 300.0
    initial_readiness_s: float = 30.0
