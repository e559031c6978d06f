"""JSON patch and JSON merge patch."""

import copy

import pytest

from orchestrator.api.patch import json_patch, merge_patch
from orchestrator.kit.errors import BadRequest, EntityTooLarge, Invalid

DOCUMENT = {"a": {"b": [1, 2]}, "c": "x"}


@pytest.mark.parametrize(
    ("operations", "result"),
    [
        ([{"op": "add", "path": "/a/b/-", "value": 3}], {"a": {"b": [1, 2, 3]}, "c": "x"}),
        ([{"op": "remove", "path": "/c"}], {"a": {"b": [1, 2]}}),
        ([{"op": "replace", "path": "/a", "value": {}}], {"a": {}, "c": "x"}),
        ([{"op": "move", "from": "/c", "path": "/d"}], {"a": {"b": [1, 2]}, "d": "x"}),
        ([{"op": "copy", "from": "/c", "path": "/a/d"}], {"a": {"b": [1, 2], "d": "x"}, "c": "x"}),
        ([{"op": "test", "path": "/c", "value": "x"}], DOCUMENT),
    ],
    ids=lambda v: v[0]["op"] if isinstance(v, list) else "",
)
def test_operations(operations, result):
    before = copy.deepcopy(DOCUMENT)
    assert json_patch.apply(DOCUMENT, operations) == result
    assert before == DOCUMENT


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/c", "value": "y"},
        {"op": "remove", "path": "/nope"},
        {"op": "replace", "path": "/nope/x", "value": 1},
        {"op": "add", "path": "/a/b/9", "value": 1},
        {"op": "add", "path": "/c/x/y", "value": 1},
    ],
    ids=str,
)
def test_what_does_not_fit_is_422(operation):
    with pytest.raises(Invalid, match="JSON patch cannot be applied"):
        json_patch.apply(DOCUMENT, [operation])


@pytest.mark.parametrize(
    "operation",
    [
        "add", {"op": "add"}, {"op": "merge", "path": "/a"}, {"op": "add", "path": "a", "value": 1},
        {"op": "add", "path": "/a"}, {"op": "move", "path": "/a"}, {"op": "remove", "path": ""},
        {"op": ["add"], "path": "/a"},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_operation_is_400(operation):
    with pytest.raises(BadRequest, match="operation 0"):
        json_patch.apply(DOCUMENT, [operation])


def test_too_many_operations():
    with pytest.raises(EntityTooLarge):
        json_patch.apply({}, [{"op": "add", "path": "/a", "value": 1}] * 10_001)


@pytest.mark.parametrize(
    ("document", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"a": "b"}, ["c"], ["c"]),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ],
)
def test_vectors_of_rfc_7386(document, patch, result):
    before = copy.deepcopy((document, patch))
    assert merge_patch.apply(document, patch) == result
    assert before == (document, patch)
