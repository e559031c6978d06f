"""Strict decoding says what Kubernetes says, and nothing about what is right."""

import copy

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.api.resources import by_resource
from orchestrator.api.schema.strict import check, check_definition, duplicates

law = settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])

DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {
        "name": "web",
        "namespace": "default",
        "labels": {"app": "web"},
        "creationTimestamp": None,
        "annotations": {"note": ""},
    },
    "spec": {
        "replicas": 3,
        "selector": {"matchLabels": {"app": "web"}},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {
                "containers": [
                    {
                        "name": "web",
                        "image": "web:1",
                        "ports": [{"containerPort": 8080}],
                        "env": [{"name": "A", "value": "b"}],
                        "resources": {"requests": {"cpu": "250m", "memory": 1024}},
                        "readinessProbe": {"httpGet": {"path": "/", "port": 8080}},
                        "volumeMounts": [{"name": "v", "mountPath": "/v"}],
                    }
                ],
                "volumes": [{"name": "v", "emptyDir": {}}],
            },
        },
    },
    "status": {},
}
POD_SPEC = ("spec", "template", "spec")
CONTAINER = (*POD_SPEC, "containers", 0)


def changed(path, value):
    document = copy.deepcopy(DEPLOYMENT)
    at = document
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return document


def deployment(path, value):
    return check(by_resource("deployments.apps"), changed(path, value))


def test_a_right_document_has_no_findings():
    findings = check(by_resource("deployments.apps"), DEPLOYMENT)
    assert not findings
    assert (findings.unknown, findings.wrong_types) == ((), ())


UNKNOWN = [
    (("replicas",), "replicas"),
    (("spec", "replicaz"), "spec.replicaz"),
    (("spec", "Replicas"), "spec.Replicas"),
    (("metadata", "lables"), "metadata.lables"),
    ((*CONTAINER, "imagez"), "spec.template.spec.containers[0].imagez"),
    ((*CONTAINER, "ports", 0, "port"), "spec.template.spec.containers[0].ports[0].port"),
    ((*POD_SPEC, "volumes", 0, "emptyDirr"), "spec.template.spec.volumes[0].emptyDirr"),
    (("status", "ready"), "status.ready"),
]


@pytest.mark.parametrize(("path", "said"), UNKNOWN, ids=lambda v: v if isinstance(v, str) else "")
def test_unknown_fields_are_named_by_path(path, said):
    findings = deployment(path, None)
    assert findings.unknown == (f'unknown field "{said}"',)
    assert findings.wrong_types == ()


GO = "json: cannot unmarshal"
WRONG = [
    (("spec", "replicas"), "3",
     f"{GO} string into Go struct field DeploymentSpec.spec.replicas of type int32"),
    (("spec", "replicas"), 1.5,
     f"{GO} number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32"),
    (("spec", "replicas"), 3_000_000_000,
     f"{GO} number 3000000000 into Go struct field DeploymentSpec.spec.replicas of type int32"),
    (("spec", "replicas"), True,
     f"{GO} bool into Go struct field DeploymentSpec.spec.replicas of type int32"),
    (("spec", "paused"), "yes",
     f"{GO} string into Go struct field DeploymentSpec.spec.paused of type bool"),
    (("spec",), [],
     f"{GO} array into Go struct field Deployment.spec of type v1.DeploymentSpec"),
    (("metadata", "labels"), {"app": 5},
     f"{GO} number into Go struct field ObjectMeta.metadata.labels of type string"),
    (("metadata", "labels"), "app=web",
     f"{GO} string into Go struct field ObjectMeta.metadata.labels of type map[string]string"),
    ((*POD_SPEC, "containers"), {"name": "web"},
     f"{GO} object into Go struct field PodSpec.spec.template.spec.containers"
     " of type []v1.Container"),
    ((*CONTAINER, "env", 0, "value"), 8080,
     f"{GO} number into Go struct field EnvVar.spec.template.spec.containers.env.value"
     " of type string"),
    ((*CONTAINER, "command"), "sleep 1",
     f"{GO} string into Go struct field Container.spec.template.spec.containers.command"
     " of type []string"),
    ((*CONTAINER, "imagePullPolicy"), 1,
     f"{GO} number into Go struct field Container.spec.template.spec.containers.imagePullPolicy"
     " of type v1.PullPolicy"),
    ((*CONTAINER, "readinessProbe", "httpGet", "port"), False,
     f"{GO} bool into Go struct field"
     " HTTPGetAction.spec.template.spec.containers.readinessProbe.httpGet.port"
     " of type int32"),
    ((*POD_SPEC, "volumes", 0, "emptyDir"), "yes",
     f"{GO} string into Go struct field Volume.spec.template.spec.volumes.emptyDir"
     " of type v1.EmptyDirVolumeSource"),
    ((*CONTAINER, "resources", "requests", "cpu"), True,
     "quantities must match the regular expression"
     " '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
     ' in field "spec.template.spec.containers[0].resources.requests.cpu"'),
    (("metadata", "creationTimestamp"), "yesterday",
     'parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse'
     ' in field "metadata.creationTimestamp"'),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "said"), WRONG, ids=lambda v: str(v)[-30:])
