"""Views of a Pod: its spec beyond the containers, and its status.

Source: Kubernetes API, core/v1.
"""

from typing import Any

import msgspec

from orchestrator.api.types.container import Container, Volume
from orchestrator.api.types.meta import Condition, ObjectMeta, View


class LocalObjectReference(View, frozen=True):
    """A name in the same namespace."""

    name: str = ""


class Toleration(View, frozen=True):
    """`tolerations[]`; an empty key with operator Exists tolerates everything."""

    key: str = ""
    operator: str = ""
    value: str = ""
    effect: str = ""
    toleration_seconds: int | None = None


class PodSecurityContext(View, frozen=True):
    """`securityContext` of a pod."""

    run_as_user: int | None = None
    run_as_group: int | None = None
    run_as_non_root: bool | None = None
    fs_group: int | None = None
    supplemental_groups: tuple[int, ...] = ()
    sysctls: tuple[dict[str, str], ...] = ()


class HostAlias(View, frozen=True):
    """One line of /etc/hosts."""

    ip: str = ""
    hostnames: tuple[str, ...] = ()


class PodDnsOption(View, frozen=True):
    """`dnsConfig.options[]`: a resolver option, "ndots" with a value or "edns0" without."""

    name: str = ""
    value: str | None = None


class PodDnsConfig(View, frozen=True):
    """`dnsConfig`: what goes into the pod's resolv.conf."""

    nameservers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[PodDnsOption, ...] = ()


class PodSchedulingGate(View, frozen=True):
    """`spec.schedulingGates[]`: why a pod must not be placed yet."""

    name: str = ""


class PodSpec(View, frozen=True):
    """`spec` of a Pod; affinity and overhead as they are written."""

    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()
    ephemeral_containers: tuple[Container, ...] = ()
    volumes: tuple[Volume, ...] = ()
    node_name: str = ""
    node_selector: dict[str, str] | None = None
    tolerations: tuple[Toleration, ...] = ()
    affinity: dict[str, Any] | None = None
    overhead: dict[str, str | int | float] | None = None
    scheduler_name: str = ""
    scheduling_gates: tuple[PodSchedulingGate, ...] = ()
    restart_policy: str = "Always"
    termination_grace_period_seconds: int | None = None
    active_deadline_seconds: int | None = None
    host_network: bool = False
    host_pid: bool = msgspec.field(default=False, name="hostPID")
    host_ipc: bool = msgspec.field(default=False, name="hostIPC")
    hostname: str = ""
    host_aliases: tuple[HostAlias, ...] = ()
    dns_policy: str = ""
    dns_config: PodDnsConfig | None = None
    security_context: PodSecurityContext | None = None
    image_pull_secrets: tuple[LocalObjectReference, ...] = ()
    share_process_namespace: bool = False
    service_account_name: str = ""
    priority: int | None = None


class StateWaiting(View, frozen=True):
    """Not running yet, or in back-off."""

    reason: str = ""
    message: str = ""


class StateRunning(View, frozen=True):
    """Running since."""

    started_at: str | None = None


class StateTerminated(View, frozen=True):
    """Ended."""

    exit_code: int = 0
    signal: int = 0
    reason: str = ""
    message: str = ""
    started_at: str | None = None
    finished_at: str | None = None
    container_id: str = msgspec.field(default="", name="containerID")


class ContainerState(View, frozen=True):
    """Exactly one is set."""

    waiting: StateWaiting | None = None
    running: StateRunning | None = None
    terminated: StateTerminated | None = None


class ContainerStatus(View, frozen=True):
    """`status.containerStatuses[]`."""

    name: str = ""
    state: ContainerState = ContainerState()
    last_state: ContainerState = ContainerState()
    ready: bool = False
    started: bool | None = None
    restart_count: int = 0
    image: str = ""
    image_id: str = msgspec.field(default="", name="imageID")
    container_id: str = msgspec.field(default="", name="containerID")


class PodIP(View, frozen=True):
    """`status.podIPs[]`."""

    ip: str = ""


class PodStatus(View, frozen=True):
    """`status` of a Pod."""

    phase: str = ""
    reason: str = ""
    message: str = ""
    conditions: tuple[Condition, ...] = ()
    host_ip: str = msgspec.field(default="", name="hostIP")
    pod_ip: str = msgspec.field(default="", name="podIP")
    start_time: str | None = None
    container_statuses: tuple[ContainerStatus, ...] = ()
    init_container_statuses: tuple[ContainerStatus, ...] = ()
    ephemeral_container_statuses: tuple[ContainerStatus, ...] = ()
    qos_class: str = ""
    nominated_node_name: str = ""


class Pod(View, frozen=True):
    """A Pod."""

    metadata: ObjectMeta = ObjectMeta()
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()


class PodTemplateSpec(View, frozen=True):
    """`spec.template` of a workload."""

    metadata: ObjectMeta = ObjectMeta()
    spec: PodSpec = PodSpec()
