"""One stored object, several served versions: requests and answers are in the asked one."""

import json

import pytest

from orchestrator.kit.ids import ObjectKey
from orchestrator.store.objects import Draft, Put
from tests.unit.apiserver.client import TABLE

CORE = "/api/v1/namespaces/default/events"
NEW = "/apis/events.k8s.io/v1/namespaces/default/events"
SCALERS = "namespaces/default/horizontalpodautoscalers"


def event(name="e", **fields):
    return {
        "metadata": {"name": name},
        "eventTime": "2026-01-02T03:04:05.000000Z",
        "note": "did it",
        "regarding": {"kind": "Pod", "name": name, "namespace": "default"},
        "reportingController": "example.com/robot",
        "reportingInstance": "robot-1",
        "action": "Doing",
        "reason": "Done",
        "type": "Normal",
        **fields,
    }


async def test_an_event_is_one_object_in_both_groups(world):
    made = await world.create(NEW, event())
    assert (made["apiVersion"], made["note"]) == ("events.k8s.io/v1", "did it")
    core = (await world.client.get(f"{CORE}/e")).json
    assert (core["apiVersion"], core["message"]) == ("v1", "did it")
    assert core["involvedObject"]["name"] == "e"
    assert "note" not in core
    assert core["metadata"]["uid"] == made["metadata"]["uid"]
    listed = (await world.client.get(NEW)).json
    assert listed["apiVersion"] == "events.k8s.io/v1"
    assert [item["note"] for item in listed["items"]] == ["did it"]


async def test_field_selectors_speak_the_words_of_the_asked_version(world):
    for name in ("a", "b"):
        await world.create(NEW, event(name))
    for path, field in ((NEW, "regarding.name"), (CORE, "involvedObject.name")):
        found = (await world.client.get(f"{path}?fieldSelector={field}=b")).json
        assert [item["metadata"]["name"] for item in found["items"]] == ["b"]
    refused = await world.client.get(f"{NEW}?fieldSelector=involvedObject.name=b")
    assert refused.status == 400


async def test_patches_are_applied_to_the_asked_version(world):
    await world.create(NEW, event())
    series = {"count": 2, "lastObservedTime": "2026-01-02T03:04:06.000000Z"}
    for kind, body in (
        ("merge", {"series": series}),
        ("strategic-merge", {"series": series | {"count": 3}}),
    ):
        patched = await world.client(
            "PATCH", f"{NEW}/e", body, content_type=f"application/{kind}-patch+json"
        )
        assert patched.status == 200, patched.body
        assert patched.json["note"] == "did it"
    operations = [{"op": "test", "path": "/note", "value": "did it"}]
    tested = await world.client(
        "PATCH", f"{NEW}/e", operations, content_type="application/json-patch+json"
    )
    assert tested.json["series"]["count"] == 3


async def test_the_new_group_asks_for_more(world):
    for field in ("eventTime", "reportingController", "action", "reason"):
        wrong = event()
        del wrong[field]
        refused = await world.client("POST", NEW, wrong)
        assert (refused.status, refused.json["reason"]) == (422, "Invalid")
        assert f"{field}: Required value" in refused.json["message"]
    await world.create(NEW, event())
    moved = await world.client(
        "PATCH", f"{NEW}/e", {"note": "else"}, content_type="application/merge-patch+json"
    )
    assert moved.status == 422
    assert 'message: Invalid value: "else": field is immutable' in moved.json["message"]


async def test_unknown_fields_are_those_of_the_asked_version(world):
    refused = await world.client("POST", f"{NEW}?fieldValidation=Strict", event(message="x"))
    assert (refused.status, refused.json["reason"]) == (400, "BadRequest")
    assert 'unknown field "message"' in refused.json["message"]


async def test_watches_and_tables_are_in_the_asked_version(world):
    await world.create(NEW, event())
    async with world.client.stream(f"{NEW}?watch=true") as stream:
        line = await stream.line()
        assert (line["type"], line["object"]["note"]) == ("ADDED", "did it")
        assert line["object"]["apiVersion"] == "events.k8s.io/v1"
    table = (await world.client.get(f"{NEW}?includeObject=Object", accept=TABLE)).json
    assert "did it" in table["rows"][0]["cells"]
    assert table["rows"][0]["object"]["note"] == "did it"


@pytest.fixture
async def scaler(world):
    document = {
        "kind": "HorizontalPodAutoscaler",
        "apiVersion": "autoscaling/v2",
        "metadata": {"name": "web", "namespace": "default", "uid": "u"},
        "spec": {
            "scaleTargetRef": {"kind": "Deployment", "name": "web", "apiVersion": "apps/v1"},
            "maxReplicas": 3,
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {
                        "name": "cpu",
                        "target": {"type": "Utilization", "averageUtilization": 60},
                    },
                },
                {
                    "type": "Pods",
                    "pods": {
                        "metric": {"name": "qps"},
                        "target": {"type": "AverageValue", "averageValue": "1k"},
                    },
                },
            ],
        },
    }
    key = ObjectKey("horizontalpodautoscalers.autoscaling", "default", "web")
    return await world.store.write(Put(key, Draft.of(document), None))


async def test_an_autoscaler_reads_in_both_versions(world, scaler):
    new = (await world.client.get(f"/apis/autoscaling/v2/{SCALERS}/web")).json
    assert len(new["spec"]["metrics"]) == 2
    old = (await world.client.get(f"/apis/autoscaling/v1/{SCALERS}/web")).json
    assert old["apiVersion"] == "autoscaling/v1"
    assert old["spec"]["targetCPUUtilizationPercentage"] == 60
    told = json.loads(old["metadata"]["annotations"]["autoscaling.alpha.kubernetes.io/metrics"])
    assert [m["type"] for m in told] == ["Pods"]
    assert old["metadata"]["resourceVersion"] == new["metadata"]["resourceVersion"]
