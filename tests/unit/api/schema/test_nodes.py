"""Patch metadata as strategic merge patch and server-side apply need it."""

import pytest

from orchestrator.api.resources import by_resource
from orchestrator.api.schema.nodes import SchemaNode, schema_of, schema_of_kind


def walk(resource: str, path: str) -> SchemaNode:
    node = schema_of(by_resource(resource))
    for step in path.split("."):
        below = node.item() if step == "[]" else node.child(step)
        assert below is not None, step
        node = below
    return node


POD = "spec.template.spec"
MERGE_KEYS = [
    ("deployments.apps", f"{POD}.containers", "name", {"merge"}),
    ("deployments.apps", f"{POD}.initContainers", "name", {"merge"}),
    ("pods", "spec.volumes", "name", {"merge", "retainKeys"}),
    ("pods", "spec.containers.[].ports", "containerPort", {"merge"}),
    ("pods", "spec.containers.[].env", "name", {"merge"}),
    ("pods", "spec.containers.[].volumeMounts", "mountPath", {"merge"}),
    ("pods", "spec.hostAliases", "ip", {"merge"}),
    ("pods", "spec.topologySpreadConstraints", "topologyKey", {"merge"}),
    ("services", "spec.ports", "port", {"merge"}),
    ("pods", "status.conditions", "type", {"merge"}),
    ("nodes", "status.addresses", "type", {"merge"}),
    ("nodes", "spec.podCIDRs", "", {"merge"}),
    ("pods", "metadata.ownerReferences", "uid", {"merge"}),
    ("pods", "metadata.finalizers", "", {"merge"}),
    ("deployments.apps", "spec.strategy", "", {"retainKeys"}),
    ("pods", "spec.tolerations", "", set()),
    ("nodes", "spec.taints", "", set()),
    ("endpointslices.discovery.k8s.io", "endpoints", "", set()),
]


def _id(value):
    return "+".join(sorted(value)) if isinstance(value, set) else value


@pytest.mark.parametrize(("resource", "path", "key", "strategies"), MERGE_KEYS, ids=_id)
def test_patch_metadata(resource, path, key, strategies):
    node = walk(resource, path)
    assert node.patch_merge_key == key
    assert node.patch_strategies == strategies


def test_lists_say_how_they_are_applied():
    ports = walk("services", "spec.ports")
    assert (ports.list_type, ports.list_map_keys) == ("map", ("port", "protocol"))
    command = walk("pods", "spec.containers.[].command")
    assert (command.list_type, command.list_map_keys, command.type) == ("atomic", (), "array")
    assert walk("pods", "metadata.finalizers").list_type == "set"
    assert walk("deployments.apps", "spec.selector").map_type == "atomic"


def test_maps_answer_for_any_key():
    labels = walk("pods", "metadata.labels")
    assert labels.type == "object"
    value = labels.child("app.kubernetes.io/name")
    assert value is not None
    assert value.type == "string"
    assert labels.item() is None
    assert not labels.free_form


def test_what_is_not_known_has_no_node():
    spec = walk("deployments.apps", "spec")
    assert spec.child("replicaz") is None
    assert spec.item() is None
    assert spec.value() is None
    replicas = spec.child("replicas")
    assert replicas is not None
    assert replicas.child("x") is None


def test_free_form_objects_say_so():
    data = walk("controllerrevisions.apps", "data")
    assert data.free_form
    assert data.child("anything") is None


def test_the_same_path_is_the_same_node():
    assert walk("pods", "spec.containers") is walk("pods", "spec.containers")


def test_descriptions_belong_to_the_field_and_fall_back_to_the_type():
    assert walk("deployments.apps", "spec.template").description.startswith("Template describes")
    scale = schema_of_kind("io.k8s.api.autoscaling.v1.Scale")
    assert scale.description == "Scale represents a scaling request for a resource."
    assert scale.fields == ("apiVersion", "kind", "metadata", "spec", "status")
