"""A day with unmodified kubectl on real hosts: each command by its words and by its effect."""

import json
import time

import pytest
import yaml

from tests.rig.images import BUSYBOX_TAG, ensure_busybox

pytestmark = [pytest.mark.docker, pytest.mark.rig]


def web(image=BUSYBOX_TAG, replicas=3, **metadata):
    container = {
        "name": "web",
        "image": image,
        "command": ["sh", "-c", "echo started; trap 'exit 0' TERM; httpd -p 80 -h /www; "
                    "while :; do sleep 0.1; done"],
        "ports": [{"name": "http", "containerPort": 80}],
        "readinessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1},
    }  # fmt: skip
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", **metadata},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [container], "terminationGracePeriodSeconds": 5},
            },
        },
    }


SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web"},
    "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "http"}]},
}


@pytest.fixture(scope="module")
def kubectl(platform):
    image = ensure_busybox()
    platform.rig.client.images.get(image).tag("orch-test/busybox", "2")
    platform.rig.seed(image, "orch-test/busybox:2")
    return platform.kubectl


@pytest.fixture
def deployed(kubectl):
    """The Deployment `web`, rolled out, with its Service; gone afterwards."""
    kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all([web(), SERVICE]))
    rolled_out(kubectl)
    yield kubectl
    kubectl("delete", "deploy,svc", "--all")
    kubectl("wait", "pods", "--all", "--for=delete", "--timeout=30s")


def rolled_out(kubectl):
    answer = kubectl("rollout", "status", "deploy/web", "--timeout=40s")
    assert answer.lines[-1] == 'deployment "web" successfully rolled out'


def images(kubectl):
    pods = kubectl.get("pods", "-l", "app=web")["items"]
    return sorted(
        p["spec"]["containers"][0]["image"]
        for p in pods
        if "deletionTimestamp" not in p["metadata"]
    )


def until(what, condition, within_s=20.0):
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
    return found


def test_get_in_every_form(deployed, platform):
    kubectl = deployed
    nodes = kubectl("get", "nodes", "-o", "wide")
    assert [row[:2] for row in nodes.rows[1:]] == [[h.name, "Ready"] for h in platform.rig.hosts]
    assert [row[5] for row in nodes.rows[1:]] == [h.address for h in platform.rig.hosts]
    pods = kubectl("get", "pods", "-o", "wide").rows
    assert pods[0][:8] == ["NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP", "NODE",
                           "NOMINATED NODE"]  # fmt: skip
    assert [row[1:4] for row in pods[1:]] == [["1/1", "Running", "0"]] * 3
    assert {row[6] for row in pods[1:]} == {h.name for h in platform.rig.hosts}
    assert kubectl("get", "deployments").rows[1][:4] == ["web", "3/3", "3", "3"]
    assert kubectl("get", "services", "web").rows[1][1] == "ClusterIP"
    document = yaml.safe_load(kubectl("get", "deploy", "web", "-o", "yaml").out)
    assert document["status"]["readyReplicas"] == 3
    names = kubectl("get", "pods", "-o", "name").lines
    with kubectl.start("get", "pods", "-w", "-o", "name") as watch:
        assert watch.stdout is not None
        first = [watch.stdout.readline().strip() for _ in names]
        kubectl("delete", names[0], "--wait=false")
        seen = [watch.stdout.readline().strip() for _ in range(2)]
    assert sorted(first) == sorted(names)
    assert names[0] in seen


def test_apply_again_diff_and_edit_by_patch(deployed):
    kubectl = deployed
    manifest = yaml.safe_dump_all([web(), SERVICE])
    assert kubectl("apply", "-f", "-", stdin=manifest).lines == [
        "deployment.apps/web unchanged", "service/web unchanged",
    ]  # fmt: skip
    difference = kubectl.run("diff", "-f", "-", stdin=yaml.safe_dump(web(replicas=5)))
    assert difference.code == 1
    assert "-  replicas: 3\n+  replicas: 5\n" in difference.out
    assert kubectl.run("diff", "-f", "-", stdin=manifest).code == 0
    patch = json.dumps({"spec": {"template": {"metadata": {"labels": {"tier": "front"}}}}})
    assert kubectl("patch", "deploy", "web", "-p", patch).lines == ["deployment.apps/web patched"]
    rolled_out(kubectl)
    assert len(kubectl.get("pods", "-l", "tier=front")["items"]) >= 3


