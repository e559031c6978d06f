"""Discovery, explain, get in all its outputs, describe, watches, events."""

import json
import re

import pytest
import yaml

from tests.conformance.manifests import config_map, deployment, node, pod, service

pytestmark = [pytest.mark.slow]


@pytest.fixture
def web(kubectl, namespace):
    kubectl("create", "-n", namespace, "-f", "-", stdin=deployment())
    return namespace


def test_version(kubectl):
    answer = json.loads(kubectl("version", "-o", "json").out)
    assert answer["serverVersion"]["gitVersion"].startswith("v1.33.0+orch-")


def test_api_resources(kubectl):
    rows = [row.split() for row in kubectl("api-resources").lines[1:]]
    assert ["deployments", "deploy", "apps/v1", "true", "Deployment"] in rows
    assert ["nodes", "no", "v1", "false", "Node"] in rows
    assert "apps/v1" in kubectl("api-versions").lines
    named = kubectl("api-resources", "--namespaced=false", "-o", "name").lines
    assert {"nodes", "namespaces"} <= set(named)


def test_explain(kubectl):
    text = kubectl("explain", "deployment.spec.strategy").out
    assert "RollingUpdate" in text
    assert re.search(r"rollingUpdate\s+<RollingUpdateDeployment>", text)
    assert "GROUP:      apps" in text
    recursive = kubectl("explain", "pod.spec", "--recursive").out
    assert "terminationGracePeriodSeconds" in recursive
    assert 'field "nothing" does not exist' in kubectl.fails("explain", "pod.nothing")


def test_cluster_info(kubectl, server):
    assert f"https://127.0.0.1:{server.port}" in kubectl("cluster-info").out


def test_get_table(kubectl, web):
    heads, row = kubectl("get", "deploy", "-n", web).rows
    assert heads == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
    assert row[:4] == ["web", "0/2", "0", "0"]
    heads, row = kubectl("get", "deploy", "-n", web, "-o", "wide").rows
    assert heads[-3:] == ["CONTAINERS", "IMAGES", "SELECTOR"]
    assert row[-3:] == [
        "web,side",
        "registry.example/web:1,registry.example/side:1",
        "app=web",
    ]
    assert kubectl("get", "deploy", "-n", web, "--show-labels").rows[1][-1] == "app=web"
    assert kubectl("get", "deploy", "-n", web, "-L", "app").rows[0][-1] == "APP"
    assert kubectl("get", "deploy/web", "-n", web, "--no-headers").rows[0][0] == "web"


def test_get_documents(kubectl, web):
    document = kubectl.get("deploy", "web", "-n", web)
    assert document["kind"] == "Deployment"
    assert document["spec"]["strategy"]["rollingUpdate"] == {
        "maxSurge": "25%",
        "maxUnavailable": "25%",
    }
    as_yaml = yaml.safe_load(kubectl("get", "deploy", "web", "-n", web, "-o", "yaml").out)
    assert as_yaml == document
    listed = kubectl.get("deploy", "-n", web)
    assert listed["kind"] == "List"
    assert listed["items"] == [document]
    path = "jsonpath={.spec.template.spec.containers[*].name}"
    assert kubectl("get", "deploy", "web", "-n", web, "-o", path).out == "web side"
    assert kubectl("get", "deploy", "-n", web, "-o", "name").lines == ["deployment.apps/web"]
    columns = "custom-columns=N:.metadata.name,R:.spec.replicas"
    assert kubectl("get", "deploy", "-n", web, "-o", columns).rows == [["N", "R"], ["web", "2"]]


def test_get_all_and_nothing(kubectl, namespace):
    answer = kubectl("get", "all", "-n", namespace)
    assert answer.out == ""
    assert f"No resources found in {namespace} namespace." in answer.err


