"""OpenAPI v2 ("swagger"): one document of everything, as JSON and as gnostic's protobuf.

kubectl up to 1.28 cannot create or apply without the protobuf form, of which it reads the
definitions; newer ones never ask. Source: OpenAPI Specification 2.0; gnostic's openapiv2 messages.
"""

from typing import Any, Final

from orchestrator.api.catalog import STATIC, Catalog
from orchestrator.api.custom.published import in_v2
from orchestrator.api.schema.bundle import REF_PREFIX, Definition, definitions
from orchestrator.api.schema.documents import ReadyDocument, json_document
from orchestrator.api.schema.gnostic import encode_document
from orchestrator.api.schema.openapi_v3 import INFO, custom_definitions
from orchestrator.api.schema.operations import PathItem, path_items

PROTOBUF_TYPE: Final = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
"""Content-Type of the protobuf form. What clients put into Accept ("...spec.v2@v1.0+protobuf") is
no valid media type and must not be echoed."""

_METHODS: Final = frozenset({"get", "put", "post", "patch", "delete"})
_JSON_TYPES: Final = ["application/json", "application/yaml"]


def wants_protobuf(accept: str) -> bool:
    """Whether an Accept header asks for the protobuf form before JSON."""
    media = [clause.split(";")[0].strip() for clause in accept.split(",")]
    wanted = [each for each in media if "proto-openapi.spec.v2" in each or each.endswith("/json")]
    return bool(wanted) and "proto-openapi" in wanted[0]


def json_form(catalog: Catalog = STATIC) -> ReadyDocument:
    """`GET /openapi/v2` as JSON."""
    return catalog.once("openapi v2 json", lambda: json_document(_swagger(catalog)))


def protobuf_form(catalog: Catalog = STATIC) -> ReadyDocument:
    """`GET /openapi/v2` as gnostic's protobuf: info and definitions, without paths."""

    def make() -> ReadyDocument:
        swagger = _swagger(catalog)
        body = encode_document(swagger["info"], swagger["definitions"])
        return ReadyDocument(body, PROTOBUF_TYPE)

    return catalog.once("openapi v2 protobuf", make)


def _swagger(catalog: Catalog) -> dict[str, Any]:
    return catalog.once("openapi v2", lambda: _make_swagger(catalog))


def _make_swagger(catalog: Catalog) -> dict[str, Any]:
    paths = {
        path: _path_item(item)
        for resource in catalog.rows
        for path, item in path_items(resource).items()
    }
    custom = custom_definitions(catalog.rows)
    known = {**definitions(), **{name: in_v2(schema) for name, schema in custom.items()}}
    return {
        "swagger": "2.0",
        "info": INFO,
        "paths": dict(sorted(paths.items())),
        "definitions": {name: to_v2(schema) for name, schema in sorted(known.items())},
        "securityDefinitions": {
            "BearerToken": {
                "type": "apiKey",
                "description": "Bearer Token authentication",
                "name": "authorization",
                "in": "header",
            }
        },
        "security": [{"BearerToken": []}],
    }


def to_v2(schema: Definition) -> Definition:
    """A schema of v3 in the words of v2; by meaning, since a property may be called "$ref"."""
    out: Definition = {}
    for key, value in schema.items():
        match key:
            case "$ref":
                out[key] = "#/definitions/" + value.removeprefix(REF_PREFIX)
            case "allOf":
                out |= to_v2(value[0])
            case "oneOf":  # quantities and int-or-string: v2 has no word for "either"
                out["type"] = "string"
            case "properties":
                out[key] = {name: to_v2(part) for name, part in value.items()}
            case "items" | "additionalProperties" if isinstance(value, dict):
                out[key] = to_v2(value)
            case _:
                out[key] = value
    return out


def _path_item(item: PathItem) -> PathItem:
    return {
        key: _operation(value) if key in _METHODS else [_parameter(p) for p in value]
        for key, value in item.items()
    }


def _operation(operation: dict[str, Any]) -> dict[str, Any]:
    body = operation.get("requestBody")
    parameters = [_parameter(p) for p in operation.get("parameters", ())]
    consumes = ["*/*"]
    if body:
        consumes = list(body["content"])
        schema = to_v2(body["content"][consumes[0]]["schema"])
        required = {"required": True} if body.get("required") else {}
        parameters.append({"name": "body", "in": "body", **required, "schema": schema})
    produces = _JSON_TYPES
    responses: dict[str, Any] = {}
    for code, response in operation["responses"].items():
        content = response.get("content", {})
        said = {"description": response["description"]}
        if content:
            produces = list(content)
            said["schema"] = to_v2(content[produces[0]]["schema"])
        responses[code] = said
    head = {
        k: v for k, v in operation.items() if k not in {"parameters", "requestBody", "responses"}
    }
    return {
        **head,
        "schemes": ["https"],
        "consumes": consumes,
        "produces": produces,
        "parameters": parameters,
        "responses": responses,
    }


def _parameter(parameter: dict[str, Any]) -> dict[str, Any]:
    plain = {key: value for key, value in parameter.items() if key != "schema"}
    return {**plain, **parameter["schema"]}
