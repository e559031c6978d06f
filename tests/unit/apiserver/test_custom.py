"""Custom kinds over HTTP: defined, served, checked, shown, and gone again."""

import json
from copy import deepcopy

import pytest

from orchestrator.api.schema.openapi_v3 import document_of
from orchestrator.registry.catalog import LiveCatalog
from tests.unit.apiserver.client import TABLE
from tests.unit.apiserver.custom import (
    CRDS,
    FULL,
    OLD_WIDGETS,
    SCHEMA,
    WIDGETS,
    definition,
    established,
    serving,
    until,
    version,
    widget,
)

MERGE = "application/merge-patch+json"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


@pytest.fixture
async def served(world):
    async with serving(world):
        await established(world, definition())
        yield world


async def merge(world, path, body, **headers):
    return await world.client("PATCH", path, body, content_type=MERGE, **headers)


async def test_a_definition_becomes_established_and_its_group_appears(world):
    assert (await world.client.get("/apis/example.com")).status == 404
    before = await world.client.get("/apis", accept=AGGREGATED)
    async with serving(world):
        made = await established(world, definition())
        assert made["spec"]["names"]["singular"] == "widget"
        assert made["spec"]["names"]["listKind"] == "WidgetList"
        assert made["status"]["storedVersions"] == ["v1"]
    live = (await world.client.get(f"{CRDS}/widgets.example.com")).json
    assert [(c["type"], c["status"], c["reason"]) for c in live["status"]["conditions"]] == [
        ("NamesAccepted", "True", "NoConflicts"),
        ("Established", "True", "InitialNamesAccepted"),
    ]
    assert live["status"]["acceptedNames"] == live["spec"]["names"]
    group = (await world.client.get("/apis/example.com")).json
    assert group["preferredVersion"]["version"] == "v1"
    rows = (await world.client.get("/apis/example.com/v1")).json["resources"]
    assert [row["name"] for row in rows] == ["widgets", "widgets/scale", "widgets/status"]
    assert rows[0]["shortNames"] == ["wd"]
    after = await world.client.get("/apis", accept=AGGREGATED)
    assert after.header("etag") != before.header("etag")
    assert "example.com" in [item["metadata"]["name"] for item in after.json["items"]]
    paths = (await world.client.get("/")).json["paths"]
    assert "/apis/example.com" in paths


async def test_openapi_shows_the_kind(served):
    index = (await served.client.get("/openapi/v3")).json["paths"]
    document = (await served.client.get(index["apis/example.com/v1"]["serverRelativeURL"])).json
    schemas = document["components"]["schemas"]
    shown = schemas["com.example.v1.Widget"]
    assert shown["x-kubernetes-group-version-kind"] == [
        {"group": "example.com", "kind": "Widget", "version": "v1"}
    ]
    assert shown["properties"]["spec"] == SCHEMA["properties"]["spec"]
    assert {"apiVersion", "kind", "metadata"} <= set(shown["properties"])
    assert "com.example.v1.WidgetList" in schemas
    one = document["paths"]["/apis/example.com/v1/namespaces/{namespace}/widgets/{name}"]
    assert "application/strategic-merge-patch+json" not in one["patch"]["requestBody"]["content"]
    old = (await served.client.get("/openapi/v2")).json
    assert old["definitions"]["com.example.v1.Widget"]["properties"]["spec"]["type"] == "object"
    protobuf = await served.client.get(
        "/openapi/v2", accept="application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
    )
    assert b"com.example.v1.Widget" in protobuf.body


