"""One short story with every kubectl that is found: discovery, writes, tables, watches."""

import json

import pytest

from tests.conformance.manifests import deployment

pytestmark = [pytest.mark.slow]


def test_story(any_kubectl, namespace):
    kubectl = any_kubectl
    scope = ("-n", namespace)
    assert json.loads(kubectl("version", "-o", "json").out)["serverVersion"]["major"] == "1"
    assert "deployments" in kubectl("api-resources").out
    assert "rollingUpdate" in kubectl("explain", "deployment.spec.strategy").out

    assert "created" in kubectl("apply", *scope, "-f", "-", stdin=deployment()).out
    assert "unchanged" in kubectl("apply", *scope, "-f", "-", stdin=deployment()).out
    changed = deployment(replicas=3, image="registry.example/web:2")
    assert "configured" in kubectl("apply", *scope, "-f", "-", stdin=changed).out
    wrong = deployment("other")
    wrong["spec"]["replicaz"] = 1
    assert "replicaz" in kubectl.fails("apply", *scope, "-f", "-", stdin=wrong)
    assert kubectl.run("diff", *scope, "-f", "-", stdin=changed).code == 0

    rows = kubectl("get", "deploy", *scope, "-o", "wide").rows
    assert rows[0][:2] == ["NAME", "READY"]
    assert rows[1][:2] == ["web", "0/3"]
    containers = kubectl.get("deploy", "web", *scope)["spec"]["template"]["spec"]["containers"]
    assert [c["image"] for c in containers] == ["registry.example/web:2", "registry.example/side:1"]

    kubectl("create", "configmap", "made", *scope, "--from-literal=k=v")
    kubectl("create", "secret", "generic", "hidden", *scope, "--from-literal=k=v")
    kubectl("create", "deployment", "d", *scope, "--image=x:1", "--replicas=0")
    assert kubectl.get("deploy", "d", *scope)["spec"]["replicas"] == 0
    kubectl("create", "serviceaccount", "robot", *scope)
    kubectl("scale", "deploy/web", *scope, "--replicas=1")
    kubectl("set", "image", "deploy/web", *scope, "web=w:9")
    kubectl("label", "deploy", "web", *scope, "x=1")
    kubectl("rollout", "restart", "deploy/web", *scope)
    assert "web" in kubectl("describe", "deploy", "web", *scope).out
    assert kubectl("auth", "can-i", "create", "pods").out == "yes\n"
    kubectl("get", "all", *scope)
    kubectl("get", "events", *scope)

    with kubectl.start("get", "cm", *scope, "-w", "--no-headers") as watching:
        seen = [watching.stdout.readline().split()[0]]
        kubectl("delete", "cm", "made", *scope)
        seen.append(watching.stdout.readline().split()[0])
    assert seen == ["made", "made"]
    kubectl("delete", "deploy", "web", *scope)
    kubectl("wait", "deploy/web", *scope, "--for=delete", "--timeout=10s")
    assert "NotFound" in kubectl.fails("get", "deploy", "web", *scope)
