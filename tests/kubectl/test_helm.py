"""Helm."""

import json
import sys
import time
from pathlib import Path

import pytest
import yaml

from tests.rig.kubectl import Kubectl
from tests.rig.watching import until

pytestmark = [pytest.mark.docker, pytest.mark.rig, pytest.mark.slow]

CHART = Path(__file__).parent / "chart"
BINARIES = sorted((Path(sys.prefix) / "share" / "kubectl").glob("helm.*"))
PUBLIC = Path(sys.prefix) / "share/kubectl/ragleap_app_chart-0.3.2/helm/ragleap-app-chart"
"""A chart that somebody else wrote: deployments, services, budgets, policies, ingresses, scalers."""
PODS = "app.kubernetes.io/instance=shop"
NO_HELM = "NO HELM FOUND: run scripts/conformance, which fetches it; nothing was checked"


@pytest.fixture(params=BINARIES or [None], ids=lambda b: b.name if b else "none")
def helm(request, kubectl):
    """Each Helm that is there, in the test's namespace."""
    if request.param is None:
        pytest.skip(NO_HELM)
    return Kubectl(
        request.param, Path(kubectl.environment["KUBECONFIG"]), Path(kubectl.environment["HOME"])
    )


def releases(helm):
    """All there are, those that failed as well; Helm 4 lists them without being asked."""
    every = () if helm.binary.name.endswith("4") else ("-a",)
    return json.loads(helm("list", *every, "-o", "json").out)


