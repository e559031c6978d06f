"""Defaults: what clients rely on, and that a second time changes nothing."""

import copy

import pytest

from orchestrator.api.defaults.kinds import apply_defaults
from orchestrator.api.defaults.pod import default_tolerations, pull_policy, qos_class


def defaulted(resource, document):
    document = {"metadata": {"name": "a"}, **copy.deepcopy(document)}
    apply_defaults(resource, document)
    return document


@pytest.mark.parametrize(
    ("resource", "document", "path"),
    [
        ("events", {}, ("involvedObject",)),
        ("networkpolicies.networking.k8s.io", {}, ("spec", "podSelector")),
    ],
)
def test_what_a_schema_requires_is_there_though_empty(resource, document, path):
    found = defaulted(resource, document)
    for step in path:
        found = found[step]
    assert found == {}


SAMPLES = [
    (
        "pods",
        {
            "spec": {
                "containers": [
                    {
                        "name": "c",
                        "image": "web",
                        "ports": [{"containerPort": 80}],
                        "resources": {"limits": {"cpu": "0.5", "memory": "1024Mi"}},
                        "livenessProbe": {"httpGet": {"port": 80}},
                        "lifecycle": {"preStop": {"httpGet": {"port": 80}}},
                        "env": [
                            {
                                "name": "A",
                                "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}},
                            },
                            {
                                "name": "B",
                                "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}},
                            },
                        ],
                    }
                ],
                "volumes": [
                    {"name": "v"},
                    {"name": "s", "secret": {"secretName": "x"}},
                    {"name": "e", "emptyDir": {"sizeLimit": "0.5Gi"}},
                ],
                "hostNetwork": True,
            }
        },
    ),
    ("deployments.apps", {"spec": {"template": {"spec": {"containers": [{"name": "c"}]}}}}),
    ("deployments.apps", {"spec": {"strategy": {"type": "Recreate"}}}),
    ("replicasets.apps", {}),
    ("services", {"spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}}),
    ("services", {"spec": {"type": "ExternalName", "externalName": "a"}}),
    ("secrets", {"stringData": {"a": "b"}, "data": {"a": "eA==", "c": "eQ=="}}),
    ("namespaces", {}),
    ("nodes", {"status": {"capacity": {"cpu": "4000m", "memory": "2048Mi"}}}),
    ("events", {"source": {"component": "x"}}),
    ("endpoints", {"subsets": [{"addresses": [{"ip": "1.2.3.4"}], "ports": [{"port": 1}]}]}),
    ("endpointslices.discovery.k8s.io", {"addressType": "IPv4", "ports": [{"port": 1}]}),
    ("configmaps", {"data": {"a": "b"}}),
]


@pytest.mark.parametrize(
    ("resource", "document"), SAMPLES, ids=lambda v: v if isinstance(v, str) else ""
)
def test_a_second_time_changes_nothing(resource, document):
    once = defaulted(resource, document)
    twice = copy.deepcopy(once)
    apply_defaults(resource, twice)
    assert twice == once


def test_a_pod():
    pod = defaulted(*SAMPLES[0])
    spec, container = pod["spec"], pod["spec"]["containers"][0]
    assert spec["restartPolicy"] == "Always"
    assert spec["dnsPolicy"] == "ClusterFirst"
    assert spec["schedulerName"] == "default-scheduler"
    assert spec["terminationGracePeriodSeconds"] == 30
    assert spec["securityContext"] == {}
    assert container["imagePullPolicy"] == "Always"
    assert container["terminationMessagePath"] == "/dev/termination-log"
    assert container["ports"] == [{"containerPort": 80, "protocol": "TCP", "hostPort": 80}]
    assert container["resources"] == {
        "limits": {"cpu": "500m", "memory": "1Gi"},
        "requests": {"cpu": "500m", "memory": "1Gi"},
    }
    probe = container["livenessProbe"]
    assert (probe["timeoutSeconds"], probe["periodSeconds"], probe["failureThreshold"]) == (
        1,
        10,
        3,
    )
    assert probe["httpGet"] == {"port": 80, "path": "/", "scheme": "HTTP"}
    assert spec["volumes"] == [
        {"name": "v", "emptyDir": {}},
        {"name": "s", "secret": {"secretName": "x", "defaultMode": 420}},
        {"name": "e", "emptyDir": {"sizeLimit": "512Mi"}},
    ]
    assert pod["status"] == {"phase": "Pending", "qosClass": "Guaranteed"}


def test_templates_do_not_get_requests_from_limits():
    container = {"name": "c", "image": "a:1", "resources": {"limits": {"cpu": "1"}}}
    deployment = defaulted(
        "deployments.apps", {"spec": {"template": {"spec": {"containers": [container]}}}}
    )
    made = deployment["spec"]["template"]["spec"]["containers"][0]
    assert made["resources"] == {"limits": {"cpu": "1"}}
    assert deployment["spec"]["replicas"] == 1
    assert deployment["spec"]["strategy"]["rollingUpdate"] == {
        "maxSurge": "25%",
        "maxUnavailable": "25%",
    }
    assert (deployment["spec"]["revisionHistoryLimit"], deployment["status"]) == (10, {})


def test_a_secret_folds_its_plain_text_in():
    secret = defaulted(*SAMPLES[6])
    assert secret["data"] == {"a": "Yg==", "c": "eQ=="}
    assert "stringData" not in secret
    assert secret["type"] == "Opaque"


def test_a_service():
    spec = defaulted(*SAMPLES[4])["spec"]
    assert spec["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80}]
    assert spec["externalTrafficPolicy"] == "Cluster"
    assert spec["sessionAffinity"] == "None"


def test_a_nodes_resources_are_in_kubernetes_form():
    status = defaulted(*SAMPLES[8])["status"]
    assert status["capacity"] == status["allocatable"] == {"cpu": "4", "memory": "2Gi"}


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("nginx:1.27", "IfNotPresent"),
        ("host:5000/nginx", "Always"),
        ("host:5000/nginx:1", "IfNotPresent"),
        ("nginx@sha256:abc", "IfNotPresent"),
        ("nginx:latest@sha256:abc", "IfNotPresent"),
    ],
)
def test_pull_policies(image, policy):
    assert pull_policy(image) == policy


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ([{}], "BestEffort"),
        ([{"requests": {"cpu": "1"}}], "Burstable"),
        ([{"limits": {"cpu": "1", "memory": "1Gi"}}], "Guaranteed"),
        ([{"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1000m"}}], "Guaranteed"),
        ([{"limits": {"cpu": "1", "memory": "1Gi"}}, {}], "Burstable"),
        ([{"limits": {"cpu": "2"}, "requests": {"cpu": "1"}}], "Burstable"),
    ],
)
def test_quality_of_service(resources, expected):
    assert qos_class({"containers": [{"resources": r} for r in resources]}) == expected


def test_tolerations_of_a_lost_host():
    pod = {"spec": {"tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists"}]}}
    default_tolerations(pod, 2)
    assert [t["key"] for t in pod["spec"]["tolerations"]] == [
        "node.kubernetes.io/not-ready",
        "node.kubernetes.io/unreachable",
    ]
    assert pod["spec"]["tolerations"][1]["tolerationSeconds"] == 2
    everything = {"spec": {"tolerations": [{"operator": "Exists"}]}}
    default_tolerations(everything, 2)
    assert len(everything["spec"]["tolerations"]) == 1
