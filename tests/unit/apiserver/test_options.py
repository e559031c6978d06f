"""What the parameters of writes and deletes mean, and which of them are refused."""

import pytest

MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"
ACCOUNT = "/api/v1/namespaces/default/serviceaccounts/default/token"
EVICTION = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "web"}}
BINDING = {"target": {"name": "n1"}}


def pod(name="web"):
    return {"metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "x:1"}]}}


async def world_with_a_pod_and_a_map(world):
    await world.create(PODS, pod())
    await world.create(MAPS, {"metadata": {"name": "m"}, "data": {"a": "1"}})
    return world.store.revision


@pytest.mark.parametrize("value", ["Some", "true", "", "all", "All&dryRun=Some"])
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", MAPS, {"metadata": {"name": "new"}}),
        ("PUT", f"{MAPS}/m", {"metadata": {"name": "m"}}),
        ("PATCH", f"{MAPS}/m", {"data": {"a": "2"}}),
        ("DELETE", f"{MAPS}/m", None),
        ("DELETE", MAPS, None),
        ("POST", f"{PODS}/web/eviction", EVICTION),
        ("POST", f"{PODS}/web/binding", BINDING),
        ("POST", ACCOUNT, {"spec": {}}),
    ],
)
async def test_a_dry_run_that_is_none_is_refused_and_writes_nothing(
    world, method, path, body, value
):
    before = await world_with_a_pod_and_a_map(world)
    headers = {"content_type": "application/merge-patch+json"} if method == "PATCH" else {}
    reply = await world.client(method, f"{path}?dryRun={value}", body, **headers)
    assert (reply.status, reply.json["reason"]) == (422, "Invalid")
    assert reply.json["details"]["causes"][0]["field"] == "dryRun"
    assert world.store.revision == before


@pytest.mark.parametrize("path", [f"{MAPS}/m", MAPS])
async def test_a_dry_run_in_the_body_is_read_as_in_the_query(world, path):
    before = await world_with_a_pod_and_a_map(world)
    assert (await world.client("DELETE", path, {"dryRun": ["Some"]})).status == 422
    assert (await world.client("DELETE", path, {"dryRun": "All"})).status == 400
    assert (await world.client("DELETE", path, {"dryRun": ["All"]})).status == 200
    assert world.store.revision == before


async def test_a_dry_run_of_an_eviction_may_stand_in_its_options(world):
    before = await world_with_a_pod_and_a_map(world)
    for given, status in ((["All"], 201), (["Some"], 422)):
        body = {**EVICTION, "deleteOptions": {"dryRun": given}}
        assert (await world.client("POST", f"{PODS}/web/eviction", body)).status == status
    assert world.store.revision == before


async def test_a_dry_run_of_a_binding_looks_at_the_pod(world):
    await world_with_a_pod_and_a_map(world)
    missing = f"{PODS}/nope/binding?dryRun=All"
    assert (await world.client("POST", missing, BINDING)).status == 404
    path = f"{PODS}/web/binding"
    assert (await world.client("POST", f"{path}?dryRun=All", BINDING)).status == 201
    assert "nodeName" not in (await world.client.get(f"{PODS}/web")).json["spec"]
    assert (await world.client("POST", path, BINDING)).status == 201
    elsewhere = {"target": {"name": "n2"}}
    assert (await world.client("POST", f"{path}?dryRun=All", elsewhere)).status == 409


async def test_the_older_version_of_an_eviction_is_read(world):
    await world_with_a_pod_and_a_map(world)
    body = {**EVICTION, "apiVersion": "policy/v1beta1"}
    assert (await world.client("POST", f"{PODS}/web/eviction", body)).status == 201


async def test_both_words_for_what_becomes_of_dependents_are_too_many(world):
    before = await world_with_a_pod_and_a_map(world)
    for query, body in (
        ("?orphanDependents=true&propagationPolicy=Background", None),
        ("", {"orphanDependents": False, "propagationPolicy": "Orphan"}),
    ):
        reply = await world.client("DELETE", f"{MAPS}/m{query}", body)
        assert (reply.status, reply.json["details"]["causes"][0]["field"]) == (
            422,
            "propagationPolicy",
        )
    assert world.store.revision == before


async def finalizers_after(world, own, *deletes):
    await world.create(MAPS, {"metadata": {"name": "m", "finalizers": ["a.dev/x", *own]}})
    for options in deletes:
        assert (await world.client("DELETE", f"{MAPS}/m", options)).status == 200
    return (await world.client.get(f"{MAPS}/m")).json["metadata"]["finalizers"]


@pytest.mark.parametrize(
    ("own", "deletes", "left"),
    [
        ([], [{}], []),
        ([], [{"propagationPolicy": "Foreground"}], ["foregroundDeletion"]),
        ([], [{"propagationPolicy": "Orphan"}], ["orphan"]),
        ([], [{"orphanDependents": True}], ["orphan"]),
        ([], [{"orphanDependents": False}], []),
        (["orphan"], [{}], ["orphan"]),
        (["foregroundDeletion"], [{}], ["foregroundDeletion"]),
        (["orphan"], [{"propagationPolicy": "Background"}], []),
        (["orphan"], [{"propagationPolicy": "Foreground"}], ["foregroundDeletion"]),
        ([], [{"propagationPolicy": "Foreground"}, {}], ["foregroundDeletion"]),
        ([], [{"propagationPolicy": "Foreground"}, {"propagationPolicy": "Background"}], []),
        ([], [{"propagationPolicy": "Orphan"}, {"propagationPolicy": "Foreground"}],
         ["foregroundDeletion"]),
    ],
)  # fmt: skip
async def test_what_becomes_of_dependents(world, own, deletes, left):
    """Without a word of the request, the finalizers that the object has decide."""
    assert await finalizers_after(world, own, *deletes) == ["a.dev/x", *left]


async def test_collections_are_deleted_with_the_same_options(world):
    for name in "ab":
        await world.create(MAPS, {"metadata": {"name": name, "labels": {"t": name}}})
    path = f"{MAPS}?labelSelector=t&fieldSelector=metadata.name%3Da&propagationPolicy=Foreground"
    reply = await world.client("DELETE", path)
    assert [item["metadata"]["finalizers"] for item in reply.json["items"]] == [
        ["foregroundDeletion"]
    ]
    assert (await world.client("DELETE", f"{MAPS}?fieldSelector=no%3Dsuch")).status == 400
    reply = await world.client("DELETE", f"{MAPS}/b", {"preconditions": {"resourceVersion": "1"}})
    assert (reply.status, reply.json["reason"]) == (409, "Conflict")
