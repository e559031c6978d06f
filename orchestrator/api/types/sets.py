"""Views of StatefulSet, DaemonSet and ControllerRevision. Source: Kubernetes API, apps/v1."""

import msgspec

from orchestrator.api.types.meta import LabelSelector, ObjectMeta, View
from orchestrator.api.types.pod import PodTemplateSpec


class RollingUpdateSet(View, frozen=True):
    """`updateStrategy.rollingUpdate` of either kind."""

    partition: int = 0
    max_unavailable: int | str = 1
    max_surge: int | str = 0


class UpdateStrategy(View, frozen=True):
    """`updateStrategy`: RollingUpdate or OnDelete."""

    type: str = "RollingUpdate"
    rolling_update: RollingUpdateSet | None = None


class Ordinals(View, frozen=True):
    """`ordinals`."""

    start: int = 0


class StatefulSetSpec(View, frozen=True):
    """`spec` of a StatefulSet."""

    replicas: int = 1
    selector: LabelSelector = LabelSelector()
    template: PodTemplateSpec = PodTemplateSpec()
    service_name: str = ""
    pod_management_policy: str = "OrderedReady"
    update_strategy: UpdateStrategy = UpdateStrategy()
    revision_history_limit: int = 10
    min_ready_seconds: int = 0
    ordinals: Ordinals | None = None


class StatefulSetStatus(View, frozen=True):
    """`status` of a StatefulSet."""

    current_revision: str = ""
    update_revision: str = ""
    current_replicas: int = 0
    collision_count: int | None = None


class StatefulSet(View, frozen=True):
    """A StatefulSet."""

    metadata: ObjectMeta = ObjectMeta()
    spec: StatefulSetSpec = StatefulSetSpec()
    status: StatefulSetStatus = StatefulSetStatus()


class DaemonSetSpec(View, frozen=True):
    """`spec` of a DaemonSet."""

    selector: LabelSelector = LabelSelector()
    template: PodTemplateSpec = PodTemplateSpec()
    update_strategy: UpdateStrategy = UpdateStrategy()
    revision_history_limit: int = 10
    min_ready_seconds: int = 0


class DaemonSetStatus(View, frozen=True):
    """`status` of a DaemonSet."""

    collision_count: int | None = None


class DaemonSet(View, frozen=True):
    """A DaemonSet."""

    metadata: ObjectMeta = ObjectMeta()
    spec: DaemonSetSpec = DaemonSetSpec()
    status: DaemonSetStatus = DaemonSetStatus()


class ControllerRevision(View, frozen=True):
    """A ControllerRevision."""

    metadata: ObjectMeta = ObjectMeta()
    revision: int = 0
    data: msgspec.Raw = msgspec.Raw(b"{}")
