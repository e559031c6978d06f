"""What a schema says of a value, in the words of Kubernetes."""

import pytest

from orchestrator.api.custom.checking import check
from orchestrator.api.validation.collector import Faults


def causes(value, schema, **old):
    faults = Faults()
    check(faults, value, schema, "spec.a", **old)
    return [(cause.field, cause.message) for cause in faults.causes]


def said(value, schema):
    found = causes(value, schema)
    assert len(found) == 1, found
    assert found[0][0] == "spec.a"
    return found[0][1]


IN = "spec.a in body"
WRONG = {
    "type": (5, {"type": "string"},
             f'Invalid value: "integer": {IN} must be of type string: "integer"'),
    "null": (None, {"type": "string"},
             f'Invalid value: "null": {IN} must be of type string: "null"'),
    "fraction": (1.5, {"type": "integer"},
                 f'Invalid value: "number": {IN} must be of type integer: "number"'),
    "int or string": (True, {"x-kubernetes-int-or-string": True},
                      f'Invalid value: "boolean": {IN} must be of type integer,string: "boolean"'),
    "maximum": (6, {"type": "integer", "maximum": 5},
                f"Invalid value: 6: {IN} should be less than or equal to 5"),
    "exclusive maximum": (5, {"type": "integer", "maximum": 5, "exclusiveMaximum": True},
                          f"Invalid value: 5: {IN} should be less than 5"),
    "minimum": (0, {"type": "number", "minimum": 0.5},
                f"Invalid value: 0: {IN} should be greater than or equal to 0.5"),
    "exclusive minimum": (1, {"type": "integer", "minimum": 1, "exclusiveMinimum": True},
                          f"Invalid value: 1: {IN} should be greater than 1"),
    "multiple": (5, {"type": "integer", "multipleOf": 2},
                 f"Invalid value: 5: {IN} should be a multiple of 2"),
    "int32": (1 << 31, {"type": "integer", "format": "int32"},
              f"Invalid value: 2147483648: {IN} must be of type int32: 2147483648"),
    "too long": ("abcd", {"type": "string", "maxLength": 3},
                 "Too long: may not be more than 3 bytes"),
    "too short": ("", {"type": "string", "minLength": 1},
                  f'Invalid value: "": {IN} should be at least 1 chars long'),
    "pattern": ("b", {"type": "string", "pattern": "^a+$"},
                f"Invalid value: \"b\": {IN} should match '^a+$'"),
    "pattern at the very end": ("a\n", {"type": "string", "pattern": "^a+$"},
                                f"Invalid value: \"a\\n\": {IN} should match '^a+$'"),
    "format": ("x", {"type": "string", "format": "date-time"},
               f'Invalid value: "x": {IN} must be of type date-time: "x"'),
    "enum": ("c", {"type": "string", "enum": ["b", "a"]},
             'Unsupported value: "c": supported values: "b", "a"'),
    "too many items": ([1, 2, 3], {"type": "array", "maxItems": 2},
                       "Too many: 3: must have at most 2 items"),
    "too few items": ([], {"type": "array", "minItems": 1},
                      f"Invalid value: 0: {IN} should have at least 1 items"),
    "too many fields": ({"a": 1, "b": 2}, {"type": "object", "maxProperties": 1},
                        "Too many: 2: must have at most 1 item"),
    "too few fields": ({}, {"type": "object", "minProperties": 1},
                       f"Invalid value: 0: {IN} should have at least 1 properties"),
    "not": (1, {"type": "integer", "not": {"enum": [1]}},
            'Invalid value: "": "spec.a" must not validate the schema (not)'),
}  # fmt: skip


