"""How many replicas, and what is told about it."""

from dataclasses import replace

import pytest

from orchestrator.controllers.hpa.pace import Dated, History
from orchestrator.controllers.hpa.plan import Facts, plan, plan_failure
from orchestrator.kit.ids import ObjectKey
from orchestrator.reconcile.intents import Patch, RequeueAfter
from tests.unit.controllers.hpa_world import (
    SETTINGS,
    autoscaler,
    conditions_in,
    cpu,
    events_in,
    looked,
    message_in,
    pod,
    pods,
    scaled_to,
    status_in,
    target,
    using,
)
from tests.unit.controllers.objects import NOW_S, merged

OLD = History((Dated(NOW_S - 400, 1),))
"""Nothing recent keeps the number up."""
NO_PODS_API = (
    "unable to fetch metrics from custom metrics API: "
    "no custom metrics API (custom.metrics.k8s.io) registered"
)


@pytest.mark.parametrize(
    ("replicas", "mcpu", "wanted"),
    [
        pytest.param(2, [50, 50], None, id="as it should be"),
        pytest.param(2, [55, 55], None, id="just within the tolerance"),
        pytest.param(2, [45, 45], None, id="within the tolerance below"),
        pytest.param(2, [56, 56], 3, id="beyond the tolerance"),
        pytest.param(2, [100, 100], 4, id="twice as much"),
        pytest.param(2, [200, 0], 4, id="on average"),
        pytest.param(4, [10, 10, 10, 10], 1, id="a fifth"),
        pytest.param(1, [2000], 4, id="no more than four at once"),
        pytest.param(6, [500] * 6, 10, id="no more than the maximum"),
        pytest.param(2, [0, 0], 1, id="nothing"),
    ],
)
def test_ratio(replicas, mcpu, wanted):
    used = {f"p{n}": one for n, one in enumerate(mcpu)}
    assert scaled_to(looked({}, replicas, pods(replicas), used, history=OLD)) == wanted


@pytest.mark.parametrize(
    ("found", "mcpu", "replicas", "wanted"),
    [
        pytest.param(pods(3), {"p0": 100, "p1": 100}, 3, 4, id="up: the missing one uses nothing"),
        pytest.param(pods(3), {"p0": 60, "p1": 60}, 3, None, id="up: that turns it round"),
        pytest.param(pods(3), {"p0": 10, "p1": 10}, 3, None, id="down: it uses all of its request"),
        pytest.param(pods(5), {f"p{n}": 5 for n in range(4)}, 5, 3, id="down: with many others"),
        pytest.param(
            [*pods(2), pod("new", phase="Pending")], {"p0": 100, "p1": 100}, 3, 4,
            id="up: a pending one uses nothing",
        ),
        pytest.param(
            [*pods(2), pod("new", phase="Pending")], {"p0": 10, "p1": 10}, 3, 1,
            id="down: pending ones do not count",
        ),
        pytest.param(
            [*pods(2), pod("bad", phase="Failed"), pod("going", gone=True)],
            {"p0": 100, "p1": 100, "going": 0}, 2, 4, id="those that go do not count",
        ),
        pytest.param(
            [*pods(2), pod("new", age_s=20, ready="False", ready_for_s=20)],
            {"p0": 50, "p1": 50, "new": 1000}, 3, None, id="what starts is busy with that",
        ),
        pytest.param(
            [*pods(2), pod("new", age_s=100, ready_for_s=5)],
            {"p0": 50, "p1": 50, "new": 1000}, 3, None, id="measured before it was ready",
        ),
        pytest.param(
            [*pods(2), pod("new", age_s=100, ready_for_s=50)],
            {"p0": 50, "p1": 50, "new": 200}, 3, 6, id="measured while it was ready",
        ),
        pytest.param(
            [*pods(2), pod("ill", ready="False", age_s=900, ready_for_s=600)],
            {"p0": 50, "p1": 50, "ill": 200}, 3, 6, id="was ready once: it counts",
        ),
        pytest.param(
            [*pods(2), pod("never", ready="False", age_s=900, ready_for_s=890)],
            {"p0": 50, "p1": 50, "never": 1000}, 3, None, id="was never ready",
        ),
    ],
)  # fmt: skip
def test_pods_that_say_little(found, mcpu, replicas, wanted):
    assert scaled_to(looked({}, replicas, found, mcpu, history=OLD)) == wanted


