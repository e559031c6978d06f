"""Ingresses, IngressClasses and NetworkPolicies: what is refused, in Kubernetes' words."""

import pytest

from orchestrator.api.defaults.kinds import apply_defaults
from orchestrator.api.resources import by_resource
from orchestrator.api.tables.table import printer_for
from orchestrator.api.validation.kinds import validate_create, validate_update

INGRESS = by_resource("ingresses.networking.k8s.io")
CLASS = by_resource("ingressclasses.networking.k8s.io")
POLICY = by_resource("networkpolicies.networking.k8s.io")
BACKEND = {"service": {"name": "web", "port": {"number": 80}}}
PATH = {"path": "/a", "pathType": "Prefix", "backend": BACKEND}


def document(**spec):
    return {"metadata": {"name": "x", "namespace": "default"}, "spec": spec}


def told(resource, spec):
    wrong = document(**spec)
    if not resource.namespaced:
        del wrong["metadata"]["namespace"]
    return [f"{cause.field}: {cause.message}" for cause in validate_create(resource, wrong)]


def rule(**path):
    return {"rules": [{"host": "a.example", "http": {"paths": [{**PATH, **path}]}}]}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (rule(), ""),
        ({"defaultBackend": BACKEND}, ""),
        ({}, "spec: Invalid value: []: either `defaultBackend` or `rules` must be specified"),
        (rule(pathType=None), "pathType: Required value: pathType must be specified"),
        (rule(pathType="Regex"), 'Unsupported value: "Regex"'),
        (rule(path="a"), 'path: Invalid value: "a": must be an absolute path'),
        (rule(path="/a//b"), "must not contain '//'"),
        (rule(path="/a/.."), "cannot end with '/..'"),
        (rule(pathType="ImplementationSpecific", path=""), ""),
        (rule(backend={}), "backend: Required value: resource or service backend is required"),
        (rule(backend={"service": {"name": "web"}}), "port name or number is required"),
        (
            rule(backend={"service": {"name": "web", "port": {"name": "a", "number": 1}}}),
            "cannot set both port name & port number",
        ),
        ({"rules": [{"host": "10.0.0.1"}]}, "must be a DNS name, not an IP address"),
        ({"rules": [{"host": "*.example.com"}]}, ""),
        ({"rules": [{"host": "a.*.com"}]}, "a lowercase RFC 1123 subdomain"),
        ({"rules": [{"http": {"paths": []}}]}, "spec.rules[0].http.paths: Required value"),
    ],
)
def test_ingresses(spec, expected):
    found = told(INGRESS, spec)
    assert len(found) == bool(expected), found
    assert expected in "".join(found)


@pytest.mark.parametrize(
    ("controller", "expected"),
    [
        ("example.com/lb", ""),
        ("", "spec.controller: Required value"),
        ("lb", "must be a domain-prefixed path"),
        ("a" * 251, "spec.controller: Too long"),
    ],
)
def test_ingress_classes(controller, expected):
    assert expected in "".join(told(CLASS, {"controller": controller}))


def test_the_controller_of_a_class_stays():
    old, new = document(controller="a.b/c"), document(controller="a.b/d")
    for one in (old, new):
        del one["metadata"]["namespace"]
    (cause,) = validate_update(CLASS, new, old, "")
    assert cause.message == 'Invalid value: "a.b/d": field is immutable'


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"podSelector": {}}, ""),
        ({"podSelector": {}, "policyTypes": ["Both"]}, 'Unsupported value: "Both"'),
        ({"podSelector": {}, "ingress": [{"from": [{}]}]}, "must specify a peer"),
        (
            {"podSelector": {}, "ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8x"}}]}]},
            "ingress[0].from[0].ipBlock.cidr: Invalid value",
        ),
        (
            {
                "podSelector": {},
                "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/9"]}}]}],
            },
            "must be a strict subset of `cidr` (10.0.0.0/8)",
        ),
        (
            {"podSelector": {}, "ingress": [{"ports": [{"port": 9, "endPort": 8}]}]},
            "must be greater than or equal to `port`",
        ),
    ],
)
def test_network_policies(spec, expected):
    found = told(POLICY, spec)
    assert len(found) == bool(expected), found
    assert expected in "".join(found)


def test_defaults_of_network_policies():
    made = document(podSelector={}, egress=[{"ports": [{"port": 53}]}])
    apply_defaults(POLICY.resource, made)
    assert made["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert made["spec"]["egress"][0]["ports"] == [{"port": 53, "protocol": "TCP"}]
    again = {**made}
    apply_defaults(POLICY.resource, again)
    assert again == made


def test_rows():
    made = document(
        ingressClassName="orch", tls=[{"secretName": "s"}],
        rules=[{"host": f"{n}.example"} for n in "abcde"],
    )  # fmt: skip
    made["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z"
    made["status"] = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
    printer = printer_for(INGRESS)
    columns, row = printer.definitions, printer.cells(made, 1_767_225_610.0)
    assert [c["name"] for c in columns] == ["Name", "Class", "Hosts", "Address", "Ports", "Age"]
    hosts = "a.example,b.example,c.example + 2 more..."
    assert row == ["x", "orch", hosts, "192.0.2.1", "80, 443", "10s"]
