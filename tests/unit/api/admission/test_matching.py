"""Whom policies are about."""

import pytest

from orchestrator.api.admission.matching import constraints_of, matched
from orchestrator.api.admission.question import Question, kind_of, request_document
from orchestrator.api.resources import by_path, by_resource

PODS = by_resource("pods")
NODES = by_resource("nodes")
NAMESPACES = by_resource("namespaces")
OLD_HPA = by_path("autoscaling", "v1", "horizontalpodautoscalers")
HPA = by_path("autoscaling", "v2", "horizontalpodautoscalers")
PROD = {"metadata": {"name": "home", "labels": {"env": "prod"}}}


def asked(resource=PODS, operation="CREATE", **more):
    known = {
        "subresource": "",
        "namespace": "home" if resource.namespaced else "",
        "name": "a",
        "object": {"metadata": {"labels": {"app": "web"}}},
        "old": None,
        "user": {"username": "ann"},
    }
    return Question(operation, resource, **(known | more))


def rule(resources="pods", operations="CREATE", groups="", versions="v1", **more):
    return {
        "resources": resources.split(","),
        "operations": operations.split(","),
        "apiGroups": [groups],
        "apiVersions": [versions],
        **more,
    }


def match(question, *rules, namespace=PROD, equivalents=(), **more):
    constraints = constraints_of({"resourceRules": list(rules), **more})
    return matched(constraints, question, equivalents, namespace)


CASES = {
    "the resource": (asked(), rule(), True),
    "another resource": (asked(), rule("services"), False),
    "another operation": (asked(operation="DELETE"), rule(), False),
    "every operation": (asked(operation="CONNECT"), rule(operations="*"), True),
    "one of several": (asked(operation="UPDATE"), rule(operations="CREATE,UPDATE"), True),
    "another group": (asked(), rule(groups="apps"), False),
    "every group and version": (asked(), rule(groups="*", versions="*"), True),
    "another version": (asked(), rule(versions="v2"), False),
    "a subresource is not its resource": (asked(subresource="exec"), rule(), False),
    "nor all resources": (asked(subresource="exec"), rule("*"), False),
    "a subresource": (asked(subresource="exec"), rule("pods/exec"), True),
    "all of a resource": (asked(subresource="exec"), rule("pods/*"), True),
    "also the resource itself": (asked(), rule("pods/*"), True),
    "of all resources": (asked(subresource="scale"), rule("*/scale"), True),
    "but not others": (asked(subresource="exec"), rule("*/scale"), False),
    "all of all": (asked(subresource="exec"), rule("*/*"), True),
    "a name": (asked(), rule(resourceNames=["a", "b"]), True),
    "another name": (asked(name="c"), rule(resourceNames=["a", "b"]), False),
    "inside namespaces": (asked(), rule(scope="Namespaced"), True),
    "outside": (asked(NODES), rule("nodes", scope="Namespaced"), False),
    "outside is meant": (asked(NODES), rule("nodes", scope="Cluster"), True),
    "a namespace is outside": (
        asked(NAMESPACES, namespace="home"), rule("namespaces", scope="Cluster"), True,
    ),
    "and not inside": (
        asked(NAMESPACES, namespace="home"), rule("namespaces", scope="Namespaced"), False,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("question", "rule", "holds"), CASES.values(), ids=CASES)
def test_rules(question, rule, holds):
    assert (match(question, rule) is not None) is holds


def test_exclusions_win():
    assert match(asked(), rule("*"), excludeResourceRules=[rule()]) is None
    assert match(asked(), rule("*"), excludeResourceRules=[rule("services")]) is PODS


def test_no_rules_are_all_requests():
    assert match(asked()) is PODS


SELECTS = {"matchLabels": {"env": "prod"}}
NAMESPACE_CASES = {
    "its namespace": (asked(), PROD, True),
    "another one": (asked(), {"metadata": {"labels": {"env": "test"}}}, False),
    "without labels": (asked(), {"metadata": {}}, False),
    "one that is not there": (asked(), None, False),
    "outside of namespaces": (asked(NODES), None, True),
    "a new namespace by its own labels": (
        asked(NAMESPACES, namespace="home", object=PROD), None, True,
    ),
    "a changed one too": (
        asked(NAMESPACES, "UPDATE", namespace="home", object={"metadata": {}}), PROD, False,
    ),
    "one that goes": (asked(NAMESPACES, "DELETE", namespace="home", object=None), PROD, True),
}  # fmt: skip


@pytest.mark.parametrize(
    ("question", "namespace", "holds"), NAMESPACE_CASES.values(), ids=NAMESPACE_CASES
)
def test_namespaces(question, namespace, holds):
    every = rule("*", "*", "*", "*")
    found = match(question, every, namespace=namespace, namespaceSelector=SELECTS)
    assert (found is not None) is holds


WEB, OTHER = {"metadata": {"labels": {"app": "web"}}}, {"metadata": {}}


@pytest.mark.parametrize(
    ("new", "old", "holds"),
    [
        (WEB, None, True),
        (OTHER, None, False),
        (OTHER, WEB, True),
        (None, WEB, True),
        (None, None, False),
    ],
)
def test_objects_new_or_old(new, old, holds):
    question = asked(object=new, old=old)
    found = match(question, rule(), objectSelector={"matchLabels": {"app": "web"}})
    assert (found is not None) is holds


def test_another_version_is_the_same_kind_unless_exact():
    question, newest = asked(OLD_HPA), rule("horizontalpodautoscalers", "*", "autoscaling", "v2")
    rows = (HPA, OLD_HPA)
    assert match(question, newest, equivalents=rows) is HPA
    assert match(question, newest, equivalents=rows, matchPolicy="Exact") is None
    own = rule("horizontalpodautoscalers", "*", "autoscaling", "*")
    assert match(question, own, equivalents=rows) is OLD_HPA


def test_a_request_as_expressions_see_it():
    question = asked(OLD_HPA, "UPDATE", dry_run=True, options={"kind": "UpdateOptions"})
    shown = request_document(question, HPA)
    assert shown["kind"] == {
        "group": "autoscaling", "version": "v2", "kind": "HorizontalPodAutoscaler",
    }  # fmt: skip
    assert shown["requestResource"]["version"] == "v1"
    assert (shown["name"], shown["namespace"], shown["dryRun"]) == ("a", "home", True)
    assert "subResource" not in shown
    assert "namespace" not in request_document(asked(NODES), NODES)
    assert kind_of(by_resource("deployments.apps"), "scale") == {
        "group": "autoscaling", "version": "v1", "kind": "Scale",
    }  # fmt: skip
    assert kind_of(PODS, "exec")["kind"] == "PodExecOptions"
    assert kind_of(PODS, "status")["kind"] == "Pod"
