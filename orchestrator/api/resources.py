"""The table of kinds that the API serves: one row per resource.

Discovery, routing, the registry, table printers and the CLI read this table; a kind is added here
first. Source: Kubernetes API concepts, "Resource types"; APIResource in meta/v1.
"""

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from orchestrator.api.custom.version import CustomVersion

ALL_VERBS: Final = (
    "create", "delete", "deletecollection", "get", "list", "patch", "update", "watch",
)  # fmt: skip
NO_COLLECTION_VERBS: Final = tuple(verb for verb in ALL_VERBS if verb != "deletecollection")
"""Namespaces cannot be deleted as a collection."""
READ_VERBS: Final = ("get", "list", "watch")
"""Kinds that clients ask for and nothing acts on yet: readable, and a create is an honest 405."""
CREATE_ONLY: Final = ("create",)
METRICS_GROUP: Final = "metrics.k8s.io"
"""Its objects are made when they are asked for."""
SHOWN_WHEN_DELETED: Final = frozenset({"pods", "services", "serviceaccounts", "resourcequotas"})
"""Kinds whose DELETE answers with the object even when it is gone; clients' models expect it."""
CONNECT_VERBS: Final = ("create", "get")
"""Upgrades to a stream: POST as SPDY, GET as a WebSocket."""


