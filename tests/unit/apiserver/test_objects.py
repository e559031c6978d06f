"""Reading and writing objects over HTTP: forms, options, subresources, errors."""

import gzip
import json

import pytest
import yaml

from tests.unit.apiserver.client import TABLE

PODS = "/api/v1/namespaces/default/pods"
MAPS = "/api/v1/namespaces/default/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


def pod(name="web", **labels):
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {"containers": [{"name": "main", "image": "x:1"}]},
    }


def deployment(name="web", **spec):
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "main", "image": "x:1"}]},
            },
            **spec,
        },
    }


async def merge(world, path, body):
    return await world.client("PATCH", path, body, content_type="application/merge-patch+json")


async def test_create_fills_in_and_answers_201(world):
    made = await world.create(PODS, pod())
    assert (made["kind"], made["apiVersion"]) == ("Pod", "v1")
    assert made["metadata"]["namespace"] == "default"
    assert made["metadata"]["uid"]
    assert made["status"]["phase"] == "Pending"
    again = await world.client("POST", PODS, pod())
    assert (again.status, again.json["reason"]) == (409, "AlreadyExists")
    assert again.json["details"] == {"name": "web", "kind": "pods"}


async def test_shortcut_without_namespace_means_default(world):
    assert (await world.create("/api/v1/pods", pod()))["metadata"]["namespace"] == "default"
    assert (await world.client.get("/api/v1/pods/web")).json["metadata"]["name"] == "web"
    await world.create("/api/v1/namespaces", {"metadata": {"name": "other"}})
    document = pod()
    document["metadata"]["namespace"] = "other"
    assert (await world.create("/api/v1/pods", document))["metadata"]["namespace"] == "other"
    listed = (await world.client.get("/api/v1/pods")).json
    assert [p["metadata"]["namespace"] for p in listed["items"]] == ["default", "other"]


async def test_get_and_not_found(world):
    made = await world.create(PODS, pod())
    reply = await world.client.get(f"{PODS}/web")
    assert reply.json == made
    assert reply.header("content-type") == "application/json"
    missing = await world.client.get(f"{PODS}/nope")
    assert missing.body == (
        b'{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure",'
        b'"message":"pods \\"nope\\" not found","reason":"NotFound",'
        b'"details":{"name":"nope","kind":"pods"},"code":404}\n'
    )


async def test_list_in_pages(world):
    for name in "cab":
        await world.create(MAPS, {"metadata": {"name": name}})
    first = (await world.client.get(f"{MAPS}?limit=2")).json
    assert (first["kind"], first["apiVersion"]) == ("ConfigMapList", "v1")
    assert [i["metadata"]["name"] for i in first["items"]] == ["a", "b"]
    assert first["metadata"]["remainingItemCount"] == 1
    token = first["metadata"]["continue"]
    rest = (await world.client.get(f"{MAPS}?limit=2&continue={token}")).json
    assert [i["metadata"]["name"] for i in rest["items"]] == ["c"]
    assert set(rest["metadata"]) == {"resourceVersion"}
    assert (await world.client.get(f"{MAPS}?continue=garbage")).status == 400
    assert (await world.client.get(f"{MAPS}?limit=-1")).status == 400


async def test_selectors(world):
    await world.create(PODS, pod("a", tier="x"))
    await world.create(PODS, pod("b", tier="y"))

    async def names(query):
        reply = await world.client.get(f"{PODS}?{query}")
        assert reply.status == 200, reply.body
        return [i["metadata"]["name"] for i in reply.json["items"]]

    assert await names("labelSelector=tier%20in%20(x)") == ["a"]
    assert await names("fieldSelector=metadata.name%21%3Da") == ["b"]
    refused = await world.client.get(f"{PODS}?fieldSelector=spec.colour%3Dred")
    assert (refused.status, refused.json["message"]) == (
        400,
        "field label not supported: spec.colour",
    )
    assert (await world.client.get(f"{PODS}?labelSelector=a%20b")).status == 400


