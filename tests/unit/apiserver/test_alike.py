"""A body that is like the one before says what the parser would find in it."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.apiserver.alike import Alike, body_of
from orchestrator.apiserver.heads import HEAD_KEY, KnownHead

WORDS = st.sampled_from(["one", "two", "a.b", "x", "", 'q"', "ä", "metadata", "name"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def bodies(draw):
    """JSON bytes of something like an object, in one of several spellings."""
    meta = draw(st.dictionaries(WORDS, VALUES, max_size=3))
    meta["name"] = draw(WORDS | VALUES)
    document = {**draw(st.dictionaries(WORDS, VALUES, max_size=3)), "metadata": meta}
    spaces = draw(st.sampled_from([(",", ":"), (", ", ": ")]))
    ascii_only = draw(st.booleans())
    return json.dumps(document, separators=spaces, ensure_ascii=ascii_only).encode()


@given(bodies(), bodies(), st.sampled_from(["one", "two", "zz", "9", "A", 'b"', "é"]))
def test_what_is_known_again_is_what_it_says(first, second, name):
    body = body_of(first)
    document = msgspec.json.decode(first)
    renamed = {**document, "metadata": {**document["metadata"], "name": name}}
    others = [second, json.dumps(renamed, separators=(",", ":")).encode()]
    if isinstance(document["metadata"]["name"], str):
        old = json.dumps(document["metadata"]["name"], ensure_ascii=False).encode()
        others.append(first.replace(old, json.dumps(name).encode()))
    for other in (first, *others):
        found = body.again(other) if body is not None else None
        assert found is None or found == msgspec.json.decode(other)


def test_only_the_name_may_differ():
    body = body_of(b'{"metadata":{"name":"a-1","labels":{"x":"y"}},"spec":{}}')
    found = body.again(b'{"metadata":{"name":"a-2","labels":{"x":"y"}},"spec":{}}')
    assert found == {"metadata": {"name": "a-2", "labels": {"x": "y"}}, "spec": {}}
    for other in (
        b'{"metadata":{"name":"a-2","labels":{"x":"z"}},"spec":{}}',
        b'{"metadata":{"name":"","labels":{"x":"y"}},"spec":{}}',
        b'{"metadata":{"name":"a","name":"b","labels":{"x":"y"}},"spec":{}}',
        b'{"metadata":{"name":"a\\u0062","labels":{"x":"y"}},"spec":{}}',
        b'{"metadata":{"name":"","labels":{"x":"y"}},"spec":{}}'[:-20],
        b"",
    ):
        assert body.again(other) is None, other


@pytest.mark.parametrize(
    "data",
    [
        b"[]",
        b'{"metadata":{}}',
        b'{"metadata":{"name":7}}',
        b'{"metadata":{"name":"a"},"spec":{"image":"a"}}',
        b'{"metadata":{"name": "a" },"spec":{"x":"b"}}'.replace(b'"a"', b'"\\u0061"'),
        b'{"metadata":{"name":"A"}}',
        b'{"metadata":{"name":"a"},"x":"' + b"y" * 17_000 + b'"}',
    ],
)
def test_others_are_read_each_time(data):
    assert body_of(data) is None


def test_clients_whose_bodies_differ_cost_nothing_more():
    kept = Alike()
    for n in range(10):
        data = b'{"metadata":{"name":"a"},"n":%d}' % n
        assert kept.find(data) is None
        kept.keep(data)
    assert kept.find(b'{"metadata":{"name":"a"},"n":9}') is None


async def test_each_request_gets_its_own_object(world):
    """Through the server, with and without what was kept: the same objects, and no mixing."""
    path = "/api/v1/namespaces/default/configmaps"
    head = KnownHead(b"POST", b"", [], 0)
    made = {}
    for n in range(6):
        for known in (True, False):
            name = f"c-{n}-{'known' if known else 'new'}"
            body = {"metadata": {"name": name, "labels": {"a": "b"}}, "data": {"k": "v"}}
            world.client.more = {HEAD_KEY: head} if known else {}
            reply = await world.client("POST", path, body)
            assert reply.status == 201
            made[name] = reply.json
    assert len(head.facts) > 0
    world.client.more = {}
    for name, document in made.items():
        assert document["metadata"]["name"] == name
        assert document["metadata"]["labels"] == {"a": "b"}
        assert document["data"] == {"k": "v"}
        assert (await world.client("GET", f"{path}/{name}")).json == document
    assert len({d["metadata"]["uid"] for d in made.values()}) == 12


async def test_doubled_fields_are_refused_although_a_body_was_kept(world):
    path = "/api/v1/namespaces/default/configmaps"
    head = KnownHead(b"POST", b"", [], 0)
    text = '{"metadata":{"name":"%s"},"data":{"k":"v","k":"w"}}'
    statuses = []
    world.client.more = {HEAD_KEY: head}
    for n, validation in enumerate(["Ignore", "Ignore", "Strict", "Warn", "Strict"]):
        reply = await world.client(
            "POST",
            f"{path}?fieldValidation={validation}",
            (text % f"d-{n}").encode(),
        )
        statuses.append((reply.status, len(reply.all("warning"))))
    assert statuses == [(201, 0), (201, 0), (400, 0), (201, 1), (400, 0)]
