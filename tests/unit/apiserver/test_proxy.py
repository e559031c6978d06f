"""The proxy subresources: what reaches a pod, what comes back, and what is refused."""

import asyncio

import h11
import pytest

from orchestrator.apiserver.verbs.proxy import split_name
from orchestrator.kit.errors import BadRequest, Unreachable
from orchestrator.reconcile.usage import NodeUsage, PodUsage, Usage
from tests.fakes.pipes import connected

PODS = "/api/v1/namespaces/default/pods"
SERVICES = "/api/v1/namespaces/default/services"


class Web:
    """A pod whose ports tell what they were asked; 8001 refuses, 8002 speaks no HTTP."""

    def __init__(self):
        self.asked = []
        self.serving = set()

    def streams(self, node):
        return self

    async def open_port(self, pod, port):
        if port == 8001:
            raise Unreachable("dial tcp 10.0.0.9:8001: connect: connection refused")
        ours, theirs = connected()
        task = asyncio.ensure_future(self._serve(theirs, port))
        self.serving.add(task)
        task.add_done_callback(self.serving.discard)
        return ours

    async def _serve(self, stream, port):
        if port == 8002:
            await stream.write(b"SSH-2.0-x\r\n\r\n")
            await stream.write_eof()
            return
        http, body = h11.Connection(h11.SERVER), b""
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                http.receive_data(await stream.read())
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                break
        headers = {bytes(k): bytes(v) for k, v in request.headers}
        self.asked.append((port, request.method, request.target, headers, body))
        answer = [("content-type", "text/x"), ("x-from", "pod"), ("transfer-encoding", "chunked")]
        await stream.write(http.send(h11.Response(status_code=418, headers=answer)))
        for piece in (b"one ", b"two"):
            await stream.write(http.send(h11.Data(data=piece)))
        await stream.write(http.send(h11.EndOfMessage()))
        await stream.write_eof()


@pytest.fixture
async def web(world):
    ports = [{"name": "http", "containerPort": 8080}]
    spec = {"containers": [{"name": "c", "image": "i", "ports": ports}], "nodeName": "n1"}
    await world.create(PODS, {"metadata": {"name": "web", "labels": {"a": "b"}}, "spec": spec})
    found = Web()
    object.__setattr__(world.api.services, "pod_streams", found)
    return found


async def test_a_request_reaches_the_pod_and_its_answer_the_client(world, web):
    answer = await world.client("POST", f"{PODS}/web:9000/proxy/a%2Fb//c/?x=1&y", b"hello")
    assert (answer.status, answer.body) == (418, b"one two")
    assert (b"x-from", b"pod") in answer.headers
    assert (b"content-type", b"text/x") in answer.headers
    ((port, method, target, headers, body),) = web.asked
    assert (port, method, target, body) == (9000, b"POST", b"/a%2Fb//c/?x=1&y", b"hello")
    assert headers[b"host"] == b"web:9000"
    assert b"authorization" not in headers


@pytest.mark.parametrize(
    ("name", "port"), [("web", 8080), ("web:http", 8080), ("http:web:http", 8080), ("web:81", 81)]
)
async def test_ports_by_name_and_number(world, web, name, port):
    assert (await world.client("GET", f"{PODS}/{name}/proxy")).status == 418
    assert [(p, t) for p, _, t, _, _ in web.asked] == [(port, b"/")]


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("web:8001", 503, "error trying to reach service"),
        ("web:8002", 503, "error trying to reach service"),
        ("web:none", 400, 'no port "none" found'),
        ("https:web:443", 400, "https is not served"),
        ("gone", 404, 'pods "gone" not found'),
    ],
)
async def test_what_cannot_be_reached(world, web, name, status, words):
    refused = await world.client("GET", f"{PODS}/{name}/proxy/")
    assert (refused.status, refused.json["kind"]) == (status, "Status")
    assert words in refused.json["message"]


