"""pods/NAME/placement: why a pod is where it is, or why it waits."""

import json

import pytest

from orchestrator.cli.explained import explained

PODS = "/api/v1/namespaces/default/pods"


async def node(world, name, cpu="2", **spec):
    await world.create("/api/v1/nodes", {"metadata": {"name": name}, "spec": spec})
    ready = {"type": "Ready", "status": "True"}
    capacity = {"cpu": cpu, "memory": "8Gi", "pods": "110"}
    status = {"status": {"allocatable": capacity, "capacity": capacity, "conditions": [ready]}}
    reply = await world.client(
        "PATCH", f"/api/v1/nodes/{name}/status", status,
        content_type="application/merge-patch+json",
    )  # fmt: skip
    assert reply.status == 200


async def pod(world, name, cpu="1", metadata=None, **spec):
    container = {"name": "c", "image": "web:1", "resources": {"requests": {"cpu": cpu}}}
    document = {"metadata": {"name": name, **(metadata or {})}}
    await world.create(PODS, {**document, "spec": {"containers": [container], **spec}})


async def placement(world, name, **more):
    reply = await world.client.get(f"{PODS}/{name}/placement", **more)
    assert reply.status == 200, reply.body
    return reply.json


async def test_a_pod_that_fits_nowhere(world):
    taint = {"key": "dedicated", "value": "db", "effect": "NoSchedule"}
    for name, cpu in (("a", "500m"), ("b", "1200m"), ("c", "1")):
        await node(world, name, cpu)
    await node(world, "d", "8", taints=[taint])
    await pod(world, "web", "2")
    found = await placement(world, "web")
    assert (found["kind"], found["state"], found["node"]) == ("PodPlacement", "Pending", "")
    assert found["summary"] == (
        "fits on none of 4 hosts: 3 hosts: insufficient cpu (needs 2, free 500m-1200m); "
        "1 host: taint dedicated=db"
    )
    assert [(one["count"], one["nodes"]) for one in found["comparison"]["excluded"]] == [
        (3, ["a", "b", "c"]), (1, ["d"]),
    ]  # fmt: skip
    assert explained(found)[-2:] == [
        "insufficient cpu (needs 2, free 500m-1200m)   3       a, b, c",
        "taint dedicated=db                            1       d",
    ]


async def test_a_pod_on_a_host_is_compared_without_itself(world):
    await node(world, "a", "4")
    await node(world, "b", "2")
    await pod(world, "web")
    binding = {"target": {"name": "b"}, "metadata": {"name": "web"}}
    assert (await world.client("POST", f"{PODS}/web/binding", binding)).status == 201
    found = await placement(world, "web")
    best, own = found["comparison"]["candidates"]
    ahead = best["points"] - own["points"]
    assert (best["node"], own["node"]) == ("a", "b")
    assert own["scores"]["fit"] == pytest.approx(73.8, abs=0.1)  # one of two processors, as if new
    assert found["summary"] == f"on b; placed again now, a would be ahead by {ahead:g} points"
    assert sum(best["scores"].values()) == pytest.approx(best["points"])
    before = world.store.revision
    assert await placement(world, "web") == found, "to ask changes nothing"
    assert world.store.revision == before


@pytest.mark.parametrize(
    ("spec", "metadata", "state", "summary"),
    [
        (
            {"schedulingGates": [{"name": "example.com/later"}]}, {}, "Gated",
            "waits for scheduling gates to be removed: example.com/later; then it fits on a only",
        ),
        ({"schedulerName": "other"}, {}, "Foreign",
         'waits for the scheduler "other", which is no profile of this server'),
        (
            {},
            {"labels": {"orch.dev/pod-group": "g"}, "annotations": {"orch.dev/min-member": "3"}},
            "Pending",
            'fits on a only; waits for 2 more pods of its group "g" (1 of 3 are there)',
        ),
        ({"schedulerName": "round-robin"}, {}, "Pending", "fits on a only"),
    ],
    ids=["gates", "another's", "group", "in turn"],
)  # fmt: skip
async def test_what_a_pod_waits_for(world, spec, metadata, state, summary):
    await node(world, "a")
    await pod(world, "web", metadata=metadata, **spec)
    found = await placement(world, "web")
    assert (found["state"], found["summary"]) == (state, summary)


async def test_who_may_ask_and_what_they_are_told(world):
    await node(world, "secret-host")
    await pod(world, "web")
    refused = await world.client.get(f"{PODS}/web/placement", authorization="Bearer ann")
    assert refused.status == 403
    world.client.token = "root"
    binding = {
        "metadata": {"name": "ann"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
                    "name": "view"},
        "subjects": [{"kind": "User", "name": "ann", "apiGroup": "rbac.authorization.k8s.io"}],
    }  # fmt: skip
    await world.create(
        "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings", binding
    )
    reply = await world.client("GET", f"{PODS}/web/placement", token="ann")
    assert reply.status == 200
    assert "secret-host" not in json.dumps(reply.json)
    assert reply.json["summary"] == "fits on 1 of 1 hosts"
    assert (await world.client("GET", f"{PODS}/nope/placement", token="ann")).status == 404
    assert (await world.client("POST", f"{PODS}/web/placement", {})).status == 405


async def test_configz_is_for_those_who_may(world):
    assert (await world.client("GET", "/configz", token="ann")).status == 403
    found = (await world.client.get("/configz")).json
    assert found["scheduler"]["strategy"] == "resource-aware"
