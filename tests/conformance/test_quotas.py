"""Quotas and limit ranges, as kubectl of every version sees them."""

import re
import time

import pytest

pytestmark = [pytest.mark.slow]


@pytest.fixture
def place(request, any_kubectl):
    """A namespace of this kubectl's own."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:60]
    any_kubectl("create", "namespace", name)
    yield name
    any_kubectl("delete", "namespace", name, "--wait=false")


def used(kubectl, place, expected):
    """Waits until the quota's status says so; the controller writes it a moment later."""
    deadline = time.monotonic() + 10
    while (found := kubectl.get("quota", "q", "-n", place)["status"].get("used")) != expected:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def test_quota(any_kubectl, place):
    any_kubectl("create", "quota", "q", "-n", place, "--hard=pods=1,requests.cpu=1")
    used(any_kubectl, place, {"pods": "0", "requests.cpu": "0"})
    refused = any_kubectl.fails("run", "a", "-n", place, "--image=x:1")
    assert (
        'Error from server (Forbidden): pods "a" is forbidden: failed quota: q: must specify '
        "requests.cpu for: a"
    ) in refused
    limits = {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": {"name": "l"},
        "spec": {"limits": [{"type": "Container", "defaultRequest": {"cpu": "250m"}}]},
    }
    any_kubectl("create", "-n", place, "-f", "-", stdin=limits)
    any_kubectl("run", "a", "-n", place, "--image=x:1")
    refused = any_kubectl.fails("run", "b", "-n", place, "--image=x:1")
    assert (
        'pods "b" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1'
    ) in refused
    used(any_kubectl, place, {"pods": "1", "requests.cpu": "250m"})
    table = any_kubectl("get", "quota", "-n", place)
    assert table.rows[0] == ["NAME", "REQUEST", "LIMIT", "AGE"]
    assert table.rows[1][:2] == ["q", "pods: 1/1, requests.cpu: 250m/1"]
    described = any_kubectl("describe", "quota", "q", "-n", place).out
    assert re.search(r"requests.cpu\s+250m\s+1\b", described)
    about = any_kubectl("describe", "namespace", place).out
    assert re.search(r"pods\s+1\s+1\b", about)
    assert re.search(r"Container\s+cpu\s+-\s+-\s+250m", about)
    any_kubectl("delete", "pod", "a", "-n", place)
    used(any_kubectl, place, {"pods": "0", "requests.cpu": "0"})


def test_limit_range(any_kubectl, place):
    limits = {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": {"name": "l"},
        "spec": {"limits": [{"type": "Container", "max": {"memory": "1Gi"}}]},
    }
    any_kubectl("apply", "-n", place, "-f", "-", stdin=limits)
    before = any_kubectl.get("limits", "l", "-n", place)
    any_kubectl(
        "apply", "-n", place, "-f", "-", stdin=limits
    )  # the list is replaced, and filled in
    assert any_kubectl.get("limits", "l", "-n", place) == before
    any_kubectl("run", "a", "-n", place, "--image=x:1")
    pod = any_kubectl.get("pod", "a", "-n", place)
    assert pod["spec"]["containers"][0]["resources"] == {
        "limits": {"memory": "1Gi"}, "requests": {"memory": "1Gi"},
    }  # fmt: skip
    big = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "b"},
        "spec": {"containers": [
            {"name": "c", "image": "x:1", "resources": {"limits": {"memory": "2Gi"}}}
        ]},
    }  # fmt: skip
    refused = any_kubectl.fails("create", "-n", place, "-f", "-", stdin=big)
    assert "maximum memory usage per Container is 1Gi, but limit is 2Gi" in refused