def test_selectors(kubectl, namespace):
    for name, tier in (("a", "front"), ("b", "back"), ("c", "back")):
        kubectl("create", "-n", namespace, "-f", "-", stdin=pod(name, tier=tier))

    def names(*words):
        return kubectl("get", "pods", "-n", namespace, "-o", "name", *words).out.split()

    assert names("-l", "tier=back") == ["pod/b", "pod/c"]
    assert names("-l", "tier!=back") == ["pod/a"]
    assert names("-l", "tier in (front,back),!other") == ["pod/a", "pod/b", "pod/c"]
    assert names("-l", "tier notin (front)") == ["pod/b", "pod/c"]
    assert names("--field-selector", "metadata.name=b") == ["pod/b"]
    assert names("--field-selector", "metadata.name!=b,status.phase=Pending") == ["pod/a", "pod/c"]
    assert names("--field-selector", "spec.nodeName=nowhere") == []
    wrong = kubectl.fails("get", "pods", "-n", namespace, "--field-selector", "spec.colour=red")
    assert "field label not supported: spec.colour" in wrong


def test_chunks_and_sorting(kubectl, namespace):
    for number in (3, 1, 2, 5, 4):
        kubectl("create", "-n", namespace, "-f", "-", stdin=config_map(f"m{number}", n=str(number)))
    everything = kubectl("get", "cm", "-n", namespace, "--chunk-size=2", "-o", "name").out.split()
    assert everything == [f"configmap/m{n}" for n in range(1, 6)]
    ordered = kubectl(
        "get", "cm", "-n", namespace, "--sort-by=.data.n", "--no-headers", "-o", "name"
    ).out.split()
    assert ordered == everything


def test_not_found(kubectl, namespace):
    assert 'Error from server (NotFound): pods "nope" not found' in kubectl.fails(
        "get", "pod", "nope", "-n", namespace
    )
    assert 'the server doesn\'t have a resource type "unicorns"' in kubectl.fails("get", "unicorns")


def test_all_namespaces(kubectl, web):
    rows = kubectl("get", "deploy", "-A").rows
    assert rows[0][:2] == ["NAMESPACE", "NAME"]
    assert [web, "web"] in [row[:2] for row in rows]


def test_describe(kubectl, web):
    kubectl("create", "-n", web, "-f", "-", stdin=service())
    kubectl("create", "-n", web, "-f", "-", stdin=pod())

    def described(*words):
        return "\n" + kubectl("describe", *words).out

    text = described("deployment", "web", "-n", web)
    assert re.search(r"\nReplicas:\s+2 desired", text)
    assert "StrategyType:           RollingUpdate" in text
    assert re.search(r"\nName:\s+solo", described("pod", "so", "-n", web))
    assert re.search(r"\nType:\s+ClusterIP", described("svc", "web", "-n", web))
    assert re.search(r"\nStatus:\s+Active", described("ns", web))
    assert 'pods "nope" not found' in kubectl.fails("describe", "pod", "nope", "-n", web)


def test_describe_node(kubectl):
    kubectl("create", "-f", "-", stdin=node("described", zone="a"))
    try:
        text = kubectl("describe", "node", "described").out
        assert "zone=a" in text
        assert "Non-terminated Pods:" in text
    finally:
        kubectl("delete", "node", "described")


def test_watch_follows_changes(kubectl, namespace):
    with kubectl.start("get", "cm", "-n", namespace, "-w", "--no-headers") as watching:
        kubectl("create", "-n", namespace, "-f", "-", stdin=config_map("one"))
        assert watching.stdout.readline().split()[:2] == ["one", "1"]
        kubectl("patch", "cm", "one", "-n", namespace, "-p", '{"data":{"b":"2"}}')
        assert watching.stdout.readline().split()[:2] == ["one", "2"]
        kubectl("delete", "cm", "one", "-n", namespace)
        assert watching.stdout.readline().split()[:2] == ["one", "2"]