@pytest.mark.parametrize(("value", "schema", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said(value, schema, message):
    assert said(value, schema) == message


FINE = {
    "integer as number": (5, {"type": "number"}),
    "whole fraction as integer": (5.0, {"type": "integer"}),
    "nullable": (None, {"type": "string", "nullable": True}),
    "int or string: int": (5, {"x-kubernetes-int-or-string": True}),
    "int or string: string": ("5%", {"x-kubernetes-int-or-string": True}),
    "anything": ({"a": [None]}, {"x-kubernetes-preserve-unknown-fields": True}),
    "unanchored pattern": ("xay", {"type": "string", "pattern": "a"}),
    "posix class": ("ab", {"type": "string", "pattern": "^[[:alpha:]]+$"}),
    "unknown format": ("x", {"type": "string", "format": "telepathy"}),
    "one of": (1, {"type": "integer", "oneOf": [{"enum": [1]}, {"enum": [2]}]}),
    "same value, other type": ([1, True, "1"], {"type": "array", "x-kubernetes-list-type": "set"}),
}


@pytest.mark.parametrize(("value", "schema"), FINE.values(), ids=FINE)
def test_what_is_fine_is_let_be(value, schema):
    assert causes(value, schema) == []


FORMATS = {
    "byte": ("aGk=", "a"),
    "cidr": ("10.0.0.0/8", "10.0.0.0"),
    "date": ("2026-01-02", "2026-1-2"),
    "date-time": ("2026-01-02T03:04:05Z", "2026-01-02"),
    "duration": ("1h30m", "1x"),
    "email": ("a@b.c", "a"),
    "hostname": ("a.b-c", "a..b"),
    "ipv4": ("10.0.0.1", "::1"),
    "ipv6": ("::1", "10.0.0.1"),
    "mac": ("00:00:5e:00:53:01", "00:00"),
    "uri": ("https://a/b", "a b"),
    "uuid": ("3b241101-e2bb-4255-8caf-4136c566a962", "3b241101"),
}


@pytest.mark.parametrize(("name", "texts"), FORMATS.items())
def test_formats(name, texts):
    right, wrong = texts
    assert causes(right, {"type": "string", "format": name}) == []
    assert "must be of type" in said(wrong, {"type": "string", "format": name})


def test_a_long_text_is_no_duration_and_that_is_found_at_once():
    assert len(causes("1" * 1_000_000, {"type": "string", "format": "duration"})) == 1


def test_alternatives_name_what_was_nearest():
    schema = {
        "type": "object",
        "properties": {"x": {"type": "integer"}, "y": {"type": "integer"}},
        "anyOf": [{"required": ["x", "y"]}, {"required": ["x"]}],
    }
    assert causes({}, schema) == [
        ("spec.a", 'Invalid value: "": "spec.a" must validate at least one schema (anyOf)'),
        ("spec.a.x", "Required value"),
    ]
    both = {"type": "integer", "oneOf": [{"minimum": 1}, {"minimum": 2}]}
    assert said(3, both) == (
        'Invalid value: "": "spec.a" must validate one and only one schema (oneOf). Found 2 valid '
        "alternatives"
    )
    every = {"type": "integer", "allOf": [{"minimum": 1}, {"maximum": 2}]}
    assert causes(3, every)[-1][1].endswith("must validate all the schemas (allOf)")


def test_maps_and_nested_values_are_named_by_path():
    schema = {
        "type": "object",
        "additionalProperties": {"type": "array", "items": {"type": "string"}},
    }
    (found,) = causes({"k": ["x", 1]}, schema)
    assert found[0] == "spec.a.k[1]"


LIST = {
    "type": "array",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["name"],
    "items": {
        "type": "object",
        "properties": {"name": {"type": "string"}, "size": {"type": "integer", "maximum": 1}},
    },
}


def test_keys_of_a_list_are_unique():
    items = [{"name": "a", "size": 0}, {"name": "b"}, {"name": "a", "size": 1}]
    assert causes(items, LIST) == [("spec.a[2]", 'Duplicate value: {"name":"a"}')]


def test_what_stays_as_it_was_is_not_checked_again():
    old = [{"name": "a", "size": 5}]
    assert causes([{"name": "b", "size": 1}, *old], LIST, old=old) == []
    assert causes([{"name": "a", "size": 6}], LIST, old=old)[0][0] == "spec.a[0].size"
    schema = {"type": "object", "properties": {"x": {"type": "string"}, "y": {"type": "string"}}}
    assert causes({"x": 1, "y": "new"}, schema, old={"x": 1, "y": "old"}) == []