async def test_services_lead_to_a_ready_pod(world, web):
    spec = {"selector": {"a": "b"}, "ports": [{"name": "w", "port": 80, "targetPort": "http"}]}
    await world.create(SERVICES, {"metadata": {"name": "shop"}, "spec": spec})
    refused = await world.client("GET", f"{SERVICES}/shop/proxy/")
    assert (refused.status, refused.json["message"]) == (
        503, 'no endpoints available for service "shop"',
    )  # fmt: skip
    pod = (await world.client("GET", f"{PODS}/web")).json
    pod["status"] = {"conditions": [{"type": "Ready", "status": "True"}]}
    assert (await world.client("PUT", f"{PODS}/web/status", pod)).status == 200
    for name in ("shop", "shop:80", "shop:w"):
        assert (await world.client("GET", f"{SERVICES}/{name}/proxy/x")).status == 418
    assert {(p, t) for p, _, t, _, _ in web.asked} == {(8080, b"/x")}
    assert (await world.client("GET", f"{SERVICES}/shop:81/proxy/x")).status == 503


def test_names():
    assert split_name("a") == ("", "a", "")
    assert split_name("a:80") == ("", "a", "80")
    assert split_name("https:a:") == ("https", "a", "")
    with pytest.raises(BadRequest):
        split_name("ftp:a:80")


# ---------------------------------------------------------------- nodes

NODES = "/api/v1/nodes"


@pytest.fixture
async def node(world):
    spec = {"containers": [{"name": "c", "image": "i"}], "nodeName": "n1"}
    await world.create(PODS, {"metadata": {"name": "web"}, "spec": spec})
    await world.create(PODS, {"metadata": {"name": "other"}, "spec": {**spec, "nodeName": "n2"}})
    await world.create(NODES, {"metadata": {"name": "n1"}})
    return f"{NODES}/n1/proxy"


async def test_the_pods_of_a_node(world, node):
    found = (await world.client.get(f"{node}/pods")).json
    assert (found["kind"], [item["metadata"]["name"] for item in found["items"]]) == (
        "PodList", ["web"],
    )  # fmt: skip


async def test_the_health_of_a_node(world, node):
    refused = await world.client("GET", f"{node}/healthz")
    assert (refused.status, refused.json["message"]) == (503, "node n1 is not ready")
    ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    await world.client(
        "PATCH", f"{NODES}/n1/status", ready, content_type="application/merge-patch+json"
    )
    fine = await world.client("GET", f"{node}/healthz")
    assert (fine.status, fine.body) == (200, b"ok")


async def test_what_a_node_and_its_pods_use(world, node):
    refused = await world.client("GET", f"{node}/stats/summary")
    assert (refused.status, refused.json["reason"]) == (503, "ServiceUnavailable")
    now_s = world.clock.wall()
    world.usage.nodes = {"n1": NodeUsage(now_s, 15.0, Usage(250, 1000))}
    world.usage.pods = {"web": PodUsage(now_s, 15.0, {"c": Usage(20, 30), "d": Usage(1, 2)})}
    found = (await world.client.get(f"{node}/stats/summary")).json
    assert found["node"]["nodeName"] == "n1"
    assert found["node"]["memory"]["workingSetBytes"] == 1000
    (pod,) = found["pods"]
    assert pod["podRef"]["name"] == "web"
    assert pod["cpu"]["usageNanoCores"] == 21
    assert [c["memory"]["workingSetBytes"] for c in pod["containers"]] == [30, 2]
    text = (await world.client("GET", f"{node}/metrics/resource")).body.decode()
    assert "node_memory_working_set_bytes 1000\n" in text
    wanted = 'container_memory_working_set_bytes{container="d",namespace="default",pod="web"} 2\n'
    assert wanted in text


async def test_pages_that_a_node_has_not(world, node):
    refused = await world.client("GET", f"{node}/logs/x")
    assert refused.status == 404
    assert "there are /healthz, /pods" in refused.json["message"]
    assert (await world.client("GET", f"{NODES}/none/proxy/pods")).status == 404
    assert (await world.client("DELETE", f"{node}/pods")).status == 405