async def test_objects_get_defaults_and_lose_what_the_schema_does_not_know(served):
    body = widget(free={"any": [1, {"thing": None}]}, odd=1, note=None, replicas=None)
    reply = await served.client("POST", WIDGETS, body)
    assert reply.status == 201, reply.body
    assert reply.json["spec"] == {
        "size": 3, "color": "red", "replicas": 1, "note": None,
        "free": {"any": [1, {"thing": None}]},
    }  # fmt: skip
    assert reply.all("warning") == ['299 - "unknown field \\"spec.odd\\""']
    assert reply.json["metadata"]["generation"] == 1
    strict = await served.client("POST", f"{WIDGETS}?fieldValidation=Strict", body)
    assert strict.status == 400
    assert strict.json["message"] == (
        'Widget in version "v1" cannot be handled as a Widget: strict decoding error: '
        'unknown field "spec.odd"'
    )


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"size": 11}, "spec.size: Invalid value: 11: spec.size in body should be less than or "
         "equal to 10"),
        ({"size": "big"}, 'spec.size: Invalid value: "string": spec.size in body must be of type '
         'integer: "string"'),
        ({"color": "pink"}, 'spec.color: Unsupported value: "pink": supported values: "red", '
         '"blue"'),
        ({"port": True}, 'spec.port: Invalid value: "boolean": spec.port in body must be of type '
         'integer,string: "boolean"'),
        ({"tags": ["a", "a"]}, 'spec.tags[1]: Duplicate value: "a"'),
    ],
)  # fmt: skip
async def test_wrong_objects_are_refused_in_the_words_of_kubernetes(served, spec, said):
    reply = await served.client("POST", WIDGETS, widget(**spec))
    assert (reply.status, reply.json["reason"]) == (422, "Invalid")
    assert reply.json["message"] == f'Widget.example.com "one" is invalid: {said}'
    assert reply.json["details"]["causes"][0]["field"] == said.split(":")[0]


async def test_a_required_field_is_missed(served):
    body = widget()
    del body["spec"]["size"]
    reply = await served.client("POST", WIDGETS, body)
    assert reply.json["message"].endswith("spec.size: Required value")
    del body["spec"]
    reply = await served.client("POST", WIDGETS, body)
    assert reply.json["message"].endswith("spec: Required value")


async def test_status_is_a_subresource_and_generation_counts_the_spec(served):
    made = await served.create(WIDGETS, widget() | {"status": {"phase": "Made"}})
    assert "status" not in made
    written = await merge(served, f"{WIDGETS}/one/status", {"status": {"phase": "Ready"}})
    assert written.json["status"] == {"phase": "Ready"}
    assert written.json["metadata"]["generation"] == 1
    both = await merge(served, f"{WIDGETS}/one", {"spec": {"size": 4}, "status": {"phase": "x"}})
    assert both.json["status"] == {"phase": "Ready"}
    assert both.json["metadata"]["generation"] == 2
    wrong = await merge(served, f"{WIDGETS}/one/status", {"status": {"phase": 5}})
    assert wrong.status == 422


async def test_without_a_status_subresource_status_is_like_the_rest(world):
    async with serving(world):
        await established(world, definition(version()))
        made = await world.create(WIDGETS, widget() | {"status": {"phase": "Made"}})
        assert made["status"] == {"phase": "Made"}
        changed = await merge(world, f"{WIDGETS}/one", {"status": {"phase": "Done"}})
        assert changed.json["metadata"]["generation"] == 2
        labelled = await merge(world, f"{WIDGETS}/one", {"metadata": {"labels": {"a": "b"}}})
        assert labelled.json["metadata"]["generation"] == 2
        assert (await world.client.get(f"{WIDGETS}/one/status")).status == 404


async def test_scale_reads_and_writes_where_the_definition_says(served):
    await served.create(WIDGETS, widget())
    status = {"status": {"replicas": 1, "selector": "app=w"}}
    await merge(served, f"{WIDGETS}/one/status", status)
    scale = (await served.client.get(f"{WIDGETS}/one/scale")).json
    assert (scale["kind"], scale["spec"]["replicas"]) == ("Scale", 1)
    assert scale["status"] == {"replicas": 1, "selector": "app=w"}
    scaled = await merge(served, f"{WIDGETS}/one/scale", {"spec": {"replicas": 5}})
    assert scaled.json["spec"]["replicas"] == 5
    assert (await served.client.get(f"{WIDGETS}/one")).json["spec"]["replicas"] == 5