def test_what_is_written_when_it_grows():
    outcome = looked({}, 2, pods(2), {"p0": 80, "p1": 90}, history=OLD)
    rescale, *rest = outcome.intents
    assert isinstance(rescale, Patch)
    assert rescale.patch == {"spec": {"replicas": 4}}
    assert rescale.expected is not None
    assert rest[-1] == RequeueAfter(SETTINGS.sync_s)
    text = "cpu resource utilization (percentage of request)"
    assert events_in(outcome) == [
        ("SuccessfulRescale", f"New size: 4; reason: {text} above target")
    ]
    status = status_in(outcome)
    assert (status["currentReplicas"], status["desiredReplicas"]) == (2, 4)
    assert status["lastScaleTime"] == "2023-11-14T22:13:20Z"
    assert status["currentMetrics"] == [
        {"type": "Resource", "resource": {
            "name": "cpu", "current": {"averageUtilization": 85, "averageValue": "85m"}}}
    ]  # fmt: skip
    assert [c["type"] for c in status["conditions"]] == [
        "AbleToScale", "ScalingActive", "ScalingLimited",
    ]  # fmt: skip
    assert conditions_in(outcome) == {
        "AbleToScale": ("True", "SucceededRescale"),
        "ScalingActive": ("True", "ValidMetricFound"),
        "ScalingLimited": ("False", "DesiredWithinRange"),
    }
    assert message_in(outcome, "ScalingActive") == (
        f"the HPA was able to successfully calculate a replica count from {text}"
    )


def test_a_recent_recommendation_keeps_it_up():
    history = History((Dated(NOW_S - 200, 4),))
    outcome = looked({}, 4, pods(4), dict.fromkeys(("p0", "p1", "p2", "p3"), 10), history=history)
    assert scaled_to(outcome) is None
    assert conditions_in(outcome)["AbleToScale"] == ("True", "ScaleDownStabilized")
    later = NOW_S + 101
    used = dict.fromkeys(("p0", "p1", "p2", "p3"), 10)
    outcome = looked({}, 4, pods(4), used, history=outcome.history, now_s=later)
    assert scaled_to(outcome) == 1
    assert events_in(outcome) == [
        ("SuccessfulRescale", "New size: 1; reason: All metrics below target")
    ]


@pytest.mark.parametrize(
    ("spec", "replicas", "wanted", "reason"),
    [
        ({"minReplicas": 3}, 1, 3, "Current number of replicas below Spec.MinReplicas"),
        ({"maxReplicas": 2}, 5, 2, "Current number of replicas above Spec.MaxReplicas"),
    ],
)
def test_out_of_bounds(spec, replicas, wanted, reason):
    outcome = looked(spec, replicas, [], {})
    assert scaled_to(outcome) == wanted
    assert events_in(outcome) == [("SuccessfulRescale", f"New size: {wanted}; reason: {reason}")]


@pytest.mark.parametrize(
    ("spec", "replicas", "mcpu", "limited"),
    [
        ({}, 6, 500, "TooManyReplicas"),
        ({"maxReplicas": 100}, 6, 500, "ScaleUpLimit"),
        ({"minReplicas": 2}, 6, 0, "TooFewReplicas"),
    ],
)
def test_limits(spec, replicas, mcpu, limited):
    used = {f"p{n}": mcpu for n in range(replicas)}
    outcome = looked(spec, replicas, pods(replicas), used, history=OLD)
    assert conditions_in(outcome)["ScalingLimited"] == ("True", limited)


def test_zero_replicas_switch_it_off():
    outcome = looked({}, 0, [], {})
    assert scaled_to(outcome) is None
    assert conditions_in(outcome)["ScalingActive"] == ("False", "ScalingDisabled")
    assert status_in(outcome)["currentReplicas"] == 0


