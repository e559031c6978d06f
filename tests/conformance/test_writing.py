"""Create, apply, diff, patch, scale, set, label, delete, wait: what they print and what they do."""

import json
import re

import pytest
import yaml

from tests.conformance.manifests import (
    config_map,
    deployment,
    node,
    pod,
    replica_set,
    service,
)

pytestmark = [pytest.mark.slow]


@pytest.fixture
def web(kubectl, namespace):
    kubectl("apply", "-n", namespace, "-f", "-", stdin=deployment())
    return namespace


def test_create_and_replace(kubectl, namespace):
    text = yaml.safe_dump(config_map())
    assert kubectl("create", "-n", namespace, "-f", "-", stdin=text).out == (
        "configmap/settings created\n"
    )
    again = kubectl.fails("create", "-n", namespace, "-f", "-", stdin=text)
    assert (
        'Error from server (AlreadyExists): error when creating "STDIN": '
        'configmaps "settings" already exists'
    ) in again
    stale = kubectl.get("cm", "settings", "-n", namespace)
    kubectl("replace", "-n", namespace, "-f", "-", stdin={**stale, "data": {"b": "2"}})
    assert kubectl.get("cm", "settings", "-n", namespace)["data"] == {"b": "2"}
    conflict = kubectl.fails("replace", "-n", namespace, "-f", "-", stdin=stale)
    assert "Error from server (Conflict)" in conflict
    assert "the object has been modified; please apply your changes to the latest" in conflict
    kubectl("replace", "--force", "-n", namespace, "-f", "-", stdin=config_map(c="3"))
    assert kubectl.get("cm", "settings", "-n", namespace)["data"] == {"c": "3"}


def test_imperative_creates(kubectl, namespace):
    """From kubectl 1.32 on these arrive as protobuf."""
    kubectl("create", "configmap", "made", "-n", namespace, "--from-literal=k=v")
    assert kubectl.get("cm", "made", "-n", namespace)["data"] == {"k": "v"}
    kubectl("create", "secret", "generic", "hidden", "-n", namespace, "--from-literal=k=v")
    secret = kubectl.get("secret", "hidden", "-n", namespace)
    assert (secret["type"], secret["data"]) == ("Opaque", {"k": "dg=="})
    kubectl(
        "create", "deployment", "d", "-n", namespace, "--image=x:1", "--replicas=0", "--port=80"
    )
    made = kubectl.get("deploy", "d", "-n", namespace)
    assert made["spec"]["replicas"] == 0
    assert made["spec"]["template"]["spec"]["containers"][0]["ports"][0]["containerPort"] == 80
    kubectl("create", "service", "clusterip", "s", "-n", namespace, "--tcp=80:8080")
    assert kubectl.get("svc", "s", "-n", namespace)["spec"]["ports"][0]["targetPort"] == 8080
    kubectl("create", "serviceaccount", "robot", "-n", namespace)
    assert kubectl.get("sa", "robot", "-n", namespace)["kind"] == "ServiceAccount"
    kubectl("expose", "deployment", "d", "-n", namespace, "--port=80", "--name=e")
    assert kubectl.get("svc", "e", "-n", namespace)["spec"]["selector"] == {"app": "d"}
    kubectl("run", "p", "-n", namespace, "--image=x:1", "--restart=Never", "--labels=a=b")
    made = kubectl.get("pod", "p", "-n", namespace)
    assert made["spec"]["restartPolicy"] == "Never"
    assert made["status"]["phase"] == "Pending"


def test_what_is_not_acted_on_is_refused(kubectl, namespace):
    claim = {
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "c"},
        "spec": {
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}},
        },
    }  # fmt: skip
    refused = kubectl.fails("create", "-n", namespace, "-f", "-", stdin=claim)
    assert "the server does not allow this method on the requested resource" in refused


def test_unknown_field_is_refused(kubectl, namespace):
    wrong = deployment()
    wrong["spec"]["replicaz"] = 3
    refused = kubectl.fails("apply", "-n", namespace, "-f", "-", stdin=wrong)
    assert 'unknown field "spec.replicaz"' in refused
    assert kubectl.run("get", "deploy", "web", "-n", namespace).code != 0
    warned = kubectl("apply", "--validate=warn", "-n", namespace, "-f", "-", stdin=wrong)
    assert 'Warning: unknown field "spec.replicaz"' in warned.err
    assert "replicaz" not in kubectl.get("deploy", "web", "-n", namespace)["spec"]


