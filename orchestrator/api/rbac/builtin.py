"""Roles and bindings that every cluster has, as documents.

Those of Kubernetes that mean something here; kinds that are not served yet are named all the same,
as they are in any cluster. Each start puts back what was taken from them, unless
`rbac.authorization.kubernetes.io/autoupdate` says "false".

Source: Kubernetes documentation, "Default roles and role bindings", "User-facing roles".
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from orchestrator.api.rbac.aggregation import aggregated_rules, is_aggregated
from orchestrator.api.rbac.escalation import uncovered
from orchestrator.api.rbac.rules import ALL, RBAC_GROUP, PolicyRule, rule_of, rules_of

Document = dict[str, Any]

CLUSTER_ROLES: Final = "clusterroles.rbac.authorization.k8s.io"
CLUSTER_ROLE_BINDINGS: Final = "clusterrolebindings.rbac.authorization.k8s.io"
AUTOUPDATE: Final = "rbac.authorization.kubernetes.io/autoupdate"

_BOOTSTRAPPING: Final = {"kubernetes.io/bootstrapping": "rbac-defaults"}
_AGGREGATE: Final = "rbac.authorization.k8s.io/aggregate-to-"
_READ: Final = ("get", "list", "watch")
_WRITE: Final = ("create", "delete", "deletecollection", "patch", "update")
_READ_WRITE: Final = ("create", "delete", "deletecollection", *_READ, "patch", "update")
_PUBLIC_PATHS: Final = ("/healthz", "/livez", "/readyz", "/version", "/version/")
_HEALTH: Final = ("/healthz", "/healthz/*", "/livez", "/livez/*", "/readyz", "/readyz/*")
_CSR: Final = "certificates.k8s.io"
_KNOWN: Final = "system:authenticated"
_UNKNOWN: Final = "system:unauthenticated"


def _rule(verbs: Sequence[str], group: str, *resources: str, names: Sequence[str] = ()) -> Document:
    return PolicyRule(tuple(verbs), (group,), resources, tuple(names)).document()


def _paths(*paths: str) -> Document:
    return PolicyRule(verbs=("get",), paths=paths).document()


def _with_status(*plurals: str) -> tuple[str, ...]:
    return tuple(name for plural in plurals for name in (plural, f"{plural}/status"))


_APPS: Final = (
    "daemonsets", "deployments", "deployments/scale", "replicasets", "replicasets/scale",
    "statefulsets", "statefulsets/scale",
)  # fmt: skip
_CORE: Final = (
    "configmaps", "endpoints", "persistentvolumeclaims", "pods", "replicationcontrollers",
    "replicationcontrollers/scale", "serviceaccounts", "services",
)  # fmt: skip
_VIEW: Final = (
    _rule(_READ, "", *_CORE, "persistentvolumeclaims/status", "services/status"),
    _rule(
        _READ, "", "bindings", "events", "limitranges", "namespaces/status", "pods/log",
        "pods/placement", "pods/status", "replicationcontrollers/status", "resourcequotas",
        "resourcequotas/status",
    ),
    _rule(_READ, "", "namespaces"),
    _rule(_READ, "discovery.k8s.io", "endpointslices"),
    _rule(
        _READ, "apps", "controllerrevisions", *_APPS, "daemonsets/status", "deployments/status",
        "replicasets/status", "statefulsets/status",
    ),
    _rule(_READ, "autoscaling", *_with_status("horizontalpodautoscalers")),
    _rule(_READ, "batch", *_with_status("cronjobs", "jobs")),
    _rule(_READ, "policy", *_with_status("poddisruptionbudgets")),
    _rule(_READ, "networking.k8s.io", *_with_status("ingresses"), "networkpolicies"),
)  # fmt: skip
_METRICS: Final = (_rule(_READ, "metrics.k8s.io", "nodes", "pods"),)
"""As metrics-server's role of that name."""
_EDIT: Final = (
    _rule(
        _READ, "", "pods/attach", "pods/exec", "pods/portforward", "pods/proxy", "secrets",
        "services/proxy",
    ),
    _rule(("impersonate",), "", "serviceaccounts"),
    _rule(_WRITE, "", "pods", "pods/attach", "pods/exec", "pods/portforward", "pods/proxy"),
    _rule(("create",), "", "pods/eviction"),
    _rule(
        _WRITE, "", "configmaps", "events", "persistentvolumeclaims", "replicationcontrollers",
        "replicationcontrollers/scale", "secrets", "serviceaccounts", "services", "services/proxy",
    ),
    _rule(("create",), "", "serviceaccounts/token"),
    _rule(_WRITE, "apps", *_APPS, "deployments/rollback"),
    _rule(_WRITE, "autoscaling", "horizontalpodautoscalers"),
    _rule(_WRITE, "batch", "cronjobs", "jobs"),
    _rule(_WRITE, "policy", "poddisruptionbudgets"),
    _rule(_WRITE, "networking.k8s.io", "ingresses", "networkpolicies"),
    _rule(_READ_WRITE, "coordination.k8s.io", "leases"),
)  # fmt: skip
_ADMIN: Final = (
    _rule(("create",), "authorization.k8s.io", "localsubjectaccessreviews"),
    _rule(_READ_WRITE, RBAC_GROUP, "rolebindings", "roles"),
)
_ROLES: Final[Mapping[str, Sequence[Document]]] = {
    "cluster-admin": (_rule((ALL,), ALL, ALL), PolicyRule(verbs=(ALL,), paths=(ALL,)).document()),
    "system:auth-delegator": (
        _rule(("create",), "authentication.k8s.io", "tokenreviews"),
        _rule(("create",), "authorization.k8s.io", "subjectaccessreviews"),
    ),
    "system:basic-user": (
        _rule(
            ("create",), "authorization.k8s.io", "selfsubjectaccessreviews",
            "selfsubjectrulesreviews",
        ),
        _rule(("create",), "authentication.k8s.io", "selfsubjectreviews"),
    ),
    "system:certificates.k8s.io:kube-apiserver-client-approver": (
        _rule(("approve",), _CSR, "signers", names=("kubernetes.io/kube-apiserver-client",)),
    ),
    "system:discovery": (
        _paths(
            "/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*",
            "/readyz", "/version", "/version/",
        ),
    ),
    "system:documentation-viewer": (_paths("/docs", "/docs/*"),),
    "system:monitoring": (_paths(*_HEALTH, "/metrics", "/metrics/*"),),
    "system:public-info-viewer": (_paths(*_PUBLIC_PATHS),),
    "system:service-account-issuer-discovery": (
        _paths("/.well-known/openid-configuration", "/openid/v1/jwks"),
    ),
}  # fmt: skip
_BINDINGS: Final[Mapping[str, Sequence[str]]] = {
    "cluster-admin": ("system:masters",),
    "system:basic-user": (_KNOWN,),
    "system:discovery": (_KNOWN,),
    "system:documentation-viewer": (_KNOWN,),
    "system:monitoring": ("system:monitoring",),
    "system:public-info-viewer": (_KNOWN, _UNKNOWN),
    "system:service-account-issuer-discovery": ("system:serviceaccounts",),
}


