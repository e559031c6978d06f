"""Warnings about fields that are kept and not acted on."""

import pytest

from orchestrator.api import unsupported
from orchestrator.api.defaults.kinds import apply_defaults
from orchestrator.api.resources import by_resource
from orchestrator.api.schema.nodes import SchemaNode, schema_of


@pytest.mark.parametrize(
    ("resource", "spec", "places"),
    [
        ("pods", {"affinity": {"podAffinity": {"x": []}}}, []),
        (
            "pods",
            {"volumes": [{"name": "a", "emptyDir": {}}, {"name": "b", "nfs": {"path": "/"}}]},
            ["spec.volumes[1].nfs"],
        ),
        ("pods", {"schedulerName": "default-scheduler"}, []),
        ("pods", {"runtimeClassName": "r"}, ["spec.runtimeClassName"]),
        ("pods", {"automountServiceAccountToken": False}, []),
        ("pods", {"hostUsers": False}, ["spec.hostUsers=false"]),
        (
            "pods",
            {"containers": [{"livenessProbe": {"grpc": {"port": 1}}}]},
            ["spec.containers[0].livenessProbe.grpc"],
        ),
        (
            "services",
            {"sessionAffinity": "ClientIP", "type": "NodePort"},
            ["spec.sessionAffinity=ClientIP", "spec.type=NodePort"],
        ),
        (
            "services",
            {"ports": [{"protocol": "TCP"}, {"protocol": "UDP"}]},
            ["spec.ports[1].protocol=UDP"],
        ),
    ],
)
def test_places(resource, spec, places):
    assert unsupported.fields_without_effect(resource, {"spec": spec}) == places


def test_what_orch_defaults_is_never_warned_about():
    pod = {"metadata": {"name": "a"}, "spec": {"containers": [{"name": "c", "image": "a:1"}]}}
    apply_defaults("pods", pod)
    assert unsupported.warnings("pods", pod) == []
    service = {"metadata": {"name": "a"}, "spec": {"type": "LoadBalancer", "ports": [{"port": 1}]}}
    apply_defaults("services", service)
    assert unsupported.warnings("services", service) == []


def test_templates_are_looked_at_too():
    deployment = {"spec": {"template": {"spec": {"runtimeClassName": "gvisor"}}}}
    assert unsupported.warnings("deployments.apps", deployment) == [
        "spec.template.spec.runtimeClassName: kept, but orch does not act on this field yet"
    ]


@pytest.mark.parametrize("resource", sorted(unsupported.UNSUPPORTED))
def test_every_path_in_the_table_is_one_that_kubernetes_knows(resource):
    for entry in unsupported.UNSUPPORTED[resource]:
        node: SchemaNode | None = schema_of(by_resource(resource))
        for step in entry.partition("!=")[0].partition("=")[0].split("."):
            name, brackets, _ = step.partition("[]")
            assert node is not None, entry
            node = node.child(name)
            if brackets and node is not None:
                node = node.item()
        assert node is not None, entry
