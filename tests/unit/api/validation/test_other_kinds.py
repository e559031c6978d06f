"""Services, slices, nodes, config maps, secrets, events, leases."""

import base64
import copy

import pytest

from orchestrator.api.defaults.kinds import apply_defaults
from orchestrator.api.resources import by_resource
from orchestrator.api.validation.kinds import validate_create, validate_update


def faults(resource, document):
    document = {"metadata": {"name": "a", "namespace": "default"}, **copy.deepcopy(document)}
    apply_defaults(resource, document)
    return [f"{c.field}: {c.message}" for c in validate_create(by_resource(resource), document)]


def update_faults(resource, new, old, subresource=""):
    meta = {"metadata": {"name": "a", "namespace": "default"}}
    found = validate_update(by_resource(resource), {**meta, **new}, {**meta, **old}, subresource)
    return [f"{c.field}: {c.message}" for c in found]


def b64(text):
    return base64.b64encode(text.encode()).decode()


SLICE = "endpointslices.discovery.k8s.io"
LEASE = "leases.coordination.k8s.io"
GOOD = [
    ("services", {"spec": {"ports": [{"port": 80, "targetPort": "http"}]}}),
    ("services", {"spec": {"clusterIP": "None"}}),
    ("services", {"spec": {"type": "ExternalName", "externalName": "a.example."}}),
    (
        "services",
        {
            "spec": {
                "ports": [{"port": 53, "name": "a"}, {"port": 53, "name": "b", "protocol": "UDP"}]
            }
        },
    ),
    (
        SLICE,
        {
            "addressType": "IPv4",
            "endpoints": [{"addresses": ["10.0.0.1"]}],
            "ports": [{"port": 80}],
        },
    ),
    ("endpoints", {"subsets": [{"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 80}]}]}),
    ("nodes", {"spec": {"taints": [{"key": "a", "value": "b", "effect": "NoSchedule"}]}}),
    ("configmaps", {"data": {"a.b": "c"}, "binaryData": {"d": b64("e")}}),
    ("secrets", {"data": {"a": b64("b")}}),
    (
        "secrets",
        {"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": b64("{}")}},
    ),
    ("events", {"involvedObject": {"namespace": "default"}, "type": "Normal"}),
    (LEASE, {"spec": {"holderIdentity": "a", "leaseDurationSeconds": 5}}),
    ("serviceaccounts", {}),
]


@pytest.mark.parametrize(("resource", "document"), GOOD)
def test_good_ones(resource, document):
    assert faults(resource, document) == []


BAD = [
    ("services", {"spec": {}}, "spec.ports: Required value"),
    (
        "services",
        {"spec": {"type": "Magic", "ports": [{"port": 1}]}},
        'spec.type: Unsupported value: "Magic"',
    ),
    (
        "services",
        {"spec": {"ports": [{"port": 0, "targetPort": 1}]}},
        "spec.ports[0].port: Invalid value: 0",
    ),
    (
        "services",
        {"spec": {"ports": [{"port": 1}, {"port": 2, "name": "b"}]}},
        "spec.ports[0].name: Required value",
    ),
    (
        "services",
        {"spec": {"ports": [{"port": 1, "name": "a"}, {"port": 2, "name": "a"}]}},
        'spec.ports[1].name: Duplicate value: "a"',
    ),
    (
        "services",
        {"spec": {"ports": [{"port": 1, "name": "a"}, {"port": 1, "name": "b"}]}},
        "spec.ports[1]: Duplicate value",
    ),
    (
        "services",
        {"spec": {"ports": [{"port": 1, "targetPort": "No Name"}]}},
        "spec.ports[0].targetPort: Invalid value",
    ),
    (
        "services",
        {"spec": {"ports": [{"port": 1, "nodePort": 30001}]}},
        "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
    ),
    ("services", {"spec": {"type": "ExternalName"}}, "spec.externalName: Required value"),
    (
        "services",
        {"spec": {"type": "NodePort", "clusterIP": "None", "ports": [{"port": 1}]}},
        "spec.clusterIPs[0]: Invalid value",
    ),
    (
        "services",
        {"spec": {"selector": {"a b": "c"}, "ports": [{"port": 1}]}},
        "spec.selector: Invalid value",
    ),
    (
        "services",
        {"spec": {"sessionAffinity": "Sticky", "ports": [{"port": 1}]}},
        "spec.sessionAffinity: Unsupported value",
    ),
    (
        "services",
        {"spec": {"externalTrafficPolicy": "Local", "ports": [{"port": 1}]}},
        "spec.externalTrafficPolicy: Invalid value",
    ),
    (
        "services",
        {"metadata": {"name": "1a", "namespace": "default"}, "spec": {"ports": [{"port": 1}]}},
        'metadata.name: Invalid value: "1a": a DNS-1035 label',
    ),
    (
        "namespaces",
        {"metadata": {"name": "a.b"}},
        'metadata.name: Invalid value: "a.b": a lowercase RFC 1123 label',
    ),
    (
        SLICE,
        {"addressType": "IPv4", "endpoints": [{"addresses": ["x"]}]},
        "endpoints[0].addresses[0]: Invalid value",
    ),
    (
        SLICE,
        {"addressType": "IPv4", "endpoints": [{"addresses": ["::1"]}]},
        "endpoints[0].addresses[0]: Invalid value",
    ),
    (SLICE, {"addressType": "IPv4", "endpoints": [{}]}, "endpoints[0].addresses: Required value"),
    (
        SLICE,
        {"addressType": "IPv4", "ports": [{"port": 1}, {"port": 2}]},
        'ports[1].name: Duplicate value: ""',
    ),
    (SLICE, {}, "addressType: Required value"),
    ("endpoints", {"subsets": [{}]}, "subsets[0]: Required value"),
    (
        "nodes",
        {"spec": {"taints": [{"key": "a", "effect": "Sometimes"}]}},
        "spec.taints[0].effect: Unsupported value",
    ),
    (
        "nodes",
        {"spec": {"taints": [{"key": "a", "effect": "NoSchedule"}] * 2}},
        'spec.taints[1]: Duplicate value: "a:NoSchedule"',
    ),
    (
        "nodes",
        {"status": {"capacity": {"cpu": "x"}, "allocatable": {"cpu": "1"}}},
        "status.capacity[cpu]: Invalid value",
    ),
    ("configmaps", {"data": {"a/b": "c"}}, "data[a/b]: Invalid value"),
    (
        "configmaps",
        {"data": {"a": "x"}, "binaryData": {"a": b64("x")}},
        "binaryData[a]: Invalid value",
    ),
    (
        "configmaps",
        {"data": {"a": "x" * (2**20 + 1)}},
        ": Too long: may not be more than 1048576 bytes",
    ),
    (
        "secrets",
        {"data": {"a": "not base64!"}},
        'data[a]: Invalid value: "<redacted>": must be base64',
    ),
    (
        "secrets",
        {"type": "kubernetes.io/tls", "data": {"tls.crt": ""}},
        "data[tls.key]: Required value",
    ),
    (
        "secrets",
        {"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": b64("x")}},
        "data[.dockerconfigjson]: Invalid value",
    ),
    (
        "secrets",
        {"type": "kubernetes.io/dockerconfigjson"},
        "data[.dockerconfigjson]: Required value",
    ),
    (
        "events",
        {"involvedObject": {"namespace": "other"}},
        "involvedObject.namespace: Invalid value",
    ),
    (LEASE, {"spec": {"leaseDurationSeconds": 0}}, "spec.leaseDurationSeconds: Invalid value: 0"),
]


@pytest.mark.parametrize(
    ("resource", "document", "fault"), BAD, ids=[f"{r}-{f}" for r, _, f in BAD]
)
def test_bad_ones(resource, document, fault):
    found = faults(resource, document)
    assert len(found) == 1
    assert found[0].startswith(fault)


UPDATES = [
    (
        "configmaps",
        {"data": {"a": "2"}, "immutable": True},
        {"data": {"a": "1"}, "immutable": True},
        "data: Forbidden: field is immutable when `immutable` is set",
    ),
    ("configmaps", {"data": {}}, {"data": {}, "immutable": True}, "immutable: Forbidden"),
    ("secrets", {"type": "b"}, {"type": "a"}, 'type: Invalid value: "b": field is immutable'),
    ("nodes", {"spec": {}}, {"spec": {"providerID": "x"}}, "spec.providerID: Forbidden"),
    (
        SLICE,
        {"addressType": "IPv6"},
        {"addressType": "IPv4"},
        'addressType: Invalid value: "IPv6": field is immutable',
    ),
]


@pytest.mark.parametrize(("resource", "new", "old", "fault"), UPDATES, ids=[f for *_, f in UPDATES])
def test_what_may_not_change(resource, new, old, fault):
    (found,) = update_faults(resource, new, old)
    assert found.startswith(fault)


def test_status_writes_are_checked_for_the_status_only():
    broken = {"spec": {"taints": [{"key": ""}]}, "status": {"capacity": {"cpu": "-1"}}}
    found = update_faults("nodes", broken, {}, "status")
    assert [f.split(":")[0] for f in found] == ["status.capacity[cpu]"]


def test_secret_values_are_never_told():
    secret = {"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": b64("hush")}}
    assert not any("hush" in fault or b64("hush") in fault for fault in faults("secrets", secret))
