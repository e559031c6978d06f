"""Views of one container's spec, its probes, its hooks and its volumes.

Quantities stay strings (parse them with `api.quantity`), int-or-string fields are `int | str`.
Source: Kubernetes API, core/v1.
"""

import msgspec

from orchestrator.api.types.meta import View


class KeySelector(View, frozen=True):
    """`configMapKeyRef` and `secretKeyRef`."""

    name: str = ""
    key: str = ""
    optional: bool = False


class ObjectFieldSelector(View, frozen=True):
    """`fieldRef`: "metadata.name", "status.podIP", "metadata.labels['x']"."""

    field_path: str = ""


class ResourceFieldSelector(View, frozen=True):
    """`resourceFieldRef`."""

    resource: str = ""
    container_name: str = ""
    divisor: str = ""


class EnvVarSource(View, frozen=True):
    """`env[].valueFrom`; exactly one is set."""

    field_ref: ObjectFieldSelector | None = None
    resource_field_ref: ResourceFieldSelector | None = None
    config_map_key_ref: KeySelector | None = None
    secret_key_ref: KeySelector | None = None


class EnvVar(View, frozen=True):
    """`env[]`; `value` may hold $(NAME) references."""

    name: str = ""
    value: str = ""
    value_from: EnvVarSource | None = None


class EnvSource(View, frozen=True):
    """`envFrom[].configMapRef` and `.secretRef`."""

    name: str = ""
    optional: bool = False


class EnvFromSource(View, frozen=True):
    """`envFrom[]`."""

    prefix: str = ""
    config_map_ref: EnvSource | None = None
    secret_ref: EnvSource | None = None


class ContainerPort(View, frozen=True):
    """`ports[]` of a container."""

    container_port: int = 0
    name: str = ""
    protocol: str = "TCP"
    host_port: int = 0
    host_ip: str = msgspec.field(default="", name="hostIP")


class ResourceRequirements(View, frozen=True):
    """`resources`: quantities by resource name."""

    limits: dict[str, str | int | float] | None = None
    requests: dict[str, str | int | float] | None = None


class VolumeMount(View, frozen=True):
    """`volumeMounts[]`."""

    name: str = ""
    mount_path: str = ""
    read_only: bool = False
    sub_path: str = ""


class ExecAction(View, frozen=True):
    """Run a command in the container."""

    command: tuple[str, ...] = ()


class HttpHeader(View, frozen=True):
    """One header of an HTTP probe."""

    name: str = ""
    value: str = ""


class HttpGetAction(View, frozen=True):
    """HTTP GET on the pod; `port` is a number or a container port's name."""

    port: int | str = 0
    path: str = "/"
    host: str = ""
    scheme: str = "HTTP"
    http_headers: tuple[HttpHeader, ...] = ()


class TcpSocketAction(View, frozen=True):
    """Open a TCP connection."""

    port: int | str = 0
    host: str = ""


class GrpcAction(View, frozen=True):
    """gRPC health check."""

    port: int = 0
    service: str | None = None


class SleepAction(View, frozen=True):
    """Sleep, in lifecycle hooks."""

    seconds: int = 0


class LifecycleHandler(View, frozen=True):
    """`postStart` and `preStop`."""

    exec: ExecAction | None = None
    http_get: HttpGetAction | None = None
    tcp_socket: TcpSocketAction | None = None
    sleep: SleepAction | None = None


class Lifecycle(View, frozen=True):
    """`lifecycle` of a container."""

    post_start: LifecycleHandler | None = None
    pre_stop: LifecycleHandler | None = None


class Probe(View, frozen=True):
    """A startup, readiness or liveness probe; times in seconds."""

    exec: ExecAction | None = None
    http_get: HttpGetAction | None = None
    tcp_socket: TcpSocketAction | None = None
    grpc: GrpcAction | None = None
    initial_delay_seconds: int = 0
    timeout_seconds: int = 1
    period_seconds: int = 10
    success_threshold: int = 1
    failure_threshold: int = 3
    termination_grace_period_seconds: int | None = None


class Capabilities(View, frozen=True):
    """Linux capabilities to add and drop."""

    add: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()


class SecurityContext(View, frozen=True):
    """`securityContext` of a container."""

    privileged: bool | None = None
    run_as_user: int | None = None
    run_as_group: int | None = None
    run_as_non_root: bool | None = None
    read_only_root_filesystem: bool | None = None
    allow_privilege_escalation: bool | None = None
    capabilities: Capabilities | None = None


class Container(View, frozen=True):
    """One container of a pod (init containers too; `restart_policy` "Always" makes a sidecar).

    `target_container_name` is of ephemeral containers: whose processes it sees.
    """

    name: str = ""
    image: str = ""
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    working_dir: str = ""
    ports: tuple[ContainerPort, ...] = ()
    env: tuple[EnvVar, ...] = ()
    env_from: tuple[EnvFromSource, ...] = ()
    resources: ResourceRequirements = ResourceRequirements()
    volume_mounts: tuple[VolumeMount, ...] = ()
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None
    startup_probe: Probe | None = None
    lifecycle: Lifecycle | None = None
    image_pull_policy: str = ""
    security_context: SecurityContext | None = None
    restart_policy: str = ""
    target_container_name: str = ""
    termination_message_path: str = "/dev/termination-log"
    stdin: bool = False
    stdin_once: bool = False
    tty: bool = False


class KeyToPath(View, frozen=True):
    """One projected key of a configMap or secret volume."""

    key: str = ""
    path: str = ""
    mode: int | None = None


class ConfigMapVolume(View, frozen=True):
    """`volumes[].configMap`."""

    name: str = ""
    items: tuple[KeyToPath, ...] = ()
    default_mode: int | None = None
    optional: bool = False


class SecretVolume(View, frozen=True):
    """`volumes[].secret`."""

    secret_name: str = ""
    items: tuple[KeyToPath, ...] = ()
    default_mode: int | None = None
    optional: bool = False


class EmptyDirVolume(View, frozen=True):
    """`volumes[].emptyDir`; medium "Memory" is a tmpfs."""

    medium: str = ""
    size_limit: str | int | None = None


class HostPathVolume(View, frozen=True):
    """`volumes[].hostPath`."""

    path: str = ""
    type: str = ""


class Volume(View, frozen=True):
    """`volumes[]`; one source is set."""

    name: str = ""
    config_map: ConfigMapVolume | None = None
    secret: SecretVolume | None = None
    empty_dir: EmptyDirVolume | None = None
    host_path: HostPathVolume | None = None
