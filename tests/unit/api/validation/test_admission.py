"""Admission policies and bindings that are refused, in Kubernetes' words."""

from copy import deepcopy

import pytest

from orchestrator.api import expressions
from orchestrator.api.admission.words import BINDINGS, POLICIES
from orchestrator.api.defaults.kinds import apply_defaults
from orchestrator.api.resources import by_resource
from orchestrator.api.validation.kinds import validate_create

pytest.importorskip("cel")

RULE = {
    "apiGroups": ["apps"],
    "apiVersions": ["v1"],
    "operations": ["CREATE"],
    "resources": ["deployments"],
}


def policy(**spec):
    made = {
        "matchConstraints": {"resourceRules": [deepcopy(RULE)]},
        "validations": [{"expression": "true"}],
    }
    return {"metadata": {"name": "p"}, "spec": made | spec}


def binding(**spec):
    made = {"policyName": "p", "validationActions": ["Deny"]}
    return {"metadata": {"name": "b"}, "spec": made | spec}


def ruled(**fields):
    return policy(matchConstraints={"resourceRules": [{**RULE, **fields}]})


def said(resource, document):
    apply_defaults(resource, document)
    causes = validate_create(by_resource(resource), document)
    return [f"{cause.field}: {cause.message}" for cause in causes]


