"""Writing."""

import json
import re

import pytest
import yaml

from tests.kubectl.manifests import config_map, deployment, pod, service
from tests.rig.watching import until

pytestmark = [pytest.mark.docker, pytest.mark.rig, pytest.mark.slow]


@pytest.mark.command("`create -f`, `--dry-run=server`, `--validate=strict|warn|ignore`")
def test_create(kubectl, bench):
    file = bench.file("web.yaml", deployment(replicas=0))
    assert kubectl("create", "-f", file, "--dry-run=server").lines == [
        "deployment.apps/web created (server dry run)"
    ]
    assert "NotFound" in kubectl.fails("get", "deploy", "web")
    assert kubectl("create", "-f", file).lines == ["deployment.apps/web created"]
    assert "AlreadyExists" in kubectl.fails("create", "-f", file)
    wrong = deployment("wrong", 0)
    wrong["spec"]["replicaz"] = 1
    file = bench.file("wrong.yaml", wrong)
    assert "replicaz" in kubectl.fails("create", "-f", file)
    warned = kubectl("create", "-f", file, "--validate=warn")
    assert 'unknown field "spec.replicaz"' in warned.err
    kubectl("delete", "deploy", "wrong")
    assert "replicaz" not in kubectl("create", "-f", file, "--validate=ignore").err
    assert "replicaz" not in kubectl("get", "deploy", "wrong", "-o", "yaml").out
    bad = deployment("bad", 0)
    bad["spec"]["selector"]["matchLabels"] = {"app": "other"}
    said = kubectl.fails("create", "-f", bench.file("bad.yaml", bad))
    assert "`selector` does not match template `labels`" in said


IMPERATIVE = {
    "namespace NAME-extra": ("namespace/NAME-extra", "namespace"),
    "configmap cm --from-literal=a=b": ("configmap/cm", ""),
    "secret generic s --from-literal=a=b": ("secret/s", ""),
    "secret tls t --cert=CERT --key=KEY": ("secret/t", ""),
    "secret docker-registry r --docker-server=x --docker-username=u --docker-password=p": ("secret/r", ""),
    "deployment d --image=x --replicas=0": ("deployment.apps/d", ""),
    "job j --image=orch-test/busybox:1 -- true": ("job.batch/j", ""),
    "cronjob cj --image=x --schedule=1~*~*~*~*": ("cronjob.batch/cj", ""),
    "service clusterip c --tcp=80:80": ("service/c", ""),
    "service externalname e --external-name=example.org": ("service/e", ""),
    "serviceaccount robot": ("serviceaccount/robot", ""),
    "role reader --verb=get,list --resource=pods": ("role.rbac.authorization.k8s.io/reader", ""),
    "rolebinding readers --role=reader --serviceaccount=NAME:robot":
        ("rolebinding.rbac.authorization.k8s.io/readers", ""),
    "clusterrole NAME --verb=get --resource=nodes":
        ("clusterrole.rbac.authorization.k8s.io/NAME", "clusterrole"),
    "clusterrolebinding NAME --clusterrole=NAME --user=u":
        ("clusterrolebinding.rbac.authorization.k8s.io/NAME", "clusterrolebinding"),
    "ingress i --rule=x.example/*=web:80": ("ingress.networking.k8s.io/i", ""),
    "poddisruptionbudget b --selector=app=web --min-available=1":
        ("poddisruptionbudget.policy/b", ""),
    "priorityclass NAME --value=7": ("priorityclass.scheduling.k8s.io/NAME", "priorityclass"),
    "quota q --hard=pods=9": ("resourcequota/q", ""),
}  # fmt: skip


