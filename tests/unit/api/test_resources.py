"""The table of kinds: look-ups, and the facts that clients key on."""

import pytest

from orchestrator.api.resources import METRICS_GROUP, RESOURCES, by_kind, by_path, by_resource


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda r: r.resource)
def test_every_row_is_found_by_each_of_its_names(resource):
    stored = by_resource(resource.resource)
    assert stored is resource or (resource.stored_as and not stored.stored_as)
    assert by_path(resource.group, resource.version, resource.plural) is resource
    assert by_kind(resource.api_version, resource.kind) is resource


def test_names_that_nobody_serves_are_told_apart():
    with pytest.raises(KeyError):
        by_resource("gadgets.example.com")
    assert by_path("apps", "v1beta1", "deployments") is None
    assert by_path("", "v1", "deployments") is None
    assert by_kind("v1", "Deployment") is None


def test_short_names_are_unique():
    stored = [r for r in RESOURCES if r.stored and not r.stored_as]
    short = [name for r in stored for name in (*r.short_names, r.plural, r.singular)]
    doubled = {name for name in short if short.count(name) > 1}
    assert doubled == {"endpoints"}  # Kubernetes' singular of endpoints is endpoints


def test_get_all_covers_the_kinds_that_kubectl_asks_for():
    assert {r.plural for r in RESOURCES if "all" in r.categories} == {
        "pods", "replicationcontrollers", "services", "daemonsets", "deployments", "replicasets",
        "statefulsets", "horizontalpodautoscalers", "cronjobs", "jobs",
    }  # fmt: skip


def test_eviction_names_the_policy_group():
    eviction = by_resource("pods").subresource("eviction")
    assert eviction is not None
    assert (eviction.group, eviction.version, eviction.kind) == ("policy", "v1", "Eviction")
    assert by_resource("pods").subresource("scale") is None


def test_questions_are_not_stored_and_only_created():
    questions = [r for r in RESOURCES if not r.stored and r.group != METRICS_GROUP]
    assert {r.kind for r in questions} == {
        "LocalSubjectAccessReview", "SelfSubjectAccessReview", "SelfSubjectReview",
        "SelfSubjectRulesReview", "SubjectAccessReview", "TokenReview",
    }  # fmt: skip
    assert all(r.verbs == ("create",) for r in questions)
    assert [r.kind for r in questions if r.namespaced] == ["LocalSubjectAccessReview"]


def test_a_further_version_has_the_name_and_verbs_of_the_stored_one():
    further = [r for r in RESOURCES if r.stored_as]
    assert further
    for row in further:
        stored = by_resource(row.stored_as)
        assert (row.kind, row.verbs) == (stored.kind, stored.verbs)
        assert row.api_version != stored.api_version


def test_names_of_lists_and_versions():
    deployments = by_resource("deployments.apps")
    assert deployments.list_kind == "DeploymentList"
    assert deployments.api_version == "apps/v1"
    assert by_resource("endpoints").list_kind == "EndpointsList"
