"""Views of a Service.

Source: Kubernetes API, core/v1.
"""

import msgspec

from orchestrator.api.types.meta import ObjectMeta, View


class ServicePort(View, frozen=True):
    """`spec.ports[]` of a Service."""

    port: int = 0
    name: str = ""
    protocol: str = "TCP"
    target_port: int | str = 0
    node_port: int = 0
    app_protocol: str = ""


class ServiceSpec(View, frozen=True):
    """`spec` of a Service."""

    type: str = "ClusterIP"
    selector: dict[str, str] | None = None
    ports: tuple[ServicePort, ...] = ()
    cluster_ip: str = msgspec.field(default="", name="clusterIP")
    external_name: str = ""
    session_affinity: str = ""
    publish_not_ready_addresses: bool = False
    load_balancer_class: str = ""


class LoadBalancerIngress(View, frozen=True):
    """One entry of `status.loadBalancer.ingress`."""

    ip: str = ""
    hostname: str = ""


class LoadBalancerStatus(View, frozen=True):
    """`status.loadBalancer`."""

    ingress: tuple[LoadBalancerIngress, ...] = ()


class ServiceStatus(View, frozen=True):
    """`status` of a Service."""

    load_balancer: LoadBalancerStatus = LoadBalancerStatus()


class Service(View, frozen=True):
    """A Service."""

    metadata: ObjectMeta = ObjectMeta()
    spec: ServiceSpec = ServiceSpec()
    status: ServiceStatus = ServiceStatus()