@pytest.mark.parametrize(
    ("found", "mcpu", "trouble"),
    [
        pytest.param(
            pods(1), {}, "unable to get metrics for resource cpu: "
            "no metrics returned from resource metrics API", id="nothing measured"),
        pytest.param(
            pods(1, request=None), {"p0": 1}, "missing request for cpu in container c of Pod p0",
            id="no request"),
        pytest.param(
            pods(1, phase="Pending"), {"p0": 1},
            "did not receive metrics for targeted pods (pods might be unready)", id="unready"),
    ],
)  # fmt: skip
def test_troubles_of_resources(found, mcpu, trouble):
    outcome = looked({}, 1, found, mcpu)
    trouble = f"failed to get cpu utilization: {trouble}"
    assert scaled_to(outcome) is None
    assert conditions_in(outcome)["ScalingActive"] == ("False", "FailedGetResourceMetric")
    told = f"the HPA was unable to compute the replica count: {trouble}"
    assert message_in(outcome, "ScalingActive") == told
    assert events_in(outcome) == [
        ("FailedGetResourceMetric", trouble),
        ("FailedComputeMetricsReplicas", "invalid metrics (1 invalid out of 1), first error is: "
         f"failed to get cpu resource metric value: {trouble}"),
    ]  # fmt: skip
    assert status_in(outcome)["currentMetrics"] == [{"type": ""}]


NAMED = {"metric": {"name": "qps"}, "target": {"type": "AverageValue", "averageValue": "1"}}
QUEUE = {"name": "q", "selector": {"matchLabels": {"of": "mail"}}}


@pytest.mark.parametrize(
    ("metric", "reason", "trouble"),
    [
        ({"type": "Pods", "pods": NAMED}, "FailedGetPodsMetric",
         f"unable to get metric qps: {NO_PODS_API}"),
        ({"type": "Object", "object": NAMED | {
            "describedObject": {"kind": "Ingress", "name": "main"}}}, "FailedGetObjectMetric",
         f"unable to get metric qps: Ingress on default main/{NO_PODS_API}"),
        ({"type": "External", "external": NAMED | {"metric": QUEUE}}, "FailedGetExternalMetric",
         "unable to get external metric default/q/&LabelSelector{MatchLabels:map[string]string{"
         "of: mail,},MatchExpressions:[]LabelSelectorRequirement{},}: unable to fetch metrics from "
         "external metrics API: no external metrics API (external.metrics.k8s.io) registered"),
        ({"type": "ContainerResource", "containerResource": {
            "name": "cpu", "container": "x", "target": {"averageUtilization": 5}}},
         "FailedGetContainerResourceMetric", "failed to get cpu utilization: unable to get metrics "
         "for resource cpu: container x not present in metrics for pod default/p0"),
    ],
)  # fmt: skip
def test_metrics_without_a_source(metric, reason, trouble):
    outcome = looked({"metrics": [metric]}, 1, pods(1), {"p0": 50})
    assert conditions_in(outcome)["ScalingActive"] == ("False", reason)
    assert events_in(outcome)[0] == (reason, trouble)


def test_one_failing_metric_stops_no_growth_but_a_decline():
    metrics = [cpu(), {"type": "Pods", "pods": NAMED}]
    grown = looked({"metrics": metrics}, 2, pods(2), {"p0": 100, "p1": 100}, history=OLD)
    assert scaled_to(grown) == 4
    assert [reason for reason, _ in events_in(grown)] == [
        "SuccessfulRescale", "FailedGetPodsMetric",
    ]  # fmt: skip
    assert [m["type"] for m in status_in(grown)["currentMetrics"]] == ["Resource", ""]
    held = looked({"metrics": metrics}, 2, pods(2), {"p0": 1, "p1": 1}, history=OLD)
    assert scaled_to(held) is None
    assert conditions_in(held)["ScalingActive"] == ("False", "FailedGetPodsMetric")