RULES = "spec.matchConstraints.resourceRules"
POLICY_CASES = {
    "no constraints": (
        {"metadata": {"name": "p"}, "spec": {"validations": [{"expression": "true"}]}},
        ["spec.matchConstraints: Required value"],
    ),
    "no rules": (policy(matchConstraints={}), [f"{RULES}: Required value"]),
    "nothing asked": (
        policy(validations=[]),
        [
            f"spec.{name}: Required value: validations or auditAnnotations must contain at least "
            "one item"
            for name in ("validations", "auditAnnotations")
        ],
    ),
    "failure policy": (
        policy(failurePolicy="Retry"),
        ['spec.failurePolicy: Unsupported value: "Retry": supported values: "Fail", "Ignore"'],
    ),
    "parameters": (
        policy(paramKind={"apiVersion": "a/b/c", "kind": "_"}),
        [
            'spec.paramKind.apiVersion: Invalid value: "a/b/c": unexpected GroupVersion string: '
            "a/b/c",
            'spec.paramKind.kind: Invalid value: "_": may have mixed case, but should otherwise '
            "match: a DNS-1035 label must consist of lower case alphanumeric characters or '-', "
            "start with an alphabetic character, and end with an alphanumeric character (e.g. "
            "'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')",
        ],
    ),
    "an expression": (
        policy(validations=[{"expression": "object.x =="}]),
        [
            'spec.validations[0].expression: Invalid value: "object.x ==": compilation failed: '
            "ERROR: <input>:1:12: Syntax error: mismatched input '<EOF>' expecting {'[', '{', '(', "
            "'.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, "
            "IDENTIFIER}\n| object.x ==\n| ...........^"
        ],
    ),
    "no expression": (
        policy(validations=[{"expression": " "}]),
        ["spec.validations[0].expression: Required value: expression is not specified"],
    ),
    "messages": (
        policy(validations=[
            {"expression": "true", "message": " "},
            {"expression": "true", "message": "a\nb"},
            {"expression": "true", "messageExpression": " "},
            {"expression": "true", "messageExpression": "authorizer == null"},
            {"expression": "true", "reason": "NotFound"},
        ]),
        [
            'spec.validations[0].message: Invalid value: " ": message must be non-empty if '
            "specified",
            'spec.validations[1].message: Invalid value: "a\\nb": message must not contain line '
            "breaks",
            'spec.validations[2].messageExpression: Invalid value: " ": must be non-empty if '
            "specified",
            'spec.validations[3].messageExpression: Invalid value: "authorizer == null": '
            "compilation failed: ERROR: <input>:1:1: undeclared reference to 'authorizer' (in "
            "container '')\n | authorizer == null\n | ^",
            'spec.validations[4].reason: Unsupported value: "NotFound": supported values: '
            '"Forbidden", "Invalid", "RequestEntityTooLarge"',
        ],
    ),
    "variables": (
        policy(variables=[
            {"name": "namespace", "expression": "1"},
            {"name": "a-b", "expression": "1"},
            {"name": "a", "expression": "variables.b"},
            {"name": "a", "expression": ""},
        ]),
        [
            'spec.variables[0].name: Invalid value: "namespace": name is not a valid CEL '
            "identifier",
            'spec.variables[1].name: Invalid value: "a-b": name is not a valid CEL identifier',
            'spec.variables[2].expression: Invalid value: "variables.b": compilation failed: '
            "ERROR: <input>:1:10: undefined field 'b'\n | variables.b\n | .........^",
            'spec.variables[3].name: Duplicate value: "a"',
            "spec.variables[3].expression: Required value: expression is not specified",
        ],
    ),
    "conditions": (
        policy(matchConditions=[
            {"name": "a", "expression": "true"},
            {"name": "a", "expression": "variables.a"},
            {"name": "", "expression": ""},
        ]),
        [
            'spec.matchConditions[1].expression: Invalid value: "variables.a": compilation '
            "failed: ERROR: <input>:1:1: undeclared reference to 'variables' (in container '')\n"
            " | variables.a\n | ^",
            'spec.matchConditions[1].name: Duplicate value: "a"',
            "spec.matchConditions[2].expression: Required value",
            "spec.matchConditions[2].name: Required value",
        ],
    ),
    "operations": (
        ruled(operations=["*", "GET"]),
        [
            f'{RULES}[0].operations: Invalid value: ["*","GET"]: if \'*\' is present, must not '
            "specify other operations",
            f'{RULES}[0].operations[1]: Unsupported value: "GET": supported values: "*", '
            '"CONNECT", "CREATE", "DELETE", "UPDATE"',
        ],
    ),
    "groups and versions": (
        ruled(apiGroups=[], apiVersions=["*", ""]),
        [
            f"{RULES}[0].apiGroups: Required value",
            f'{RULES}[0].apiVersions: Invalid value: ["*",""]: if \'*\' is present, must not '
            "specify other API versions",
            f"{RULES}[0].apiVersions[1]: Required value",
        ],
    ),
    "resources": (
        ruled(resources=["*", "pods", "pods/*", "pods/exec"]),
        [
            f"{RULES}[0].resources[3]: Invalid value: \"pods/exec\": if 'pods/*' is present, must "
            "not specify pods/exec",
            f'{RULES}[0].resources: Invalid value: ["*","pods","pods/*","pods/exec"]: if \'*\' is '
            "present, must not specify other resources without subresources",
        ],
    ),
    "names and scope": (
        ruled(resourceNames=["a", "a"], scope="Any"),
        [
            f'{RULES}[0].resourceNames[1]: Duplicate value: "a"',
            f'{RULES}[0].scope: Unsupported value: "Any": supported values: "*", "Cluster", '
            '"Namespaced"',
        ],
    ),
    "annotations": (
        policy(auditAnnotations=[
            {"key": "k", "valueExpression": "'a'"}, {"key": "k", "valueExpression": ""},
        ]),
        [
            "spec.auditAnnotations[1].valueExpression: Required value: valueExpression is not "
            "specified",
            'spec.auditAnnotations[1].key: Duplicate value: "k"',
        ],
    ),
}  # fmt: skip
BINDING_CASES = {
    "no policy": (binding(policyName=""), ["spec.policyName: Required value"]),
    "no action": (
        binding(validationActions=[]),
        ["spec.validationActions: Required value: at least one validation action is required"],
    ),
    "actions": (
        binding(validationActions=["Deny", "Warn", "Warn", "Shout"]),
        [
            'spec.validationActions[2]: Duplicate value: "Warn"',
            'spec.validationActions[3]: Unsupported value: "Shout": supported values: "Audit", '
            '"Deny", "Warn"',
            'spec.validationActions: Invalid value: ["Deny","Warn","Warn","Shout"]: must not '
            "contain both Deny and Warn (repeating the same validation failure information in the "
            "API response and headers serves no purpose)",
        ],
    ),
    "parameters by name and selector": (
        binding(paramRef={"name": "a", "selector": {}}),
        [
            "spec.paramRef.name: Forbidden: name and selector are mutually exclusive",
            "spec.paramRef.selector: Forbidden: name and selector are mutually exclusive",
            "spec.paramRef.parameterNotFoundAction: Required value",
        ],
    ),
    "parameters by neither": (
        binding(paramRef={"parameterNotFoundAction": "Wait"}),
        [
            "spec.paramRef: Required value: one of name or selector must be specified",
            'spec.paramRef.parameterNotFoundAction: Unsupported value: "Wait": supported values: '
            '"Allow", "Deny"',
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("document", "wanted"), POLICY_CASES.values(), ids=POLICY_CASES)
def test_policies(document, wanted):
    assert said(POLICIES, deepcopy(document)) == wanted


@pytest.mark.parametrize(("document", "wanted"), BINDING_CASES.values(), ids=BINDING_CASES)
def test_bindings(document, wanted):
    assert said(BINDINGS, deepcopy(document)) == wanted


def test_right_ones():
    assert said(POLICIES, policy()) == []
    assert said(BINDINGS, binding()) == []


def test_without_the_library(monkeypatch):
    monkeypatch.setattr(expressions, "available", lambda: False)
    (only,) = said(POLICIES, policy())
    assert only.startswith("spec: Forbidden: policies are expressions in CEL")
    assert "pip install 'orch[cel]'" in only