def test_invalid_object_names_the_fields(kubectl, namespace):
    wrong = deployment(replicas=-1)
    wrong["spec"]["template"]["spec"]["containers"][0]["name"] = "Not_Valid"
    refused = kubectl.fails("create", "-n", namespace, "-f", "-", stdin=wrong)
    assert 'The Deployment "web" is invalid' in refused
    assert "spec.replicas: Invalid value: -1: must be greater than or equal to 0" in refused
    assert "spec.template.spec.containers[0].name: Invalid value" in refused


def test_wrong_type_is_refused(kubectl, namespace):
    wrong = deployment()
    wrong["spec"]["replicas"] = "three"
    refused = kubectl.fails("create", "--validate=false", "-n", namespace, "-f", "-", stdin=wrong)
    assert "cannot be handled as a Deployment" in refused
    assert "replicas" in refused


def test_apply_story(kubectl, namespace):
    def apply(document):
        return kubectl("apply", "-n", namespace, "-f", "-", stdin=document).out

    assert apply(deployment()) == "deployment.apps/web created\n"
    assert apply(deployment()) == "deployment.apps/web unchanged\n"
    changed = deployment(replicas=3, image="registry.example/web:2", tier="front")
    changed["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "B", "value": "2"}]
    assert apply(changed) == "deployment.apps/web configured\n"
    live = kubectl.get("deploy", "web", "-n", namespace)
    containers = live["spec"]["template"]["spec"]["containers"]
    assert [c["name"] for c in containers] == ["web", "side"]
    assert containers[0]["image"] == "registry.example/web:2"
    assert containers[0]["env"] == [{"name": "B", "value": "2"}]
    assert live["spec"]["replicas"] == 3
    assert live["metadata"]["labels"] == {"app": "web", "tier": "front"}
    assert live["metadata"]["generation"] == 2
    del changed["spec"]["template"]["spec"]["containers"][1]
    apply(changed)
    live = kubectl.get("deploy", "web", "-n", namespace)
    assert [c["name"] for c in live["spec"]["template"]["spec"]["containers"]] == ["web"]


def test_apply_keeps_what_others_set(kubectl, web):
    kubectl("label", "deploy", "web", "-n", web, "by=hand")
    kubectl("scale", "deploy", "web", "-n", web, "--replicas=7")
    document = deployment()
    del document["spec"]["replicas"]
    kubectl("apply", "-n", web, "-f", "-", stdin=document)
    assert kubectl.get("deploy", "web", "-n", web)["metadata"]["labels"]["by"] == "hand"


def test_diff(kubectl, web):
    assert kubectl.run("diff", "-n", web, "-f", "-", stdin=deployment()).code == 0
    different = kubectl.run("diff", "-n", web, "-f", "-", stdin=deployment(replicas=4))
    assert different.code == 1, different.err
    assert re.search(r"^-\s+replicas: 2\n\+\s+replicas: 4", different.out, re.MULTILINE)
    assert kubectl.get("deploy", "web", "-n", web)["spec"]["replicas"] == 2


def test_server_dry_run_leaves_nothing(kubectl, namespace):
    answer = kubectl("apply", "--dry-run=server", "-n", namespace, "-f", "-", stdin=deployment())
    assert answer.out == "deployment.apps/web created (server dry run)\n"
    assert kubectl("get", "deploy", "-n", namespace, "-o", "name").out == ""


def test_patches(kubectl, web):
    def containers():
        spec = kubectl.get("deploy", "web", "-n", web)["spec"]["template"]["spec"]
        return {c["name"]: c["image"] for c in spec["containers"]}

    strategic = {"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "s:2"}]}}}}
    kubectl("patch", "deploy", "web", "-n", web, "-p", json.dumps(strategic))
    assert containers() == {"web": "registry.example/web:1", "side": "s:2"}
    operations = [
        {"op": "test", "path": "/spec/replicas", "value": 2},
        {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "w:3"},
    ]
    kubectl("patch", "deploy", "web", "-n", web, "--type=json", "-p", json.dumps(operations))
    assert containers() == {"web": "w:3", "side": "s:2"}
    merge = {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "w:4"}]}}}}
    kubectl("patch", "deploy", "web", "-n", web, "--type=merge", "-p", json.dumps(merge))
    assert containers() == {"web": "w:4"}
    same = kubectl("patch", "deploy", "web", "-n", web, "--type=merge", "-p", json.dumps(merge))
    assert same.out == "deployment.apps/web patched (no change)\n"
    operations[0]["value"] = 99
    kubectl.fails("patch", "deploy", "web", "-n", web, "--type=json", "-p", json.dumps(operations))