def test_the_hungriest_of_several_metrics_counts():
    memory = {"type": "Resource", "resource": {"name": "memory", "target": {
        "type": "AverageValue", "averageValue": "5Mi"}}}  # fmt: skip
    outcome = looked({"metrics": [cpu(), memory]}, 2, pods(2), {"p0": 75, "p1": 75}, history=OLD)
    assert scaled_to(outcome) == 4  # memory is at 200 %, the processor at 150 %
    assert events_in(outcome)[0][1].endswith("memory resource above target")
    current = status_in(outcome)["currentMetrics"][1]["resource"]["current"]
    assert current == {"averageValue": "10485760"}


def test_a_container_alone():
    metric = {"type": "ContainerResource", "containerResource": {
        "name": "cpu", "container": "c", "target": {
            "type": "Utilization", "averageUtilization": 50}}}  # fmt: skip
    outcome = looked({"metrics": [metric]}, 1, pods(1), {"p0": 100}, history=OLD)
    assert scaled_to(outcome) == 2
    name = "cpu container resource utilization (percentage of request)"
    assert events_in(outcome)[0][1] == f"New size: 2; reason: {name} above target"


def test_no_target():
    outcome = plan(Facts(autoscaler(), "no such thing"), SETTINGS, NOW_S)
    text = "the HPA controller was unable to get the target's current scale: no such thing"
    assert conditions_in(outcome) == {"AbleToScale": ("False", "FailedGetScale")}
    assert message_in(outcome, "AbleToScale") == text
    assert events_in(outcome) == [("FailedGetScale", "no such thing")]


def test_pods_that_cannot_be_told():
    facts = Facts(autoscaler(), target(1, selector={}))
    outcome = plan(facts, SETTINGS, NOW_S)
    assert conditions_in(outcome)["ScalingActive"] == ("False", "InvalidSelector")
    assert events_in(outcome) == [("SelectorRequired", "selector is required")]
    keys = [ObjectKey("horizontalpodautoscalers.autoscaling", "default", n) for n in ("a", "b")]
    facts = Facts(autoscaler(), target(1), pods(1), using({"p0": 1}), keys)
    outcome = plan(facts, SETTINGS, NOW_S)
    text = "pods by selector app=web are controlled by multiple HPAs: [{a default} {b default}]"
    assert conditions_in(outcome)["ScalingActive"] == ("False", "AmbiguousSelector")
    assert events_in(outcome) == [("AmbiguousSelector", text)]
    wrong = replace(target(1), scale=replace(target(1).scale, selector="app in web"))
    outcome = plan(Facts(autoscaler(), wrong), SETTINGS, NOW_S)
    assert conditions_in(outcome)["ScalingActive"] == ("False", "InvalidSelector")


@pytest.mark.parametrize("used", [{"p0": 50}, {}], ids=["measured", "in trouble"])
def test_settled_is_quiet(used):
    item = autoscaler()
    first = looked({}, 1, pods(1), used, item=item)
    (patch,) = [i for i in first.intents if isinstance(i, Patch)]
    again = merged(item, patch.patch)
    second = looked({}, 1, pods(1), used, item=again, history=first.history, now_s=NOW_S + 15)
    assert second.intents == [RequeueAfter(SETTINGS.sync_s)]


def test_a_target_that_does_not_take_it():
    item = autoscaler()
    outcome = looked({}, 2, pods(2), {"p0": 100, "p1": 100}, history=OLD, item=item)
    assert outcome.history.asked == (NOW_S, 2, 4)
    patch, event = plan_failure(item, 4, "too much", "quota", NOW_S)
    assert isinstance(patch, Patch)
    (condition,) = patch.patch["status"]["conditions"]
    assert condition["reason"] == "FailedUpdateScale"
    assert (event.reason, event.message) == (
        "FailedRescale", "New size: 4; reason: too much; error: quota",
    )  # fmt: skip
    assert plan_failure(merged(item, patch.patch), 4, "too much", "quota", NOW_S) == []
    later = outcome.history.seen(2, NOW_S + 15)
    assert (later.asked, later.changes) == (None, ())
    made = outcome.history.seen(4, NOW_S + 15)
    assert made.changes == (Dated(NOW_S, 2),)
