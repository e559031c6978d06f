"""Answers for people: `pretty=true`, and programs behind which people sit."""

import json

import pytest

MAPS = "/api/v1/namespaces/default/configmaps"


async def made(world):
    await world.create(MAPS, {"metadata": {"name": "a"}, "data": {"k": "é"}})


@pytest.mark.parametrize(
    ("query", "agent", "pretty"),
    [
        ("", "kubectl/v1.33.0", False),
        ("?pretty=true", "kubectl/v1.33.0", True),
        ("?pretty=1", "", True),
        ("?pretty=maybe", "", False),
        ("?pretty=", "", False),
        ("", "curl/8.5.0", True),
        ("", "Wget/1.21", True),
        ("", "Mozilla/5.0 (X11)", True),
        ("?pretty=false", "curl/8.5.0", False),
        ("?pretty", "curl/8.5.0", True),
    ],
)
@pytest.mark.parametrize("path", [f"{MAPS}/a", MAPS, f"{MAPS}/none", "/api/v1"])
async def test_who_gets_it(world, path, query, agent, pretty):
    await made(world)
    reply = await world.client.get(path + query, user_agent=agent)
    plain = (await world.client.get(path)).body
    same = json.dumps(json.loads(plain), indent=2, ensure_ascii=False).encode()
    assert reply.body == (same if pretty else plain)
    assert reply.header("content-length") == str(len(reply.body))


async def test_writes_are_answered_so_too(world):
    for method, path in (("POST", MAPS), ("PUT", f"{MAPS}/a"), ("DELETE", f"{MAPS}/a")):
        reply = await world.client(method, f"{path}?pretty=true", {"metadata": {"name": "a"}})
        assert reply.body.startswith(b'{\n  "kind"'), method


async def test_big_ones_are_compressed_as_ever(world):
    for number in range(5):
        document = {"metadata": {"name": f"m{number}"}, "data": {"k": "x" * 500}}
        await world.create(MAPS, document)
    reply = await world.client.get(f"{MAPS}?pretty=true", accept_encoding="gzip")
    assert reply.header("content-encoding") == "gzip"


async def test_what_is_no_json_object_stays_as_it_is(world):
    await made(world)
    yaml = await world.client.get(f"{MAPS}/a?pretty=true", accept="application/yaml")
    assert yaml.body.startswith(b"kind: ConfigMap\n")
    for path in ("/openapi/v3", "/openapi/v3/apis/policy/v1"):
        assert (await world.client.get(f"{path}?pretty=true")).body.count(b"\n") <= 1, path
    async with world.client.stream(f"{MAPS}?watch=true&pretty=true") as watch:
        assert (await watch.line())["type"] == "ADDED"