async def test_tables(world):
    await world.create(PODS, pod())
    listed = (await world.client.get(PODS, accept=TABLE)).json
    assert (listed["kind"], listed["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    assert [c["name"] for c in listed["columnDefinitions"]][:3] == ["Name", "Ready", "Status"]
    assert listed["rows"][0]["cells"][:3] == ["web", "0/1", "Pending"]
    assert listed["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    whole = (await world.client.get(f"{PODS}/web?includeObject=Object", accept=TABLE)).json
    assert whole["rows"][0]["object"]["kind"] == "Pod"
    bare = (await world.client.get(f"{PODS}?includeObject=None", accept=TABLE)).json
    assert bare["rows"][0]["object"] is None
    assert (await world.client.get(f"{PODS}?includeObject=Some", accept=TABLE)).status == 400


async def test_metadata_only(world):
    await world.create(PODS, pod())
    accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    listed = (await world.client.get(PODS, accept=accept)).json
    assert listed["kind"] == "PartialObjectMetadataList"
    assert set(listed["items"][0]) == {"kind", "apiVersion", "metadata"}


async def test_yaml_both_ways(world):
    text = b"metadata: {name: web}\nspec: {containers: [{name: main, image: 'x:1'}]}\n"
    made = await world.client(
        "POST", PODS, text, content_type="application/yaml", accept="application/yaml"
    )
    assert made.status == 201
    assert made.header("content-type") == "application/yaml"
    assert yaml.safe_load(made.body)["metadata"]["name"] == "web"


async def test_bodies_that_cannot_be_read(world):
    cases = [
        (b"", {}, 400),
        (b"{", {}, 400),
        (b"[1]", {}, 400),
        (b'"text"', {}, 400),
        (b"{}", {"content_type": "text/csv"}, 415),
        (b"x" * (3 * 1024 * 1024 + 1), {}, 413),
        (json.dumps(json.loads("[" * 90 + "]" * 90)).encode(), {}, 400),
        (b'{"a":' * 120 + b"1" + b"}" * 120, {}, 400),
        (b"k8s\x00\xff\xff", {"content_type": "application/vnd.kubernetes.protobuf"}, 400),
    ]
    for body, headers, status in cases:
        reply = await world.client("POST", PODS, body, **headers)
        assert reply.status == status, body[:40]
        assert reply.json["kind"] == "Status"


async def test_kind_name_and_namespace_must_agree_with_the_path(world):
    wrong_kind = await world.client("POST", PODS, deployment())
    assert wrong_kind.status == 400
    assert "Deployment" in wrong_kind.json["message"]
    elsewhere = pod()
    elsewhere["metadata"]["namespace"] = "other"
    refused = await world.client("POST", PODS, elsewhere)
    assert "does not match the namespace sent on the request" in refused.json["message"]
    made = await world.create(PODS, pod())
    renamed = {**made, "metadata": {**made["metadata"], "name": "else"}}
    refused = await world.client("PUT", f"{PODS}/web", renamed)
    assert "does not match the name on the URL (web)" in refused.json["message"]


async def test_update_and_conflict(world):
    made = await world.create(MAPS, {"metadata": {"name": "m"}, "data": {"a": "1"}})
    changed = await world.client("PUT", f"{MAPS}/m", {**made, "data": {"a": "2"}})
    assert (changed.status, changed.json["data"]) == (200, {"a": "2"})
    stale = await world.client("PUT", f"{MAPS}/m", {**made, "data": {"a": "3"}})
    assert (stale.status, stale.json["reason"]) == (409, "Conflict")
    unconditional = {"metadata": {"name": "m"}, "data": {"a": "4"}}
    assert (await world.client("PUT", f"{MAPS}/m", unconditional)).json["data"] == {"a": "4"}
    assert (
        await world.client("PUT", f"{MAPS}/none", unconditional | {"metadata": {}})
    ).status == 404


async def test_patches(world):
    await world.create(DEPLOYMENTS, deployment())
    path = f"{DEPLOYMENTS}/web"
    merged = await merge(world, path, {"spec": {"replicas": 4}})
    assert merged.json["spec"]["replicas"] == 4
    containers = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "y"}]}}}}
    strategic = await world.client(
        "PATCH", path, containers, content_type="application/strategic-merge-patch+json"
    )
    found = strategic.json["spec"]["template"]["spec"]["containers"][0]
    assert (found["name"], found["image"]) == ("main", "y")
    operations = [{"op": "replace", "path": "/spec/replicas", "value": 1}]
    by_json = await world.client(
        "PATCH", path, json.dumps(operations).encode(), content_type="application/json-patch+json"
    )
    assert by_json.json["spec"]["replicas"] == 1
    for body, kind in ((b"{}", "json-patch"), (b"[]", "merge-patch"), (b"", "merge-patch")):
        refused = await world.client("PATCH", path, body, content_type=f"application/{kind}+json")
        assert refused.status == 400
    apply = await world.client("PATCH", path, b"a: 1", content_type="application/apply-patch+cbor")
    assert apply.status == 415


