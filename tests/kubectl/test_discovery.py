"""Discovery, version, explain."""

import json

import pytest
import yaml

from tests.kubectl.manifests import config_map, pod

pytestmark = [pytest.mark.docker, pytest.mark.rig, pytest.mark.slow]


@pytest.mark.command("`version`")
def test_version(kubectl, version):
    said = json.loads(kubectl("version", "-o", "json").out)
    assert said["serverVersion"]["major"] == "1"
    assert said["serverVersion"]["gitVersion"].startswith("v1.")


@pytest.mark.command("`api-versions`, `api-resources`, also with a cold cache")
def test_api_resources(kubectl, tmp_path):
    kubectl.environment["HOME"] = str(tmp_path / "cold")
    lines = kubectl("api-resources").lines
    assert lines[0].split()[:2] == ["NAME", "SHORTNAMES"]
    rows = [line.split() for line in lines[1:]]
    assert ["deployments", "deploy", "apps/v1", "true", "Deployment"] in rows
    assert ["nodes", "no", "v1", "false", "Node"] in rows
    assert ["nodes", "metrics.k8s.io/v1beta1", "false", "NodeMetrics"] in rows
    wide = kubectl("api-resources", "-o", "wide", "--api-group=apps").out
    assert "create,delete,deletecollection,get,list,patch,update,watch" in wide
    names = kubectl("api-resources", "--namespaced=false", "-o", "name", "--verbs=list,get").lines
    assert "namespaces" in names
    assert "pods" not in names
    assert {"v1", "apps/v1", "batch/v1"} <= set(kubectl("api-versions").lines)
    again = kubectl("get", "pods", "-v=6").err  # the second run asks for no discovery
    assert "/apis" not in again


@pytest.mark.command("`cluster-info`, `cluster-info dump`")
def test_cluster_info(kubectl, bench):
    assert "is running at" in kubectl("cluster-info").out
    kubectl("apply", "-f", bench.file("p.yaml", pod(), config_map()))
    kubectl("wait", "pod/p", "--for=condition=Ready", "--timeout=60s")
    words = ("cluster-info", "dump", "--namespaces", bench.namespace)
    assert '"kind": "NodeList"' in kubectl(*words).out
    folder = bench.folder / "dump"
    kubectl(*words, "-o", "yaml", "--output-directory", str(folder))
    nodes = yaml.safe_load((folder / "nodes.yaml").read_text())["items"]
    assert [node["metadata"]["name"] for node in nodes] == ["node-1", "node-2", "node-3"]
    mine = folder / bench.namespace
    assert {path.stem for path in mine.glob("*.yaml")} >= {
        "events", "replication-controllers", "services", "daemonsets", "deployments",
        "replicasets", "pods",
    }  # fmt: skip
    pods = yaml.safe_load((mine / "pods.yaml").read_text())["items"]
    assert [found["metadata"]["name"] for found in pods] == ["p"]
    assert "started\n" in (mine / "p" / "logs.txt").read_text()


@pytest.mark.command("`explain KIND.FIELD`, `--recursive`, to any depth")
def test_explain(kubectl):
    deep = kubectl("explain", "deploy.spec.template.spec.containers.livenessProbe.httpGet.port").out
    assert "Name or number of the port" in deep
    assert "FIELDS" in kubectl("explain", "pod.spec").out
    assert "rollingUpdate" in kubectl("explain", "deployment.spec.strategy", "--recursive").out
    assert "schedule" in kubectl("explain", "cronjob.spec", "--api-version=batch/v1").out
    assert "does not exist" in kubectl.fails("explain", "pod.spec.nosuchfield")
    old = kubectl("explain", "deploy.spec.replicas", "--output=plaintext-openapiv2").out
    assert "Number of desired pods" in old


@pytest.mark.command("unknown kinds are told")
def test_unknown_kind(kubectl):
    said = kubectl.fails("get", "gadgets")
    assert 'the server doesn\'t have a resource type "gadgets"' in said


@pytest.mark.command("`get --raw`")
def test_raw(kubectl):
    assert kubectl("get", "--raw", "/readyz").out.strip() == "ok"
    assert json.loads(kubectl("get", "--raw", "/apis/apps/v1").out)["groupVersion"] == "apps/v1"
    assert "apiserver_request_duration" in kubectl("get", "--raw", "/metrics").out