def test_wrong_types_are_told_in_the_words_of_kubernetes(path, value, said):
    findings = deployment(path, value)
    assert findings.wrong_types == (said,)
    assert findings.unknown == ()


def test_several_findings_come_in_document_order():
    document = changed((*CONTAINER, "b"), 1)
    document["spec"]["template"]["spec"]["containers"][0]["a"] = {"deep": True}
    document["z"] = 1
    document["spec"]["replicas"] = "3"
    findings = check(by_resource("deployments.apps"), document)
    assert findings.unknown == (
        'unknown field "spec.template.spec.containers[0].b"',
        'unknown field "spec.template.spec.containers[0].a"',
        'unknown field "z"',
    )
    assert len(findings.wrong_types) == 1


@pytest.mark.parametrize(
    ("value", "offset"), [("plain text", 5), ("abc", 0), ("YWJjZA", 4), ("YQ==YQ==", 4)]
)
def test_secret_data_must_be_base64(value, offset):
    findings = check(by_resource("secrets"), {"data": {"password": value}})
    assert findings.wrong_types == (
        f'illegal base64 data at input byte {offset} in field "data.password"',
    )


@law
@given(st.binary())
def test_any_base64_is_right(data):
    import base64

    text = base64.encodebytes(data).decode()
    assert not check(by_resource("secrets"), {"data": {"a": text, "b": text.replace("\n", "")}})


def test_free_form_fields_take_anything():
    revision = {"data": {"spec": {"template": [1, {"x": None}]}}, "revision": 1}
    assert not check(by_resource("controllerrevisions.apps"), revision)
    managed = {"metadata": {"managedFields": [{"manager": "m", "fieldsV1": {"f:spec": {}}}]}}
    assert not check(by_resource("pods"), managed)


def test_bodies_of_subresources_are_checked_by_definition():
    scale = "io.k8s.api.autoscaling.v1.Scale"
    assert check_definition(scale, {"spec": {"replicas": "2"}}).wrong_types == (
        f"{GO} string into Go struct field ScaleSpec.spec.replicas of type int32",
    )
    with pytest.raises(KeyError):
        check_definition("io.k8s.api.core.v1.Gadget", {})


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.sampled_from(["", "x", "é"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["spec", "metadata", "name", "x", "containers"]), inner)
    ),
    max_leaves=12,
)


@law
@given(st.dictionaries(st.sampled_from(["spec", "metadata", "status", "kind", "y"]), JSON))
def test_no_document_breaks_the_walk_or_is_changed_by_it(document):
    before = copy.deepcopy(document)
    for resource in ("pods", "deployments.apps", "services", "events"):
        findings = check(by_resource(resource), document)
        assert ("y" in document) == any(f == 'unknown field "y"' for f in findings.unknown)
    assert document == before


def test_doubled_keys_are_named_by_path():
    text = b'{"a":1,"spec":{"replicas":1,"replicas":2,"replicas":3,"l":[{"n":1,"n":1}]},"a":{}}'
    assert duplicates(text) == (
        'duplicate field "a"', 'duplicate field "spec.replicas"', 'duplicate field "spec.l[0].n"',
    )  # fmt: skip
    assert duplicates(b'{"a":{"b":1},"c":{"b":1}}') == ()
    with pytest.raises(ValueError, match="Expecting property name"):
        duplicates(b"{")
    with pytest.raises(ValueError, match="nested too deeply"):
        duplicates(b"[" * 100_000 + b"]" * 100_000)