def test_scale(kubectl, web):
    kubectl("scale", "deploy/web", "-n", web, "--replicas=4")
    assert kubectl.get("deploy", "web", "-n", web)["spec"]["replicas"] == 4
    kubectl("scale", "deploy/web", "-n", web, "--current-replicas=4", "--replicas=1")
    assert kubectl.get("deploy", "web", "-n", web)["spec"]["replicas"] == 1
    kubectl.fails("scale", "deploy/web", "-n", web, "--current-replicas=9", "--replicas=5")
    scale = json.loads(
        kubectl("get", "deploy", "web", "-n", web, "--subresource=scale", "-o", "json").out
    )
    assert (scale["kind"], scale["spec"]["replicas"]) == ("Scale", 1)
    assert scale["status"]["selector"] == "app=web"


def test_set_image_env_resources(kubectl, web):
    kubectl("set", "image", "deploy/web", "-n", web, "web=new:1")
    kubectl("set", "env", "deploy/web", "-n", web, "-c", "web", "B=2")
    kubectl("set", "resources", "deploy/web", "-n", web, "-c", "web", "--limits=cpu=100m")
    container = kubectl.get("deploy", "web", "-n", web)["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "new:1"
    assert {"name": "B", "value": "2"} in container["env"]
    assert container["resources"]["limits"] == {"cpu": "100m"}


def test_label_annotate(kubectl, web):
    kubectl("label", "deploy", "web", "-n", web, "x=1")
    refused = kubectl.fails("label", "deploy", "web", "-n", web, "x=2")
    assert "--overwrite is false" in refused
    kubectl("label", "deploy", "web", "-n", web, "x=2", "--overwrite")
    kubectl("annotate", "deploy", "web", "-n", web, "note=hello")
    meta = kubectl.get("deploy", "web", "-n", web)["metadata"]
    assert meta["labels"]["x"] == "2"
    assert meta["annotations"]["note"] == "hello"
    kubectl("label", "deploy", "web", "-n", web, "x-")
    assert "x" not in kubectl.get("deploy", "web", "-n", web)["metadata"]["labels"]
    assert "invalid" in kubectl.fails("label", "deploy", "web", "-n", web, "x=not valid").lower()


def test_rollout_history_undo_restart_pause(kubectl, web):
    live = kubectl.get("deploy", "web", "-n", web)
    for number, image in ((1, "registry.example/web:0"), (2, "registry.example/web:1")):
        kubectl("create", "-n", web, "-f", "-", stdin=replica_set(live, number, image))
    kubectl(
        "annotate", "deploy", "web", "-n", web, "deployment.kubernetes.io/revision=2", "--overwrite"
    )
    history = kubectl("rollout", "history", "deploy/web", "-n", web).rows
    assert ["1", "image registry.example/web:0"] in history
    assert (
        "registry.example/web:0"
        in kubectl("rollout", "history", "deploy/web", "-n", web, "--revision=1").out
    )
    undone = kubectl("rollout", "undo", "deploy/web", "-n", web)
    assert undone.out == "deployment.apps/web rolled back\n"
    spec = kubectl.get("deploy", "web", "-n", web)["spec"]["template"]["spec"]
    assert spec["containers"][0]["image"] == "registry.example/web:0"
    kubectl("rollout", "pause", "deploy/web", "-n", web)
    assert kubectl.get("deploy", "web", "-n", web)["spec"]["paused"] is True
    kubectl("rollout", "resume", "deploy/web", "-n", web)
    assert not kubectl.get("deploy", "web", "-n", web)["spec"].get("paused")
    kubectl("rollout", "restart", "deploy/web", "-n", web)
    template = kubectl.get("deploy", "web", "-n", web)["spec"]["template"]
    assert "kubectl.kubernetes.io/restartedAt" in template["metadata"]["annotations"]


def test_rollout_status_waits_for_status(kubectl, web):
    with kubectl.start("rollout", "status", "deploy/web", "-n", web) as waiting:
        assert "Waiting for deployment" in waiting.stdout.readline()
        generation = kubectl.get("deploy", "web", "-n", web)["metadata"]["generation"]
        status = {
            "observedGeneration": generation,
            "replicas": 2,
            "updatedReplicas": 2,
            "readyReplicas": 2,
            "availableReplicas": 2,
        }
        kubectl(
            "patch", "deploy", "web", "-n", web, "--subresource=status", "--type=merge",
            "-p", json.dumps({"status": status}),
        )  # fmt: skip
        rest = waiting.stdout.read()
        assert 'deployment "web" successfully rolled out' in rest
        assert waiting.wait(timeout=10) == 0


def test_cordon_taint_and_uncordon(kubectl):
    kubectl("create", "-f", "-", stdin=node("worker"))
    try:
        assert kubectl("cordon", "worker").out == "node/worker cordoned\n"
        assert kubectl.get("node", "worker")["spec"]["unschedulable"] is True
        assert "SchedulingDisabled" in kubectl("get", "node", "worker").out
        assert kubectl("uncordon", "worker").out == "node/worker uncordoned\n"
        assert "unschedulable" not in kubectl.get("node", "worker")["spec"]
        kubectl("taint", "node", "worker", "dedicated=db:NoSchedule")
        assert kubectl.get("node", "worker")["spec"]["taints"] == [
            {"effect": "NoSchedule", "key": "dedicated", "value": "db"}
        ]
        kubectl("taint", "node", "worker", "dedicated-")
        assert not kubectl.get("node", "worker")["spec"].get("taints")
    finally:
        kubectl("delete", "node", "worker")


def test_drain_evicts(kubectl, namespace):
    kubectl("create", "-f", "-", stdin=node("drained"))
    try:
        kubectl("create", "-n", namespace, "-f", "-", stdin=pod())
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": "solo"},
            "target": {"kind": "Node", "name": "drained"},
        }
        path = f"/api/v1/namespaces/{namespace}/pods/solo/binding"
        kubectl("create", "--raw", path, "-f", "-", stdin=binding)
        assert kubectl.get("pod", "solo", "-n", namespace)["spec"]["nodeName"] == "drained"
        drain = kubectl("drain", "drained", "--force", "--grace-period=0", "--timeout=20s")
        assert "pod/solo evicted" in drain.out
        assert kubectl.get("node", "drained")["spec"]["unschedulable"] is True
    finally:
        kubectl("delete", "node", "drained")


