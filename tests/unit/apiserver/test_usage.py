"""metrics.k8s.io/v1beta1: what nodes and pods use."""

import pytest

from orchestrator.apiserver.verbs.usage import duration_text
from orchestrator.reconcile.usage import NodeUsage, PodUsage, Usage

ROOT = "/apis/metrics.k8s.io/v1beta1"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


@pytest.fixture
async def measured(world):
    for name, label in (("a", "x"), ("b", "y"), ("new", "x")):
        document = {
            "metadata": {"name": name, "labels": {"app": label}},
            "spec": {"containers": [{"name": "c", "image": "i"}]},
        }
        await world.create("/api/v1/namespaces/default/pods", document)
    await world.create("/api/v1/nodes", {"metadata": {"name": "n"}})
    now_s = world.clock.wall()
    used = {"c": Usage(1_234_567, 5 << 20), "d": Usage(0, 1000)}
    world.usage.pods = {name: PodUsage(now_s - 3, 15.0131, used) for name in "ab"}
    world.usage.nodes = {"n": NodeUsage(now_s, 15.0, Usage(250_000_000, 1 << 30))}
    return world


async def test_one_pod(measured):
    reply = await measured.client("GET", f"{ROOT}/namespaces/default/pods/a")
    assert reply.json == {
        "kind": "PodMetrics",
        "apiVersion": "metrics.k8s.io/v1beta1",
        "metadata": {
            "name": "a", "namespace": "default", "creationTimestamp": "2027-01-15T08:00:00Z",
            "labels": {"app": "x"},
        },
        "timestamp": "2027-01-15T07:59:57Z",
        "window": "15.013s",
        "containers": [
            {"name": "c", "usage": {"cpu": "1234567n", "memory": "5Mi"}},
            {"name": "d", "usage": {"cpu": "0", "memory": "1k"}},
        ],
    }  # fmt: skip


@pytest.mark.parametrize("name", ["new", "nobody"])
async def test_nothing_known(measured, name):
    reply = await measured.client("GET", f"{ROOT}/namespaces/default/pods/{name}")
    assert reply.status == 404
    assert reply.json["message"] == f'podmetrics.metrics.k8s.io "default/{name}" not found'
    reply = await measured.client("GET", f"{ROOT}/nodes/{name}")
    assert reply.json["message"] == f'nodemetrics.metrics.k8s.io "{name}" not found'


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/pods", ["a", "b"]),
        ("/namespaces/default/pods", ["a", "b"]),
        ("/namespaces/other/pods", []),
        ("/pods?labelSelector=app%3Dx", ["a"]),
        ("/pods?fieldSelector=metadata.name%3Db", ["b"]),
        ("/nodes", ["n"]),
    ],
)
async def test_lists(measured, path, names):
    reply = await measured.client("GET", ROOT + path)
    assert reply.json["kind"] == ("NodeMetricsList" if "nodes" in path else "PodMetricsList")
    assert [item["metadata"]["name"] for item in reply.json["items"]] == names


async def test_a_table(measured):
    reply = await measured.client("GET", f"{ROOT}/pods", accept=TABLE)
    assert [row["cells"] for row in reply.json["rows"]] == [
        [name, "1234567n", "5243880", "15.013s"] for name in "ab"
    ]


async def test_only_reading(measured):
    for method, path in (("POST", "/pods"), ("DELETE", "/nodes/n"), ("PUT", "/nodes/n")):
        assert (await measured.client(method, ROOT + path, {})).status == 405
    assert (await measured.client("GET", f"{ROOT}/pods?watch=1")).status == 405


async def test_it_is_discovered(measured):
    reply = await measured.client("GET", ROOT)
    assert [(r["name"], r["kind"], r["verbs"]) for r in reply.json["resources"]] == [
        ("nodes", "NodeMetrics", ["get", "list"]), ("pods", "PodMetrics", ["get", "list"]),
    ]  # fmt: skip
    document = (await measured.client("GET", "/openapi/v3/apis/metrics.k8s.io/v1beta1")).json
    assert f"{ROOT}/nodes/{{name}}" in document["paths"]
    role = await measured.client("GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles/view")
    assert any("metrics.k8s.io" in rule["apiGroups"] for rule in role.json["rules"])


@pytest.mark.parametrize(
    ("seconds", "text"), [(15.0, "15s"), (2.0104, "2.01s"), (60, "1m0s"), (75.5, "1m15.5s")]
)
def test_durations(seconds, text):
    assert duration_text(seconds) == text
