"""One valid object of each kind that can be written, for requests to find: all are called "web"."""

from typing import Any, Final

_LABELS: Final = {"app": "web"}
_CONTAINER: Final = {
    "name": "main", "image": "registry.example/web:1", "ports": [{"containerPort": 80}],
    "env": [{"name": "A", "value": "1"}], "resources": {"requests": {"cpu": "100m"}},
}  # fmt: skip
_TEMPLATE: Final = {"metadata": {"labels": _LABELS}, "spec": {"containers": [_CONTAINER]}}
_RUNS: Final = {"selector": {"matchLabels": _LABELS}, "template": _TEMPLATE}
_JOB: Final = {
    "template": {"spec": {"restartPolicy": "Never", "containers": [_CONTAINER]}}
}  # fmt: skip
_TARGET: Final = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
_RULES: Final = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
_NOTHING: Final = {
    "apiGroups": ["example.dev"], "apiVersions": ["v1"], "operations": ["CREATE"],
    "resources": ["nothings"],
}  # fmt: skip
_CRD_SCHEMA: Final = {"openAPIV3Schema": {"type": "object", "properties": {
    "spec": {"type": "object", "properties": {"size": {"type": "integer"}}}}}}  # fmt: skip

OBJECTS: Final[dict[str, dict[str, Any]]] = {
    "v1/ConfigMap": {"data": {"a": "1"}},
    "v1/Endpoints": {"subsets": [{"addresses": [{"ip": "203.0.113.1"}], "ports": [{"port": 80}]}]},
    "v1/Event": {
        "involvedObject": {"kind": "Pod", "name": "web", "namespace": "default"},
        "reason": "Tried", "message": "m", "type": "Normal",
    },
    "v1/LimitRange": {"spec": {"limits": [{"type": "Container", "max": {"cpu": "64"}}]}},
    "v1/Namespace": {},
    "v1/Node": {},
    "v1/Pod": {"spec": {"containers": [_CONTAINER]}},
    "v1/ResourceQuota": {"spec": {"hard": {"services": "100000"}}},
    "v1/Secret": {"stringData": {"a": "1"}},
    "v1/ServiceAccount": {},
    "v1/Service": {"spec": {"selector": _LABELS, "ports": [{"port": 80}]}},
    "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy": {
        "spec": {
            "matchConstraints": {"resourceRules": [_NOTHING]},
            "validations": [{"expression": "object.spec.size > 0"}],
        },
    },
    "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicyBinding": {
        "spec": {"policyName": "web", "validationActions": ["Warn"]},
    },
    "apps/v1/ControllerRevision": {"revision": 1, "data": {"spec": {}}},
    "apps/v1/DaemonSet": {"spec": _RUNS},
    "apps/v1/Deployment": {"spec": _RUNS},
    "apps/v1/ReplicaSet": {"spec": _RUNS},
    "apps/v1/StatefulSet": {"spec": {**_RUNS, "serviceName": "web"}},
    "autoscaling/v1/HorizontalPodAutoscaler": {
        "spec": {"scaleTargetRef": _TARGET, "maxReplicas": 3},
    },
    "batch/v1/CronJob": {"spec": {"schedule": "0 3 1 1 *", "jobTemplate": {"spec": _JOB}}},
    "batch/v1/Job": {"spec": _JOB},
    "coordination.k8s.io/v1/Lease": {"spec": {"holderIdentity": "h"}},
    "discovery.k8s.io/v1/EndpointSlice": {
        "addressType": "IPv4", "endpoints": [{"addresses": ["203.0.113.1"]}],
        "ports": [{"name": "a", "port": 80}],
    },
    "networking.k8s.io/v1/Ingress": {
        "spec": {"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}},
    },
    "networking.k8s.io/v1/IngressClass": {"spec": {"controller": "orch.dev/test"}},
    "networking.k8s.io/v1/NetworkPolicy": {"spec": {"podSelector": {}}},
    "policy/v1/PodDisruptionBudget": {
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "other"}}},
    },
    "rbac.authorization.k8s.io/v1/ClusterRole": {"rules": _RULES},
    "rbac.authorization.k8s.io/v1/ClusterRoleBinding": {
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "web"},
    },
    "rbac.authorization.k8s.io/v1/Role": {"rules": _RULES},
    "rbac.authorization.k8s.io/v1/RoleBinding": {
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "web"},
    },
    "scheduling.k8s.io/v1/PriorityClass": {"value": 5},
    "apiextensions.k8s.io/v1/CustomResourceDefinition": {
        "spec": {
            "group": "example.dev", "scope": "Namespaced",
            "names": {"plural": "webs", "singular": "web", "kind": "Web", "listKind": "WebList"},
            "versions": [{
                "name": "v1", "served": True, "storage": True, "schema": _CRD_SCHEMA,
                "subresources": {"status": {}},
            }],
        },
    },
}  # fmt: skip
NAMES: Final = {"apiextensions.k8s.io/v1/CustomResourceDefinition": "webs.example.dev"}
"""Where it cannot be "web"."""


def objects_of(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """What can be made by the operations of a document: (path to POST to, object)."""
    found: list[tuple[str, dict[str, Any]]] = []
    for path, item in document["paths"].items():
        kind = item.get("post", {}).get("x-kubernetes-group-version-kind")
        if kind is None or "{name}" in path:
            continue
        group, version = kind["group"], kind["version"]
        api_version = f"{group}/{version}" if group else version
        word = f"{api_version}/{kind['kind']}"
        if word in OBJECTS:
            made = {
                "apiVersion": api_version,
                "kind": kind["kind"],
                "metadata": {"name": NAMES.get(word, "web"), "labels": _LABELS},
                **OBJECTS[word],
            }
            found.append((path.replace("{namespace}", "default"), made))
    return found