@pytest.mark.command("`create KIND …` for every kind that kubectl makes")
def test_create_imperative(kubectl, bench, tmp_path):
    certificate, key = self_signed(tmp_path)
    for words, (made, cluster_kind) in IMPERATIVE.items():
        text = (
            words.replace("NAME", bench.namespace).replace("CERT", certificate).replace("KEY", key)
        )
        expected = made.replace("NAME", bench.namespace)
        if cluster_kind:
            bench.used.append(f"{cluster_kind} {expected.partition('/')[2]}")
        answer = kubectl("create", *(word.replace("~", " ") for word in text.split()))
        assert answer.lines == [f"{expected} created"], words
        name = expected.partition("/")[2]
        found = kubectl.get(expected.partition(".")[0].partition("/")[0], name)
        assert found["metadata"]["name"] == name
    assert kubectl.get("secret", "t")["type"] == "kubernetes.io/tls"
    assert kubectl.get("pdb", "b")["spec"]["minAvailable"] == 1
    assert kubectl.get("cronjob", "cj")["spec"]["schedule"] == "1 * * * *"
    assert kubectl("create", "job", "again", "--from=cronjob/cj").lines == [
        "job.batch/again created"
    ]
    owner = kubectl.get("job", "again")["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["name"]) == ("CronJob", "cj")


def self_signed(folder) -> tuple[str, str]:
    import subprocess

    key, certificate = folder / "tls.key", folder / "tls.crt"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x",
         "-keyout", key, "-out", certificate], check=True, capture_output=True,
    )  # fmt: skip
    return str(certificate), str(key)


@pytest.mark.command("`run`, `expose`, `autoscale`")
def test_run_expose_autoscale(kubectl):
    image = "orch-test/busybox:1"
    assert kubectl("run", "one", f"--image={image}", "--port=80", "--", "sleep", "60").lines == [
        "pod/one created"
    ]
    assert kubectl.get("pod", "one")["spec"]["containers"][0]["args"] == ["sleep", "60"]
    assert kubectl("expose", "pod", "one", "--port=80").lines == ["service/one exposed"]
    assert kubectl.get("svc", "one")["spec"]["selector"] == {"run": "one"}
    kubectl("create", "deployment", "d", f"--image={image}", "--replicas=0")
    answer = kubectl("autoscale", "deploy", "d", "--min=1", "--max=3", "--cpu-percent=50")
    assert answer.lines[-1] == "horizontalpodautoscaler.autoscaling/d autoscaled"
    found = kubectl.get("hpa", "d")
    assert found["spec"]["maxReplicas"] == 3
    assert kubectl("get", "hpa").rows[1][:2] == ["d", "Deployment/d"]
    old = json.loads(kubectl("get", "--raw", found_path(found, "v1")).out)
    assert old["spec"]["targetCPUUtilizationPercentage"] == 50


def found_path(document, version):
    meta = document["metadata"]
    return f"/apis/autoscaling/{version}/namespaces/{meta['namespace']}/horizontalpodautoscalers/{meta['name']}"


@pytest.mark.command("`autoscale`, `get hpa`, `describe hpa`: from usage to replicas")
def test_autoscale_acts(kubectl, bench):
    busy = deployment(replicas=1, script="trap 'exit 0' TERM; while :; do :; done")
    (worker,) = busy["spec"]["template"]["spec"]["containers"]
    worker["resources"] = {"requests": {"cpu": "20m"}, "limits": {"cpu": "100m"}}
    kubectl("apply", "-f", bench.file("busy.yaml", busy))
    kubectl("autoscale", "deploy", "web", "--min=1", "--max=3", "--cpu-percent=50")
    kubectl("wait", "deploy/web", "--for=jsonpath={.spec.replicas}=3", "--timeout=90s")
    kubectl("wait", "hpa/web", "--for=condition=ScalingActive", "--timeout=30s")
    row = kubectl("get", "hpa").rows[1]
    assert row[:2] == ["web", "Deployment/web"]
    assert re.fullmatch(r"cpu: \d+%/50%", row[2])
    assert row[3:5] == ["1", "3"]
    told = kubectl("describe", "hpa", "web").out
    assert re.search(r"ScalingLimited +True +TooManyReplicas", told)
    assert re.search(r"SuccessfulRescale .*New size: 3; reason: cpu resource utilization", told)
    kubectl("delete", "hpa", "web")
    kubectl("scale", "deploy", "web", "--replicas=0")