async def test_field_validation(world):
    wrong = deployment(replicaz=3)
    strict = await world.client("POST", f"{DEPLOYMENTS}?fieldValidation=Strict", wrong)
    assert strict.status == 400
    assert 'strict decoding error: unknown field "spec.replicaz"' in strict.json["message"]
    warned = await world.client("POST", DEPLOYMENTS, wrong)
    assert warned.status == 201
    assert '299 - "unknown field \\"spec.replicaz\\""' in warned.all("warning")
    ignored = await world.client(
        "POST", f"{DEPLOYMENTS}?fieldValidation=Ignore", deployment("b", replicaz=3)
    )
    assert (ignored.status, ignored.all("warning")) == (201, [])
    odd = await world.client("POST", f"{DEPLOYMENTS}?fieldValidation=Maybe", deployment("c"))
    assert (odd.status, odd.json["reason"]) == (422, "Invalid")


async def test_dry_run_leaves_nothing(world):
    before = world.store.revision
    reply = await world.client("POST", f"{PODS}?dryRun=All", pod())
    assert reply.status == 201
    assert world.store.revision == before
    assert (await world.client("POST", f"{PODS}?dryRun=Some", pod())).status == 422
    await world.create(PODS, pod())
    before = world.store.revision
    assert (await world.client("DELETE", f"{PODS}/web?dryRun=All")).status == 200
    assert world.store.revision == before


async def test_status_is_written_apart(world):
    await world.create(DEPLOYMENTS, deployment())
    reply = await merge(
        world, f"{DEPLOYMENTS}/web/status", {"status": {"replicas": 3}, "spec": {"replicas": 9}}
    )
    assert reply.json["status"]["replicas"] == 3
    assert reply.json["spec"]["replicas"] == 1
    assert (await world.client.get(f"{DEPLOYMENTS}/web/status")).json == reply.json
    ignored = await merge(world, f"{DEPLOYMENTS}/web", {"status": {"replicas": 7}})
    assert ignored.json["status"]["replicas"] == 3


async def test_delete_answers_by_kind(world):
    made = await world.create(DEPLOYMENTS, deployment())
    gone = await world.client("DELETE", f"{DEPLOYMENTS}/web")
    assert gone.json == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {
            "name": "web",
            "group": "apps",
            "kind": "deployments",
            "uid": made["metadata"]["uid"],
        },
    }
    await world.create(PODS, pod())
    assert (await world.client("DELETE", f"{PODS}/web")).json["kind"] == "Pod"
    assert (await world.client("DELETE", f"{PODS}/web")).status == 404


async def test_delete_options(world):
    made = await world.create(MAPS, {"metadata": {"name": "m"}})
    wrong = {"preconditions": {"uid": "another"}}
    assert (await world.client("DELETE", f"{MAPS}/m", wrong)).status == 409
    for options in (
        {"propagationPolicy": "Sideways"},
        {"gracePeriodSeconds": "soon"},
        {"preconditions": []},
        {"kind": "Pod"},
    ):
        assert (await world.client("DELETE", f"{MAPS}/m", options)).status in {400, 422}
    right = {
        "kind": "DeleteOptions",
        "apiVersion": "v1",
        "preconditions": {"uid": made["metadata"]["uid"]},
    }
    assert (await world.client("DELETE", f"{MAPS}/m", right)).status == 200


async def test_finalizer_holds_the_object(world):
    await world.create(MAPS, {"metadata": {"name": "m", "finalizers": ["orch.dev/test"]}})
    held = await world.client("DELETE", f"{MAPS}/m")
    assert held.json["metadata"]["deletionTimestamp"]
    released = await merge(world, f"{MAPS}/m", {"metadata": {"finalizers": None}})
    assert released.status == 200
    assert (await world.client.get(f"{MAPS}/m")).status == 404


async def test_delete_collection(world):
    for name, tier in (("a", "x"), ("b", "y"), ("c", "x")):
        await world.create(PODS, pod(name, tier=tier))
    reply = await world.client("DELETE", f"{PODS}?labelSelector=tier%3Dx")
    assert [i["metadata"]["name"] for i in reply.json["items"]] == ["a", "c"]
    left = (await world.client.get(PODS)).json["items"]
    assert [i["metadata"]["name"] for i in left] == ["b"]


async def test_scale(world):
    await world.create(DEPLOYMENTS, deployment())
    path = f"{DEPLOYMENTS}/web/scale"
    scale = (await world.client.get(path)).json
    assert (scale["kind"], scale["apiVersion"]) == ("Scale", "autoscaling/v1")
    assert (scale["spec"], scale["status"]) == (
        {"replicas": 1},
        {"replicas": 0, "selector": "app=web"},
    )
    assert (await merge(world, path, {"spec": {"replicas": 5}})).json["spec"]["replicas"] == 5
    written = await world.client("PUT", path, {**scale, "spec": {"replicas": 2}})
    assert (written.status, written.json["reason"]) == (409, "Conflict")
    fresh = (await world.client.get(path)).json
    assert (await world.client("PUT", path, {**fresh, "spec": {"replicas": 2}})).status == 200
    assert (await world.client.get(f"{DEPLOYMENTS}/web")).json["spec"]["replicas"] == 2
    negative = await merge(world, path, {"spec": {"replicas": -1}})
    assert (negative.status, negative.json["details"]["causes"][0]["field"]) == (
        422,
        "spec.replicas",
    )
    for wrong in ("three", True, 1.5):
        assert (await merge(world, path, {"spec": {"replicas": wrong}})).status == 400


