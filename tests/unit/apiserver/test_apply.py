"""Server-side apply over HTTP: what is made, merged, refused and recorded."""

import json

import pytest

from tests.unit.apiserver.test_objects import DEPLOYMENTS, MAPS, deployment, merge

CONFIG = f"{MAPS}/settings"


def config_map(data=None, **meta):
    return {
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "settings", **meta}, **({"data": data} if data else {}),
    }  # fmt: skip


async def apply(world, path, body, manager="me", **query):
    words = "&".join(f"{k}={v}" for k, v in {"fieldManager": manager, **query}.items())
    body = json.dumps(body).encode() if isinstance(body, dict) else body
    return await world.client(
        "PATCH", f"{path}?{words}", body, content_type="application/apply-patch+yaml"
    )


def managers(answer):
    return [
        (e["manager"], e["operation"], e.get("subresource", ""))
        for e in answer.json["metadata"].get("managedFields", ())
    ]


async def test_an_apply_makes_and_merges(world):
    made = await apply(world, CONFIG, b"apiVersion: v1\nkind: ConfigMap\ndata: {a: '1', b: '2'}\n")
    assert (made.status, made.json["data"]) == (201, {"a": "1", "b": "2"})
    assert managers(made) == [("me", "Apply", "")]
    again = await apply(world, CONFIG, config_map({"a": "1", "b": "2"}))
    assert again.status == 200
    assert again.json["metadata"]["resourceVersion"] == made.json["metadata"]["resourceVersion"]
    less = await apply(world, CONFIG, config_map({"a": "1"}))
    assert less.json["data"] == {"a": "1"}
    other = await apply(world, CONFIG, config_map({"c": "3"}), "you")
    assert other.json["data"] == {"a": "1", "c": "3"}
    assert managers(other) == [("me", "Apply", ""), ("you", "Apply", "")]


@pytest.mark.parametrize("missing", ["apiVersion", "kind"])
async def test_a_configuration_says_what_it_is(world, missing):
    config = {key: value for key, value in config_map({"a": "1"}).items() if key != missing}
    assert (await apply(world, CONFIG, config)).status == 400
    assert (await world.client.get(CONFIG)).status == 404


async def test_conflicts_and_force(world):
    await apply(world, CONFIG, config_map({"a": "1"}))
    refused = await apply(world, CONFIG, config_map({"a": "2"}), "you")
    assert (refused.status, refused.json["reason"]) == (409, "Conflict")
    assert refused.json["message"] == ('Apply failed with 1 conflict: conflict with "me": .data.a')
    assert refused.json["details"]["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "me"', "field": ".data.a"}
    ]
    forced = await apply(world, CONFIG, config_map({"a": "2"}), "you", force="true")
    assert forced.json["data"] == {"a": "2"}
    assert managers(forced) == [("you", "Apply", "")]


async def test_updates_are_recorded_under_their_managers(world):
    path = f"{DEPLOYMENTS}/web"
    made = await world.client("POST", DEPLOYMENTS + "?fieldManager=maker", deployment())
    assert managers(made) == [("maker", "Update", "")]
    await merge(world, path, {"spec": {"paused": True}})
    scaled = await world.client(
        "PATCH", f"{path}/scale?fieldManager=scaler", {"spec": {"replicas": 3}},
        content_type="application/merge-patch+json",
    )  # fmt: skip
    assert scaled.status == 200
    status = {"status": {"replicas": 3}}
    await world.client(
        "PATCH", f"{path}/status?fieldManager=ctl", status,
        content_type="application/merge-patch+json",
    )  # fmt: skip
    found = await world.client("GET", path)
    assert managers(found) == [
        ("ctl", "Update", "status"), ("maker", "Update", ""), ("scaler", "Update", "scale"),
        ("unknown", "Update", ""),
    ]  # fmt: skip
    refused = await apply(world, path, deployment(replicas=1))
    assert (
        'conflict with "scaler" with subresource "scale" using apps/v1: .spec.replicas'
        in (refused.json["message"])
    )
    taken = await apply(world, f"{path}/scale", {
        "apiVersion": "autoscaling/v1", "kind": "Scale", "spec": {"replicas": 3},
    }, "hpa")  # fmt: skip
    assert taken.json["spec"]["replicas"] == 3
    assert ("hpa", "Apply", "scale") in managers(await world.client("GET", path))


