"""Pruning, nulls and defaults of a schema."""

from copy import deepcopy

import pytest

from orchestrator.api.custom.defaulting import default
from orchestrator.api.custom.pruning import drop_nulls, prune

META = {"name": "x", "odd": 1}


def obj(**properties):
    return {"type": "object", "properties": properties}


STRING = {"type": "string"}
FREE = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
EMBEDDED = {"type": "object", "x-kubernetes-embedded-resource": True, "properties": {"b": STRING}}

CASES = {
    "known": (obj(a=STRING), {"a": "1", "b": 2}, {"a": "1"}, ["b"]),
    "of every object": (
        obj(), {"apiVersion": "v", "kind": "K", "metadata": META}, None, [],
    ),
    "not of inner objects": (
        obj(a=obj(b=STRING)), {"a": {"kind": "K", "b": "1"}}, {"a": {"b": "1"}}, ["a.kind"],
    ),
    "of embedded objects": (
        obj(a=EMBEDDED),
        {"a": {"kind": "K", "metadata": META, "b": "1", "c": 2}},
        {"a": {"kind": "K", "metadata": META, "b": "1"}},
        ["a.c"],
    ),
    "free": (obj(a=FREE), {"a": {"x": {"y": [1]}}}, None, []),
    "free but for what is specified": (
        obj(a={**FREE, "properties": {"b": obj(c=STRING)}}),
        {"a": {"b": {"c": "1", "d": 2}, "e": 3}},
        {"a": {"b": {"c": "1"}, "e": 3}},
        ["a.b.d"],
    ),
    "lists": (
        obj(a={"type": "array", "items": obj(b=STRING)}),
        {"a": [{"b": "1"}, {"c": 2}]},
        {"a": [{"b": "1"}, {}]},
        ["a[1].c"],
    ),
    "maps": (
        obj(a={"type": "object", "additionalProperties": obj(b=STRING)}),
        {"a": {"k": {"b": "1", "c": 2}}},
        {"a": {"k": {"b": "1"}}},
        ["a.k.c"],
    ),
    "another type than specified": (obj(a=obj(b=STRING)), {"a": "text"}, None, []),
}  # fmt: skip


@pytest.mark.parametrize(("schema", "document", "left", "gone"), CASES.values(), ids=CASES)
def test_what_a_schema_does_not_know_goes_and_is_named(schema, document, left, gone):
    document, before = deepcopy(document), deepcopy(document)
    assert prune(document, schema) == gone
    assert document == (before if left is None else left)
    assert prune(document, schema) == []


def test_nulls_stay_only_where_they_may():
    schema = obj(
        a=STRING,
        b={"type": "string", "nullable": True},
        c={"type": "object", "additionalProperties": STRING},
        d=FREE,
    )
    document = {"a": None, "b": None, "c": {"k": None}, "d": {"x": None}}
    drop_nulls(document, schema)
    assert document == {"b": None, "c": {}, "d": {"x": None}}


def test_defaults_are_filled_in_deeply_and_are_not_shared():
    given = {"x": {}}
    schema = obj(
        a={**obj(x=obj(y={"type": "integer", "default": 1})), "default": given},
        items={"type": "array", "items": obj(z={"type": "string", "default": "z"})},
        map={"type": "object", "additionalProperties": obj(w={"type": "string", "default": ""})},
    )  # fmt: skip
    document = {"items": [{}, {"z": "mine"}], "map": {"k": {}}}
    default(document, schema)
    assert document == {
        "a": {"x": {"y": 1}},
        "items": [{"z": "z"}, {"z": "mine"}],
        "map": {"k": {"w": ""}},
    }
    assert given == {"x": {}}
    again = deepcopy(document)
    default(again, schema)
    assert again == document


def test_metadata_of_an_object_is_not_for_the_schema_to_default():
    schema = obj(metadata=obj(name={"type": "string", "default": "x"}))
    document = {"metadata": {}}
    default(document, schema)
    assert document == {"metadata": {}}