def test_scale_image_undo_restart_pause(deployed):
    kubectl = deployed
    assert kubectl("scale", "deploy/web", "--replicas=4").lines == ["deployment.apps/web scaled"]
    rolled_out(kubectl)
    kubectl("set", "image", "deploy/web", "web=orch-test/busybox:2")
    rolled_out(kubectl)
    assert images(kubectl) == ["orch-test/busybox:2"] * 4
    history = kubectl("rollout", "history", "deploy/web").lines
    assert [line.split()[0] for line in history[2:] if line] == ["1", "2"]
    assert "orch-test/busybox:1" in kubectl("rollout", "history", "deploy/web", "--revision=1").out
    assert kubectl("rollout", "undo", "deploy/web").lines == ["deployment.apps/web rolled back"]
    rolled_out(kubectl)
    assert images(kubectl) == [BUSYBOX_TAG] * 4
    before = set(kubectl("get", "pods", "-o", "name").lines)
    kubectl("rollout", "restart", "deploy/web")
    rolled_out(kubectl)
    until("all pods are new", lambda: not before & set(kubectl("get", "pods", "-o", "name").lines))
    kubectl("rollout", "pause", "deploy/web")
    kubectl("set", "image", "deploy/web", "web=orch-test/busybox:2")
    until("seen", lambda: (d := kubectl.get("deploy", "web"))["status"]["observedGeneration"]
          == d["metadata"]["generation"])  # fmt: skip
    assert images(kubectl) == [BUSYBOX_TAG] * 4
    kubectl("rollout", "resume", "deploy/web")
    rolled_out(kubectl)
    assert images(kubectl) == ["orch-test/busybox:2"] * 4


def test_describe_logs_events_and_explain(deployed):
    kubectl = deployed
    said = kubectl("describe", "deploy", "web").out
    assert "3 desired | 3 updated | 3 total | 3 available | 0 unavailable" in said
    assert "ScalingReplicaSet" in said
    name = kubectl("get", "pods", "-o", "name").lines[0]
    said = kubectl("describe", name).out
    for words in ("State:          Running", "Successfully assigned default/",
                  "http-get http://:http/ delay=0s", "Started container web",
                  "Controlled By:  ReplicaSet/web-"):  # fmt: skip
        assert words in said
    said = kubectl("describe", "node", "node-1").out
    for words in ("Container Runtime Version:  docker://", "Non-terminated Pods:", "cpu  "):
        assert words in said
    assert "Endpoints:" in kubectl("describe", "svc", "web").out
    with kubectl.start("logs", "-f", name) as follower:
        assert follower.stdout is not None
        assert follower.stdout.readline() == "started\n"
    assert "Started container web" in kubectl("events", "--for", name).out
    assert "Scheduled" in kubectl("get", "events").out
    assert "maxSurge" in kubectl("explain", "deploy.spec.strategy.rollingUpdate").out


def test_cordon_drain_label_annotate_wait(deployed, platform):
    kubectl = deployed
    assert kubectl("cordon", "node-1").lines == ["node/node-1 cordoned"]
    assert "Ready,SchedulingDisabled" in kubectl("get", "nodes").out
    try:
        kubectl("drain", "node-1", "--ignore-daemonsets", "--force", "--timeout=40s")
        rolled_out(kubectl)
        pods = kubectl.get("pods", "-l", "app=web")["items"]
        assert "node-1" not in {p["spec"]["nodeName"] for p in pods}
        assert "sandbox" not in platform.rig.run("node-1", "docker", "ps", "-a")
        assert platform.rig.run("node-1", "docker", "ps", "-aq") == ""
    finally:
        assert kubectl("uncordon", "node-1").lines == ["node/node-1 uncordoned"]
    assert kubectl("label", "node", "node-1", "zone=a").lines == ["node/node-1 labeled"]
    assert kubectl("get", "nodes", "-l", "zone=a", "-o", "name").lines == ["node/node-1"]
    kubectl("label", "node", "node-1", "zone-")
    kubectl("annotate", "deploy", "web", "owner=me")
    assert kubectl.get("deploy", "web")["metadata"]["annotations"]["owner"] == "me"
    met = kubectl("wait", "deploy/web", "--for=condition=Available", "--timeout=20s").lines
    assert met == ["deployment.apps/web condition met"]
    name = kubectl("get", "pods", "-o", "name").lines[0]
    assert kubectl("delete", name).lines == [f'pod "{name.removeprefix("pod/")}" deleted']
    assert "NotFound" in kubectl.fails("get", name)


def test_two_strategies_by_name(kubectl):
    for strategy in ("round-robin", "resource-aware"):
        document = web(replicas=6)
        document["spec"]["template"]["spec"]["schedulerName"] = strategy
        kubectl("apply", "-f", "-", stdin=yaml.safe_dump(document))
        try:
            rolled_out(kubectl)
            pods = kubectl.get("pods", "-l", "app=web")["items"]
            on = [p["spec"]["nodeName"] for p in pods]
            assert sorted(on.count(name) for name in set(on)) == [2, 2, 2]
        finally:
            kubectl("delete", "deploy", "web")
            kubectl("wait", "pods", "--all", "--for=delete", "--timeout=30s")
