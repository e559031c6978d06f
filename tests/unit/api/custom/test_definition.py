"""Definitions and their schemas: what is wrong with them, and what follows from right ones."""

from copy import deepcopy

import pytest

from orchestrator.api.catalog import STATIC
from orchestrator.api.custom.definition import (
    default_definition,
    definition_warnings,
    validate_definition,
    validate_definition_update,
)
from orchestrator.api.custom.patterns import compiled, matches
from orchestrator.api.custom.rows import rows_of, version_order
from orchestrator.api.custom.structural import check_structural
from orchestrator.api.schema import strict
from orchestrator.api.validation.collector import Faults
from tests.unit.apiserver.custom import FULL, SCHEMA, definition, version

CRDS = STATIC.by_resource("customresourcedefinitions.apiextensions.k8s.io")


def faults_of(document):
    faults = Faults()
    default_definition(document)
    validate_definition(faults, document)
    return {cause.field: cause.message for cause in faults.causes}


def schema_faults(**spec):
    faults = Faults()
    check_structural(faults, {"type": "object", "properties": {"a": spec}}, "s")
    return {cause.field.removeprefix("s.properties[a]"): cause.message for cause in faults.causes}


def test_a_right_definition_is_fine_and_of_known_types():
    document = definition()
    assert not strict.check(CRDS, document)
    assert faults_of(document) == {}
    assert document["spec"]["names"]["listKind"] == "WidgetList"
    before = deepcopy(document)
    default_definition(document)
    assert document == before


def changed(**spec):
    document = definition()
    document["spec"].update(spec)
    return document


