"""Writing. By subresource, by raw path, by folder, by set."""

import json

import pytest
import yaml

from tests.kubectl.manifests import config_map, crd, deployment, pod

pytestmark = [pytest.mark.docker, pytest.mark.rig, pytest.mark.slow]


@pytest.mark.command("`get|edit|replace --subresource`")
def test_subresources(kubectl, bench):
    kubectl("create", "-f", bench.file("web.yaml", deployment(replicas=0)))
    assert kubectl("get", "deploy", "web", "--subresource=scale").rows[1][0] == "web"
    scale = json.loads(kubectl("get", "deploy", "web", "--subresource=scale", "-o", "json").out)
    assert (scale["kind"], scale["status"]["selector"]) == ("Scale", "app=web")
    group = f"sub{bench.minor}.example.com"
    definition = crd(group=group)
    definition["spec"]["names"]["shortNames"] = []
    bench.used.append(f"crd crontabs.{group}")
    kubectl("apply", "-f", bench.file("crd.yaml", definition))
    kubectl("wait", f"crd/crontabs.{group}", "--for=condition=Established", "--timeout=20s")
    tab = {
        "apiVersion": f"{group}/v1", "kind": "CronTab", "metadata": {"name": "a"},
        "spec": {"cronSpec": "* * * * *"},
    }  # fmt: skip
    kubectl("create", "-f", bench.file("tab.yaml", tab))
    tab["spec"]["cronSpec"] = "1 * * * *"
    tab["status"] = {"replicas": 3}
    kubectl("replace", "--subresource=status", "-f", bench.file("status.yaml", tab))
    found = kubectl.get(f"crontabs.{group}", "a")
    assert (found["spec"]["cronSpec"], found["status"]) == ("* * * * *", {"replicas": 3})
    editor = bench.folder / "editor"
    editor.write_text("#!/bin/sh\nsed -i 's/replicas: 3/replicas: 5/' \"$1\"\n")
    editor.chmod(0o755)
    kubectl.environment["KUBE_EDITOR"] = str(editor)
    said = kubectl("edit", f"crontabs.{group}", "a", "--subresource=status")
    assert said.lines == [f"crontab.{group}/a edited"]
    status = kubectl("get", f"crontabs.{group}", "a", "--subresource=status", "-o", "json")
    assert json.loads(status.out)["status"] == {"replicas": 5}


@pytest.mark.command("`create|replace|delete --raw`")
def test_raw_writes(kubectl, bench):
    path = f"/api/v1/namespaces/{bench.namespace}/configmaps"
    file = bench.folder / "cm.json"
    file.write_text(json.dumps(config_map("raw", k="1")))
    made = kubectl("create", "--raw", path, "-f", str(file))
    assert json.loads(made.out)["data"] == {"k": "1"}
    file.write_text(json.dumps(config_map("raw", k="2")))
    kubectl("replace", "--raw", f"{path}/raw", "-f", str(file))
    assert kubectl.get("cm", "raw")["data"] == {"k": "2"}
    assert json.loads(kubectl("delete", "--raw", f"{path}/raw").out)["status"] == "Success"
    assert "NotFound" in kubectl.fails("get", "cm", "raw")


@pytest.mark.command("`apply -f -`, `-R -f FOLDER`, `apply edit-last-applied`, `delete -f|-k`")
def test_folders(kubectl, bench):
    assert kubectl("apply", "-f", "-", stdin=config_map("piped")).lines == [
        "configmap/piped created"
    ]
    for name in ("one", "sub/two", "sub/sub/three"):
        path = bench.folder / "all" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(config_map(path.stem)))
    folder = str(bench.folder / "all")
    assert kubectl("apply", "-f", folder, "--dry-run=client", "-o", "name").lines == [
        "configmap/one"
    ]
    assert sorted(kubectl("apply", "-R", "-f", folder).lines) == [
        f"configmap/{name} created" for name in ("one", "three", "two")
    ]
    editor = bench.folder / "editor"
    editor.write_text("#!/bin/sh\nsed -i 's/key: value/key: edited/' \"$1\"\n")
    editor.chmod(0o755)
    kubectl.environment["KUBE_EDITOR"] = str(editor)
    kubectl("apply", "edit-last-applied", "cm/piped")
    assert "key: edited" in kubectl("apply", "view-last-applied", "cm/piped").out
    assert kubectl.get("cm", "piped")["data"] == {"key": "value"}
    assert "pruned" not in kubectl("diff", "-R", "-f", folder).out
    assert sorted(kubectl("delete", "-R", "-f", folder).lines) == [
        f'configmap "{name}" deleted{where(bench)}' for name in ("one", "three", "two")
    ]


