"""HorizontalPodAutoscalers through the API: defaults, faults, rows, both versions."""

import pytest

from tests.unit.apiserver.client import TABLE

NEW = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers"
OLD = "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers"
TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}


def scaler(name="web", **spec):
    return {"metadata": {"name": name}, "spec": {"scaleTargetRef": TARGET, "maxReplicas": 5} | spec}


def resource(name="cpu", **target):
    return {"type": "Resource", "resource": {"name": name, "target": target}}


async def test_defaults(world):
    made = await world.create(NEW, scaler(behavior={}))
    assert made["spec"] == {
        "scaleTargetRef": TARGET,
        "minReplicas": 1,
        "maxReplicas": 5,
        "metrics": [resource(type="Utilization", averageUtilization=80)],
        "behavior": {
            "scaleUp": {
                "stabilizationWindowSeconds": 0,
                "selectPolicy": "Max",
                "policies": [
                    {"type": "Pods", "value": 4, "periodSeconds": 15},
                    {"type": "Percent", "value": 100, "periodSeconds": 15},
                ],
            },
            "scaleDown": {
                "selectPolicy": "Max",
                "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
            },
        },
    }
    assert made["status"] == {"desiredReplicas": 0}
    assert "behavior" not in (await world.create(NEW, scaler("plain")))["spec"]


async def test_v1(world):
    await world.create(OLD, scaler(targetCPUUtilizationPercentage=60))
    found = (await world.client.get(f"{NEW}/web")).json
    assert found["spec"]["metrics"] == [resource(type="Utilization", averageUtilization=60)]
    old = (await world.client.get(f"{OLD}/web")).json
    assert old["spec"]["targetCPUUtilizationPercentage"] == 60
    assert old["status"] == {"currentReplicas": 0, "desiredReplicas": 0}


RULES = {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 15}]}


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        ({"minReplicas": 0},
         "spec.minReplicas: Invalid value: 0: must be greater than or equal to 1"),
        ({"maxReplicas": 0, "minReplicas": 1}, "spec.maxReplicas: Invalid value: 0: "
         "must be greater than 0"),
        ({"maxReplicas": 2, "minReplicas": 3},
         "spec.maxReplicas: Invalid value: 2: must be greater than or equal to `minReplicas`"),
        ({"scaleTargetRef": {"kind": "", "name": "x"}},
         "spec.scaleTargetRef.kind: Required value"),
        ({"scaleTargetRef": {"kind": "D", "name": "a/b"}},
         "spec.scaleTargetRef.name: Invalid value: \"a/b\": may not contain '/'"),
        ({"metrics": [{"type": "Disk"}]},
         'spec.metrics[0].type: Unsupported value: "Disk": supported values: '
         '"ContainerResource", "External", "Object", "Pods", "Resource"'),
        ({"metrics": [{"type": "Pods", **resource(type="AverageValue", averageValue="1")}
                      | {"type": "Pods"}]},
         "spec.metrics[0].pods: Required value: must populate information for the given metric "
         "source"),
        ({"metrics": [resource(type="Utilization", averageUtilization=0)]},
         "spec.metrics[0].resource.target.averageUtilization: Invalid value: 0: "
         "must be greater than 0"),
        ({"metrics": [resource(type="AverageValue", averageValue="0")]},
         'spec.metrics[0].resource.target.averageValue: Invalid value: "0": must be positive'),
        ({"metrics": [resource(type="Utilization")]},
         "spec.metrics[0].resource.target.averageUtilization: Required value: must set either a "
         "target raw value or a target utilization"),
        ({"metrics": [resource(type="Utilization", averageUtilization=1, averageValue="1")]},
         "spec.metrics[0].resource.target.averageValue: Forbidden: may not set both a target raw "
         "value and a target utilization"),
        ({"metrics": [resource(type="Some", averageValue="1")]},
         'spec.metrics[0].resource.target.type: Invalid value: "Some": must be either '
         "Utilization, Value, or AverageValue"),
        ({"metrics": [{"type": "ContainerResource", "containerResource": {
            "name": "cpu", "container": "", "target": {"type": "Value", "averageValue": "1"}}}]},
         "spec.metrics[0].containerResource.container: Required value: must specify a container"),
        ({"metrics": [{"type": "External", "external": {
            "metric": {"name": ""}, "target": {"type": "Value"}}}]},
         "spec.metrics[0].external.metric.name: Required value: must specify a metric name"),
        ({"behavior": {"scaleUp": RULES | {"stabilizationWindowSeconds": 3601}}},
         "spec.behavior.scaleUp.stabilizationWindowSeconds: Invalid value: 3601: must be less "
         "than or equal to 3600"),
        ({"behavior": {"scaleDown": {"policies": []}}},
         "spec.behavior.scaleDown.policies: Required value: must specify at least one Policy"),
        ({"behavior": {"scaleDown": RULES | {"selectPolicy": "Some"}}},
         'spec.behavior.scaleDown.selectPolicy: Unsupported value: "Some": supported values: '
         '"Disabled", "Max", "Min"'),
        ({"behavior": {"scaleDown": {"policies": [
            {"type": "Percent", "value": 0, "periodSeconds": 1801}]}}},
         "spec.behavior.scaleDown.policies[0].periodSeconds: Invalid value: 1801: must be less "
         "than or equal to 1800"),
        ({"behavior": {"scaleDown": RULES | {"tolerance": "-0.1"}}},
         'spec.behavior.scaleDown.tolerance: Invalid value: "-100m": must be greater than or '
         "equal to 0"),
    ],
    ids=lambda value: value.partition(":")[0] if isinstance(value, str) else "",
)  # fmt: skip
async def test_faults(world, spec, fault):
    reply = await world.client("POST", NEW, scaler(**spec))
    assert reply.status == 422, reply.body
    assert fault in reply.json["message"]