async def test_the_status_is_applied_by_its_subresource(world):
    path = f"{DEPLOYMENTS}/web"
    await apply(world, path, {**deployment(replicas=1), "status": {"replicas": 9}})
    body = {**deployment(replicas=7), "status": {"replicas": 1}}
    done = await apply(world, f"{path}/status", body, "ctl")
    assert done.json["spec"]["replicas"] == 1
    assert done.json["status"] == {"replicas": 1}
    assert managers(done) == [("ctl", "Apply", "status"), ("me", "Apply", "")]


@pytest.mark.parametrize(
    ("body", "query", "status", "message"),
    [
        (config_map(), {"manager": ""}, 422, "fieldManager: Required value: is required for apply"),
        (config_map(), {"manager": "x" * 129}, 422, "fieldManager: Too long"),
        (b"[]", {}, 400, "empty or no object"),
        (b"", {}, 400, "empty or no object"),
        (b"a: b: c", {}, 400, "yaml"),
        (config_map(managedFields=[{"manager": "x"}]), {}, 400, "managedFields must be nil"),
        (config_map({"a": 1}), {}, 400, "cannot be handled as a ConfigMap"),
        ({**config_map(), "spex": 1}, {"fieldValidation": "Strict"}, 400, 'field "spex"'),
        ({**config_map(), "kind": "Secret"}, {}, 400, "cannot be handled as a ConfigMap"),
        (config_map(resourceVersion="1"), {}, 400, "resourceVersion should not be set"),
        (config_map(uid="u"), {}, 409, "uid mismatch: the provided object specified uid u"),
    ],
)
async def test_what_is_refused(world, body, query, status, message):
    refused = await apply(world, CONFIG, body, **query)
    assert (refused.status, refused.json["kind"]) == (status, "Status")
    assert message.lower() in refused.json["message"].lower()
    assert (await world.client("GET", CONFIG)).status == 404


async def test_force_is_for_applies_only(world):
    await world.client("POST", MAPS, config_map())
    refused = await merge(world, f"{CONFIG}?force=true", {"data": {"a": "1"}})
    assert refused.status == 422
    assert "force: Forbidden: may not be specified for non-apply patch" in refused.json["message"]


async def test_a_revision_in_the_configuration_must_be_the_present_one(world):
    made = await apply(world, CONFIG, config_map({"a": "1"}))
    revision = made.json["metadata"]["resourceVersion"]
    await apply(world, CONFIG, config_map({"b": "1"}), "you")
    refused = await apply(world, CONFIG, config_map({"a": "2"}, resourceVersion=revision))
    assert (refused.status, refused.json["reason"]) == (409, "Conflict")
    assert "the object has been modified" in refused.json["message"]


async def test_a_dry_run_applies_nothing(world):
    dry = await apply(world, CONFIG, config_map({"a": "1"}), dryRun="All")
    assert (dry.status, dry.json["data"]) == (201, {"a": "1"})
    assert (await world.client("GET", CONFIG)).status == 404


async def test_entries_can_be_edited_and_reset(world):
    await apply(world, CONFIG, config_map({"a": "1"}))
    operations = [{"op": "replace", "path": "/metadata/managedFields", "value": [{}]}]
    reset = await world.client(
        "PATCH", CONFIG, json.dumps(operations).encode(),
        content_type="application/json-patch+json",
    )  # fmt: skip
    assert managers(reset) == []
    first = await apply(world, CONFIG, config_map({"a": "1"}))
    assert managers(first) == [("me", "Apply", ""), ("before-first-apply", "Update", "")]
    moved = json.loads(json.dumps(first.json["metadata"]["managedFields"]))
    moved[0]["manager"] = "you"
    operations = [{"op": "replace", "path": "/metadata/managedFields", "value": moved}]
    given = await world.client(
        "PATCH", CONFIG, json.dumps(operations).encode(),
        content_type="application/json-patch+json",
    )  # fmt: skip
    assert managers(given) == [("you", "Apply", ""), ("before-first-apply", "Update", "")]
    kept = await world.client("PUT", CONFIG, config_map({"a": "1"}))
    assert managers(kept) == managers(given)


async def test_kubectls_annotation_follows_an_apply(world):
    note = "kubectl.kubernetes.io/last-applied-configuration"
    old = json.dumps(config_map({"a": "1"}))
    await world.client("POST", MAPS, config_map({"a": "1"}, annotations={note: old}))
    done = await apply(world, CONFIG, config_map({"a": "1", "b": "2"}), "kubectl", force="true")
    assert json.loads(done.json["metadata"]["annotations"][note])["data"] == {"a": "1", "b": "2"}
