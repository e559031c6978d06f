"""Kinds that users define: every kubectl creates, explains, prints, scales and deletes them."""

import json

import pytest

pytestmark = [pytest.mark.slow]

GROUP = "shop.example.com"
NAME = f"crontabs.{GROUP}"

SCHEMA = {
    "type": "object",
    "description": "A CronTab runs an image by a schedule.",
    "required": ["spec"],
    "properties": {
        "spec": {
            "type": "object",
            "required": ["schedule"],
            "properties": {
                "schedule": {
                    "type": "string",
                    "description": "When it runs.",
                    "pattern": r"^(\d+|\*)(/\d+)?(\s+(\d+|\*)(/\d+)?){4}$",
                },
                "image": {"type": "string", "default": "registry.example/cron:1"},
                "replicas": {"type": "integer", "minimum": 1, "maximum": 10, "default": 1},
                "steps": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                    "items": {
                        "type": "object",
                        "required": ["name"],
                        "properties": {"name": {"type": "string"}, "run": {"type": "string"}},
                    },
                },
            },
        },
        "status": {
            "type": "object",
            "properties": {
                "replicas": {"type": "integer"},
                "labelSelector": {"type": "string"},
                "conditions": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {"type": {"type": "string"}, "status": {"type": "string"}},
                    },
                },
            },
        },
    },
}


def version(name, *, storage, served=True):
    return {
        "name": name,
        "served": served,
        "storage": storage,
        "schema": {"openAPIV3Schema": SCHEMA},
        "subresources": {
            "status": {},
            "scale": {
                "specReplicasPath": ".spec.replicas",
                "statusReplicasPath": ".status.replicas",
                "labelSelectorPath": ".status.labelSelector",
            },
        },
        "additionalPrinterColumns": [
            {"name": "Schedule", "type": "string", "jsonPath": ".spec.schedule"},
            {
                "name": "Ready",
                "type": "string",
                "jsonPath": '.status.conditions[?(@.type=="Ready")].status',
            },
            {"name": "Image", "type": "string", "jsonPath": ".spec.image", "priority": 1},
            {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
        ],
        "selectableFields": [{"jsonPath": ".spec.image"}],
    }


DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": NAME},
    "spec": {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {
            "plural": "crontabs",
            "singular": "crontab",
            "kind": "CronTab",
            "shortNames": ["ct"],
            "categories": ["shopping"],
        },
        "versions": [version("v1beta1", storage=False), version("v1", storage=True)],
    },
}


def crontab(name="my", api_version=f"{GROUP}/v1", **spec):
    return {
        "apiVersion": api_version,
        "kind": "CronTab",
        "metadata": {"name": name},
        "spec": {"schedule": "* * * * */5", **spec},
    }


@pytest.fixture
def defined(any_kubectl):
    kubectl = any_kubectl
    applied = kubectl("apply", "-f", "-", stdin=DEFINITION)
    assert applied.out == f"customresourcedefinition.apiextensions.k8s.io/{NAME} created\n"
    kubectl("wait", "--for=condition=Established", f"crd/{NAME}", "--timeout=20s")
    yield kubectl
    kubectl("delete", "crd", NAME, "--ignore-not-found", "--timeout=20s")


def test_apply_get_explain(defined, namespace):
    kubectl = defined
    document = crontab(steps=[{"name": "a", "run": "x"}])
    words = ("apply", "-n", namespace, "-f", "-")
    assert kubectl(*words, stdin=document).out == f"crontab.{GROUP}/my created\n"
    assert kubectl(*words, stdin=document).out == f"crontab.{GROUP}/my unchanged\n"
    live = kubectl.get("ct", "my", "-n", namespace)
    assert live["spec"]["image"] == "registry.example/cron:1"
    assert live["spec"]["replicas"] == 1
    assert kubectl("get", "ct", "-n", namespace).rows[0] == ["NAME", "SCHEDULE", "READY", "AGE"]
    wide = kubectl("get", "crontabs", "-n", namespace, "-o", "wide").rows
    assert wide[0] == ["NAME", "SCHEDULE", "READY", "IMAGE", "AGE"]
    assert wide[1][:2] == ["my", "* * * * */5"]
    assert kubectl("get", "shopping", "-n", namespace, "-o", "name").lines == [
        f"crontab.{GROUP}/my"
    ]
    chosen = ("get", "ct", "-A", "-o", "name", "--field-selector")
    assert kubectl(*chosen, "spec.image=other").out == ""
    assert kubectl(*chosen, "spec.image=registry.example/cron:1").lines == [f"crontab.{GROUP}/my"]
    told = kubectl("explain", "crontab.spec.schedule").out
    assert "When it runs." in told
    assert "A CronTab runs an image" in kubectl("explain", "ct").out
    assert NAME.partition(".")[0] in kubectl("api-resources", f"--api-group={GROUP}").out
    assert "Schedule" in kubectl("describe", "ct", "my", "-n", namespace).out


