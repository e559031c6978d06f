"""Deployments: each row is one fault, its field and its words."""

import copy

import pytest

from orchestrator.api.defaults.kinds import apply_defaults
from orchestrator.api.resources import by_resource
from orchestrator.api.validation.kinds import validate_create, validate_update

DEPLOYMENTS = by_resource("deployments.apps")


def deployment(**spec):
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "c", "image": "web:1"}]},
    }
    base = {"selector": {"matchLabels": {"app": "web"}}, "template": template}
    document = {"metadata": {"name": "a", "namespace": "default"}, "spec": {**base, **spec}}
    apply_defaults("deployments.apps", document)
    return document


def told(causes):
    return [f"{c.field}: {c.message}" for c in causes]


def test_a_good_deployment_has_no_faults():
    assert validate_create(DEPLOYMENTS, deployment()) == ()
    surge = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    assert validate_create(DEPLOYMENTS, deployment(strategy=surge)) == ()


DEPLOYMENT_FAULTS = [
    ({"replicas": -1}, "spec.replicas: Invalid value: -1: must be greater than or equal to 0"),
    (
        {"selector": {"matchLabels": {"app": "db"}}},
        'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match',
    ),
    (
        {"selector": {}},
        "spec.selector: Invalid value: {}: empty selector is invalid for deployment",
    ),
    (
        {"selector": {"matchExpressions": [{"key": "a", "operator": "Likes"}]}},
        "spec.selector.matchExpressions[0].operator: Invalid value",
    ),
    (
        {"selector": {"matchExpressions": [{"key": "a", "operator": "In"}]}},
        "spec.selector.matchExpressions[0].values: Required value",
    ),
    ({"strategy": {"type": "Slowly"}}, 'spec.strategy.type: Unsupported value: "Slowly"'),
    (
        {"strategy": {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}},
        "spec.strategy.rollingUpdate: Forbidden",
    ),
    (
        {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "0%"}}},
        "spec.strategy.rollingUpdate.maxUnavailable: Invalid value",
    ),
    (
        {"strategy": {"rollingUpdate": {"maxSurge": "lots"}}},
        "spec.strategy.rollingUpdate.maxSurge: Invalid value",
    ),
    (
        {"strategy": {"rollingUpdate": {"maxUnavailable": "101%"}}},
        "spec.strategy.rollingUpdate.maxUnavailable: Invalid value",
    ),
    (
        {"progressDeadlineSeconds": 5, "minReadySeconds": 5},
        "spec.progressDeadlineSeconds: Invalid value: 5: must be greater than minReadySeconds",
    ),
    ({"revisionHistoryLimit": -1}, "spec.revisionHistoryLimit: Invalid value"),
]


@pytest.mark.parametrize(
    ("spec", "fault"), DEPLOYMENT_FAULTS, ids=[f for _, f in DEPLOYMENT_FAULTS]
)
def test_deployment_faults(spec, fault):
    causes = told(validate_create(DEPLOYMENTS, deployment(**copy.deepcopy(spec))))
    assert len(causes) == 1
    assert causes[0].startswith(fault)


def test_template_faults_have_their_place():
    document = deployment()
    document["spec"]["template"]["spec"] |= {"restartPolicy": "Never", "activeDeadlineSeconds": 3}
    document["spec"]["template"]["spec"]["containers"][0]["ports"] = [{"containerPort": 0}]
    assert [c.field for c in validate_create(DEPLOYMENTS, document)] == [
        "spec.template.spec.containers[0].ports[0].containerPort",
        "spec.template.spec.restartPolicy",
        "spec.template.spec.activeDeadlineSeconds",
    ]


def test_a_missing_selector():
    document = deployment()
    del document["spec"]["selector"]
    assert told(validate_create(DEPLOYMENTS, document)) == ["spec.selector: Required value"]


def test_a_selector_stays():
    old = deployment()
    new = copy.deepcopy(old)
    new["spec"]["selector"]["matchLabels"]["x"] = "y"
    new["spec"]["template"]["metadata"]["labels"]["x"] = "y"
    (cause,) = told(validate_update(DEPLOYMENTS, new, old, ""))
    assert cause == (
        'spec.selector: Invalid value: {"matchLabels":{"app":"web","x":"y"}}: field is immutable'
    )
