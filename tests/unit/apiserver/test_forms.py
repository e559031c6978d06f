"""Tables and metadata only: of every kind, of lists, single objects, watches and deletes."""

import pytest

from orchestrator.api.resources import METRICS_GROUP, RESOURCES
from tests.unit.apiserver.client import TABLE

MAPS = "/api/v1/namespaces/default/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
PARTIAL = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v={version}"
PARTIALS = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v={version}"
READABLE = [row for row in RESOURCES if "list" in row.verbs and row.group != METRICS_GROUP]


def collection(row):
    return f"/apis/{row.api_version}/{row.plural}" if row.group else f"/api/v1/{row.plural}"


async def test_every_kind_has_a_table_and_a_list_of_metadata(world):
    for row in READABLE:
        for version in ("v1", "v1beta1"):
            accept = TABLE.replace("v=v1;", f"v={version};")
            table = (await world.client.get(collection(row), accept=accept)).json
            assert (table["kind"], table["apiVersion"]) == ("Table", f"meta.k8s.io/{version}")
            first, *_ = table["columnDefinitions"]
            named = row.kind != "Event"  # their first column says when
            assert (first["name"], first["format"]) == ("Name", "name") or not named, row
            accept = PARTIALS.format(version=version)
            partial = (await world.client.get(collection(row), accept=accept)).json
            assert partial["kind"] == "PartialObjectMetadataList", row
            assert partial["apiVersion"] == f"meta.k8s.io/{version}"
            assert {item["kind"] for item in partial["items"]} <= {"PartialObjectMetadata"}
            assert not any("spec" in item for item in partial["items"])


async def test_a_streamed_list_in_other_forms(world):
    await world.create(MAPS, {"metadata": {"name": "a"}})
    query = (
        f"{MAPS}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
        "&allowWatchBookmarks=1"
    )
    mark = {"k8s.io/initial-events-end": "true"}
    async with world.client.stream(query, accept=TABLE) as watch:
        assert (await watch.line())["object"]["rows"][0]["cells"][0] == "a"
        end = await watch.line()
        assert (end["type"], end["object"]["kind"]) == ("BOOKMARK", "Table")
        assert end["object"]["metadata"]["annotations"] == mark
    async with world.client.stream(query, accept=PARTIAL.format(version="v1")) as watch:
        assert (await watch.line())["object"]["kind"] == "PartialObjectMetadata"
        end = (await watch.line())["object"]
        assert (end["kind"], end["metadata"]["annotations"]) == ("PartialObjectMetadata", mark)


async def test_writes_answer_in_the_form_that_is_wanted(world):
    accept = PARTIAL.format(version="v1")
    body = {"metadata": {"name": "a", "finalizers": ["a.dev/x"]}}
    made = await world.client("POST", MAPS, body, accept=accept)
    assert (made.status, made.json["kind"]) == (201, "PartialObjectMetadata")
    held = await world.client("DELETE", f"{MAPS}/a", accept=accept)
    assert held.json["kind"] == "PartialObjectMetadata"
    table = await world.client("PUT", f"{MAPS}/a", body, accept=TABLE)
    assert table.json["rows"][0]["cells"][0] == "a"


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "ConfigMapList"),
        (TABLE, "Table"),
        (PARTIALS.format(version="v1"), "PartialObjectMetadataList"),
        ("application/yaml", ""),
    ],
)
async def test_a_deleted_collection_in_the_form_that_is_wanted(world, accept, kind):
    await world.create(MAPS, {"metadata": {"name": "a"}})
    reply = await world.client("DELETE", MAPS, accept=accept)
    assert reply.status == 200
    if kind:
        assert reply.json["kind"] == kind
    else:
        assert reply.body.startswith(b"kind: ConfigMapList")


async def test_a_scale_in_other_forms(world):
    labels = {"app": "web"}
    spec = {
        "replicas": 3,
        "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "c", "image": "x:1"}]},
        },
    }
    await world.create(DEPLOYMENTS, {"metadata": {"name": "web"}, "spec": spec})
    table = (await world.client.get(f"{DEPLOYMENTS}/web/scale", accept=TABLE)).json
    assert [column["name"] for column in table["columnDefinitions"]] == [
        "Name", "Desired", "Available", "Age",
    ]  # fmt: skip
    assert table["rows"][0]["cells"] == ["web", 3, 0, "0s"]
    assert table["rows"][0]["object"]["metadata"]["name"] == "web"
    accept = PARTIAL.format(version="v1")
    partial = (await world.client.get(f"{DEPLOYMENTS}/web/scale", accept=accept)).json
    assert (partial["kind"], "spec" in partial) == ("PartialObjectMetadata", False)
    assert (await world.client.get(f"{DEPLOYMENTS}/web/scale", accept="text/html")).status == 406