@dataclass(frozen=True, slots=True)
class Subresource:
    """One subresource as discovery lists it.

    Attributes:
        name: "status", "scale", "log", ...
        kind: kind of its body ("Scale", "Eviction"); the parent's kind for status.
        verbs: as discovery lists them.
        group: group of the body's kind where it differs from the parent's ("autoscaling").
        version: version of the body's kind where it differs.
    """

    name: str
    kind: str
    verbs: tuple[str, ...]
    group: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Resource:
    """One served resource.

    Attributes:
        group: "" for core.
        version: the served (and stored) version.
        kind: "Deployment".
        plural: "deployments".
        singular: "deployment".
        namespaced: whether names live in a namespace.
        short_names: "deploy".
        categories: "all" puts a kind into `kubectl get all`.
        verbs: as discovery lists them.
        subresources: of this resource.
        stored: False for questions that are answered and forgotten (SelfSubjectReview), and for
            what is computed when it is asked for (metrics): no `ObjectKey` of it exists.
        stored_as: the group-resource that its objects are stored as, for a further version or
            group of a kind (autoscaling/v1, events.k8s.io); "" for its own.
        custom: what a CustomResourceDefinition says about this version; None for built-in kinds.
        group_resource: as clients name it: "events.events.k8s.io".
        resource: the group-resource, which is `ObjectKey.resource`: "pods", "deployments.apps".
        api_version: what objects carry as apiVersion: "v1", "apps/v1".
    """

    group: str
    version: str
    kind: str
    plural: str
    singular: str
    namespaced: bool
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    subresources: tuple[Subresource, ...] = field(default=())
    stored: bool = True
    stored_as: str = ""
    custom: "CustomVersion | None" = None
    group_resource: str = field(init=False, compare=False, repr=False)
    resource: str = field(init=False, compare=False, repr=False)
    api_version: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Puts the names together that every request asks for a dozen times."""
        dotted = f"{self.plural}.{self.group}" if self.group else self.plural
        object.__setattr__(self, "group_resource", dotted)
        object.__setattr__(self, "resource", self.stored_as or dotted)
        version = f"{self.group}/{self.version}" if self.group else self.version
        object.__setattr__(self, "api_version", version)

    @property
    def list_kind(self) -> str:
        """Kind of a list of it: "DeploymentList"."""
        if self.custom is not None:
            return self.custom.list_kind
        return f"{self.kind}List"

    def subresource(self, name: str) -> Subresource | None:
        """The subresource of that name, or None."""
        return next((s for s in self.subresources if s.name == name), None)


_STATUS_VERBS: Final = ("get", "patch", "update")
_PROXY_VERBS: Final = ("create", "delete", "get", "patch", "update")


def _status(kind: str) -> Subresource:
    return Subresource("status", kind, _STATUS_VERBS)


_SCALE: Final = Subresource("scale", "Scale", _STATUS_VERBS, group="autoscaling", version="v1")
_ALL: Final = ("all",)


def _core(
    kind: str,
    plural: str,
    *short_names: str,
    namespaced: bool = True,
    categories: tuple[str, ...] = (),
    verbs: tuple[str, ...] = ALL_VERBS,
    subresources: tuple[Subresource, ...] = (),
) -> Resource:
    return Resource(
        "", "v1", kind, plural, kind.lower(), namespaced, short_names, categories, verbs,
        subresources,
    )  # fmt: skip


def _grouped(
    group: str,
    kind: str,
    plural: str,
    *short_names: str,
    version: str = "v1",
    namespaced: bool = True,
    categories: tuple[str, ...] = (),
    verbs: tuple[str, ...] = ALL_VERBS,
    subresources: tuple[Subresource, ...] = (),
    stored_as: str = "",
) -> Resource:
    return Resource(
        group, version, kind, plural, kind.lower(), namespaced, short_names, categories, verbs,
        subresources, stored_as=stored_as,
    )  # fmt: skip


def _question(group: str, kind: str, plural: str, *, namespaced: bool = False) -> Resource:
    return Resource(
        group, "v1", kind, plural, kind.lower(), namespaced, verbs=CREATE_ONLY, stored=False
    )  # fmt: skip


def _measured(kind: str, plural: str, *, namespaced: bool) -> Resource:
    return Resource(
        METRICS_GROUP, "v1beta1", kind, plural, "", namespaced, verbs=("get", "list"), stored=False
    )


RESOURCES: Final[tuple[Resource, ...]] = (
    _core("ConfigMap", "configmaps", "cm"),
    _core("Endpoints", "endpoints", "ep"),
    _core("Event", "events", "ev"),
    _core("LimitRange", "limitranges", "limits"),
    _core(
        "Namespace", "namespaces", "ns", namespaced=False, verbs=NO_COLLECTION_VERBS,
        subresources=(Subresource("finalize", "Namespace", ("update",)), _status("Namespace")),
    ),
    _core(
        "Node", "nodes", "no", namespaced=False,
        subresources=(Subresource("proxy", "NodeProxyOptions", _PROXY_VERBS), _status("Node")),
    ),
    _core(
        "PersistentVolumeClaim", "persistentvolumeclaims", "pvc", verbs=READ_VERBS,
        subresources=(_status("PersistentVolumeClaim"),),
    ),
    _core(
        "PersistentVolume", "persistentvolumes", "pv", namespaced=False, verbs=READ_VERBS,
        subresources=(_status("PersistentVolume"),),
    ),
    _core(
        "Pod", "pods", "po", categories=_ALL,
        subresources=(
            Subresource("attach", "PodAttachOptions", CONNECT_VERBS),
            Subresource("binding", "Binding", CREATE_ONLY),
            Subresource("ephemeralcontainers", "Pod", _STATUS_VERBS),
            Subresource("eviction", "Eviction", CREATE_ONLY, group="policy", version="v1"),
            Subresource("exec", "PodExecOptions", CONNECT_VERBS),
            Subresource("log", "Pod", ("get",)),
            Subresource(
                "placement", "PodPlacement", ("get",), group="scheduling.orch.dev", version="v1"
            ),
            Subresource("proxy", "PodProxyOptions", _PROXY_VERBS),
            Subresource("portforward", "PodPortForwardOptions", CONNECT_VERBS),
            _status("Pod"),
        ),
    ),
    _core("PodTemplate", "podtemplates", verbs=READ_VERBS),
    _core(
        "ReplicationController", "replicationcontrollers", "rc", categories=_ALL,
        verbs=READ_VERBS, subresources=(_SCALE, _status("ReplicationController")),
    ),
    _core(
        "ResourceQuota", "resourcequotas", "quota",
        subresources=(_status("ResourceQuota"),),
    ),
    _core("Secret", "secrets"),
    _core(
        "ServiceAccount", "serviceaccounts", "sa",
        subresources=(
            Subresource(
                "token", "TokenRequest", CREATE_ONLY, group="authentication.k8s.io", version="v1"
            ),
        ),
    ),
    _core(
        "Service", "services", "svc", categories=_ALL,
        subresources=(
            Subresource("proxy", "ServiceProxyOptions", _PROXY_VERBS), _status("Service"),
        ),
    ),
    _grouped(
        "admissionregistration.k8s.io", "ValidatingAdmissionPolicy",
        "validatingadmissionpolicies", namespaced=False, categories=("api-extensions",),
        subresources=(_status("ValidatingAdmissionPolicy"),),
    ),
    _grouped(
        "admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding",
        "validatingadmissionpolicybindings", namespaced=False, categories=("api-extensions",),
    ),
    _grouped(
        "apiextensions.k8s.io", "CustomResourceDefinition", "customresourcedefinitions",
        "crd", "crds", namespaced=False, categories=("api-extensions",),
        subresources=(_status("CustomResourceDefinition"),),
    ),
    _grouped("apps", "ControllerRevision", "controllerrevisions"),
    _grouped(
        "apps", "DaemonSet", "daemonsets", "ds", categories=_ALL,
        subresources=(_status("DaemonSet"),),
    ),
    _grouped(
        "apps", "Deployment", "deployments", "deploy", categories=_ALL,
        subresources=(_SCALE, _status("Deployment")),
    ),
    _grouped(
        "apps", "ReplicaSet", "replicasets", "rs", categories=_ALL,
        subresources=(_SCALE, _status("ReplicaSet")),
    ),
    _grouped(
        "apps", "StatefulSet", "statefulsets", "sts", categories=_ALL,
        subresources=(_SCALE, _status("StatefulSet")),
    ),
    _question("authentication.k8s.io", "SelfSubjectReview", "selfsubjectreviews"),
    _question("authentication.k8s.io", "TokenReview", "tokenreviews"),
    _question(
        "authorization.k8s.io", "LocalSubjectAccessReview", "localsubjectaccessreviews",
        namespaced=True,
    ),
    _question("authorization.k8s.io", "SelfSubjectAccessReview", "selfsubjectaccessreviews"),
    _question("authorization.k8s.io", "SelfSubjectRulesReview", "selfsubjectrulesreviews"),
    _question("authorization.k8s.io", "SubjectAccessReview", "subjectaccessreviews"),
    _grouped(
        "autoscaling", "HorizontalPodAutoscaler", "horizontalpodautoscalers", "hpa",
        version="v2", categories=_ALL,
        subresources=(_status("HorizontalPodAutoscaler"),),
    ),
    _grouped(
        "autoscaling", "HorizontalPodAutoscaler", "horizontalpodautoscalers", "hpa",
        version="v1", categories=_ALL,
        subresources=(_status("HorizontalPodAutoscaler"),),
        stored_as="horizontalpodautoscalers.autoscaling",
    ),
    _grouped(
        "batch", "CronJob", "cronjobs", "cj", categories=_ALL,
        subresources=(_status("CronJob"),),
    ),
    _grouped("batch", "Job", "jobs", categories=_ALL, subresources=(_status("Job"),)),
    _grouped(
        "certificates.k8s.io", "CertificateSigningRequest", "certificatesigningrequests", "csr",
        namespaced=False,
        subresources=(
            Subresource("approval", "CertificateSigningRequest", _STATUS_VERBS),
            _status("CertificateSigningRequest"),
        ),
    ),
    _grouped("coordination.k8s.io", "Lease", "leases"),
    _grouped("discovery.k8s.io", "EndpointSlice", "endpointslices"),
    _grouped("events.k8s.io", "Event", "events", "ev", stored_as="events"),
    _measured("NodeMetrics", "nodes", namespaced=False),
    _measured("PodMetrics", "pods", namespaced=True),
    _grouped(
        "networking.k8s.io", "IngressClass", "ingressclasses", namespaced=False
    ),
    _grouped(
        "networking.k8s.io", "Ingress", "ingresses", "ing", subresources=(_status("Ingress"),)
    ),
    _grouped("networking.k8s.io", "NetworkPolicy", "networkpolicies", "netpol"),
    _grouped(
        "policy", "PodDisruptionBudget", "poddisruptionbudgets", "pdb",
        subresources=(_status("PodDisruptionBudget"),),
    ),
    _grouped(
        "rbac.authorization.k8s.io", "ClusterRoleBinding", "clusterrolebindings",
        namespaced=False,
    ),
    _grouped("rbac.authorization.k8s.io", "ClusterRole", "clusterroles", namespaced=False),
    _grouped("rbac.authorization.k8s.io", "RoleBinding", "rolebindings"),
    _grouped("rbac.authorization.k8s.io", "Role", "roles"),
    _grouped(
        "scheduling.k8s.io", "PriorityClass", "priorityclasses", "pc", namespaced=False,
    ),
    _grouped(
        "storage.k8s.io", "StorageClass", "storageclasses", "sc", namespaced=False,
        verbs=READ_VERBS,
    ),
)  # fmt: skip
"""Every served resource; by group (core first), then plural, as discovery lists them."""

_BY_RESOURCE: Final = MappingProxyType({r.resource: r for r in RESOURCES if not r.stored_as})
_BY_PATH: Final = MappingProxyType({(r.group, r.version, r.plural): r for r in RESOURCES})
_BY_KIND: Final = MappingProxyType({(r.api_version, r.kind): r for r in RESOURCES})


def by_resource(group_resource: str) -> Resource:
    """The resource of an `ObjectKey.resource` ("pods", "deployments.apps").

    Raises:
        KeyError: no such resource is served.
    """
    return _BY_RESOURCE[group_resource]


def by_path(group: str, version: str, plural: str) -> Resource | None:
    """The resource that a request path names; None when none is served there."""
    return _BY_PATH.get((group, version, plural))


def by_kind(api_version: str, kind: str) -> Resource | None:
    """The resource whose objects carry this apiVersion and kind; None when none is served."""
    return _BY_KIND.get((api_version, kind))
