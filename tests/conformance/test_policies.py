"""Admission policies with every kubectl: written, printed, obeyed, taken back."""

import json

import pytest

pytest.importorskip("cel")
pytestmark = [pytest.mark.slow]

GROUP = "admissionregistration.k8s.io"
KIND = f"validatingadmissionpolicy.{GROUP}"


def policy(namespace, **spec):
    match = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "resourceRules": [
            {
                "apiGroups": ["apps"],
                "apiVersions": ["v1"],
                "operations": ["CREATE", "UPDATE"],
                "resources": ["deployments", "deployments/scale"],
                "scope": "*",
            }
        ],
    }
    validation = {
        "expression": "object.spec.replicas <= int(params.data.most)",
        "messageExpression": "'at most ' + params.data.most + ' replicas'",
        "reason": "Forbidden",
    }
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": namespace},
        "spec": {
            "matchConstraints": match,
            "paramKind": {"apiVersion": "v1", "kind": "ConfigMap"},
            "validations": [validation],
            **spec,
        },
    }


def binding(namespace, action):
    reference = {"name": "limits", "namespace": namespace, "parameterNotFoundAction": "Deny"}
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": namespace},
        "spec": {"policyName": namespace, "paramRef": reference, "validationActions": [action]},
    }


@pytest.fixture
def bound(any_kubectl, namespace):
    kubectl = any_kubectl
    limits = ("create", "configmap", "limits", "-n", namespace, "--from-literal=most=2")
    kubectl(*limits)
    for document in (policy(namespace), binding(namespace, "Deny")):
        applied = kubectl("apply", "-f", "-", stdin=document).out
        assert applied == f"{document['kind'].lower()}.{GROUP}/{namespace} created\n"
    yield kubectl
    for kind in ("validatingadmissionpolicybinding", "validatingadmissionpolicy"):
        kubectl("delete", kind, namespace, "--ignore-not-found")


def test_a_policy_is_obeyed(bound, namespace):
    kubectl = bound
    words = ("create", "deployment", "web", "--image=i", "-n", namespace)
    said = (
        f"ValidatingAdmissionPolicy '{namespace}' with binding '{namespace}' denied request: at "
        "most 2 replicas"
    )
    assert said in kubectl.fails(*words, "--replicas=3")
    kubectl(*words, "--replicas=2")
    assert said in kubectl.fails("scale", "deployment/web", "-n", namespace, "--replicas=3")
    change = json.dumps({"spec": {"replicas": 4}})
    assert said in kubectl.fails("patch", "deployment", "web", "-n", namespace, "-p", change)
    kubectl("apply", "-f", "-", stdin=binding(namespace, "Warn"))
    warned = kubectl("scale", "deployment/web", "-n", namespace, "--replicas=3")
    assert f"Warning: Validation failed for ValidatingAdmissionPolicy '{namespace}'" in warned.err


def test_how_they_are_shown(bound, namespace):
    kubectl = bound
    again = kubectl("apply", "-f", "-", stdin=policy(namespace)).out
    assert again == f"{KIND}/{namespace} unchanged\n"
    rows = kubectl("get", "validatingadmissionpolicies", namespace).rows
    assert rows[0] == ["NAME", "VALIDATIONS", "PARAMKIND", "AGE"]
    assert rows[1][:3] == [namespace, "1", "v1/ConfigMap"]
    rows = kubectl("get", "validatingadmissionpolicybindings", namespace).rows
    assert rows[0] == ["NAME", "POLICYNAME", "PARAMREF", "AGE"]
    assert rows[1][:3] == [namespace, namespace, f"{namespace}/limits"]
    assert "validations" in kubectl("explain", "validatingadmissionpolicy.spec").out
    assert "Failure Policy" in kubectl("describe", "validatingadmissionpolicy", namespace).out


def test_a_wrong_one_is_refused(any_kubectl, namespace):
    wrong = policy(namespace, validations=[{"expression": "object.spec.replicas <= most"}])
    refused = any_kubectl.fails("create", "-f", "-", stdin=wrong)
    assert "compilation failed: ERROR: <input>:1:25: undeclared reference to 'most'" in refused