async def test_patches(served):
    await served.create(WIDGETS, widget())
    operations = [{"op": "replace", "path": "/spec/size", "value": 7}]
    patched = await served.client(
        "PATCH", f"{WIDGETS}/one", operations, content_type="application/json-patch+json"
    )
    assert patched.json["spec"]["size"] == 7
    refused = await served.client(
        "PATCH", f"{WIDGETS}/one", {}, content_type="application/strategic-merge-patch+json"
    )
    assert refused.status == 415
    assert MERGE in refused.json["message"]
    assert "strategic" not in refused.json["message"]
    same = await merge(served, f"{WIDGETS}/one", {"spec": {"size": 7}})
    assert same.json["metadata"]["resourceVersion"] == patched.json["metadata"]["resourceVersion"]


async def test_tables_show_the_columns_of_the_definition(served):
    await served.create(WIDGETS, widget())
    table = (await served.client.get(WIDGETS, accept=TABLE)).json
    assert [(c["name"], c["type"], c["priority"]) for c in table["columnDefinitions"]] == [
        ("Name", "string", 0), ("Size", "integer", 0), ("Phase", "string", 1), ("Age", "date", 0),
    ]  # fmt: skip
    assert table["rows"][0]["cells"] == ["one", 3, None, "0s"]


async def test_selectable_fields_lists_and_watches(served):
    for name, color in (("a", "red"), ("b", "blue")):
        await served.create(WIDGETS, widget(name, color=color))
    chosen = (await served.client.get(f"{WIDGETS}?fieldSelector=spec.color=blue")).json
    assert [item["metadata"]["name"] for item in chosen["items"]] == ["b"]
    refused = await served.client.get(f"{WIDGETS}?fieldSelector=spec.size=3")
    assert (refused.status, refused.json["message"]) == (
        400, "field label not supported: spec.size",
    )  # fmt: skip
    everywhere = (await served.client.get("/apis/example.com/v1/widgets")).json
    assert (everywhere["kind"], len(everywhere["items"])) == ("WidgetList", 2)
    async with served.client.stream(f"{WIDGETS}?watch=true") as stream:
        assert (await stream.line())["object"]["metadata"]["name"] == "a"


OLD_SCHEMA = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {"size": {"type": "integer"}, "shape": {"type": "string"}},
        }
    },
}


async def test_several_versions_are_one_object(world):
    async with serving(world):
        old = version("v1beta1", storage=False, schema=OLD_SCHEMA)
        await established(world, definition(old, version()))
        group = (await world.client.get("/apis/example.com")).json
        assert [v["version"] for v in group["versions"]] == ["v1", "v1beta1"]
        made = await world.create(OLD_WIDGETS, widget(api_version="example.com/v1beta1"))
        assert made["apiVersion"] == "example.com/v1beta1"
        assert made["spec"] == {"size": 3}
        new = (await world.client.get(f"{WIDGETS}/one")).json
        assert new["apiVersion"] == "example.com/v1"
        assert new["spec"]["color"] == "red"
        assert new["metadata"]["uid"] == made["metadata"]["uid"]
        listed = (await world.client.get(OLD_WIDGETS)).json
        assert listed["items"][0]["apiVersion"] == "example.com/v1beta1"
        assert listed["items"][0]["spec"] == {"size": 3}
        async with world.client.stream(f"{OLD_WIDGETS}?watch=true") as stream:
            assert (await stream.line())["object"]["apiVersion"] == "example.com/v1beta1"


async def test_the_stored_version_moves_and_objects_follow_when_written(world):
    async with serving(world):
        old = version("v1beta1")
        made = await established(world, definition(old))
        await world.create(OLD_WIDGETS, widget(api_version="example.com/v1beta1"))
        spec = made["spec"]
        spec["versions"] = [version("v1beta1", storage=False), version("v1", **FULL)]
        changed = await merge(world, f"{CRDS}/widgets.example.com", {"spec": spec})
        assert changed.status == 200, changed.body
        assert changed.json["status"]["storedVersions"] == ["v1beta1", "v1"]
        assert (await world.client.get(f"{WIDGETS}/one")).json["apiVersion"] == "example.com/v1"
        spec["versions"] = [version("v1", **FULL)]
        refused = await merge(world, f"{CRDS}/widgets.example.com", {"spec": spec})
        assert refused.status == 422
        assert 'status.storedVersions[0]: Invalid value: "v1beta1"' in refused.json["message"]
        (item,) = world.store.list("widgets.example.com")
        assert item.doc["apiVersion"] == "example.com/v1beta1"
        await merge(world, f"{WIDGETS}/one", {"metadata": {"labels": {"touched": "1"}}})
        (item,) = world.store.list("widgets.example.com")
        assert item.doc["apiVersion"] == "example.com/v1"
        status = {"status": {"storedVersions": ["v1"]}}
        await merge(world, f"{CRDS}/widgets.example.com/status", status)
        done = await merge(world, f"{CRDS}/widgets.example.com", {"spec": spec})
        assert done.status == 200, done.body
        assert (await world.client.get("/apis/example.com/v1beta1")).status == 404


