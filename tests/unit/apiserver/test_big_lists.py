"""Lists of many objects: whole and in order in every form, and others have their turn meanwhile."""

import asyncio

import pytest

from orchestrator.apiserver.forms import PART_ITEMS
from orchestrator.kit.ids import ObjectKey
from orchestrator.store.objects import Draft, Put
from tests.unit.apiserver.client import TABLE

MAPS = "/api/v1/namespaces/default/configmaps"
COUNT = PART_ITEMS * 2 + 1
PARTIAL = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"


@pytest.fixture
async def many(world):
    """Names of the objects, in order."""
    names = [f"map-{number:05}" for number in range(COUNT)]
    for name in names:
        document = {
            "kind": "ConfigMap",
            "apiVersion": "v1",
            "metadata": {"name": name, "namespace": "default", "uid": name},
            "data": {"a": "b"},
        }
        key = ObjectKey("configmaps", "default", name)
        await world.store.write(Put(key, Draft.of(document), None))
    return names


@pytest.mark.parametrize(
    ("accept", "names_of"),
    [
        ("application/json", lambda doc: [i["metadata"]["name"] for i in doc["items"]]),
        (PARTIAL, lambda doc: [i["metadata"]["name"] for i in doc["items"]]),
        (TABLE, lambda doc: [r["cells"][0] for r in doc["rows"]]),
        (TABLE, lambda doc: [r["object"]["metadata"]["name"] for r in doc["rows"]]),
    ],
    ids=["objects", "metadata", "cells", "rows' objects"],
)
@pytest.mark.parametrize("count", [0, 1, PART_ITEMS, COUNT])
async def test_every_form_is_whole(world, many, accept, names_of, count):
    query = f"?limit={count}" if count else "?labelSelector=no%3Dsuch"
    reply = await world.client.get(MAPS + query, accept=accept)
    assert reply.status == 200
    assert names_of(reply.json) == many[:count]
    assert reply.body.endswith(b"}\n")
    assert reply.json["metadata"]["resourceVersion"] == str(world.store.revision)


async def test_a_list_shows_one_moment_though_others_write_meanwhile(world, many):
    revision = world.store.revision
    listing = asyncio.ensure_future(world.client.get(MAPS, accept=TABLE))
    await asyncio.sleep(0)
    key = ObjectKey("configmaps", "default", many[-1])
    stored = world.store.get(key)
    document = {**stored.thawed(), "data": {}}
    await world.store.write(Put(key, Draft.of(document), stored.revision))
    assert not listing.done(), "others had their turn"
    reply = await listing
    assert reply.json["metadata"]["resourceVersion"] == str(revision)
    assert reply.json["rows"][-1]["cells"][1] == 1, "the data as it was"
