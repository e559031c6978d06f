"""Views of Ingress and IngressClass. Source: Kubernetes API, networking.k8s.io/v1."""

from orchestrator.api.types.meta import ObjectMeta, View
from orchestrator.api.types.service import LoadBalancerStatus


class BackendPort(View, frozen=True):
    """`backend.service.port`: a name or a number."""

    name: str = ""
    number: int = 0


class IngressService(View, frozen=True):
    """`backend.service`."""

    name: str = ""
    port: BackendPort = BackendPort()


class IngressBackend(View, frozen=True):
    """Where a rule leads; `service` is None for resource backends."""

    service: IngressService | None = None


class IngressPath(View, frozen=True):
    """`rules[].http.paths[]`."""

    path: str = ""
    path_type: str = ""
    backend: IngressBackend = IngressBackend()


class IngressHttp(View, frozen=True):
    """`rules[].http`."""

    paths: tuple[IngressPath, ...] = ()


class IngressRule(View, frozen=True):
    """`rules[]`; an empty host is every host."""

    host: str = ""
    http: IngressHttp | None = None


class IngressTls(View, frozen=True):
    """`tls[]`: a Secret of type kubernetes.io/tls."""

    hosts: tuple[str, ...] = ()
    secret_name: str = ""


class IngressSpec(View, frozen=True):
    """`spec` of an Ingress."""

    ingress_class_name: str | None = None
    default_backend: IngressBackend | None = None
    rules: tuple[IngressRule, ...] = ()
    tls: tuple[IngressTls, ...] = ()


class IngressStatus(View, frozen=True):
    """`status` of an Ingress."""

    load_balancer: LoadBalancerStatus = LoadBalancerStatus()


class Ingress(View, frozen=True):
    """An Ingress."""

    metadata: ObjectMeta = ObjectMeta()
    spec: IngressSpec = IngressSpec()
    status: IngressStatus = IngressStatus()


class IngressClassSpec(View, frozen=True):
    """`spec` of an IngressClass."""

    controller: str = ""


class IngressClass(View, frozen=True):
    """An IngressClass."""

    metadata: ObjectMeta = ObjectMeta()
    spec: IngressClassSpec = IngressClassSpec()