@pytest.mark.command(
    "`apply` (client side), again, changed, `view-last-applied`, `set-last-applied`"
)
def test_apply(kubectl, bench):
    file = bench.file("w.yaml", deployment(replicas=0), service())
    assert kubectl("apply", "-f", file).lines == [
        "deployment.apps/web created",
        "service/web created",
    ]
    assert kubectl("apply", "-f", file).lines == [
        "deployment.apps/web unchanged",
        "service/web unchanged",
    ]
    kubectl("scale", "deploy/web", "--replicas=1")
    kubectl("annotate", "deploy", "web", "by=hand")
    changed = deployment(replicas=0)
    changed["spec"]["template"]["spec"]["containers"].append(
        {"name": "side", "image": "orch-test/busybox:1", "command": ["sleep", "60"]}
    )
    file = bench.file("w.yaml", changed, service())
    assert kubectl("apply", "-f", file).lines[0] == "deployment.apps/web configured"
    found = kubectl.get("deploy", "web")
    assert found["spec"]["replicas"] == 0
    assert found["metadata"]["annotations"]["by"] == "hand"
    assert [c["name"] for c in found["spec"]["template"]["spec"]["containers"]] == ["c", "side"]
    kubectl("apply", "-f", bench.file("w.yaml", deployment(replicas=0), service()))
    found = kubectl.get("deploy", "web")
    assert [c["name"] for c in found["spec"]["template"]["spec"]["containers"]] == ["c"]
    assert "replicas: 0" in kubectl("apply", "view-last-applied", "deploy/web").out
    assert (
        "deployment.apps/web"
        in kubectl("apply", "set-last-applied", "-f", bench.file("d.yaml", deployment())).out
    )


@pytest.mark.command(
    "`apply --server-side`, conflicts, `--force-conflicts`, from client-side and back"
)
def test_server_side_apply(kubectl, bench):
    file = bench.file("web.yaml", deployment(replicas=0))
    assert kubectl("apply", "--server-side", "-f", file).lines == [
        "deployment.apps/web serverside-applied"
    ]
    kubectl("scale", "deploy/web", "--replicas=1")
    other = bench.file("other.yaml", deployment(replicas=0))
    said = kubectl.fails("apply", "--server-side", "-f", other)
    assert 'conflict with "kubectl' in said
    assert ".spec.replicas" in said
    said = kubectl.fails(
        "apply",
        "--server-side",
        "--field-manager=two",
        "-f",
        bench.file("three.yaml", deployment(replicas=3)),
    )
    assert ".spec.replicas" in said
    kubectl("apply", "--server-side", "--force-conflicts", "-f", other)
    assert kubectl.get("deploy", "web")["spec"]["replicas"] == 0
    less = deployment()
    del less["spec"]["replicas"]
    kubectl("apply", "--server-side", "-f", bench.file("web.yaml", less))
    assert kubectl.get("deploy", "web")["spec"]["replicas"] == 1  # the default again
    file = bench.file("cm.yaml", config_map("c", None, a="1", b="2"))
    kubectl("apply", "-f", file)
    kubectl("apply", "--server-side", "-f", bench.file("less.yaml", config_map("c", None, a="1")))
    assert kubectl.get("cm", "c")["data"] == {"a": "1"}
    kubectl("apply", "-f", file)
    assert kubectl.get("cm", "c")["data"] == {"a": "1", "b": "2"}


@pytest.mark.command("`diff`, `diff --server-side`")
def test_diff(kubectl, bench):
    kubectl("apply", "-f", bench.file("web.yaml", deployment(replicas=0)))
    changed = bench.file("web.yaml", deployment(replicas=5))
    for words in ((), ("--server-side", "--force-conflicts")):
        answer = kubectl.run("diff", *words, "-f", changed)
        assert answer.code == 1, answer
        assert "-  replicas: 0\n+  replicas: 5\n" in answer.out
    assert kubectl.get("deploy", "web")["spec"]["replicas"] == 0
    assert kubectl.run("diff", "-f", bench.file("web.yaml", deployment(replicas=0))).code == 0


@pytest.mark.command("`apply --prune`, `apply -k`, `kustomize`")
def test_prune_and_kustomize(kubectl, bench):
    both = [config_map(name, {"set": "x"}) for name in ("one", "two")]
    kubectl("apply", "-f", bench.file("cm.yaml", *both))
    answer = kubectl("apply", "-f", bench.file("cm.yaml", both[0]), "--prune", "-l", "set=x",
                     "--prune-allowlist=core/v1/ConfigMap")  # fmt: skip
    assert "configmap/two pruned" in answer.lines
    assert "NotFound" in kubectl.fails("get", "cm", "two")
    folder = bench.folder / "base"
    folder.mkdir()
    (folder / "cm.yaml").write_text(yaml.safe_dump(config_map("k")))
    (folder / "kustomization.yaml").write_text("namePrefix: my-\nresources: [cm.yaml]\n")
    assert "name: my-k" in kubectl("kustomize", str(folder)).out
    assert kubectl("apply", "-k", str(folder)).lines == ["configmap/my-k created"]