def pages(kubectl, selector, port):
    """What the pods serve, those that are on their way out left aside."""
    pods = kubectl.get("pods", "-l", selector)["items"]
    staying = [pod["metadata"] for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    words = ("--", "wget", "-qO-", f"http://127.0.0.1:{port}/")
    return {kubectl.run("exec", pod["name"], *words).out.strip() for pod in staying}


def settles(kubectl, name, ready, selector, port, text):
    """`helm --wait` is content when the new pods are ready; the old ones may still be there."""

    def settled():
        status = kubectl.get("deploy", name)["status"]
        return status.get("readyReplicas") == ready and pages(kubectl, selector, port) == {text}

    until(f"{name} has {ready} pods that say {text}", settled)


@pytest.mark.command(
    "Helm 3 and 4: `install --wait`, `list`, `status`, `upgrade`, `history`, `rollback`, `test`, `uninstall`"
)
def test_a_release(helm, kubectl, bench):
    chart = str(CHART)
    dry = helm("install", "shop", chart, "--dry-run=server").out
    assert "kind: Deployment" in dry
    assert kubectl("get", "deploy", "-o", "name").lines == []
    said = helm.run("install", "shop", chart, "--wait", "--timeout=60s", timeout=90)
    assert said.code == 0, said.err
    assert "The shop shop says hello." in said.out
    settles(kubectl, "shop", 2, PODS, 80, "hello")
    jobs = {
        job["metadata"]["name"]: job["status"]["succeeded"] for job in kubectl.get("jobs")["items"]
    }
    assert jobs == {"shop-pre-install": 1, "shop-post-install": 1}
    (listed,) = json.loads(helm("list", "-o", "json").out)
    assert (listed["name"], listed["status"], listed["revision"]) == ("shop", "deployed", "1")
    assert "deployed" in helm("status", "shop").out
    assert "kind: Deployment" in helm("get", "manifest", "shop").out

    words = ("--set", "message=again", "--set", "replicas=3", "--wait", "--timeout=60s")
    said = helm.run("upgrade", "shop", chart, *words, timeout=90)
    assert said.code == 0, said.err
    settles(kubectl, "shop", 3, PODS, 80, "again")
    assert yaml.safe_load(helm("get", "values", "shop", "-o", "yaml").out) == {
        "message": "again",
        "replicas": 3,
    }
    said = helm.run("test", "shop", "--logs", timeout=60)
    assert said.code == 0, said.err
    assert "again tested" in said.out
    said = helm.run("rollback", "shop", "1", "--wait", "--timeout=60s", timeout=90)
    assert said.code == 0, said.err
    assert kubectl.get("deploy", "shop")["spec"]["replicas"] == 2
    history = json.loads(helm("history", "shop", "-o", "json").out)
    assert [(h["revision"], h["status"]) for h in history] == [
        (1, "superseded"), (2, "superseded"), (3, "deployed"),
    ]  # fmt: skip
    records = kubectl.get("secrets", "-l", "owner=helm")["items"]
    assert {s["type"] for s in records} == {"helm.sh/release.v1"}

    said = helm.run("uninstall", "shop", "--wait", "--timeout=60s", timeout=90)
    assert said.code == 0, said.err
    assert (
        kubectl(
            "get", "deploy,svc,pdb,cm,sa", "-l", "app.kubernetes.io/instance=shop", "-o", "name"
        ).lines
        == []
    )
    assert releases(helm) == []


@pytest.mark.command("Helm 3 and 4: an `install` that fails, `--atomic`/`--rollback-on-failure`")
def test_a_release_that_fails(helm, kubectl, bench):
    bad = "orch-test/none:1"
    atomic = "--rollback-on-failure" if helm.binary.name.endswith("4") else "--atomic"
    started = time.monotonic()
    said = helm.run(
        "install",
        "shop",
        str(CHART),
        "--no-hooks",
        "--set",
        f"image={bad}",
        atomic,
        "--timeout=4s",
        timeout=60,
    )
    assert said.code != 0
    assert time.monotonic() - started < 40
    assert releases(helm) == []
    assert kubectl("get", "deploy", "-o", "name").lines == []


def public_values(message, **web):
    """Two services, of which one is exposed and scaled."""
    server = {
        "image": "orch-test/busybox:1",
        "port": 8000,
        "command": ["sh", "-c", f"mkdir -p /tmp/w; echo {message} >/tmp/w/index.html; "
                    "httpd -f -p 8000 -h /tmp/w"],
        "securityContext": {"runAsNonRoot": True, "runAsUser": 1000},
        "pdb": {"enabled": True},
    }  # fmt: skip
    return {
        "services": [
            {"name": "web", "replicaCount": 2, "expose": True, "hostname": "shop.example.com",
             "dependsOn": ["back"], **server, **web},
            {"name": "back", "replicaCount": 1,
             "autoscaling": {"enabled": True, "maxReplicas": 3}, **server},
        ],
        "ingress": {"ingressClassName": "orch", "clusterIssuer": "none"},
    }  # fmt: skip


@pytest.mark.command("Helm 3 and 4: the life of a public chart")
def test_a_public_chart(helm, kubectl, bench):
    if not PUBLIC.is_dir():
        pytest.skip("THE PUBLIC CHART IS NOT HERE: run scripts/conformance, which fetches it")

    def values(message, **web):
        return ("-f", bench.file("values.yaml", public_values(message, **web)))

    wait = ("--wait", "--timeout=60s")
    said = helm.run("install", "shop", str(PUBLIC), *values("one"), *wait, timeout=90)
    assert said.code == 0, said.err
    made = kubectl("get", "deploy,svc,pdb,hpa,ingress,networkpolicy", "-o", "name").lines
    assert set(made) == {
        "deployment.apps/shop-web", "deployment.apps/shop-back",
        "service/shop-web", "service/shop-back",
        "poddisruptionbudget.policy/shop-web", "poddisruptionbudget.policy/shop-back",
        "horizontalpodautoscaler.autoscaling/shop-back",
        "ingress.networking.k8s.io/shop-web",
        "networkpolicy.networking.k8s.io/shop-web-deny-by-default",
        "networkpolicy.networking.k8s.io/shop-back-deny-by-default",
    }  # fmt: skip
    settles(kubectl, "shop-web", 2, "app=web,release=shop", 8000, "one")
    more = values("two", replicaCount=3)
    said = helm.run("upgrade", "shop", str(PUBLIC), *more, *wait, timeout=90)
    assert said.code == 0, said.err
    settles(kubectl, "shop-web", 3, "app=web,release=shop", 8000, "two")
    said = helm.run("rollback", "shop", "1", *wait, timeout=90)
    assert said.code == 0, said.err
    assert kubectl.get("deploy", "shop-web")["spec"]["replicas"] == 2
    history = json.loads(helm("history", "shop", "-o", "json").out)
    assert [entry["status"] for entry in history] == ["superseded", "superseded", "deployed"]
    assert [one["name"] for one in json.loads(helm("list", "-o", "json").out)] == ["shop"]
    said = helm.run("uninstall", "shop", *wait, timeout=90)
    assert said.code == 0, said.err
    left = kubectl("get", "deploy,svc,pdb,hpa,ingress,networkpolicy", "-o", "name").lines
    assert left == []
    assert releases(helm) == []