def where(bench) -> str:
    """What newer versions add to the name of what they delete."""
    return f" from {bench.namespace} namespace" if bench.minor >= 34 else ""


@pytest.mark.command("`apply --prune --applyset`")
def test_apply_set(kubectl, bench):
    kubectl.environment["KUBECTL_APPLYSET"] = "true"
    words = ("apply", "--server-side", "--prune", "--applyset=set", "-n", bench.namespace)
    both = [config_map("one"), config_map("two")]
    kubectl(*words, "-f", bench.file("cm.yaml", *both))
    member = kubectl.get("cm", "two")["metadata"]["labels"]["applyset.kubernetes.io/part-of"]
    parent = kubectl.get("secret", "set")["metadata"]
    assert parent["labels"]["applyset.kubernetes.io/id"] == member
    assert "configmap/two pruned" in kubectl(*words, "-f", bench.file("cm.yaml", both[0])).out
    assert "NotFound" in kubectl.fails("get", "cm", "two")
    assert kubectl.get("cm", "one")


@pytest.mark.command("`expose` a deployment, `create service nodeport|loadbalancer`")
def test_services(kubectl, bench):
    kubectl("create", "-f", bench.file("web.yaml", deployment(replicas=0)))
    said = kubectl("expose", "deploy", "web", "--port=80", "--target-port=http", "--type=NodePort")
    assert said.lines == ["service/web exposed"]
    spec = kubectl.get("svc", "web")["spec"]
    assert (spec["selector"], spec["ports"][0]["targetPort"]) == ({"app": "web"}, "http")
    assert spec["ports"][0]["nodePort"] > 0
    assert kubectl("create", "service", "nodeport", "n", "--tcp=80:8080").lines == [
        "service/n created"
    ]
    assert kubectl("create", "service", "loadbalancer", "l", "--tcp=80").lines == [
        "service/l created"
    ]
    types = {s["metadata"]["name"]: s["spec"]["type"] for s in kubectl.get("svc")["items"]}
    assert types == {"web": "NodePort", "n": "NodePort", "l": "LoadBalancer"}


@pytest.mark.command("`label|annotate --all|-l|--list`, `set image --all`, `set env --from`")
def test_many_changes(kubectl, bench):
    web, two = deployment(replicas=0), deployment("two", 0)
    kubectl("create", "-f", bench.file("w.yaml", web, two, config_map("c", X="1")))
    assert len(kubectl("label", "deploy", "--all", "tier=front").lines) == 2
    assert kubectl("label", "deploy", "-l", "tier=front", "a=1", "--overwrite").lines == [
        "deployment.apps/two labeled", "deployment.apps/web labeled",
    ]  # fmt: skip
    assert set(kubectl("label", "deploy", "web", "--list").lines) >= {"tier=front", "a=1"}
    kubectl("annotate", "deploy", "--all", "who=me")
    assert "who=me" in kubectl("annotate", "deploy", "two", "--list").lines
    kubectl("set", "image", "deploy", "--all", "*=z:1")
    kubectl("set", "env", "deploy/web", "deploy/two", "--from=configmap/c")
    for found in kubectl.get("deploy")["items"]:
        made = found["spec"]["template"]["spec"]["containers"][0]
        assert made["image"] == "z:1"
        assert made["env"][0]["valueFrom"]["configMapKeyRef"] == {"name": "c", "key": "X"}


@pytest.mark.command("`delete --now`, `delete pod` that ends in its own time")
def test_delete_pods(kubectl, bench):
    stubborn = "trap '' TERM; echo started; while :; do sleep 0.1; done"
    slow = pod("slow", stubborn, terminationGracePeriodSeconds=600)
    kubectl("create", "-f", bench.file("p.yaml", pod(), slow))
    kubectl("wait", "pod", "--all", "--for=condition=Ready", "--timeout=60s")
    kubectl("delete", "pod", "slow", "--now")
    kubectl("delete", "pod", "p")
    assert kubectl("get", "pods", "-o", "name").lines == []
