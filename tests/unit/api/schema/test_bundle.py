"""The generated data: what it must hold, and that its two halves agree."""

import pytest

from orchestrator.api.resources import CONNECT_VERBS, RESOURCES
from orchestrator.api.schema.bundle import (
    definitions,
    name_of,
    name_of_kind,
    reference_of,
    wire_messages,
)


def every_schema(schema):
    yield schema
    for part in (*schema.get("properties", {}).values(), *schema.get("allOf", ())):
        yield from every_schema(part)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from every_schema(schema[key])


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda r: r.resource)
def test_every_served_kind_and_body_is_there(resource):
    assert name_of(resource) in definitions()
    for sub in resource.subresources:
        if sub.verbs == CONNECT_VERBS or sub.name == "proxy":
            continue  # their options are in the query, and Kubernetes publishes no schema for them
        group, version = sub.group or resource.group, sub.version or resource.version
        assert name_of_kind(f"{group}/{version}" if group else version, sub.kind)
    if "list" in resource.verbs:
        assert name_of_kind(resource.api_version, resource.list_kind)


def test_every_reference_is_in_the_bundle():
    everything = definitions()
    for name, schema in everything.items():
        for part in every_schema(schema):
            reference = reference_of(part)
            assert reference is None or reference in everything, name


def test_fields_of_definitions_and_go_structs_are_the_same():
    messages = wire_messages()

    def names(definition):
        found = set()
        for row in messages[definition]:
            found |= names(row.reference) if row.base == "inline" else {row.json_name}
        return found

    checked = 0
    for name, schema in definitions().items():
        if "properties" in schema and not any(
            part in name for part in ("apiextensions", ".metrics.", ".orch.")
        ):
            assert names(name) == set(schema["properties"]), name
            checked += 1
    assert checked > 250


def test_field_numbers_are_unique_in_a_message():
    for name, rows in wire_messages().items():
        numbers = [row.number for row in rows if row.number]
        assert len(numbers) == len(set(numbers)), name


def test_meta_kinds_are_found_under_served_groups_only():
    options = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions"
    assert name_of_kind("v1", "DeleteOptions") == options
    assert name_of_kind("apps/v1", "DeleteOptions") == options
    assert name_of_kind("node.k8s.io/v1", "DeleteOptions") is None