def cluster_roles() -> list[Document]:
    """The built-in ClusterRoles; the aggregated ones with the rules of the built-in others."""
    roles = [_role(name, rules) for name, rules in _ROLES.items()]
    to = {level: {f"{_AGGREGATE}{level}": "true"} for level in ("admin", "edit", "view")}
    roles += [
        _role("system:aggregate-to-admin", _ADMIN, labels=to["admin"]),
        _role("system:aggregate-to-edit", _EDIT, labels=to["edit"]),
        _role("system:aggregate-to-view", _VIEW, labels=to["view"]),
        _role(
            "system:aggregated-metrics-reader",
            _METRICS,
            labels=to["admin"] | to["edit"] | to["view"],
        ),
        _role("admin", (), selects=to["admin"]),
        _role("edit", (), labels=to["admin"], selects=to["edit"]),
        _role("view", (), labels=to["edit"], selects=to["view"]),
    ]
    for name in ("view", "edit", "admin"):  # each selects the one before it
        for role in roles:
            if role["metadata"]["name"] == name and is_aggregated(role):
                role["rules"] = aggregated_rules(role, roles)
    return roles


def cluster_role_bindings() -> list[Document]:
    """The built-in ClusterRoleBindings, each to the ClusterRole of its name."""
    return [
        {
            "kind": "ClusterRoleBinding",
            "apiVersion": f"{RBAC_GROUP}/v1",
            "metadata": _meta(name, {}),
            "roleRef": {"apiGroup": RBAC_GROUP, "kind": "ClusterRole", "name": name},
            "subjects": [
                {"apiGroup": RBAC_GROUP, "kind": "Group", "name": group} for group in groups
            ],
        }
        for name, groups in _BINDINGS.items()
    ]


def completed(stored: Mapping[str, Any], wanted: Document) -> Document | None:
    """A merge patch that gives a stored role or binding back what it lacks; None when it is whole.

    What somebody added stays. A binding's role and an aggregated role's rules are left alone.
    """
    annotations = stored["metadata"].get("annotations") or {}
    if annotations.get(AUTOUPDATE) == "false":
        return None
    if "roleRef" in wanted:
        field, have = "subjects", stored.get("subjects") or []
        lacking = [item for item in wanted["subjects"] if item not in have]
    else:
        field, have = "rules", stored.get("rules") or []
        held = rules_of(stored)
        lacking = [rule for rule in wanted["rules"] if uncovered(held, (rule_of(rule),))]
    if not lacking or is_aggregated(stored):
        return None
    return {field: [*have, *lacking]}


def _role(
    name: str,
    rules: Sequence[Document],
    *,
    labels: Mapping[str, str] | None = None,
    selects: Mapping[str, str] | None = None,
) -> Document:
    role: Document = {
        "kind": "ClusterRole",
        "apiVersion": f"{RBAC_GROUP}/v1",
        "metadata": _meta(name, labels or {}),
        "rules": list(rules),
    }
    if selects is not None:
        role["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": dict(selects)}]}
    return role


def _meta(name: str, labels: Mapping[str, str]) -> Document:
    return {
        "name": name,
        "labels": {**_BOOTSTRAPPING, **labels},
        "annotations": {AUTOUPDATE: "true"},
    }
