"""`orch get`, `apply`, `delete` and their kin beside kubectl: the same words, the same effects."""

import os
import re
import sys
from pathlib import Path

import pytest
import yaml

from tests.conformance.manifests import config_map, deployment, node, pod, service
from tests.rig.kubectl import Kubectl

pytestmark = [pytest.mark.slow]


@pytest.fixture
def orch(server, homes):
    """The `orch` command line with the server's kubeconfig."""
    home = homes / "orch"
    home.mkdir(exist_ok=True)
    made = Kubectl(Path(sys.executable).with_name("orch"), server.kubeconfig, home)
    made.environment["PYTHONPATH"] = os.pathsep.join(sys.path)  # the tree under test
    return made


def both(kubectl, orch, *words):
    return kubectl(*words).rows, orch(*words).rows


def several(*documents):
    return yaml.safe_dump_all(documents)


def test_apply_says_what_kubectl_says(kubectl, orch, namespace):
    text = several(config_map(), deployment(), service())
    first = orch("apply", "-n", namespace, "-f", "-", stdin=text).lines
    assert first == ["configmap/settings created", "deployment.apps/web created",
                     "service/web created"]  # fmt: skip
    assert kubectl("apply", "-n", namespace, "-f", "-", stdin=text).lines == [
        line.replace("created", "unchanged") for line in first
    ]
    changed = several(config_map(), deployment(replicas=3), service())
    assert orch("apply", "-n", namespace, "-f", "-", stdin=changed).lines == [
        "configmap/settings unchanged", "deployment.apps/web configured", "service/web unchanged",
    ]  # fmt: skip
    assert kubectl.get("deploy", "web", "-n", namespace)["spec"]["replicas"] == 3


def test_what_the_server_refuses_keeps_all_from_being_applied(kubectl, orch, namespace):
    wrong = pod("wrong")
    del wrong["spec"]["containers"][0]["image"]
    refused = orch.fails("apply", "-n", namespace, "-f", "-", stdin=several(config_map(), wrong))
    assert 'Pod "wrong" is invalid: spec.containers[0].image: Required value' in refused
    assert "standard input:" in refused
    assert refused.endswith("error: nothing was applied\n")
    assert "NotFound" in kubectl.fails("get", "cm", "settings", "-n", namespace)


def test_a_namespace_may_come_with_what_is_in_it(kubectl, orch, namespace):
    name = f"{namespace}-new"
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    inside = config_map()
    inside["metadata"]["namespace"] = name
    try:
        assert orch("apply", "-f", "-", stdin=several(space, inside)).lines == [
            f"namespace/{name} created", "configmap/settings created",
        ]  # fmt: skip
    finally:
        kubectl("delete", "namespace", name, "--wait=false")


@pytest.mark.parametrize("output", [(), ("-o", "wide"), ("--show-labels",)])
def test_tables_are_those_of_kubectl(kubectl, orch, namespace, output):
    kubectl("apply", "-n", namespace, "-f", "-", stdin=several(deployment(), service(), pod()))
    for kind in ("deployments", "services", "pods", "deploy,svc"):
        theirs, ours = both(kubectl, orch, "get", kind, "-n", namespace, *output)
        assert [ageless(row) for row in ours] == [ageless(row) for row in theirs]


def ageless(row):
    """A row without its age, which may have moved on between two commands."""
    return [re.sub(r"^\d+[smhd]$", "AGE", cell) for cell in row]


def test_documents_are_those_of_kubectl(kubectl, orch, namespace):
    kubectl("apply", "-n", namespace, "-f", "-", stdin=several(config_map()))
    for output in ("yaml", "json"):
        words = ("get", "cm", "settings", "-n", namespace, "-o", output)
        assert yaml.safe_load(orch(*words).out) == yaml.safe_load(kubectl(*words).out)


def test_failures_in_the_same_words(kubectl, orch, namespace):
    for words in (("get", "pods", "nope"), ("delete", "svc", "nope")):
        theirs = kubectl.fails(*words, "-n", namespace)
        assert orch.fails(*words, "-n", namespace) == theirs


