"""View of a HorizontalPodAutoscaler. Source: Kubernetes API, autoscaling/v2."""

from typing import Any

from orchestrator.api.types.meta import ObjectMeta, View


class CrossVersionReference(View, frozen=True):
    """`scaleTargetRef`: an object of the same namespace."""

    api_version: str = ""
    kind: str = ""
    name: str = ""


class MetricTarget(View, frozen=True):
    """`target` of a metric: per cent of the request, or a quantity."""

    type: str = ""
    average_utilization: int | None = None
    average_value: str | int | float | None = None
    value: str | int | float | None = None


class ResourceMetric(View, frozen=True):
    """`resource` and `containerResource` of a metric; only the latter names a container."""

    name: str = ""
    container: str = ""
    target: MetricTarget = MetricTarget()


class MetricSpec(View, frozen=True):
    """`metrics[]`; the part that belongs to the type is there. Those without source as they are."""

    type: str = ""
    resource: ResourceMetric | None = None
    container_resource: ResourceMetric | None = None
    pods: dict[str, Any] | None = None
    object: dict[str, Any] | None = None
    external: dict[str, Any] | None = None


class ScalingPolicy(View, frozen=True):
    """`policies[]`: type Pods or Percent; how much in how many seconds."""

    type: str = ""
    value: int = 0
    period_seconds: int = 0


class ScalingRules(View, frozen=True):
    """`scaleUp` and `scaleDown`; the window of None is that of the settings."""

    stabilization_window_seconds: int | None = None
    select_policy: str = "Max"
    policies: tuple[ScalingPolicy, ...] = ()
    tolerance: str | int | float | None = None


class ScalingBehavior(View, frozen=True):
    """`behavior`."""

    scale_up: ScalingRules = ScalingRules()
    scale_down: ScalingRules = ScalingRules()


class AutoscalerSpec(View, frozen=True):
    """`spec`."""

    scale_target_ref: CrossVersionReference = CrossVersionReference()
    min_replicas: int = 1
    max_replicas: int = 0
    metrics: tuple[MetricSpec, ...] = ()
    behavior: ScalingBehavior | None = None


class HorizontalPodAutoscaler(View, frozen=True):
    """A HorizontalPodAutoscaler."""

    metadata: ObjectMeta = ObjectMeta()
    spec: AutoscalerSpec = AutoscalerSpec()