@pytest.mark.command("`replace`, stale `replace`, `replace --force`")
def test_replace(kubectl, bench):
    kubectl("create", "-f", bench.file("cm.yaml", config_map()))
    stale = kubectl.get("cm", "settings")
    changed = config_map(key="other")
    assert kubectl("replace", "-f", bench.file("cm.yaml", changed)).lines == [
        "configmap/settings replaced"
    ]
    assert kubectl.get("cm", "settings")["data"] == {"key": "other"}
    said = kubectl.fails("replace", "-f", bench.file("cm.yaml", stale))
    assert "the object has been modified" in said
    before = kubectl.get("cm", "settings")["metadata"]["uid"]
    kubectl("replace", "--force", "-f", bench.file("cm.yaml", changed))
    assert kubectl.get("cm", "settings")["metadata"]["uid"] != before


@pytest.mark.command("`patch` (strategic, merge, json), `--subresource`")
def test_patch(kubectl, bench):
    kubectl("create", "-f", bench.file("web.yaml", deployment(replicas=0)))
    strategic = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "x:2"}]}}}}
    assert kubectl("patch", "deploy", "web", "-p", json.dumps(strategic)).lines == [
        "deployment.apps/web patched"
    ]
    found = kubectl.get("deploy", "web")["spec"]["template"]["spec"]["containers"][0]
    assert (found["image"], found["command"][0]) == ("x:2", "sh")
    kubectl("patch", "deploy", "web", "--type=merge", "-p", '{"metadata":{"labels":{"a":"b"}}}')
    kubectl("patch", "deploy", "web", "--type=json", "-p",
            '[{"op":"add","path":"/spec/minReadySeconds","value":3},{"op":"test","path":"/spec/replicas","value":0}]')  # fmt: skip
    found = kubectl.get("deploy", "web")
    assert found["metadata"]["labels"] == {"a": "b"}
    assert found["spec"]["minReadySeconds"] == 3
    kubectl(
        "patch",
        "deploy",
        "web",
        "--subresource=scale",
        "--type=merge",
        "-p",
        '{"spec":{"replicas":1}}',
    )
    assert kubectl.get("deploy", "web")["spec"]["replicas"] == 1
    kubectl("create", "cm", "c", "--from-literal=a=1")
    assert "no change" in kubectl("patch", "cm", "c", "-p", '{"data":{"a":"1"}}').out
    assert "Invalid" in kubectl.fails(
        "patch", "deploy", "web", "--type=merge", "-p", '{"spec":{"replicas":-1}}'
    )


@pytest.mark.command("`edit`, `edit --subresource`")
def test_edit(kubectl, bench):
    kubectl("create", "-f", bench.file("web.yaml", deployment(replicas=0)))
    editor = bench.folder / "editor"
    editor.write_text("#!/bin/sh\nsed -i 's/replicas: 0/replicas: 1/' \"$1\"\n")
    editor.chmod(0o755)
    kubectl.environment["KUBE_EDITOR"] = str(editor)
    assert kubectl("edit", "deploy", "web").lines == ["deployment.apps/web edited"]
    assert kubectl.get("deploy", "web")["spec"]["replicas"] == 1
    editor.write_text("#!/bin/sh\nexit 0\n")
    assert "no changes made" in kubectl("edit", "deploy", "web").err