DEFINITIONS = {
    "no dot in the group": (
        definition(group="example"), "spec.group", "should be a domain with at least one dot",
    ),
    "scope": (changed(scope="Galaxy"), "spec.scope",
              'Unsupported value: "Galaxy": supported values: "Cluster", "Namespaced"'),
    "kind is the list's": (
        definition(kind="A", listKind="A"), "spec.names.listKind",
        "kind and listKind may not be the same",
    ),
    "plural": (definition(plural="Wi"), "spec.names.plural", "a DNS-1035 label must consist of"),
    "no stored version": (
        definition(version(storage=False)), "spec.versions",
        "must have exactly one version marked as storage version",
    ),
    "two stored versions": (
        definition(version(), version("v2")), "spec.versions",
        "must have exactly one version marked as storage version",
    ),
    "the same version twice": (
        definition(version(), version(storage=False)), "spec.versions",
        "must contain unique version names",
    ),
    "no schema": (
        definition({"name": "v1", "served": True, "storage": True}),
        "spec.versions[0].schema.openAPIV3Schema", "Required value: schemas are required",
    ),
    "preserving everything": (
        changed(preserveUnknownFields=True), "spec.preserveUnknownFields",
        "cannot set to true, set x-kubernetes-preserve-unknown-fields to true",
    ),
    "protected group": (
        definition(group="things.k8s.io"), "metadata.annotations[api-approved.kubernetes.io]",
        "protected groups must have approval annotation",
    ),
    "webhook": (
        changed(conversion={"strategy": "Webhook"}), "spec.conversion.strategy",
        "conversion webhooks are not supported",
    ),
    "column type": (
        definition(version(additionalPrinterColumns=[
            {"name": "A", "type": "text", "jsonPath": ".a"}
        ])),
        "spec.versions[0].additionalPrinterColumns[0].type",
        "must be one of boolean,date,integer,number,string",
    ),
    "column path": (
        definition(version(additionalPrinterColumns=[
            {"name": "A", "type": "string", "jsonPath": "a"}
        ])),
        "spec.versions[0].additionalPrinterColumns[0].jsonPath",
        "must be a simple json path starting with .",
    ),
    "scale path": (
        definition(version(subresources={"scale": {
            "specReplicasPath": ".status.n", "statusReplicasPath": ".status.n",
        }})),
        "spec.versions[0].subresources.scale.specReplicasPath",
        "should be a json path under .spec",
    ),
    "selectable object": (
        definition(version(selectableFields=[{"jsonPath": ".spec"}])),
        "spec.versions[0].selectableFields[0].jsonPath",
        "must point to a field of type boolean, integer or string, not object",
    ),
    "selectable nothing": (
        definition(version(selectableFields=[{"jsonPath": ".spec.nothing"}])),
        "spec.versions[0].selectableFields[0].jsonPath",
        "is an invalid path: does not refer to a valid field",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("document", "field", "message"), DEFINITIONS.values(), ids=DEFINITIONS)
def test_wrong_definitions(document, field, message):
    found = faults_of(deepcopy(document))
    assert field in found, found
    assert message in found[field]


SCHEMAS = {
    "no type": ({}, ".type", "Required value: must not be empty for specified object fields"),
    "odd type": ({"type": "text"}, ".type", 'Unsupported value: "text"'),
    "no items": ({"type": "array"}, ".items", "Required value: must be specified"),
    "no type of items": (
        {"type": "array", "items": {}}, ".items.type",
        "Required value: must not be empty for specified array items",
    ),
    "list of items": (
        {"type": "array", "items": [{"type": "string"}]}, ".items",
        "items must be a schema object and not an array",
    ),
    "fields and others": (
        {"type": "object", "properties": {"b": {"type": "string"}},
         "additionalProperties": {"type": "string"}},
        ".additionalProperties", "additionalProperties and properties are mutual exclusive",
    ),
    "no others": (
        {"type": "object", "additionalProperties": False}, ".additionalProperties",
        "additionalProperties cannot be set to false",
    ),
    "unique items": (
        {"type": "array", "items": {"type": "string"}, "uniqueItems": True}, ".uniqueItems",
        "uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
    ),
    "reference": ({"type": "object", "$ref": "#/x"}, ".$ref", "$ref is not supported"),
    "pattern": ({"type": "string", "pattern": "("}, ".pattern",
                "must be a valid regular expression, but isn't"),
    "list map without keys": (
        {"type": "array", "items": {"type": "object"}, "x-kubernetes-list-type": "map"},
        ".x-kubernetes-list-map-keys", "must not be empty if x-kubernetes-list-type is map",
    ),
    "key that may be absent": (
        {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["n"],
         "items": {"type": "object", "properties": {"n": {"type": "string"}}}},
        ".items.properties[n].default",
        "must have a default or be a required property",
    ),
    "list type of an object": (
        {"type": "object", "x-kubernetes-list-type": "set"}, ".type",
        "must be array if x-kubernetes-list-type is set",
    ),
    "type in an alternative": (
        {"type": "object", "anyOf": [{"type": "object"}]}, ".anyOf[0].type",
        "Forbidden: must be empty to be structural",
    ),
    "field of an alternative only": (
        {"type": "object", "anyOf": [{"properties": {"b": {"minimum": 1}}}]}, ".properties[b]",
        "because it is defined in s.properties[a].anyOf[0].properties[b]",
    ),
    "int or string with a type": (
        {"type": "string", "x-kubernetes-int-or-string": True}, ".type",
        "must be empty if x-kubernetes-int-or-string is true",
    ),
    "embedded without fields": (
        {"type": "object", "x-kubernetes-embedded-resource": True}, ".properties",
        "must not be empty if x-kubernetes-embedded-resource is true",
    ),
    "wrong default": ({"type": "integer", "default": "x"}, ".default", "must be of type integer"),
    "unknown field in a default": (
        {"type": "object", "properties": {}, "default": {"x": 1}}, ".default",
        "must not have unknown fields",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("schema", "field", "message"), SCHEMAS.values(), ids=SCHEMAS)
def test_schemas_that_are_not_structural(schema, field, message):
    found = schema_faults(**schema)
    assert field in found, found
    assert message in found[field]


STRUCTURAL = {
    "int or string, spelt out": {
        "x-kubernetes-int-or-string": True,
        "anyOf": [{"type": "integer"}, {"type": "string"}],
    },
    "int or string with more": {
        "x-kubernetes-int-or-string": True,
        "allOf": [{"anyOf": [{"type": "integer"}, {"type": "string"}]}, {"pattern": "x"}],
    },
    "anything": {"x-kubernetes-preserve-unknown-fields": True},
    "alternatives that restrict": {
        "type": "object",
        "properties": {"b": {"type": "string"}},
        "oneOf": [{"required": ["b"]}, {"properties": {"b": {"pattern": "x"}}}],
        "not": {"required": ["c"]},
    },
    "default that gets defaults": {
        "type": "object",
        "required": ["b"],
        "properties": {"b": {"type": "integer", "default": 1}},
        "default": {},
    },
}


@pytest.mark.parametrize("schema", STRUCTURAL.values(), ids=STRUCTURAL)
def test_structural_schemas(schema):
    assert schema_faults(**schema) == {}


def test_metadata_may_only_speak_of_names():
    schema = {"type": "object", "properties": {"metadata": {"type": "object"}}}
    faults = Faults()
    check_structural(faults, schema, "s")
    assert faults.causes == []
    schema["properties"]["metadata"]["properties"] = {"labels": {"type": "object"}}
    check_structural(faults, schema, "s")
    assert "must not specify anything other than name and generateName" in faults.causes[0].message


def test_the_root_is_an_object():
    faults = Faults()
    check_structural(faults, {}, "s")
    check_structural(faults, {"type": "string", "nullable": True}, "s")
    assert [cause.message for cause in faults.causes] == [
        "Required value: must not be empty at the root",
        'Invalid value: "string": must be object at the root',
        "Forbidden: nullable cannot be true at the root",
    ]


def established(*versions):
    document = definition(*versions)
    default_definition(document)
    document["status"]["conditions"] = [{"type": "Established", "status": "True"}]
    document["status"]["acceptedNames"] = document["spec"]["names"]
    return document


def test_what_stays_when_a_definition_changes():
    old, new = established(), established()
    new["spec"]["scope"] = "Cluster"
    new["spec"]["names"] = new["spec"]["names"] | {"kind": "Other"}
    new["spec"]["versions"] = [version("v2")]
    faults = Faults()
    validate_definition_update(faults, new, old)
    found = {cause.field: cause.message for cause in faults.causes}
    assert found["spec.scope"] == 'Invalid value: "Cluster": field is immutable'
    assert found["spec.names.kind"] == 'Invalid value: "Other": field is immutable'
    assert "v1 was previously a storage version" in found["status.storedVersions[0]"]


def test_rows_of_a_definition():
    hidden = version("v1alpha1", storage=False, served=False)
    document = established(version("v1beta1", storage=False), hidden, version("v2", **FULL))
    served, unserved = rows_of(document)
    assert [row.version for row in served] == ["v2", "v1beta1"]
    assert unserved == []
    stored, other = served
    assert (stored.stored_as, other.stored_as) == ("", "widgets.example.com")
    assert stored.resource == other.resource == "widgets.example.com"
    assert [sub.name for sub in stored.subresources] == ["scale", "status"]
    assert other.subresources == ()
    assert stored.custom is not None
    assert stored.custom.selectable == {"spec.color": ("spec", "color")}
    assert stored.custom.node.child("spec").child("tags").list_type == "set"
    assert stored.custom.node.child("metadata").child("labels") is not None
    document["status"]["conditions"] = []
    assert rows_of(document) == ([], [])


def test_a_stored_version_that_is_not_served_is_hidden():
    document = established(version("v1", served=False), version("v2", storage=False))
    served, hidden = rows_of(document)
    assert [row.version for row in served] == ["v2"]
    assert [row.version for row in hidden] == ["v1"]


def test_versions_are_sorted_by_maturity():
    names = ["foo10", "v1", "v2", "v11beta2", "v10beta3", "v3beta1", "v12alpha1", "v11alpha2",
             "foo1", "v10"]  # fmt: skip
    assert sorted(names, key=version_order) == [
        "v10", "v2", "v1", "v11beta2", "v10beta3", "v3beta1", "v12alpha1", "v11alpha2", "foo1",
        "foo10",
    ]  # fmt: skip


def test_warnings_name_what_is_not_acted_on():
    schema = deepcopy(SCHEMA)
    schema["properties"]["spec"]["properties"]["note"]["format"] = "telepathy"
    schema["properties"]["spec"]["x-kubernetes-validations"] = [
        {"rule": "url(self.x).getHost() == ''"}
    ]
    found = definition_warnings(definition(version(schema=schema)))
    assert len(found) == 2
    assert any('unrecognized format "telepathy"' in text for text in found)
    assert definition_warnings(definition()) == []


PATTERNS = {
    r"^a$": ("a", "a\n"),
    r"^a\z": ("a", "a\n"),
    r"^[]a]$": ("]", "b"),
    r"^[^]a]$": ("b", "]"),
    r"^[[:digit:]x]+$": ("1x", "y"),
    r"^\d$": ("5", "\u0665"),
    r"^[$]$": ("$", "a"),
    r"^\$$": ("$", "a"),
    r"^\pL+$": ("\u00e4b", "1"),
    r"^(?i)a\Q.\E$": ("A.", "Ab"),
}


@pytest.mark.parametrize(("pattern", "texts"), PATTERNS.items())
def test_patterns_mean_what_they_mean_in_go(pattern, texts):
    fits, fails = texts
    assert compiled(pattern).search(fits)
    assert not compiled(pattern).search(fails)


def test_a_pattern_cannot_keep_the_server_busy():
    assert not matches("^(a+)+$", "a" * 10_000 + "b")
