"""`kubectl top`, by every version."""

import json
import re

import pytest

from tests.conformance.manifests import node, pod

pytestmark = [pytest.mark.slow]

SIZE = {"status": {"allocatable": {"cpu": "1", "memory": "4Gi"}}}


@pytest.fixture
def place(request, any_kubectl):
    """A namespace of this kubectl's own with three pods, one of them not measured; and a node."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:60]
    any_kubectl("create", "namespace", name)
    any_kubectl("create", "-f", "-", stdin=node(name))
    any_kubectl("patch", "node", name, "--subresource=status", "-p", json.dumps(SIZE))
    for each in ("a", "b", "new"):
        made = pod(each)
        made["metadata"]["labels"] = {"app": each}
        any_kubectl("create", "-n", name, "-f", "-", stdin=made)
    yield name
    any_kubectl("delete", "namespace", name, "--wait=false")
    any_kubectl("delete", "node", name)


def test_top(any_kubectl, place):
    def pods(*words):
        return [row[:4] for row in any_kubectl("top", "pod", *words, "--no-headers").rows]

    rows = any_kubectl("top", "pods", "-n", place).rows
    assert rows[0] == ["NAME", "CPU(cores)", "MEMORY(bytes)"]
    assert [row[:3] for row in rows[1:]] == [["a", "5m", "12Mi"], ["b", "5m", "12Mi"]]
    assert pods("a", "-n", place, "--containers") == [["a", "main", "5m", "12Mi"]]
    assert pods("-n", place, "-l", "app=b") == [["b", "5m", "12Mi"]]
    assert pods("-n", place, "--sort-by=memory") == [["a", "5m", "12Mi"], ["b", "5m", "12Mi"]]
    assert [place, "a", "5m", "12Mi"] in pods("-A")
    rows = any_kubectl("top", "node", place, "--no-headers").rows
    assert rows == [[place, "250m", "25%", "1024Mi", "25%"]]
    assert "a" in any_kubectl("get", "pods.metrics.k8s.io", "-n", place).out


def test_what_is_not_measured_yet(any_kubectl, place):
    missing = any_kubectl.fails("top", "pod", "new", "-n", place)
    assert f'podmetrics.metrics.k8s.io "{place}/new" not found' in missing
    assert "metrics not available yet" in any_kubectl.fails(
        "top", "pod", "-n", place, "-l", "app=new"
    )