def test_server_side_apply(defined, namespace):
    kubectl = defined
    words = ("apply", "--server-side", "-n", namespace, "-f", "-")
    document = crontab(steps=[{"name": "a", "run": "x"}])
    assert kubectl(*words, stdin=document).out == f"crontab.{GROUP}/my serverside-applied\n"
    other = crontab(steps=[{"name": "b", "run": "y"}])
    kubectl(*words, "--field-manager=other", stdin=other)
    live = kubectl.get("ct", "my", "-n", namespace)
    assert {step["name"] for step in live["spec"]["steps"]} == {"a", "b"}
    clash = crontab(schedule="1 1 1 1 1")
    assert "conflict" in kubectl.fails(*words, "--field-manager=other", stdin=clash)
    kubectl(*words, "--field-manager=other", "--force-conflicts", stdin=clash)


def test_wrong_objects_are_refused(defined, namespace):
    kubectl = defined
    words = ("create", "-n", namespace, "-f", "-")
    refused = kubectl.fails(*words, stdin=crontab(schedule="* * *", replicas=15))
    assert 'The CronTab "my" is invalid' in refused
    assert (
        'spec.schedule: Invalid value: "* * *": spec.schedule in body should match '
        r"'^(\d+|\*)(/\d+)?(\s+(\d+|\*)(/\d+)?){4}$'"
    ) in refused
    assert (
        "spec.replicas: Invalid value: 15: spec.replicas in body should be less than or equal to 10"
    ) in refused
    assert 'unknown field "spec.odd"' in kubectl.fails(*words, stdin=crontab(odd=1))
    doubled = [{"name": "a"}, {"name": "a"}]
    assert 'spec.steps[1]: Duplicate value: {"name":"a"}' in kubectl.fails(
        *words, stdin=crontab(steps=doubled)
    )


def test_scale_status_and_patches(defined, namespace):
    kubectl = defined
    kubectl("create", "-n", namespace, "-f", "-", stdin=crontab())
    kubectl("scale", "ct/my", "-n", namespace, "--replicas=4")
    assert kubectl.get("ct", "my", "-n", namespace)["spec"]["replicas"] == 4
    path = f"/apis/{GROUP}/v1/namespaces/{namespace}/crontabs/my/status"
    live = kubectl.get("ct", "my", "-n", namespace)
    live["status"] = {"replicas": 4, "conditions": [{"type": "Ready", "status": "True"}]}
    kubectl("replace", "--raw", path, "-f", "-", stdin=live)
    assert kubectl("get", "ct", "-n", namespace).rows[1][2] == "True"
    kubectl("wait", "ct/my", "-n", namespace, "--for=condition=Ready", "--timeout=10s")
    patch = json.dumps({"spec": {"image": "i:2"}})
    kubectl("patch", "ct", "my", "-n", namespace, "--type=merge", "-p", patch)
    operations = json.dumps([{"op": "replace", "path": "/spec/schedule", "value": "1 1 1 1 1"}])
    kubectl("patch", "ct", "my", "-n", namespace, "--type=json", "-p", operations)
    live = kubectl.get("ct", "my", "-n", namespace)
    assert (live["spec"]["image"], live["spec"]["schedule"]) == ("i:2", "1 1 1 1 1")
    assert live["status"]["replicas"] == 4
    refused = kubectl.fails("patch", "ct", "my", "-n", namespace, "-p", patch)
    assert "application/strategic-merge-patch+json is not supported" in refused
    assert "accepted media types include: application/json-patch+json, application/merge" in refused
    kubectl("label", "ct", "my", "-n", namespace, "a=b")


def test_two_versions_are_one_object(defined, namespace):
    kubectl = defined
    kubectl("create", "-n", namespace, "-f", "-", stdin=crontab(api_version=f"{GROUP}/v1beta1"))
    old = kubectl.get(f"crontabs.v1beta1.{GROUP}", "my", "-n", namespace)
    new = kubectl.get("ct", "my", "-n", namespace)
    assert (old["apiVersion"], new["apiVersion"]) == (f"{GROUP}/v1beta1", f"{GROUP}/v1")
    assert old["metadata"]["uid"] == new["metadata"]["uid"]
    assert kubectl("get", "ct", "-n", namespace, "-o", "name").lines == [f"crontab.{GROUP}/my"]


def test_deleting_a_definition(defined, namespace):
    kubectl = defined
    for name in ("a", "b", "c"):
        kubectl("create", "-n", namespace, "-f", "-", stdin=crontab(name))
    kubectl("delete", "ct", "a", "-n", namespace)
    kubectl("delete", "crd", NAME, "--timeout=20s")
    refused = kubectl.fails("get", "ct", "-n", namespace)
    # a kubectl that has the group in its cache asks for it and is told
    assert "doesn't have a resource type" in refused or "could not find the requested" in refused
    assert GROUP not in kubectl("api-versions").out
    kubectl("apply", "-f", "-", stdin=DEFINITION)
    kubectl("wait", "--for=condition=Established", f"crd/{NAME}", "--timeout=20s")
    assert kubectl("get", "ct", "-n", namespace, "-o", "name").out == ""