@pytest.mark.parametrize(
    ("metrics", "current", "shown"),
    [
        ([resource(type="Utilization", averageUtilization=50)], [], "cpu: <unknown>/50%"),
        (
            [resource(type="Utilization", averageUtilization=50)],
            [{"type": "Resource", "resource": {"name": "cpu", "current": {
                "averageUtilization": 7, "averageValue": "7m"}}}],
            "cpu: 7%/50%",
        ),
        (
            [resource("memory", type="AverageValue", averageValue="1Gi")] * 3,
            [{"type": "Resource", "resource": {"name": "memory", "current": {
                "averageValue": "5Mi"}}}],
            "memory: 5Mi/1Gi, memory: <unknown>/1Gi + 1 more...",
        ),
        (
            [{"type": "External", "external": {
                "metric": {"name": "q"}, "target": {"type": "AverageValue", "averageValue": "3"}}}],
            [],
            "<unknown>/3 (avg)",
        ),
    ],
)  # fmt: skip
async def test_rows(world, metrics, current, shown):
    await world.create(NEW, scaler(metrics=metrics))
    status = {"status": {"currentMetrics": current, "currentReplicas": 2, "desiredReplicas": 2}}
    written = await world.client(
        "PATCH", f"{NEW}/web/status", status, content_type="application/merge-patch+json"
    )
    assert written.status == 200, written.body
    for path in (NEW, OLD):
        table = (await world.client.get(path, accept=TABLE)).json
        assert table["rows"][0]["cells"] == ["web", "Deployment/web", shown, "1", 5, 2, "0s"]


async def test_metrics_without_a_source_are_warned_about(world):
    pods = {"metric": {"name": "q"}, "target": {"type": "AverageValue", "averageValue": "3"}}
    reply = await world.client("POST", NEW, scaler(metrics=[{"type": "Pods", "pods": pods}]))
    assert reply.status == 201
    assert "spec.metrics[0].pods: kept" in reply.header("warning")
