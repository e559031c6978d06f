"""The roles of every cluster: well-formed, and what they add up to."""

import pytest

from orchestrator.api.rbac.builtin import cluster_role_bindings, cluster_roles, completed
from orchestrator.api.rbac.grants import Grants
from orchestrator.api.rbac.rules import Attributes, rules_of
from orchestrator.api.resources import by_resource
from orchestrator.api.validation.kinds import validate_create

ROLES = {role["metadata"]["name"]: role for role in cluster_roles()}


def test_they_are_valid():
    for role in ROLES.values():
        assert validate_create(by_resource("clusterroles.rbac.authorization.k8s.io"), role) == ()
    resource = by_resource("clusterrolebindings.rbac.authorization.k8s.io")
    for binding in cluster_role_bindings():
        assert validate_create(resource, binding) == ()
        assert binding["roleRef"]["name"] in ROLES


@pytest.mark.parametrize(
    ("wish", "may"),
    [
        (Attributes("list", "apps", "deployments"), "view edit admin"),
        (Attributes("get", "", "secrets"), "edit admin"),
        (Attributes("patch", "apps", "deployments", "scale"), "edit admin"),
        (Attributes("create", "", "serviceaccounts", "token"), "edit admin"),
        (Attributes("create", "rbac.authorization.k8s.io", "rolebindings"), "admin"),
        (Attributes("create", "", "namespaces"), ""),
        (Attributes("escalate", "rbac.authorization.k8s.io", "roles"), ""),
    ],
)
def test_user_facing_roles(wish, may):
    found = [r for r in ("view", "edit", "admin") if Grants(rules_of(ROLES[r])).allow(wish)]
    assert found == may.split()
    assert Grants(rules_of(ROLES["cluster-admin"])).allow(wish)


def test_what_was_taken_away_is_put_back_and_what_was_added_stays():
    wanted = ROLES["system:discovery"]
    assert completed(wanted, wanted) is None
    own = {"verbs": ["get"], "nonResourceURLs": ["/own"]}
    stored = {**wanted, "rules": [own]}
    assert completed(stored, wanted) == {"rules": [own, *wanted["rules"]]}
    wider = {**wanted, "rules": [{**wanted["rules"][0], "verbs": ["get", "head"]}]}
    assert completed(wider, wanted) is None
    annotations = {"rbac.authorization.kubernetes.io/autoupdate": "false"}
    stored = {**stored, "metadata": {**stored["metadata"], "annotations": annotations}}
    assert completed(stored, wanted) is None
    assert completed({**ROLES["view"], "rules": []}, ROLES["view"]) is None
