"""HorizontalPodAutoscaler between v1 and v2: nothing gets lost in either direction."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.api.conversion.autoscaling import (
    BEHAVIOR,
    CONDITIONS,
    CURRENT_METRICS,
    METRICS,
    to_v1,
    to_v2,
)

TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
CPU = {
    "type": "Resource",
    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}},
}
OTHERS = {
    "memory": (
        {
            "type": "Resource",
            "resource": {
                "name": "memory",
                "target": {"type": "AverageValue", "averageValue": "200Mi"},
            },
        },
        {"type": "Resource", "resource": {"name": "memory", "targetAverageValue": "200Mi"}},
    ),
    "container": (
        {
            "type": "ContainerResource",
            "containerResource": {
                "name": "cpu",
                "target": {"type": "Utilization", "averageUtilization": 50},
                "container": "main",
            },
        },
        {
            "type": "ContainerResource",
            "containerResource": {
                "name": "cpu",
                "targetAverageUtilization": 50,
                "container": "main",
            },
        },
    ),
    "pods": (
        {
            "type": "Pods",
            "pods": {
                "metric": {"name": "qps", "selector": {"matchLabels": {"a": "b"}}},
                "target": {"type": "AverageValue", "averageValue": "1k"},
            },
        },
        {
            "type": "Pods",
            "pods": {
                "metricName": "qps",
                "targetAverageValue": "1k",
                "selector": {"matchLabels": {"a": "b"}},
            },
        },
    ),
    "object": (
        {
            "type": "Object",
            "object": {
                "describedObject": TARGET,
                "target": {"type": "Value", "value": "2k"},
                "metric": {"name": "hits"},
            },
        },
        {"type": "Object", "object": {"target": TARGET, "metricName": "hits", "targetValue": "2k"}},
    ),
    "external": (
        {
            "type": "External",
            "external": {
                "metric": {"name": "queue"},
                "target": {"type": "AverageValue", "averageValue": "30"},
            },
        },
        {"type": "External", "external": {"metricName": "queue", "targetAverageValue": "30"}},
    ),
}


def autoscaler(*metrics, behavior=None, status=None, annotations=None):
    spec = {"scaleTargetRef": TARGET, "minReplicas": 1, "maxReplicas": 5, "metrics": list(metrics)}
    if behavior:
        spec["behavior"] = behavior
    meta = {"name": "web", "namespace": "default"}
    if annotations:
        meta["annotations"] = annotations
    made = {
        "kind": "HorizontalPodAutoscaler",
        "apiVersion": "autoscaling/v2",
        "metadata": meta,
        "spec": spec,
    }
    return made | ({"status": status} if status else {})


def meta_with(name, text):
    return {"name": "web", "namespace": "default", "annotations": {name: text}}


def notes(document):
    return {
        key: json.loads(value)
        for key, value in document["metadata"].get("annotations", {}).items()
        if key.startswith("autoscaling.alpha")
    }


def test_cpu_utilization_is_the_field_of_v1():
    old = to_v1(autoscaler(CPU))
    assert old["apiVersion"] == "autoscaling/v1"
    assert old["spec"] == {
        "scaleTargetRef": TARGET,
        "minReplicas": 1,
        "maxReplicas": 5,
        "targetCPUUtilizationPercentage": 60,
    }
    assert notes(old) == {}
    assert to_v2(old) == autoscaler(CPU)


@pytest.mark.parametrize(("metric", "told"), OTHERS.values(), ids=OTHERS)
def test_other_metrics_travel_in_an_annotation_in_the_words_of_v1(metric, told):
    old = to_v1(autoscaler(metric, CPU, annotations={"mine": "x"}))
    assert notes(old) == {METRICS: [told]}
    assert old["metadata"]["annotations"]["mine"] == "x"
    assert to_v2(old) == autoscaler(metric, CPU, annotations={"mine": "x"})


def test_behaviour_travels_in_the_words_of_the_go_structs():
    policies = [{"type": "Pods", "value": 4, "periodSeconds": 15}]
    behavior = {
        "scaleDown": {"stabilizationWindowSeconds": 60, "selectPolicy": "Max", "policies": policies}
    }
    old = to_v1(autoscaler(CPU, behavior=behavior))
    assert notes(old) == {
        BEHAVIOR: {
            "ScaleUp": None,
            "ScaleDown": {
                "StabilizationWindowSeconds": 60,
                "SelectPolicy": "Max",
                "Policies": [{"Type": "Pods", "Value": 4, "PeriodSeconds": 15}],
                "Tolerance": None,
            },
        }
    }
    assert to_v2(old) == autoscaler(CPU, behavior=behavior)


def test_status_is_kept_with_current_metrics_and_conditions():
    status = {
        "currentReplicas": 2,
        "desiredReplicas": 3,
        "currentMetrics": [
            {
                "type": "Resource",
                "resource": {
                    "name": "cpu",
                    "current": {"averageUtilization": 70, "averageValue": "35m"},
                },
            }
        ],
        "conditions": [
            {"type": "AbleToScale", "status": "True", "reason": "Ready", "message": "m"},
        ],
    }
    old = to_v1(autoscaler(CPU, status=status))
    assert old["status"] == {
        "currentReplicas": 2,
        "desiredReplicas": 3,
        "currentCPUUtilizationPercentage": 70,
    }
    assert set(notes(old)) == {CURRENT_METRICS, CONDITIONS}
    assert to_v2(old) == autoscaler(CPU, status=status)


def test_an_object_of_v1_without_metrics_aims_at_eighty_per_cent():
    old = to_v1(autoscaler(CPU))
    del old["spec"]["targetCPUUtilizationPercentage"]
    (metric,) = to_v2(old)["spec"]["metrics"]
    assert metric["resource"]["target"] == {"type": "Utilization", "averageUtilization": 80}


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "{}",
        "[1]",
        '[{"type":"Resource"}]',
        '[{"type":"Resource","resource":{"name":5}}]',
        '[{"type":"Odd","odd":{}}]',
        "[" * 100_000,
    ],
)
def test_an_annotation_that_cannot_be_read_counts_as_absent(text):
    old = to_v1(autoscaler(CPU, annotations={METRICS: "x"}))
    old["metadata"]["annotations"] = dict.fromkeys((METRICS, CURRENT_METRICS, BEHAVIOR), text)
    assert to_v2(old) == autoscaler(CPU)


@pytest.mark.parametrize("text", ["no json", "{}", "[1]", '[{"type":5}]'])
def test_conditions_that_cannot_be_read_count_as_absent(text):
    assert to_v2(to_v1(autoscaler(CPU)) | {"metadata": meta_with(CONDITIONS, text)}) == autoscaler(
        CPU
    )


@given(st.lists(st.sampled_from([m for m, _ in OTHERS.values()]), unique_by=str))
def test_through_v1_and_back_is_the_same(metrics):
    one = autoscaler(*metrics, CPU)
    assert to_v2(to_v1(one)) == one
