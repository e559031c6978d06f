"""Pods: each row is one fault, its field and its words."""

import copy

import pytest

from orchestrator.api.defaults.kinds import apply_defaults
from orchestrator.api.resources import by_resource
from orchestrator.api.validation.kinds import validate_create, validate_update

PODS = by_resource("pods")


def pod(container=None, **spec):
    document = {
        "metadata": {"name": "a", "namespace": "default"},
        "spec": {"containers": [{"name": "c", "image": "web:1", **(container or {})}], **spec},
    }
    apply_defaults("pods", document)
    return document


def told(causes):
    return [f"{c.field}: {c.message}" for c in causes]


C = "spec.containers[0]"


def test_a_good_pod_has_no_faults():
    good = pod(
        {
            "ports": [
                {"containerPort": 80, "name": "http"},
                {"containerPort": 80, "protocol": "UDP"},
            ],
            "env": [
                {"name": "A", "value": "x"},
                {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['a']"}}},
                {"name": "C", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
            ],
            "envFrom": [{"configMapRef": {"name": "c"}}],
            "resources": {
                "requests": {"cpu": "100m"},
                "limits": {"cpu": "1", "example.com/gpu": "2"},
            },
            "volumeMounts": [{"name": "v", "mountPath": "/v", "subPath": "a/b"}],
            "livenessProbe": {"httpGet": {"port": "http"}},
            "readinessProbe": {"tcpSocket": {"port": 80}, "successThreshold": 2},
            "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
        },
        volumes=[{"name": "v", "hostPath": {"path": "/tmp"}}],
        initContainers=[
            {"name": "i", "image": "x:1"},
            {
                "name": "s",
                "image": "x:1",
                "restartPolicy": "Always",
                "startupProbe": {"exec": {"command": ["x"]}},
            },
        ],
        tolerations=[{"operator": "Exists"}],
        hostAliases=[{"ip": "10.0.0.1", "hostnames": ["a.b"]}],
    )
    assert told(validate_create(PODS, good)) == []


CONTAINER_FAULTS = [
    ({"name": ""}, f"{C}.name: Required value"),
    ({"name": "A b"}, f'{C}.name: Invalid value: "A b": a lowercase RFC 1123 label'),
    ({"image": ""}, f"{C}.image: Required value"),
    ({"image": " x"}, f"{C}.image: Invalid value"),
    (
        {"imagePullPolicy": "Sometimes"},
        f'{C}.imagePullPolicy: Unsupported value: "Sometimes": supported values: "Always", ',
    ),
    ({"ports": [{"containerPort": 0}]}, f"{C}.ports[0].containerPort: Required value"),
    (
        {"ports": [{"containerPort": 70000}]},
        f"{C}.ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
    ),
    (
        {"ports": [{"containerPort": 80}, {"containerPort": 80}]},
        f'{C}.ports[1]: Duplicate value: "80/TCP"',
    ),
    (
        {"ports": [{"containerPort": 80, "name": "a"}, {"containerPort": 81, "name": "a"}]},
        f'{C}.ports[1].name: Duplicate value: "a"',
    ),
    (
        {"ports": [{"containerPort": 80, "hostPort": 9}, {"containerPort": 81, "hostPort": 9}]},
        f"{C}.ports[1].hostPort: Duplicate value",
    ),
    (
        {"ports": [{"containerPort": 80, "protocol": "ICMP"}]},
        f"{C}.ports[0].protocol: Unsupported value",
    ),
    ({"env": [{"name": ""}]}, f"{C}.env[0].name: Required value"),
    ({"env": [{"name": "A=B"}]}, f"{C}.env[0].name: Invalid value"),
    (
        {
            "env": [
                {
                    "name": "A",
                    "value": "x",
                    "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}},
                }
            ]
        },
        f"{C}.env[0].valueFrom: Invalid value",
    ),
    ({"env": [{"name": "A", "valueFrom": {}}]}, f"{C}.env[0].valueFrom: Invalid value"),
    (
        {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.x"}}}]},
        f"{C}.env[0].valueFrom.fieldRef.fieldPath: Invalid value",
    ),
    (
        {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels"}}}]},
        f"{C}.env[0].valueFrom.fieldRef.fieldPath: Invalid value",
    ),
    (
        {"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "x"}}}]},
        f"{C}.env[0].valueFrom.configMapKeyRef.key: Required value",
    ),
    ({"envFrom": [{}]}, f"{C}.envFrom[0]: Invalid value"),
    ({"envFrom": [{"secretRef": {}}]}, f"{C}.envFrom[0].secretRef.name: Required value"),
    (
        {"resources": {"limits": {"cpu": "lots"}}},
        f'{C}.resources.limits[cpu]: Invalid value: "lots": quantities must match',
    ),
    ({"resources": {"limits": {"cpu": "-1"}}}, f"{C}.resources.limits[cpu]: Invalid value"),
    ({"resources": {"limits": {"cores": "1"}}}, f"{C}.resources.limits[cores]: Invalid value"),
    (
        {"resources": {"limits": {"example.com/gpu": "0.5"}}},
        f"{C}.resources.limits[example.com/gpu]: Invalid value",
    ),
    (
        {"resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}},
        f'{C}.resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
    ),
    (
        {"volumeMounts": [{"name": "gone", "mountPath": "/x"}]},
        f'{C}.volumeMounts[0].name: Not found: "gone"',
    ),
    ({"volumeMounts": [{"name": "v"}]}, f"{C}.volumeMounts[0].mountPath: Required value"),
    (
        {"volumeMounts": [{"name": "v", "mountPath": "/x"}] * 2},
        f'{C}.volumeMounts[1].mountPath: Invalid value: "/x": must be unique',
    ),
    (
        {"volumeMounts": [{"name": "v", "mountPath": "/x", "subPath": "../y"}]},
        f"{C}.volumeMounts[0].subPath: Invalid value",
    ),
    ({"livenessProbe": {}}, f"{C}.livenessProbe: Required value: must specify a handler type"),
    (
        {"livenessProbe": {"exec": {"command": ["a"]}, "tcpSocket": {"port": 1}}},
        f"{C}.livenessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type",
    ),
    (
        {"livenessProbe": {"tcpSocket": {"port": 1}, "successThreshold": 2}},
        f"{C}.livenessProbe.successThreshold: Invalid value: 2: must be 1",
    ),
    (
        {"livenessProbe": {"tcpSocket": {"port": 1}, "periodSeconds": 0}},
        f"{C}.livenessProbe.periodSeconds: Invalid value: 0: must be greater than 0",
    ),
    (
        {"readinessProbe": {"httpGet": {"port": "nope"}}},
        f"{C}.readinessProbe.httpGet.port: Invalid value",
    ),
    (
        {"readinessProbe": {"httpGet": {"port": 80, "scheme": "FTP"}}},
        f"{C}.readinessProbe.httpGet.scheme: Unsupported value",
    ),
    ({"startupProbe": {"exec": {}}}, f"{C}.startupProbe.exec.command: Required value"),
    (
        {"lifecycle": {"preStop": {"sleep": {"seconds": 99}}}},
        f"{C}.lifecycle.preStop.sleep: Invalid value: 99",
    ),
    ({"restartPolicy": "Always"}, f"{C}.restartPolicy: Forbidden"),
]


@pytest.mark.parametrize(
    ("container", "fault"), CONTAINER_FAULTS, ids=[f for _, f in CONTAINER_FAULTS]
)
def test_container_faults(container, fault):
    causes = told(validate_create(PODS, pod(container, volumes=[{"name": "v"}])))
    assert len(causes) == 1
    assert causes[0].startswith(fault)


SPEC_FAULTS = [
    ({"containers": []}, "spec.containers: Required value"),
    (
        {"containers": [{"name": "c", "image": "a:1"}] * 2},
        'spec.containers[1].name: Duplicate value: "c"',
    ),
    (
        {"initContainers": [{"name": "c", "image": "a:1"}]},
        'spec.initContainers[0].name: Duplicate value: "c"',
    ),
    (
        {
            "initContainers": [
                {"name": "i", "image": "a:1", "livenessProbe": {"tcpSocket": {"port": 1}}}
            ]
        },
        "spec.initContainers[0].livenessProbe: Forbidden",
    ),
    (
        {"initContainers": [{"name": "i", "image": "a:1", "restartPolicy": "Never"}]},
        "spec.initContainers[0].restartPolicy: Unsupported value",
    ),
    ({"restartPolicy": "Perhaps"}, 'spec.restartPolicy: Unsupported value: "Perhaps"'),
    ({"dnsPolicy": "Perhaps"}, "spec.dnsPolicy: Unsupported value"),
    ({"volumes": [{"name": "v"}, {"name": "v"}]}, 'spec.volumes[1].name: Duplicate value: "v"'),
    (
        {"volumes": [{"name": "v", "emptyDir": {}, "hostPath": {"path": "/x"}}]},
        "spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type",
    ),
    (
        {"volumes": [{"name": "v", "hostPath": {"path": "/x/../y"}}]},
        "spec.volumes[0].hostPath.path: Invalid value",
    ),
    (
        {"volumes": [{"name": "v", "hostPath": {"path": "/x", "type": "Door"}}]},
        "spec.volumes[0].hostPath.type: Unsupported value",
    ),
    (
        {"volumes": [{"name": "v", "configMap": {}}]},
        "spec.volumes[0].configMap.name: Required value",
    ),
    (
        {"volumes": [{"name": "v", "secret": {"secretName": "s", "defaultMode": 512}}]},
        "spec.volumes[0].secret.defaultMode: Invalid value",
    ),
    (
        {
            "volumes": [
                {"name": "v", "secret": {"secretName": "s", "items": [{"key": "a", "path": "/x"}]}}
            ]
        },
        "spec.volumes[0].secret.items[0].path: Invalid value",
    ),
    (
        {"volumes": [{"name": "v", "emptyDir": {"sizeLimit": "x"}}]},
        "spec.volumes[0].emptyDir.sizeLimit: Invalid value",
    ),
    ({"nodeSelector": {"a": "b c"}}, "spec.nodeSelector: Invalid value"),
    ({"tolerations": [{"value": "x"}]}, "spec.tolerations[0].operator: Invalid value"),
    (
        {"tolerations": [{"key": "a", "operator": "Exists", "value": "x"}]},
        "spec.tolerations[0].operator: Invalid value",
    ),
    (
        {"tolerations": [{"key": "a", "operator": "Like"}]},
        "spec.tolerations[0].operator: Unsupported value",
    ),
    (
        {"tolerations": [{"key": "a", "effect": "Never"}]},
        "spec.tolerations[0].effect: Unsupported value",
    ),
    (
        {"tolerations": [{"key": "a", "tolerationSeconds": 1}]},
        "spec.tolerations[0].effect: Invalid value",
    ),
    (
        {"terminationGracePeriodSeconds": -1},
        "spec.terminationGracePeriodSeconds: Invalid value: -1",
    ),
    ({"activeDeadlineSeconds": 0}, "spec.activeDeadlineSeconds: Invalid value: 0"),
    ({"hostname": "A"}, "spec.hostname: Invalid value"),
    ({"hostAliases": [{"ip": "x"}]}, "spec.hostAliases[0].ip: Invalid value"),
    ({"imagePullSecrets": [{}]}, "spec.imagePullSecrets[0].name: Required value"),
]


@pytest.mark.parametrize(("spec", "fault"), SPEC_FAULTS, ids=[f for _, f in SPEC_FAULTS])
def test_pod_faults(spec, fault):
    document = pod()
    document["spec"] |= copy.deepcopy(spec)
    apply_defaults("pods", document)
    causes = told(validate_create(PODS, document))
    assert len(causes) == 1
    assert causes[0].startswith(fault)


META_FAULTS = [
    ({"name": "A"}, 'metadata.name: Invalid value: "A": a lowercase RFC 1123 subdomain'),
    ({"name": ""}, "metadata.name: Required value: name or generateName is required"),
    ({"generateName": "A-"}, "metadata.generateName: Invalid value"),
    ({"labels": {"a b": "c"}}, 'metadata.labels: Invalid value: "a b": name part must consist of'),
    ({"labels": {"a": "b c"}}, 'metadata.labels: Invalid value: "b c": a valid label must be'),
    ({"annotations": {"a b": "c"}}, "metadata.annotations: Invalid value"),
    (
        {"annotations": {"a": "x" * 270_000}},
        "metadata.annotations: Too long: may not be more than 262144 bytes",
    ),
    (
        {"finalizers": ["a"]},
        'metadata.finalizers[0]: Invalid value: "a": name is neither a standard',
    ),
    (
        {"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "a"}]},
        "metadata.ownerReferences[0].uid: Invalid value",
    ),
    (
        {
            "ownerReferences": [
                {"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": "u", "controller": True}
            ]
            * 2
        },
        "metadata.ownerReferences: Invalid value",
    ),
]


@pytest.mark.parametrize(("meta", "fault"), META_FAULTS, ids=[f for _, f in META_FAULTS])
def test_metadata_faults(meta, fault):
    document = pod()
    document["metadata"] |= meta
    causes = told(validate_create(PODS, document))
    assert len(causes) == 1
    assert causes[0].startswith(fault)


# ---------------------------------------------------------------- updates


def test_what_may_change_of_a_pod():
    old = pod()
    new = copy.deepcopy(old)
    new["spec"]["containers"][0]["image"] = "web:2"
    new["spec"]["activeDeadlineSeconds"] = 5
    new["spec"]["tolerations"] = [{"operator": "Exists"}]
    new["metadata"]["labels"] = {"a": "b"}
    old["spec"]["schedulingGates"] = [{"name": "a.b/c"}, {"name": "d"}]
    new["spec"]["schedulingGates"] = [{"name": "d"}]
    assert validate_update(PODS, new, old, "") == ()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"nodeName": "n2"}, "spec: Forbidden: pod updates may not change fields other than"),
        ({"restartPolicy": "Never"}, "spec: Forbidden: pod updates"),
        ({"activeDeadlineSeconds": 99}, "spec.activeDeadlineSeconds: Invalid value: 99"),
        ({"tolerations": []}, "spec.tolerations: Forbidden"),
        (
            {"schedulingGates": [{"name": "new"}]},
            "spec.schedulingGates[0]: Forbidden: only deletion is allowed, "
            "but found new scheduling gate 'new'",
        ),
    ],
)
def test_what_may_not_change_of_a_pod(change, fault):
    old = pod(activeDeadlineSeconds=50, tolerations=[{"operator": "Exists"}])
    new = copy.deepcopy(old)
    new["spec"] |= change
    (cause,) = told(validate_update(PODS, new, old, ""))
    assert cause.startswith(fault)
    if "nodeName" in change:
        assert cause.endswith("changed: spec.nodeName")
