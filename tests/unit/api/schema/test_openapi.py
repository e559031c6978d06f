"""OpenAPI documents: what kubectl looks for, complete references, the same hashes every time."""

import json

import pytest

from orchestrator.api.catalog import Catalog
from orchestrator.api.resources import RESOURCES
from orchestrator.api.schema import discovery, openapi_v2, openapi_v3
from orchestrator.api.schema.bundle import definitions, name_of
from orchestrator.api.schema.gnostic import encode_schema

PATHS = [openapi_v3.path_of(*each) for each in discovery.group_versions()]
METHODS = ("get", "put", "post", "patch", "delete")


def v3(path):
    document = openapi_v3.document(path)
    assert document is not None
    return json.loads(document.body)


def references(value):
    """Every "$ref" whose value is a text: good enough where no property has that name."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "$ref" and isinstance(inner, str):
                yield inner
            else:
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def operations(document):
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


@pytest.mark.parametrize("path", PATHS)
def test_the_index_leads_to_the_document_under_its_hash(path):
    index = json.loads(openapi_v3.index().body)
    document = openapi_v3.document(path)
    assert document is not None
    assert index["paths"][path] == {
        "serverRelativeURL": f"/openapi/v3/{path}?hash={document.digest}"
    }
    assert set(index["paths"]) == set(PATHS)


def test_documents_that_nobody_serves_are_told_apart():
    assert openapi_v3.document("apis/example.com/v1") is None
    assert openapi_v3.document("") is None


@pytest.mark.parametrize("path", PATHS)
def test_every_reference_has_its_schema(path):
    document = v3(path)
    schemas = document["components"]["schemas"]
    found = set(references(document))
    assert found
    assert {each.removeprefix("#/components/schemas/") for each in found} <= set(schemas)


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda r: r.resource)
def test_every_verb_of_discovery_is_an_operation(resource):
    document = v3(openapi_v3.path_of(resource.group, resource.version))
    wanted = {"update": "put", "create": "post", "get": "get", "patch": "patch", "delete": "delete"}
    single = [
        method
        for path, method, _ in operations(document)
        if path.endswith(f"/{resource.plural}/{{name}}")
    ]
    simple = {wanted[verb] for verb in resource.verbs if verb in wanted} - {"post"}
    assert set(single) == simple
    collection = {
        method for path, method, _ in operations(document) if path.endswith(f"/{resource.plural}")
    }
    assert ("get" in collection) == ("list" in resource.verbs)
    assert ("post" in collection) == ("create" in resource.verbs)
    assert ("delete" in collection) == ("deletecollection" in resource.verbs)
    for sub in resource.subresources:
        assert any(path.endswith(f"/{{name}}/{sub.name}") for path in document["paths"])


@pytest.mark.parametrize("path", PATHS)
def test_patches_list_their_types_and_field_validation(path):
    for where, method, operation in operations(v3(path)):
        if method != "patch" or where.endswith("/proxy"):
            continue
        assert sorted(operation["requestBody"]["content"]) == [
            "application/apply-patch+yaml",
            "application/json-patch+json",
            "application/merge-patch+json",
            "application/strategic-merge-patch+json",
        ], where
        assert "fieldValidation" in {p["name"] for p in operation["parameters"]}, where


@pytest.mark.parametrize("path", PATHS)
def test_operations_have_unique_ids_and_a_kind(path):
    ids = [operation["operationId"] for _, _, operation in operations(v3(path))]
    assert len(ids) == len(set(ids))
    for where, _, operation in operations(v3(path)):
        kind = operation["x-kubernetes-group-version-kind"]
        assert set(kind) == {"group", "version", "kind"}, where


def test_paths_and_ids_are_those_of_kubernetes():
    apps = v3("apis/apps/v1")
    root = "/apis/apps/v1/namespaces/{namespace}/deployments"
    ids = {(path, method): operation["operationId"] for path, method, operation in operations(apps)}
    assert ids[root, "get"] == "listAppsV1NamespacedDeployment"
    assert ids[root, "delete"] == "deleteAppsV1CollectionNamespacedDeployment"
    assert ids["/apis/apps/v1/deployments", "get"] == "listAppsV1DeploymentForAllNamespaces"
    assert ids[f"{root}/{{name}}/scale", "patch"] == "patchAppsV1NamespacedDeploymentScale"
    core = {path: item for path, item in v3("api/v1")["paths"].items() if "nodes" in path}
    assert sorted(core) == [
        "/api/v1/nodes", "/api/v1/nodes/{name}", "/api/v1/nodes/{name}/proxy",
            "/api/v1/nodes/{name}/status",
    ]  # fmt: skip
    assert core["/api/v1/nodes"]["get"]["operationId"] == "listCoreV1Node"
    log = v3("api/v1")["paths"]["/api/v1/namespaces/{namespace}/pods/{name}/log"]
    assert list(log["get"]["responses"]["200"]["content"]) == ["text/plain"]


@pytest.mark.parametrize("path", PATHS)
def test_parameters_in_the_path_are_declared(path):
    for where, item in v3(path)["paths"].items():
        declared = {p["name"] for p in item["parameters"] if p["in"] == "path"}
        assert declared == {part.strip("{}") for part in where.split("/") if part.startswith("{")}


def test_references_with_siblings_are_wrapped():
    spec = v3("apis/apps/v1")["components"]["schemas"]["io.k8s.api.apps.v1.Deployment"]
    assert spec["properties"]["spec"]["allOf"] == [
        {"$ref": "#/components/schemas/io.k8s.api.apps.v1.DeploymentSpec"}
    ]
    assert spec["x-kubernetes-group-version-kind"] == [
        {"group": "apps", "kind": "Deployment", "version": "v1"}
    ]


def test_patch_metadata_is_published():
    schemas = v3("api/v1")["components"]["schemas"]
    containers = schemas["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"]
    assert containers["x-kubernetes-patch-merge-key"] == "name"
    assert containers["x-kubernetes-patch-strategy"] == "merge"


def test_documents_do_not_depend_on_when_they_are_made():
    before = openapi_v3.document("apis/apps/v1")
    again = openapi_v3.document("apis/apps/v1", Catalog(RESOURCES))
    assert before is not again
    assert before == again


# ---- version 2


def test_v2_speaks_of_definitions_only():
    document = json.loads(openapi_v2.json_form().body)
    found = set(references(document))
    assert {each.removeprefix("#/definitions/") for each in found} <= set(document["definitions"])
    of_schemas = next(name for name in document["definitions"] if name.endswith("JSONSchemaProps"))
    assert {"$ref", "allOf", "oneOf"} <= set(document["definitions"][of_schemas]["properties"])
    rest = {k: v for k, v in document["definitions"].items() if k != of_schemas}
    text = json.dumps({**document, "definitions": rest}).encode()
    assert b"allOf" not in text
    assert b"oneOf" not in text
    assert b"requestBody" not in text
    assert len(document["definitions"]) == len(definitions())
    patch = document["paths"]["/api/v1/nodes/{name}"]["patch"]
    assert patch["consumes"] == [
        "application/json-patch+json",
        "application/merge-patch+json",
        "application/strategic-merge-patch+json",
        "application/apply-patch+yaml",
    ]
    assert {"name": "body", "in": "body", "required": True,
            "schema": {"$ref": "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.Patch"},
            } in patch["parameters"]  # fmt: skip


def test_a_property_called_ref_survives():
    schema = {
        "type": "object",
        "properties": {
            "$ref": {"type": "string"},
            "allOf": {"type": "array", "items": {"$ref": "#/components/schemas/a.B"}},
        },
    }
    assert openapi_v2.to_v2(schema) == {
        "type": "object",
        "properties": {
            "$ref": {"type": "string"},
            "allOf": {"type": "array", "items": {"$ref": "#/definitions/a.B"}},
        },
    }


ACCEPT = [
    ("application/com.github.proto-openapi.spec.v2@v1.0+protobuf", True),
    ("application/com.github.proto-openapi.spec.v2.v1.0+protobuf, application/json", True),
    ("application/json, application/com.github.proto-openapi.spec.v2@v1.0+protobuf", False),
    ("application/json", False),
    ("*/*", False),
    ("", False),
]


@pytest.mark.parametrize(("accept", "wanted"), ACCEPT)
def test_protobuf_is_given_to_those_who_ask(accept, wanted):
    assert openapi_v2.wants_protobuf(accept) is wanted


def fields(data):
    """(number, content) of a message that has length-delimited fields only."""
    position = 0

    def varint():
        nonlocal position
        value = shift = 0
        while True:
            byte = data[position]
            position += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while position < len(data):
        tag, length = varint(), varint()
        assert tag & 7 == 2
        yield tag >> 3, data[position : position + length]
        position += length
    assert position == len(data)


def read_schema(data):
    out = {}
    for number, content in fields(data):
        match number:
            case 1 | 2 | 4:
                out[{1: "$ref", 2: "format", 4: "description"}[number]] = content.decode()
            case 19:
                out.setdefault("required", []).append(content.decode())
            case 21 | 23:
                key = "additionalProperties" if number == 21 else "items"
                out[key] = read_schema(dict(fields(content))[1])
            case 22:
                out["type"] = dict(fields(content))[1].decode()
            case 25:
                entries = [dict(fields(entry)) for _, entry in fields(content)]
                out["properties"] = {e[1].decode(): read_schema(e[2]) for e in entries}
            case 31:
                entry = dict(fields(content))
                out[entry[1].decode()] = json.loads(dict(fields(entry[2]))[2])
    return out


def test_the_protobuf_form_holds_the_same_definitions():
    ready = openapi_v2.protobuf_form()
    assert ready.content_type == "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
    document = dict(fields(ready.body))
    assert document[1] == b"2.0"
    assert [content.decode() for _, content in fields(document[2])] == ["Kubernetes", "v1.33.0"]
    entries = [dict(fields(entry)) for _, entry in fields(document[9])]
    found = {entry[1].decode(): read_schema(entry[2]) for entry in entries}
    assert found == json.loads(openapi_v2.json_form().body)["definitions"]


def test_schemas_that_cannot_be_written_are_refused():
    with pytest.raises(ValueError, match="no field for 'oneOf'"):
        encode_schema({"oneOf": []})


def test_every_kind_is_in_its_document():
    for resource in RESOURCES:
        path = openapi_v3.path_of(resource.group, resource.version)
        assert name_of(resource) in v3(path)["components"]["schemas"]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/api/v1/namespaces/{namespace}/pods/{name}", "Pod"),
        ("/api/v1/namespaces/{namespace}/services/{name}", "Service"),
        ("/api/v1/namespaces/{namespace}/configmaps/{name}", "Status"),
    ],
)
def test_what_a_delete_answers_with(path, kind):
    operation = json.loads(openapi_v3.document("api/v1").body)["paths"][path]["delete"]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    assert schema["$ref"].rpartition(".")[2] == kind