async def test_binding_and_eviction(world):
    await world.create(PODS, pod())
    no_target = await world.client("POST", f"{PODS}/web/binding", {"target": {}})
    assert no_target.status == 422
    bound = await world.client("POST", f"{PODS}/web/binding", {"target": {"name": "n1"}})
    assert (bound.status, bound.json["status"]) == (201, "Success")
    assert (await world.client.get(f"{PODS}/web")).json["spec"]["nodeName"] == "n1"
    elsewhere = await world.client("POST", f"{PODS}/web/binding", {"target": {"name": "n2"}})
    assert elsewhere.status == 409
    options = {"deleteOptions": {"gracePeriodSeconds": 0}}
    evicted = await world.client("POST", f"{PODS}/web/eviction", options)
    assert (evicted.status, evicted.json["status"]) == (201, "Success")
    assert (await world.client.get(f"{PODS}/web")).status == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/nodes/n"),
        ("PATCH", PODS),
        ("PUT", PODS),
        ("POST", "/api/v1/namespaces/default/podtemplates"),
        ("DELETE", "/api/v1/namespaces"),
        ("POST", f"{PODS}/web/status"),
        ("DELETE", f"{PODS}/web/log"),
        ("GET", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"),
        ("OPTIONS", PODS),
    ],
)
async def test_verbs_that_are_not_served(world, method, path):
    reply = await world.client(method, path, {})
    assert (reply.status, reply.json["reason"]) == (405, "MethodNotAllowed")


async def test_kinds_that_nobody_acts_on_are_empty(world):
    listed = (await world.client.get("/apis/batch/v1/jobs")).json
    assert (listed["kind"], listed["items"]) == ("JobList", [])


async def test_questions_about_oneself(world):
    root = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    wish = {"spec": {"resourceAttributes": {"verb": "delete", "resource": "nodes"}}}
    assert (await world.client("POST", root, wish)).json["status"] == {"allowed": True}
    denied = await world.client("POST", root, wish, token="ann")
    assert (denied.status, denied.json["status"]["allowed"]) == (201, False)
    path = {"spec": {"nonResourceAttributes": {"verb": "get", "path": "/metrics"}}}
    assert (await world.client("POST", root, path, token="ann")).json["status"]["allowed"] is False
    assert (await world.client("POST", root, {"spec": {}})).status == 422
    who = await world.client(
        "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {}, token="ann"
    )
    assert who.json["status"]["userInfo"] == {
        "username": "ann",
        "groups": ["dev", "system:authenticated"],
    }
    root = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    rules = await world.client("POST", root, {"spec": {"namespace": "default"}})
    assert rules.json["status"]["resourceRules"][0]["verbs"] == ["*"]


async def test_questions_are_read_as_objects_are(world):
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    odd = {"metadata": {"annotations": None, "labels": {"a": None}}, "x": 1}
    said = await world.client("POST", path, odd)
    assert said.status == 201
    assert list(said.json["metadata"]) == ["creationTimestamp"]
    assert "x" not in said.json
    strict = await world.client("POST", f"{path}?fieldValidation=Strict", {"x": 1})
    assert (strict.status, strict.json["reason"]) == (400, "BadRequest")
    assert 'unknown field "x"' in strict.json["message"]


async def test_others_are_forbidden(world):
    reply = await world.client("GET", PODS, token="ann")
    assert (reply.status, reply.json["reason"]) == (403, "Forbidden")
    acting = await world.client.get(PODS, impersonate_user="bob")
    assert 'User "bob" cannot list resource "pods"' in acting.json["message"]


async def test_logs_of_pods_that_have_none(world):
    await world.create(PODS, pod())
    unbound = await world.client.get(f"{PODS}/web/log")
    assert (unbound.status, unbound.json["message"]) == (
        400,
        "pod web does not have a host assigned",
    )
    assert (await world.client.get(f"{PODS}/none/log")).status == 404


async def test_big_list_is_compressed(world):
    for number in range(20):
        await world.create(MAPS, {"metadata": {"name": f"m{number}"}, "data": {"k": "v" * 100}})
    reply = await world.client.get(MAPS, accept_encoding="gzip, deflate")
    assert len(json.loads(gzip.decompress(reply.body))["items"]) == 20
