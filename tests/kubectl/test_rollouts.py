"""Scaling and rollouts."""

import pytest

from tests.kubectl.manifests import daemon_set, deployment, stateful_set
from tests.rig.watching import until

pytestmark = [pytest.mark.docker, pytest.mark.rig, pytest.mark.slow]


def finished(kubectl, what):
    last = kubectl("rollout", "status", what, "--timeout=60s").lines[-1]
    assert "successfully rolled out" in last or "roll out complete" in last or "complete" in last


def images(kubectl, kind, name="web"):
    found = kubectl.get(kind, name)
    return [c["image"] for c in found["spec"]["template"]["spec"]["containers"]]


@pytest.mark.command("`scale`, `--current-replicas`, several objects")
def test_scale(kubectl, bench):
    kubectl("create", "-f", bench.file("w.yaml", deployment(replicas=0), deployment("two", 0)))
    assert kubectl("scale", "deploy/web", "--replicas=2").lines == ["deployment.apps/web scaled"]
    assert kubectl("scale", "deploy/web", "--current-replicas=2", "--replicas=1").lines == [
        "deployment.apps/web scaled"
    ]
    assert "Expected replicas to be 5" in kubectl.fails(
        "scale", "deploy/web", "--current-replicas=5", "--replicas=9"
    )
    kubectl("scale", "deploy", "web", "two", "--replicas=0")
    assert kubectl.get("deploy", "web")["spec"]["replicas"] == 0


@pytest.mark.command("`rollout status|history|undo|restart|pause|resume` deployment")
def test_deployment(kubectl, bench):
    kubectl("create", "-f", bench.file("w.yaml", deployment(replicas=2)))
    finished(kubectl, "deploy/web")
    kubectl("set", "image", "deploy/web", "c=orch-test/busybox:2")
    finished(kubectl, "deploy/web")
    history = kubectl("rollout", "history", "deploy/web").lines
    assert [line.split()[0] for line in history[2:] if line] == ["1", "2"]
    assert "orch-test/busybox:1" in kubectl("rollout", "history", "deploy/web", "--revision=1").out
    assert kubectl("rollout", "undo", "deploy/web").lines == ["deployment.apps/web rolled back"]
    assert images(kubectl, "deploy") == ["orch-test/busybox:1"]
    kubectl("rollout", "restart", "deploy/web")
    finished(kubectl, "deploy/web")
    kubectl("rollout", "pause", "deploy/web")
    assert kubectl.get("deploy", "web")["spec"]["paused"] is True
    kubectl("rollout", "resume", "deploy/web")
    kubectl("rollout", "undo", "deploy/web", "--to-revision=2")
    assert images(kubectl, "deploy") == ["orch-test/busybox:2"]


@pytest.mark.command("`rollout status|history|undo|restart` statefulset")
def test_stateful_set(kubectl, bench):
    kubectl("create", "-f", bench.file("s.yaml", stateful_set()))
    finished(kubectl, "sts/db")
    assert kubectl("get", "pods", "-o", "name").lines == ["pod/db-0", "pod/db-1"]
    assert kubectl("get", "sts").rows[1][:2] == ["db", "2/2"]
    kubectl("set", "image", "sts/db", "c=orch-test/busybox:2")
    finished(kubectl, "sts/db")
    history = kubectl("rollout", "history", "sts/db").lines
    assert [line.split()[0] for line in history[2:] if line] == ["1", "2"]
    kubectl("rollout", "undo", "sts/db")
    assert images(kubectl, "sts", "db") == ["orch-test/busybox:1"]
    finished(kubectl, "sts/db")
    kubectl("rollout", "restart", "sts/db")
    finished(kubectl, "sts/db")
    kubectl("scale", "sts/db", "--replicas=1")
    until("db-1 is gone", lambda: kubectl("get", "pods", "-o", "name").lines == ["pod/db-0"])


@pytest.mark.command("`rollout status|history|undo|restart` daemonset")
def test_daemon_set(kubectl, bench):
    kubectl("create", "-f", bench.file("d.yaml", daemon_set()))
    finished(kubectl, "ds/agent")
    assert kubectl("get", "ds").rows[1][:6] == ["agent", "3", "3", "3", "3", "3"]
    pods = kubectl.get("pods")["items"]
    assert sorted(p["spec"]["nodeName"] for p in pods) == ["node-1", "node-2", "node-3"]
    kubectl("set", "image", "ds/agent", "c=orch-test/busybox:2")
    finished(kubectl, "ds/agent")
    history = kubectl("rollout", "history", "ds/agent").lines
    assert [line.split()[0] for line in history[2:] if line] == ["1", "2"]
    assert "orch-test/busybox:1" in kubectl("rollout", "history", "ds/agent", "--revision=1").out
    kubectl("rollout", "undo", "ds/agent")
    finished(kubectl, "ds/agent")
    assert images(kubectl, "ds", "agent") == ["orch-test/busybox:1"]
    kubectl("rollout", "restart", "ds/agent")
    finished(kubectl, "ds/agent")


@pytest.mark.command("`cordon`, `uncordon`, `-l`, `drain` with a budget, `--disable-eviction`")
def test_drain(kubectl, bench):
    kubectl("create", "-f", bench.file("w.yaml", deployment(replicas=2)))
    finished(kubectl, "deploy/web")
    kubectl("create", "pdb", "b", "--selector=app=web", "--min-available=1")
    until(
        "the budget is counted",
        lambda: kubectl.get("pdb", "b")["status"].get("disruptionsAllowed") == 1,
    )
    node = kubectl.get("pods")["items"][0]["spec"]["nodeName"]
    words = ("--ignore-daemonsets", "--force", "--pod-selector=app=web")
    try:
        answer = kubectl("drain", node, *words, "--timeout=60s")
        assert f"node/{node} drained" in answer.out
        finished(kubectl, "deploy/web")
        assert node not in {p["spec"]["nodeName"] for p in kubectl.get("pods")["items"]}
        kubectl("patch", "pdb", "b", "--type=merge", "-p", '{"spec":{"minAvailable":2}}')
        until("no more", lambda: kubectl.get("pdb", "b")["status"].get("disruptionsAllowed") == 0)
        other = kubectl.get("pods")["items"][0]["spec"]["nodeName"]
        said = kubectl.fails("drain", other, *words, "--timeout=3s")
        assert "Cannot evict pod as it would violate the pod's disruption budget." in said
        # who deletes instead of evicting is not asked for a budget
        answer = kubectl("drain", other, *words, "--timeout=60s", "--disable-eviction")
        assert f"node/{other} drained" in answer.out
    finally:
        said = kubectl("uncordon", "node-1", "node-2", "node-3").lines
    assert said.count(f"node/{node} uncordoned") == 1
    kubectl("cordon", "-l", f"kubernetes.io/hostname={node}")
    assert kubectl.get("node", node)["spec"]["unschedulable"] is True
    kubectl("uncordon", "-l", f"kubernetes.io/hostname={node}")
    assert "unschedulable" not in kubectl.get("node", node)["spec"]