def test_scale_and_selectors(kubectl, orch, namespace):
    kubectl("apply", "-n", namespace, "-f", "-", stdin=several(deployment(), config_map()))
    assert orch("scale", "deploy/web", "--replicas", "5", "-n", namespace).lines == [
        "deployment.apps/web scaled"
    ]
    assert kubectl.get("deploy", "web", "-n", namespace)["spec"]["replicas"] == 5
    words = ("get", "deploy", "-n", namespace, "-l", "app=web")
    assert [row[0] for row in orch(*words).rows] == ["NAME", "web"]
    assert "No resources found" in orch.run("get", "deploy", "-n", namespace, "-l", "app=x").err
    assert orch("delete", "deploy", "web", "-n", namespace).lines == [
        'deployment.apps "web" deleted'
    ]


def test_nodes(kubectl, orch):
    kubectl("apply", "-f", "-", stdin=node("own-verbs"))
    try:
        assert any(row[0] == "own-verbs" for row in orch("nodes").rows)
    finally:
        kubectl("delete", "node", "own-verbs")


def test_custom_kinds(kubectl, orch, namespace):
    group = "own.example.com"
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"boxes.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "boxes", "kind": "Box", "shortNames": ["bx"]},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "properties": {
                                "spec": {
                                    "type": "object",
                                    "properties": {"size": {"type": "integer"}},
                                }
                            },
                        }
                    },
                    "additionalPrinterColumns": [
                        {"name": "Size", "type": "integer", "jsonPath": ".spec.size"}
                    ],
                }
            ],
        },
    }
    box = {
        "apiVersion": f"{group}/v1",
        "kind": "Box",
        "metadata": {"name": "one"},
        "spec": {"size": 1},
    }
    words = ("apply", "-n", namespace, "-f", "-")
    assert "kind: 'Box' is not served here" in orch.fails(*words, stdin=yaml.safe_dump(box))
    orch("apply", "-f", "-", stdin=yaml.safe_dump(definition))
    kubectl("wait", "--for=condition=Established", f"crd/boxes.{group}", "--timeout=20s")
    try:
        assert orch(*words, stdin=yaml.safe_dump(box)).lines == [f"box.{group}/one created"]
        assert orch(*words, stdin=yaml.safe_dump(box)).lines == [f"box.{group}/one unchanged"]
        box["spec"]["size"] = 2
        assert orch(*words, stdin=yaml.safe_dump(box)).lines == [f"box.{group}/one configured"]
        mine, theirs = both(kubectl, orch, "get", "bx", "-n", namespace)
        assert mine == theirs
        assert "boxez" in orch.fails("get", "boxez", "-n", namespace)
        orch("delete", f"boxes.{group}", "one", "-n", namespace)
        assert orch("get", "box", "-n", namespace, "-o", "name").out == ""
    finally:
        kubectl("delete", "crd", f"boxes.{group}", "--timeout=20s")


def test_explain_and_simulate_change_nothing(kubectl, orch, namespace):
    host = node("explained")
    host["status"] = {
        "conditions": [{"type": "Ready", "status": "True"}],
        "allocatable": {"cpu": "1", "memory": "1Gi", "pods": "9"},
    }
    asks = pod("web")
    asks["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "2"}}
    kubectl("apply", "-f", "-", stdin=yaml.safe_dump(host))
    try:
        status = yaml.safe_dump({"status": host["status"]})
        kubectl("patch", "node", "explained", "--subresource=status", "--type=merge", "-p", status)
        kubectl("apply", "-n", namespace, "-f", "-", stdin=yaml.safe_dump(asks))
        before = kubectl.get("pod", "web", "-n", namespace)
        said = orch("explain", "pod", "web", "-n", namespace).out
        assert "insufficient cpu (needs 2, free 1)" in said
        machine = yaml.safe_load(orch("explain", "pod/web", "-n", namespace, "-o", "json").out)
        assert (machine["kind"], machine["state"]) == ("PodPlacement", "Pending")
        assert "it is pods that are placed" in orch.fails("explain", "node", "explained")
        assert "no such node; did you mean explained?" in orch.fails(
            "simulate", "--fail", "explaned"
        )
        found = orch("simulate", "--add-nodes", "1:cpu=4,memory=4Gi", "--fail", "explained").out
        assert "new-1" in found
        assert "nothing was changed" in found
        assert kubectl.get("pod", "web", "-n", namespace) == before
    finally:
        kubectl("delete", "node", "explained")
