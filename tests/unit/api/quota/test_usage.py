"""What objects use, which quotas count them, and sums of quantities."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.api.amounts import Amount, add, amount, read, subtract, written
from orchestrator.api.quota.pods import pod_total
from orchestrator.api.quota.scopes import counts
from orchestrator.api.quota.usage import concerned, unsaid, usage_of
from orchestrator.kit.clock import rfc3339

NOW = 1_800_000_000.0


def box(name="c", requests=None, limits=None, **more):
    return {"name": name, "resources": {"requests": requests or {}, "limits": limits or {}}, **more}


def pod(*containers, phase="Running", inits=(), meta=None, **spec):
    spec = {"containers": list(containers), "initContainers": list(inits), **spec}
    return {"metadata": meta or {}, "spec": spec, "status": {"phase": phase}}


def used(resource, document):
    return written(usage_of(resource, document, NOW))


@pytest.mark.parametrize(
    ("one", "other", "total"),
    [
        ("500m", "1", "1500m"),
        ("128Mi", "128Mi", "256Mi"),
        ("0", "1Gi", "1Gi"),
        ("1Gi", "1G", "2073741824"),
        ("1e3", "1", "1001"),
    ],
)
def test_sums_keep_the_form_of_what_is_added(one, other, total):
    assert str(amount(one) + amount(other)) == total


@given(st.dictionaries(st.sampled_from("abc"), st.integers(0, 10**15).map(Amount)))
def test_taking_away_what_was_added_leaves_nothing(values):
    total = dict(values)
    add(total, values)
    subtract(total, values)
    assert {name: one.nanos for name, one in total.items()} == {
        name: one.nanos for name, one in values.items()
    }


def test_a_pod_of_several_containers():
    found = used(
        "pods",
        pod(
            box("a", {"cpu": "500m", "memory": "1Gi", "example.com/gpu": "1"}, {"cpu": "1"}),
            box("b", {"cpu": "250m"}, {"memory": "2Gi"}),
        ),
    )
    assert found == {
        "count/pods": "1", "cpu": "750m", "limits.cpu": "1", "limits.memory": "2Gi",
        "memory": "1Gi", "pods": "1", "requests.cpu": "750m", "requests.example.com/gpu": "1",
        "requests.memory": "1Gi",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("inits", "overhead", "cpu"),
    [
        ([], {}, "1"),
        ([box(requests={"cpu": "3"})], {}, "3"),
        ([box(requests={"cpu": "500m"})], {"cpu": "100m"}, "1100m"),
        # a sidecar runs beside the containers, and beside the init containers behind it
        ([box(requests={"cpu": "2"}, restartPolicy="Always")], {}, "3"),
        (
            [box(requests={"cpu": "2"}, restartPolicy="Always"), box(requests={"cpu": "4"})],
            {},
            "6",
        ),
        (
            [box(requests={"cpu": "4"}), box(requests={"cpu": "2"}, restartPolicy="Always")],
            {},
            "4",
        ),
    ],
)
def test_init_containers_count_at_their_peak(inits, overhead, cpu):
    document = pod(box(requests={"cpu": "1"}), inits=inits, overhead=overhead)
    assert str(pod_total(document["spec"], "requests")["cpu"]) == cpu


@pytest.mark.parametrize(
    "gone",
    [
        pod(box(requests={"cpu": "1"}), phase="Succeeded"),
        pod(box(requests={"cpu": "1"}), phase="Failed"),
        pod(box(requests={"cpu": "1"}), meta={"deletionTimestamp": rfc3339(NOW - 1)}),
    ],
)
def test_pods_that_are_over_are_only_counted(gone):
    assert used("pods", gone) == {"count/pods": "1"}


def test_a_pod_that_is_leaving_still_uses():
    leaving = pod(box(), meta={"deletionTimestamp": rfc3339(NOW + 5)})
    assert used("pods", leaving)["pods"] == "1"


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"type": "ClusterIP", "ports": [{}]}, {}),
        ({"type": "NodePort", "ports": [{}, {}]}, {"services.nodeports": "2"}),
        (
            {"type": "LoadBalancer", "ports": [{}]},
            {"services.loadbalancers": "1", "services.nodeports": "1"},
        ),
        (
            {"type": "LoadBalancer", "ports": [{}], "allocateLoadBalancerNodePorts": False},
            {"services.loadbalancers": "1"},
        ),
    ],
)
def test_services(spec, expected):
    always = {"count/services": "1", "services": "1"}
    assert used("services", {"metadata": {}, "spec": spec}) == {**always, **expected}


def test_claims_by_class():
    spec = {"storageClassName": "fast", "resources": {"requests": {"storage": "5Gi"}}}
    found = used("persistentvolumeclaims", {"metadata": {}, "spec": spec})
    assert found["requests.storage"] == "5Gi"
    assert found["fast.storageclass.storage.k8s.io/requests.storage"] == "5Gi"
    assert found["fast.storageclass.storage.k8s.io/persistentvolumeclaims"] == "1"


def test_any_kind_can_be_counted():
    assert used("widgets.example.com", {"metadata": {}}) == {"count/widgets.example.com": "1"}


def test_what_a_quota_concerns():
    names = ["count/deployments.apps", "services.nodeports", "requests.storage", "limits.cpu",
             "requests.example.com/gpu", "secrets",
             "gold.storageclass.storage.k8s.io/x"]  # fmt: skip
    assert concerned(names) == {
        "deployments.apps", "services", "persistentvolumeclaims", "pods", "secrets",
    }  # fmt: skip


def test_what_containers_must_say():
    hard = {"requests.cpu": "1", "limits.memory": "1", "pods": "3", "ephemeral-storage": "1"}
    spec = pod(box("b", {"cpu": "1"}), box("a"))["spec"]
    assert unsaid(spec, hard) == "must specify limits.memory for: a,b; requests.cpu for: a"
    full = pod(box(requests={"cpu": "1"}, limits={"memory": "1"}))["spec"]
    assert unsaid(full, hard) == ""


def scoped(*scopes, **expression):
    spec = {"scopes": list(scopes)}
    if expression:
        spec["scopeSelector"] = {"matchExpressions": [expression]}
    return spec


@pytest.mark.parametrize(
    ("quota", "document", "matches"),
    [
        (scoped(), pod(box()), True),
        (scoped("BestEffort"), pod(box()), True),
        (scoped("BestEffort"), pod(box(requests={"cpu": "1"})), False),
        (scoped("NotBestEffort"), pod(box(requests={"cpu": "1"})), True),
        (scoped("Terminating"), pod(box(), activeDeadlineSeconds=5), True),
        (scoped("NotTerminating"), pod(box(), activeDeadlineSeconds=5), False),
        (scoped("NotTerminating", "BestEffort"), pod(box()), True),
        (scoped("PriorityClass"), pod(box()), False),
        (scoped("PriorityClass"), pod(box(), priorityClassName="high"), True),
        (
            scoped(scopeName="PriorityClass", operator="In", values=["high"]),
            pod(box(), priorityClassName="high"),
            True,
        ),
        (
            scoped(scopeName="PriorityClass", operator="NotIn", values=["high"]),
            pod(box(), priorityClassName="high"),
            False,
        ),
        (scoped(scopeName="PriorityClass", operator="DoesNotExist"), pod(box()), True),
        (
            scoped("CrossNamespacePodAffinity"),
            pod(
                box(),
                affinity={
                    "podAntiAffinity": {
                        "requiredDuringSchedulingIgnoredDuringExecution": [{"namespaces": ["x"]}]
                    }
                },
            ),
            True,
        ),
        (scoped("CrossNamespacePodAffinity"), pod(box()), False),
    ],
)
def test_scopes(quota, document, matches):
    assert counts(quota, "pods", document) is matches


def test_scopes_are_about_pods():
    assert not counts(scoped("BestEffort"), "services", {"metadata": {}})
    assert counts(scoped(), "services", {"metadata": {}})


def test_reading_and_writing_lists():
    assert written(read({"b": "1024Mi", "a": "0.5"})) == {"a": "500m", "b": "1Gi"}