def test_watch_events_with_selector(kubectl, namespace):
    words = ("get", "pods", "-n", namespace, "-w", "--output-watch-events", "--no-headers")
    with kubectl.start(*words, "-l", "tier=x") as watching:
        kubectl("create", "-n", namespace, "-f", "-", stdin=pod("p", tier="y"))
        kubectl("label", "pod", "p", "-n", namespace, "tier=x", "--overwrite")
        assert watching.stdout.readline().split()[:2] == ["ADDED", "p"]
        kubectl("label", "pod", "p", "-n", namespace, "tier=y", "--overwrite")
        assert watching.stdout.readline().split()[:2] == ["DELETED", "p"]


def test_watch_of_one_object_as_json(kubectl, web):
    with kubectl.start("get", "deploy", "web", "-n", web, "-w", "-o", "json") as watching:
        first = _one_document(watching.stdout)
        kubectl("scale", "deploy", "web", "-n", web, "--replicas=5")
        second = _one_document(watching.stdout)
    assert (first["spec"]["replicas"], second["spec"]["replicas"]) == (2, 5)


def _one_document(stream):
    lines = []
    for line in stream:
        lines.append(line)
        if line.rstrip() == "}":
            return json.loads("".join(lines))
    raise AssertionError("".join(lines))


def test_events(kubectl, namespace):
    kubectl("create", "-n", namespace, "-f", "-", stdin=pod())
    uid = kubectl.get("pod", "solo", "-n", namespace)["metadata"]["uid"]
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "solo.1", "namespace": namespace},
        "involvedObject": {
            "apiVersion": "v1",
            "kind": "Pod",
            "name": "solo",
            "namespace": namespace,
            "uid": uid,
        },
        "type": "Warning",
        "reason": "FailedScheduling",
        "message": "no host fits",
        "count": 3,
        "firstTimestamp": "2026-01-02T03:04:05Z",
        "lastTimestamp": "2026-01-02T03:04:05Z",
        "source": {"component": "scheduler"},
    }
    kubectl("create", "-f", "-", stdin=event)
    rows = kubectl("events", "-n", namespace, "--for", "pod/solo").rows
    assert rows[1][1:] == ["Warning", "FailedScheduling", "Pod/solo", "no host fits"]
    rows = kubectl("get", "events", "-n", namespace).rows
    assert rows[0] == ["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]
    assert rows[1][1:] == ["Warning", "FailedScheduling", "pod/solo", "no host fits"]
    described = kubectl("describe", "pod", "solo", "-n", namespace).out
    assert re.search(r"Warning\s+FailedScheduling\s.*scheduler\s+no host fits", described)


def test_who_am_i_and_what_may_i(kubectl):
    identity = json.loads(kubectl("auth", "whoami", "-o", "json").out)["status"]["userInfo"]
    assert identity["username"] == "orch-admin"
    assert "system:masters" in identity["groups"]
    assert kubectl("auth", "can-i", "delete", "nodes").out == "yes\n"
    assert "*.*" in kubectl("auth", "can-i", "--list").out
    refused = kubectl.run("auth", "can-i", "delete", "nodes", "--as", "ann")
    assert (refused.code, refused.lines[-1].split(" - ")[0]) == (1, "no")
    forbidden = kubectl.fails("get", "pods", "--as", "ann")
    assert (
        'Error from server (Forbidden): pods is forbidden: User "ann" cannot list resource "pods" '
        'in API group "" in the namespace "default"'
    ) in forbidden


def test_raw_health(kubectl):
    assert kubectl("get", "--raw", "/healthz").out == "ok"
    assert "[+]ping ok" in kubectl("get", "--raw", "/readyz?verbose").out
    assert "apiserver_request_total" in kubectl("get", "--raw", "/metrics").out


def test_logs_say_why_there_are_none(kubectl, namespace):
    kubectl("create", "-n", namespace, "-f", "-", stdin=pod())
    assert "pod solo does not have a host assigned" in kubectl.fails(
        "logs", "solo", "-n", namespace
    )
    wrong = kubectl.fails("logs", "solo", "-c", "nope", "-n", namespace)
    assert "container nope is not valid for pod solo" in wrong
