"""Sets of fields: algebra by hand and by law."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.api.managed.fieldset import (
    SELF,
    difference,
    intersection,
    is_member,
    parse,
    paths,
    union,
)

LEAF = st.just({})
NODES = st.recursive(
    LEAF,
    lambda below: st.builds(
        lambda children, member: {**({SELF: {}} if member else {}), **children},
        st.dictionaries(st.sampled_from(["f:a", "f:b", 'k:{"n":1}']), below, min_size=1),
        st.booleans(),
    ),
    max_leaves=8,
)
SETS = st.dictionaries(st.sampled_from(["f:a", "f:b", "f:c"]), NODES, max_size=3)


def members(fields, prefix=()):
    found = set()
    for key, node in fields.items():
        if key == SELF:
            continue
        if is_member(node):
            found.add((*prefix, key))
        found |= members(node, (*prefix, key))
    return found


@given(SETS, SETS)
def test_the_algebra_is_that_of_sets_of_paths(one, other):
    assert members(union(one, other)) == members(one) | members(other)
    assert members(difference(one, other)) == members(one) - members(other)
    assert members(intersection(one, other)) == members(one) & members(other)
    for made in (union(one, other), difference(one, other), intersection(one, other)):
        assert parse(made) is made
        assert len(list(paths(made))) == len(members(made))


def test_paths_as_people_read_them():
    fields = {
        "f:spec": {
            "f:replicas": {},
            "f:containers": {'k:{"name":"c"}': {SELF: {}, "f:image": {}}},
            "f:ports": {'k:{"containerPort":80,"protocol":"TCP"}': {}},
        },
        "f:metadata": {"f:finalizers": {'v:"x.dev/y"': {}}},
    }
    assert list(paths(fields)) == [
        '.metadata.finalizers[="x.dev/y"]',
        '.spec.containers[name="c"]',
        '.spec.containers[name="c"].image',
        '.spec.ports[containerPort=80,protocol="TCP"]',
        ".spec.replicas",
    ]


@pytest.mark.parametrize("wrong", [{"spec": {}}, {"k:{": {}}, {"f:a": 1}, {".": {"f:a": {}}}, []])
def test_what_is_no_set(wrong):
    with pytest.raises(ValueError):
        parse(wrong)