def test_delete(kubectl, web):
    kubectl("create", "-n", web, "-f", "-", stdin=service())
    assert kubectl("delete", "deploy", "web", "-n", web).out == (
        'deployment.apps "web" deleted\n'
        if " from " not in kubectl("delete", "svc", "web", "-n", web).out
        else f'deployment.apps "web" deleted from {web} namespace\n'
    )
    assert 'services "web" not found' in kubectl.fails("get", "svc", "web", "-n", web)
    assert "NotFound" in kubectl.fails("delete", "deploy", "web", "-n", web)
    assert kubectl("delete", "deploy", "web", "-n", web, "--ignore-not-found").out == ""


def test_delete_by_selector_and_grace(kubectl, namespace):
    for name in ("a", "b", "c"):
        kubectl("create", "-n", namespace, "-f", "-", stdin=pod(name, group="x"))
    kubectl("delete", "pods", "-n", namespace, "-l", "group=x")
    assert kubectl("get", "pods", "-n", namespace, "-o", "name").out == ""


def test_delete_waits_for_finalizers(kubectl, namespace):
    held = config_map("held")
    held["metadata"]["finalizers"] = ["orch.dev/test"]
    kubectl("create", "-n", namespace, "-f", "-", stdin=held)
    kubectl("delete", "cm", "held", "-n", namespace, "--wait=false")
    assert kubectl.get("cm", "held", "-n", namespace)["metadata"]["deletionTimestamp"]
    with kubectl.start("delete", "cm", "held", "-n", namespace) as deleting:
        assert 'configmap "held" deleted' in deleting.stdout.readline()  # and now it waits
        kubectl(
            "patch", "cm", "held", "-n", namespace, "--type=merge",
            "-p", '{"metadata":{"finalizers":null}}',
        )  # fmt: skip
        assert deleting.wait(timeout=15) == 0
    assert "NotFound" in kubectl.fails("get", "cm", "held", "-n", namespace)


def test_wait(kubectl, namespace):
    kubectl("create", "-n", namespace, "-f", "-", stdin=pod())
    assert "timed out" in kubectl.fails(
        "wait", "pod/solo", "-n", namespace, "--for=condition=Ready", "--timeout=1s"
    )
    words = ("wait", "pod/solo", "-n", namespace, "--for=condition=Ready", "--timeout=20s")
    with kubectl.start(*words) as waiting:
        ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
        kubectl(
            "patch", "pod", "solo", "-n", namespace, "--subresource=status", "-p", json.dumps(ready)
        )
        assert waiting.stdout.read() == "pod/solo condition met\n"
        assert waiting.wait(timeout=10) == 0
    kubectl(
        "wait",
        "pod/solo",
        "-n",
        namespace,
        "--for=jsonpath={.status.phase}=Pending",
        "--timeout=5s",
    )
    with kubectl.start(
        "wait", "pod/solo", "-n", namespace, "--for=delete", "--timeout=20s"
    ) as waiting:
        kubectl("delete", "pod", "solo", "-n", namespace, "--force", "--grace-period=0")
        assert waiting.wait(timeout=15) == 0