async def test_a_stricter_schema_leaves_old_objects_changeable(served):
    await served.create(WIDGETS, widget(size=9))
    live = (await served.client.get(f"{CRDS}/widgets.example.com")).json
    spec = live["spec"]
    spec["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["size"][
        "maximum"
    ] = 5
    assert (await merge(served, f"{CRDS}/widgets.example.com", {"spec": spec})).status == 200
    assert (await merge(served, f"{WIDGETS}/one", {"spec": {"color": "blue"}})).status == 200
    refused = await merge(served, f"{WIDGETS}/one", {"spec": {"size": 8}})
    assert refused.status == 422


async def test_a_definition_takes_its_objects_and_its_group_along(served):
    held = widget("held")
    held["metadata"]["finalizers"] = ["example.com/wait"]
    await served.create(WIDGETS, widget())
    await served.create(WIDGETS, held)
    deleting = await served.client("DELETE", f"{CRDS}/widgets.example.com")
    assert deleting.status == 200
    assert deleting.json["metadata"]["deletionTimestamp"]
    assert deleting.json["metadata"]["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]

    async def only_the_held_one():
        items = (await served.client.get(WIDGETS)).json["items"]
        return [item["metadata"]["name"] for item in items] == ["held"]

    await until(only_the_held_one)
    refused = await served.client("POST", WIDGETS, widget("late"))
    assert refused.status == 405
    live = (await served.client.get(f"{CRDS}/widgets.example.com")).json
    assert "Terminating" in [c["type"] for c in live["status"]["conditions"]]
    await merge(served, f"{WIDGETS}/held", {"metadata": {"finalizers": None}})

    async def gone():
        return (await served.client.get(f"{CRDS}/widgets.example.com")).status == 404

    await until(gone)
    assert (await served.client.get("/apis/example.com/v1")).status == 404
    assert (await served.client.get(WIDGETS)).status == 404
    assert "example.com" not in json.dumps((await served.client.get("/apis")).json)


async def test_names_that_are_taken_are_not_accepted_until_they_are_free(served):
    await served.create(CRDS, definition(version(), plural="wads", kind="Wad"))

    async def conditions():
        live = (await served.client.get(f"{CRDS}/wads.example.com")).json
        return {c["type"]: c for c in live["status"]["conditions"]}

    found = await until(conditions)
    assert found["NamesAccepted"]["reason"] == "ShortNamesConflict"
    assert found["NamesAccepted"]["message"] == '"wd" is already in use'
    assert found["Established"]["status"] == "False"
    assert (await served.client.get("/apis/example.com/v1/wads")).status == 404
    await served.client("DELETE", f"{CRDS}/widgets.example.com")

    async def accepted():
        return (await conditions())["Established"]["status"] == "True"

    await until(accepted)
    assert (await served.client.get("/apis/example.com/v1/wads")).status == 200


async def test_wrong_definitions_are_refused(world):
    wrong = definition(version(schema={"type": "object", "properties": {"spec": {}}}))
    wrong["metadata"]["name"] = "other.example.com"
    wrong["spec"]["conversion"] = {
        "strategy": "Webhook",
        "webhook": {"conversionReviewVersions": ["v1"]},
    }
    reply = await world.client("POST", CRDS, wrong)
    assert (reply.status, reply.json["reason"]) == (422, "Invalid")
    causes = {c["field"]: c["message"] for c in reply.json["details"]["causes"]}
    assert causes["metadata.name"] == (
        'Invalid value: "other.example.com": must be spec.names.plural+"."+spec.group'
    )
    here = "spec.versions[0].schema.openAPIV3Schema.properties[spec].type"
    assert causes[here] == "Required value: must not be empty for specified object fields"
    assert "conversion webhooks are not supported" in causes["spec.conversion.strategy"]


async def test_unknown_fields_of_a_schema_are_named(world):
    body = definition()
    schema = body["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["properties"]["spec"]["properties"]["tags"]["items"]["maxLenght"] = 3
    reply = await world.client("POST", f"{CRDS}?fieldValidation=Strict", body)
    assert reply.status == 400
    assert (
        'unknown field "spec.versions[0].schema.openAPIV3Schema.properties.spec.properties.tags'
        '.items.maxLenght"'
    ) in reply.json["message"]


async def test_rules_that_are_not_checked_are_said_so(world):
    pytest.importorskip("cel")
    schema = {**SCHEMA, "x-kubernetes-validations": [{"rule": "url(self.spec.note) != null"}]}
    reply = await world.client("POST", CRDS, definition(version(schema=schema)))
    assert reply.status == 201, reply.body
    assert "x-kubernetes-validations[0]: kept, but orch does not check this rule" in (
        reply.header("warning")
    )


async def test_rules_are_checked_at_create_and_update(world):
    pytest.importorskip("cel")
    rules = [
        {"rule": "self.size <= self.replicas * 3", "message": "size goes by replicas"},
        {
            "rule": "self.size >= oldSelf.size",
            "messageExpression": "'size may not shrink below ' + string(oldSelf.size)",
            "reason": "FieldValueForbidden",
            "fieldPath": ".size",
        },
    ]
    schema = deepcopy(SCHEMA)
    schema["properties"]["spec"]["x-kubernetes-validations"] = rules
    async with serving(world):
        await established(world, definition(version(schema=schema)))
        refused = await world.client("POST", WIDGETS, widget(size=5))
        assert refused.status == 422
        assert refused.json["message"] == (
            'Widget.example.com "one" is invalid: spec: Invalid value: "object": size goes by '
            "replicas"
        )
        await world.create(WIDGETS, widget(size=3))
        shrunk = await merge(world, f"{WIDGETS}/one", {"spec": {"size": 2}})
        assert shrunk.json["message"].endswith("spec.size: Forbidden: size may not shrink below 3")
        assert (await merge(world, f"{WIDGETS}/one", {"spec": {"color": "blue"}})).status == 200


async def test_a_deprecated_version_warns(world):
    async with serving(world):
        await established(world, definition(version(deprecated=True)))
        reply = await world.client.get(WIDGETS)
        assert reply.all("warning") == ['299 - "example.com/v1 Widget is deprecated"']


async def test_namespaces_and_owners_take_their_custom_objects_along(served):
    await served.create("/api/v1/namespaces", {"metadata": {"name": "other"}})
    inside = "/apis/example.com/v1/namespaces/other/widgets"
    owner = await served.create(inside, widget())
    reference = {
        "apiVersion": "example.com/v1",
        "kind": "Widget",
        "name": "one",
        "uid": owner["metadata"]["uid"],
    }
    maps = "/api/v1/namespaces/other/configmaps"
    await served.create(maps, {"metadata": {"name": "owned", "ownerReferences": [reference]}})
    await served.client("DELETE", f"{inside}/one")

    async def collected():
        return (await served.client.get(f"{maps}/owned")).status == 404

    await until(collected)
    await served.create(inside, widget("two"))
    await served.client("DELETE", "/api/v1/namespaces/other")

    async def gone():
        return (await served.client.get("/api/v1/namespaces/other")).status == 404

    await until(gone)
    assert (await served.client.get("/apis/example.com/v1/widgets")).json["items"] == []


async def test_an_owned_custom_object_goes_with_its_owner(served):
    made = await served.create("/api/v1/namespaces/default/configmaps", {"metadata": {"name": "o"}})
    body = widget()
    body["metadata"]["ownerReferences"] = [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": made["metadata"]["uid"]}
    ]
    await served.create(WIDGETS, body)
    await served.client("DELETE", "/api/v1/namespaces/default/configmaps/o")

    async def gone():
        return (await served.client.get(f"{WIDGETS}/one")).status == 404

    await until(gone)


async def test_after_a_restart_the_kind_is_there(served):
    again = LiveCatalog(served.store)
    row = again.current.by_path("example.com", "v1", "widgets")
    assert row is not None
    assert again.current.by_kind("example.com/v1", "Widget") is row
    again.close()


async def test_documents_of_built_in_groups_are_made_once(served):
    before = (await served.client.get("/openapi/v3")).json["paths"]["apis/apps/v1"]
    old_catalog = served.registry.catalog.current
    assert document_of("apps", "v1", served.registry.catalog.current) is document_of("apps", "v1")
    other = definition(version(), plural="gears", kind="Gear", group="b.example.com", shortNames=[])
    await established(served, other)
    paths = (await served.client.get("/openapi/v3")).json["paths"]
    assert paths["apis/apps/v1"] == before
    widgets = document_of("example.com", "v1", served.registry.catalog.current)
    assert document_of("example.com", "v1", old_catalog) is widgets
    assert {"apis/example.com/v1", "apis/b.example.com/v1"} <= set(paths)


async def test_a_built_in_kind_keeps_its_place(world):
    async with serving(world):
        taken = definition(
            version(), plural="deployments", kind="Deployment", group="apps", shortNames=[]
        )
        taken["spec"]["group"] = "apps"
        reply = await world.client("POST", CRDS, taken)
        assert reply.status == 422  # a group without a dot
        taken = definition(
            version(), plural="ingresses", kind="Thing", group="networking.k8s.io", shortNames=[]
        )
        taken["metadata"]["annotations"] = {"api-approved.kubernetes.io": "unapproved, a test"}
        await world.create(CRDS, taken)

        async def refused():
            live = (await world.client.get(f"{CRDS}/ingresses.networking.k8s.io")).json
            return [c["reason"] for c in live["status"]["conditions"]]

        assert await until(refused) == ["PluralConflict", "NotAccepted"]


async def test_names_are_generated_and_doubles_refused(served):
    body = widget()
    body["metadata"] = {"generateName": "made-"}
    made = await served.create(WIDGETS, body)
    assert made["metadata"]["name"].startswith("made-")
    await served.create(WIDGETS, widget())
    again = await served.client("POST", WIDGETS, widget())
    assert again.json["message"] == 'widgets.example.com "one" already exists'
    absent = await served.client.get(f"{WIDGETS}/absent")
    assert absent.json["message"] == 'widgets.example.com "absent" not found'
    gone = await served.client("DELETE", f"{WIDGETS}/one")
    assert gone.json["status"] == "Success"
    assert gone.json["details"]["kind"] == "widgets"


async def test_dry_runs_leave_nothing(served):
    reply = await served.client("POST", f"{WIDGETS}?dryRun=All", widget())
    assert (reply.status, reply.json["spec"]["color"]) == (201, "red")
    assert (await served.client.get(f"{WIDGETS}/one")).status == 404
    wrong = await served.client("POST", f"{WIDGETS}?dryRun=All", widget(size=0))
    assert wrong.status == 422


async def test_metadata_is_checked_as_everywhere(served):
    body = widget()
    body["metadata"] |= {"labels": {"a": 5}}
    reply = await served.client("POST", WIDGETS, body)
    assert reply.status == 400
    assert (
        "cannot unmarshal number into Go struct field ObjectMeta.metadata.labels"
        in (reply.json["message"])
    )
    body["metadata"]["labels"] = {"a": "b"}
    body["metadata"]["odd"] = 1
    made = await served.client("POST", WIDGETS, body)
    assert made.all("warning") == ['299 - "unknown field \\"metadata.odd\\""']
    assert "odd" not in made.json["metadata"]


async def test_the_documentation_pages_know_the_kind(served):
    page = (await served.client.get("/docs")).body
    assert b"/apis/example.com/v1/namespaces/{namespace}/widgets" in page
    about = await served.client.get("/docs/definitions/com.example.v1.Widget")
    assert about.status == 200
    assert b"spec" in about.body


async def test_defaults_that_came_later_show_in_objects_that_were_there(world):
    async with serving(world):
        made = await established(world, definition(version(schema=OLD_SCHEMA)))
        await world.create(WIDGETS, widget("old"))
        spec = made["spec"]
        shape = spec["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
        shape["shape"] = {"type": "string", "default": "round"}
        await merge(world, f"{CRDS}/widgets.example.com", {"spec": spec})
        await world.create(WIDGETS, widget("young", shape="flat"))
        listed = (await world.client.get(WIDGETS)).json["items"]
        assert [item["spec"]["shape"] for item in listed] == ["round", "flat"]
        assert (await world.client.get(f"{WIDGETS}/old")).json["spec"]["shape"] == "round"
        stored = {
            item.key.name: item.doc["spec"] for item in world.store.list("widgets.example.com")
        }
        assert stored["old"] == {"size": 3}
        touched = await merge(world, f"{WIDGETS}/old", {"metadata": {"labels": {"a": "b"}}})
        assert touched.json["spec"]["shape"] == "round"


async def test_an_enum_may_allow_null(world):
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string", "nullable": True, "enum": ["x", None]}},
    }
    made = await world.create(CRDS, definition(version(schema=schema)))
    shape = made["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert shape["properties"]["a"]["enum"] == ["x", None]


async def test_server_side_apply_owns_what_was_applied_and_not_the_defaults(served):
    async def apply(manager, force="", **spec):
        body = {**widget(), "spec": spec}
        return await served.client(
            "PATCH", f"{WIDGETS}/one?fieldManager={manager}{force}", body,
            content_type="application/apply-patch+yaml",
        )  # fmt: skip

    made = await apply("a", size=3, tags=["x"])
    assert made.status == 201, made.body
    assert made.json["spec"] == {"size": 3, "tags": ["x"], "color": "red", "replicas": 1}
    (entry,) = made.json["metadata"]["managedFields"]
    assert entry["fieldsV1"] == {"f:spec": {"f:size": {}, "f:tags": {'v:"x"': {}}}}
    other = await apply("b", color="blue", tags=["y"], size=3)
    assert other.status == 200, other.body
    assert set(other.json["spec"]["tags"]) == {"x", "y"}  # items belong to who applied them
    assert other.json["spec"]["color"] == "blue"
    conflict = await apply("c", size=4)
    assert conflict.status == 409
    assert (await apply("c", "&force=true", size=4)).json["spec"]["size"] == 4
    wrong = await apply("a", size=99)
    assert wrong.status in {409, 422}


async def test_kinds_without_namespace(world):
    document = definition(version(**FULL))
    document["spec"]["scope"] = "Cluster"
    async with serving(world):
        await established(world, document)
        made = await world.create("/apis/example.com/v1/widgets", widget())
        assert "namespace" not in made["metadata"]
        assert (await world.client.get(WIDGETS)).status == 404
        shown = await merge(
            world, "/apis/example.com/v1/widgets/one/status", {"status": {"phase": "Ready"}}
        )
        assert shown.json["status"]["phase"] == "Ready"
        await world.client("DELETE", f"{CRDS}/widgets.example.com")

        async def gone():
            return (await world.client.get("/apis/example.com/v1")).status == 404

        await until(gone)


async def test_versions_of_one_schema_differ_in_their_apiversion_only(world):
    async with serving(world):
        await established(world, definition(version("v1beta1", storage=False), version()))
        await world.create(WIDGETS, widget())
        new = (await world.client.get(f"{WIDGETS}/one")).json
        old = (await world.client.get(f"{OLD_WIDGETS}/one")).json
        assert old == {**new, "apiVersion": "example.com/v1beta1"} | {"metadata": old["metadata"]}
        assert (await world.client.get(OLD_WIDGETS)).json["items"] == [old]
        patched = await merge(world, f"{OLD_WIDGETS}/one", {"spec": {"size": 4}})
        assert patched.json["apiVersion"] == "example.com/v1beta1"
        (item,) = world.store.list("widgets.example.com")
        assert (item.doc["apiVersion"], item.doc["spec"]["size"]) == ("example.com/v1", 4)