@pytest.mark.command(
    "`label`, `annotate`, `taint`, `set image|env|resources|serviceaccount|selector`"
)
def test_small_changes(kubectl, bench):
    kubectl("create", "-f", bench.file("web.yaml", deployment(replicas=0), service()))
    assert kubectl("label", "deploy", "web", "a=1").lines == ["deployment.apps/web labeled"]
    assert "'a' already has a value" in kubectl.fails("label", "deploy", "web", "a=2")
    kubectl("label", "deploy", "web", "a=2", "--overwrite")
    kubectl("label", "deploy", "web", "a-")
    kubectl("annotate", "deploy", "web", "who=me")
    assert kubectl.get("deploy", "web")["metadata"]["annotations"]["who"] == "me"
    kubectl("taint", "node", "node-3", "test=1:PreferNoSchedule")
    assert kubectl.get("node", "node-3")["spec"]["taints"][-1]["key"] == "test"
    kubectl("taint", "node", "node-3", "test-")
    kubectl("set", "image", "deploy/web", "c=y:3")
    kubectl("set", "env", "deploy/web", "A=b")
    kubectl("set", "resources", "deploy/web", "--limits=cpu=100m,memory=64Mi")
    kubectl("create", "serviceaccount", "robot")
    kubectl("set", "serviceaccount", "deploy/web", "robot")
    kubectl("set", "selector", "service", "web", "app=other")
    spec = kubectl.get("deploy", "web")["spec"]["template"]["spec"]
    made = spec["containers"][0]
    assert made["image"] == "y:3"
    assert made["env"] == [{"name": "A", "value": "b"}]
    assert made["resources"]["limits"] == {"cpu": "100m", "memory": "64Mi"}
    assert spec["serviceAccountName"] == "robot"
    assert kubectl("set", "env", "deploy/web", "--list").lines[-1] == "A=b"
    assert kubectl.get("svc", "web")["spec"]["selector"] == {"app": "other"}


@pytest.mark.command(
    "`delete` by name, `-f`, `-l`, `--all`, `--cascade`, `--grace-period`, `--dry-run`"
)
def test_delete(kubectl, bench):
    kubectl(
        "create",
        "-f",
        bench.file("cm.yaml", *[config_map(f"c{n}", {"odd": str(n % 2)}) for n in range(5)]),
    )
    assert "(server dry run)" in kubectl("delete", "cm", "c0", "--dry-run=server").out
    assert kubectl.get("cm", "c0")
    kubectl("delete", "cm", "c0")
    kubectl("delete", "cm", "-l", "odd=1")
    assert kubectl("get", "cm", "-l", "odd", "-o", "name").lines == ["configmap/c2", "configmap/c4"]
    kubectl("delete", "cm", "--all")
    assert "NotFound" in kubectl.fails("delete", "cm", "c0")
    assert kubectl("delete", "cm", "c0", "--ignore-not-found").out == ""
    kubectl("create", "-f", bench.file("web.yaml", deployment(replicas=1)))
    until("a pod", lambda: kubectl("get", "pods", "-o", "name").lines)
    kubectl("delete", "deploy", "web", "--cascade=orphan")
    assert len(kubectl("get", "rs", "-o", "name").lines) == 1
    kubectl("delete", "rs", "--all", "--cascade=foreground")
    assert kubectl("get", "pods,rs", "-o", "name").lines == []
    kubectl("create", "-f", bench.file("p.yaml", pod()))
    kubectl("wait", "pod/p", "--for=condition=Ready", "--timeout=30s")
    kubectl("delete", "pod", "p", "--grace-period=0", "--force")
    assert "NotFound" in kubectl.fails("get", "pod", "p")


@pytest.mark.command("`wait --for` condition, jsonpath, delete")
def test_wait(kubectl, bench):
    kubectl("create", "-f", bench.file("p.yaml", pod()))
    assert kubectl("wait", "pod/p", "--for=condition=Ready", "--timeout=60s").lines == [
        "pod/p condition met"
    ]
    kubectl("wait", "pod", "-l", "app=p", "--for=jsonpath={.status.phase}=Running", "--timeout=10s")
    with kubectl.start("wait", "pod/p", "--for=delete", "--timeout=60s") as waiting:
        kubectl("delete", "pod", "p")
        assert waiting.wait(60) == 0
    assert "timed out" in kubectl.fails(
        "wait", "ns", bench.namespace, "--for=condition=No", "--timeout=1s"
    )


@pytest.mark.command("`wait --for=create`")
@pytest.mark.since(31)
def test_wait_for_creation(kubectl):
    with kubectl.start("wait", "cm/later", "--for=create", "--timeout=60s") as waiting:
        kubectl("create", "configmap", "later")
        assert waiting.wait(60) == 0
    assert "timed out" in kubectl.fails("wait", "cm/never", "--for=create", "--timeout=1s")
