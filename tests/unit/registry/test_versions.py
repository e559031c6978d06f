"""Writes in a version that is not the stored one, below the question which verbs are served."""

import json

import pytest

from orchestrator.api.resources import by_path, by_resource
from orchestrator.kit.ids import ObjectKey
from orchestrator.registry.options import Patch, WriteOptions

STORED = by_resource("horizontalpodautoscalers.autoscaling")
OLD = by_path("autoscaling", "v1", "horizontalpodautoscalers")
KEY = ObjectKey(STORED.resource, "default", "web")
METRICS = "autoscaling.alpha.kubernetes.io/metrics"


@pytest.fixture
def creator(registry):
    return registry._creator


@pytest.fixture
def writer(registry):
    return registry._writer


def asked():
    return WriteOptions(asked=OLD, field_validation="Strict")


async def made(creator, **spec):
    target = {"kind": "Deployment", "name": "web", "apiVersion": "apps/v1"}
    document = {
        "apiVersion": "autoscaling/v1",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web"},
        "spec": {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 3, **spec},
    }
    return await creator.create(STORED, "default", document, asked())


def cpu_target(item):
    (metric,) = [m for m in item.doc["spec"]["metrics"] if m["resource"]["name"] == "cpu"]
    return metric["resource"]["target"]["averageUtilization"]


async def test_what_is_created_in_v1_is_stored_as_v2(creator, writer):
    item = await made(creator, targetCPUUtilizationPercentage=55)
    assert item.doc["apiVersion"] == "autoscaling/v2"
    assert cpu_target(item) == 55
    assert "targetCPUUtilizationPercentage" not in item.doc["spec"]


async def test_patches_of_v1_keep_what_only_v2_says(creator, writer):
    await made(creator, targetCPUUtilizationPercentage=55)
    memory = {
        "type": "Resource",
        "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "1Gi"}},
    }
    stored = (
        await writer.change(STORED, KEY, lambda fresh: _with(fresh(), memory), "", WriteOptions())
    ).doc
    assert len(stored["spec"]["metrics"]) == 2
    for kind, body in (
        ("merge", {"spec": {"targetCPUUtilizationPercentage": 70}}),
        ("strategic", {"spec": {"targetCPUUtilizationPercentage": 80}}),
        ("json", [{"op": "replace", "path": "/spec/targetCPUUtilizationPercentage", "value": 90}]),
    ):
        item = await writer.patch(STORED, KEY, Patch(kind, body), "", asked())
        assert [m["resource"]["name"] for m in item.doc["spec"]["metrics"]] == ["memory", "cpu"]
    assert cpu_target(item) == 90
    assert METRICS not in json.dumps(item.doc)


def _with(document, metric):
    document["spec"]["metrics"].insert(0, metric)
    return document


async def test_a_patch_that_changes_nothing_is_no_write(creator, writer):
    item = await made(creator, targetCPUUtilizationPercentage=55)
    again = await writer.patch(
        STORED, KEY, Patch("merge", {"spec": {"maxReplicas": 3}}), "", asked()
    )
    assert again.revision == item.revision
