"""The JSONPath of printer columns, scale and selectable fields."""

import pytest

from orchestrator.api.custom.jsonpath import fields_of, find, first, parse

DOCUMENT = {
    "metadata": {"labels": {"a.b/c": "dotted", "x": "1"}},
    "spec": {"replicas": 3, "list": [{"n": 1, "v": "a"}, {"n": 2, "v": "b"}, {"v": "c"}]},
    "status": {
        "conditions": [
            {"type": "Ready", "status": "True"},
            {"type": "Synced", "status": "False"},
        ]
    },
}

PATHS = {
    ".spec.replicas": [3],
    ".spec.absent.deeper": [],
    ".metadata.labels['a.b/c']": ["dotted"],
    '.metadata.labels["a.b/c"]': ["dotted"],
    r".metadata.labels.a\.b/c": ["dotted"],
    ".spec.list[0].v": ["a"],
    ".spec.list[-1].v": ["c"],
    ".spec.list[7].v": [],
    ".spec.list[*].v": ["a", "b", "c"],
    '.status.conditions[?(@.type=="Ready")].status': ["True"],
    ".status.conditions[?(@.type=='Synced')].status": ["False"],
    ".status.conditions[?(@.type != 'Ready')].type": ["Synced"],
    ".spec.list[?(@.n)].v": ["a", "b"],
    ".spec.list[?(@.n>1)].v": ["b"],
    ".spec.list[?(@.n<=1)].v": ["a"],
    ".spec.list[?(@.n>='x')].v": [],
    ".spec.replicas.deeper": [],
    ".": [DOCUMENT],
}


@pytest.mark.parametrize(("path", "found"), PATHS.items())
def test_paths_lead_to_values(path, found):
    assert find(DOCUMENT, parse(path)) == found
    assert first(DOCUMENT, parse(path)) == (found[0] if found else None)


@pytest.mark.parametrize("path", ["spec.replicas", "", ".spec[", ".spec..x", ".a[?(@.b==)]x["])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(ValueError, match=r"simple json path|unrecognized"):
        parse(path)


def test_only_plain_fields_have_names():
    assert fields_of(parse(".spec.replicas")) == ("spec", "replicas")
    assert fields_of(parse(".spec.list[0]")) is None
