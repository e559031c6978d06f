"""Log streams: what is asked of the host, what comes through, and how it ends."""

import asyncio

import pytest

from orchestrator.apiserver.request import Query
from orchestrator.apiserver.verbs.log import choose_container, read_log_query, require_log
from orchestrator.kit.errors import BadRequest, Invalid, Unreachable
from orchestrator.node.streams import LogQuery

RUNNING = [{"name": "main", "state": {"running": {}}}]


def pod_with(*containers, init=(), statuses=()):
    return {
        "metadata": {"name": "web"},
        "spec": {
            "containers": [{"name": c} for c in containers],
            "initContainers": [{"name": c} for c in init],
        },
        "status": {"containerStatuses": list(statuses)},
    }


def test_container_choice():
    assert choose_container(pod_with("a"), "") == "a"
    assert choose_container(pod_with("a", "b", init=("i",)), "i") == "i"
    with pytest.raises(BadRequest, match="container z is not valid for pod web"):
        choose_container(pod_with("a"), "z")
    with pytest.raises(BadRequest) as caught:
        choose_container(pod_with("a", "b", init=("i",)), "")
    assert caught.value.message == (
        "a container name must be specified for pod web, choose one of: [a b] "
        "or one of the init containers: [i]"
    )


@pytest.mark.parametrize(
    ("status", "previous", "fault"),
    [
        ({"state": {"running": {}}}, False, ""),
        ({"state": {"terminated": {"exitCode": 0}}}, False, ""),
        ({"state": {"waiting": {"reason": "CrashLoopBackOff"}},
          "lastState": {"terminated": {"exitCode": 1}}}, False, ""),
        ({"state": {"waiting": {"reason": "ImagePullBackOff"}}}, False,
         "is waiting to start: trying and failing to pull image"),
        ({}, False, "is waiting to start: ContainerCreating"),
        ({"state": {"running": {}}}, True, 'previous terminated container "a" in pod "web" not'),
        ({"state": {"running": {}}, "lastState": {"terminated": {"exitCode": 1}}}, True, ""),
    ],
)  # fmt: skip
def test_whether_there_is_a_log(status, previous, fault):
    pod = pod_with("a", statuses=[{"name": "a", **status}])
    if not fault:
        require_log(pod, "a", previous=previous)
        return
    with pytest.raises(BadRequest, match=fault):
        require_log(pod, "a", previous=previous)


def test_query():
    query = Query(b"follow=true&tailLines=10&sinceSeconds=60&timestamps=1&limitBytes=5")
    assert read_log_query(query, 1000.0) == (
        LogQuery(follow=True, tail=10, since_s=940.0, timestamps=True),
        5,
    )
    moment, _ = read_log_query(Query(b"sinceTime=1970-01-01T00:01:00.5Z&previous=true"), 0)
    assert moment == LogQuery(previous=True, since_s=60.5)


@pytest.mark.parametrize(
    "text",
    [b"tailLines=-1", b"limitBytes=0", b"sinceSeconds=0", b"sinceSeconds=1&sinceTime=x",
     b"tailLines=ten", b"sinceTime=yesterday"],
)  # fmt: skip
def test_bad_query(text):
    with pytest.raises((Invalid, BadRequest)):
        read_log_query(Query(text), 0.0)


@pytest.fixture
async def log_of(world):
    """Path of the log of a bound and running pod."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web"},
        "spec": {"containers": [{"name": "main", "image": "x"}], "nodeName": "n1"},
    }
    await world.create("/api/v1/namespaces/default/pods", pod)
    reply = await world.client(
        "PATCH",
        "/api/v1/namespaces/default/pods/web/status",
        {"status": {"containerStatuses": RUNNING}},
        content_type="application/merge-patch+json",
    )
    assert reply.status == 200, reply.body
    return "/api/v1/namespaces/default/pods/web/log"


async def test_whole_log(world, log_of):
    world.logs.chunks = [b"one\n", b"", b"two\n"]
    reply = await world.client.get(f"{log_of}?tailLines=2")
    assert (reply.status, reply.body) == (200, b"one\ntwo\n")
    assert reply.header("content-type") == "text/plain"
    assert world.logs.asked == [("web", "main", LogQuery(tail=2))]
    assert world.logs.closed == 1


async def test_limit_cuts(world, log_of):
    world.logs.chunks = [b"one\n", b"two\n", b"three\n"]
    assert (await world.client.get(f"{log_of}?limitBytes=6")).body == b"one\ntw"
    assert world.logs.closed == 1


async def test_empty_log(world, log_of):
    reply = await world.client.get(log_of)
    assert (reply.status, reply.body) == (200, b"")


async def test_error_before_the_first_byte_is_a_status(world, log_of):
    world.logs.chunks = [Unreachable("no route to host", node="n1")]
    reply = await world.client.get(f"{log_of}?follow=true")
    assert reply.status == 503
    assert reply.json["message"] == "node n1: no route to host"


async def test_followed_log_ends_with_its_client(world, log_of):
    world.logs.chunks = [b"one\n", asyncio.Event()]
    async with world.client.stream(f"{log_of}?follow=true") as log:
        assert (await log.messages.get())["body"] == b""
        assert (await log.messages.get())["body"] == b"one\n"
        assert len(world.api.services.open_streams) == 1
    assert world.logs.closed == 1
    assert len(world.api.services.open_streams) == 0


async def test_followed_log_ends_with_the_server(world, log_of):
    world.logs.chunks = [b"one\n", asyncio.Event()]
    async with world.client.stream(f"{log_of}?follow=true") as log:
        while log.rest != b"one\n":
            log.rest += (await log.messages.get())["body"]
        world.api.end_streams()
        assert await log.text() == b"one\n"
    assert (await world.client.get(log_of)).status == 503
