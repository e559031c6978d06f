"""Bodies that are small on the wire and large, deep or endless when they are read: by all verbs."""

import time

import pytest

MAPS = "/api/v1/namespaces/default/configmaps"
DEEP = 5_000
MERGE, SMART, JSON_PATCH, APPLY = (
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/json-patch+json",
    "application/apply-patch+yaml",
)
DEEP_JSON = b'{"metadata":{"name":"m"},"data":' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"}"
DEEP_LIST = b'[{"op":"add","path":"/data","value":' + b"[" * DEEP + b"]" * DEEP + b"}]"
DEEP_YAML = b"data: " + b"{a: " * DEEP + b"1" + b"}" * DEEP
BOMB = (
    b'a: &a ["x","x","x","x","x","x","x","x","x"]\n'
    + b"".join(
        b"%c: &%c [%s]\n" % (97 + n, 97 + n, b",".join([b"*%c" % (96 + n)] * 9))
        for n in range(1, 12)
    )
    + b"kind: ConfigMap\napiVersion: v1\n"
)
LOOP = b"apiVersion: v1\nkind: ConfigMap\ndata: &a {b: *a}\n"
NESTED_MESSAGES = b"k8s\x00" + b"\x12\xff\xff\xff\xff\x0f" + b"\x0a" * 5_000


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (DEEP_JSON, "application/json"),
        (DEEP_JSON, MERGE),
        (DEEP_JSON, SMART),
        (DEEP_LIST, JSON_PATCH),
        (DEEP_YAML, "application/yaml"),
        (DEEP_YAML, APPLY),
        (BOMB, "application/yaml"),
        (BOMB, APPLY),
        (LOOP, APPLY),
        (NESTED_MESSAGES, "application/vnd.kubernetes.protobuf"),
        (b"[" * 200_000, "application/json"),
        (b"{\x00}", "application/json"),
        (b"\xff\xfe{}", "application/yaml"),
    ],
    ids=[
        "json", "merge", "strategic", "json patch", "yaml", "apply", "bomb", "applied bomb", "loop",
        "protobuf", "open brackets", "nul", "utf-16",
    ],
)  # fmt: skip
async def test_it_is_refused_at_once_and_nothing_else_suffers(world, body, content_type):
    await world.create(MAPS, {"metadata": {"name": "m"}})
    before = world.store.revision
    patch = "patch" in content_type
    methods = ["PATCH"] if patch else ["POST", "PUT", "DELETE"]
    began = time.process_time()
    for method in methods:
        path = MAPS if method == "POST" else f"{MAPS}/m"
        query = "?fieldManager=me" if content_type == APPLY else ""
        reply = await world.client(method, path + query, body, content_type=content_type)
        assert (reply.status, reply.json["kind"]) == (400, "Status"), (method, reply.body[:300])
    assert time.process_time() - began < 2
    assert world.store.revision == before


async def test_many_operations_and_growing_patches_are_refused(world):
    await world.create(MAPS, {"metadata": {"name": "m"}, "data": {"a": "x" * 1000}})
    before = world.store.revision
    many = b"[" + b",".join([b'{"op":"test","path":"/kind","value":"ConfigMap"}'] * 10_001) + b"]"
    reply = await world.client("PATCH", f"{MAPS}/m", many, content_type=JSON_PATCH)
    assert (reply.status, reply.json["reason"]) == (413, "RequestEntityTooLarge")
    # each copies all that there is so far: 2 to the 40th of it
    doubling = [{"op": "add", "path": "/data", "value": {"a": "x"}}] + [
        {"op": "copy", "from": "/data", "path": f"/data/c{n}"} for n in range(40)
    ]
    reply = await world.client("PATCH", f"{MAPS}/m", doubling, content_type=JSON_PATCH)
    assert (reply.status, reply.json["reason"]) == (413, "RequestEntityTooLarge")
    assert world.store.revision == before
