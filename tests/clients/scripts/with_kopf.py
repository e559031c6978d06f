"""kopf: an operator that runs a Deployment for each object of a kind that it defines itself."""

import asyncio
import contextlib
import sys
import threading
import time

import kopf
import kubernetes

GROUP, PLURAL = "clients.example.com", "shops"
namespace = sys.argv[1]
kubernetes.config.load_kube_config()
apps = kubernetes.client.AppsV1Api()
custom = kubernetes.client.CustomObjectsApi()
definitions = kubernetes.client.ApiextensionsV1Api()
gone: list[str] = []


def deployment(owner, replicas: int) -> dict:
    container = {"name": "c", "image": "orch-test/web:1"}
    document = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": owner["metadata"]["name"]},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"shop": "one"}},
            "template": {
                "metadata": {"labels": {"shop": "one"}},
                "spec": {"containers": [container], "terminationGracePeriodSeconds": 0},
            },
        },
    }
    kopf.adopt(document, owner=owner)
    return document


@kopf.on.create(GROUP, "v1", PLURAL)
def made(body, spec, **_):
    apps.create_namespaced_deployment(namespace, deployment(body, spec["size"]))
    return {"asked": spec["size"]}


@kopf.on.update(GROUP, "v1", PLURAL, field="spec.size")
def changed(name, new, patch, **_):
    apps.patch_namespaced_deployment(name, namespace, {"spec": {"replicas": new}})
    patch.status["changed"] = new


@kopf.on.field("apps", "v1", "deployments", field="status.readyReplicas")
def ready(name, new, **_):
    state = {"status": {"ready": new or 0}}
    with contextlib.suppress(kubernetes.client.ApiException):  # its owner may be gone
        custom.patch_namespaced_custom_object_status(GROUP, "v1", namespace, PLURAL, name, state)


@kopf.on.delete(GROUP, "v1", PLURAL)
def removed(name, **_):
    gone.append(name)


def wait_for(what: str, check):
    deadline = time.monotonic() + 60
    while not (found := check()):
        if time.monotonic() > deadline:
            raise SystemExit(f"not within a minute: {what}")
        time.sleep(0.1)
    return found


def status() -> dict:
    return shop().get("status", {})


def shop() -> dict:
    return custom.get_namespaced_custom_object(GROUP, "v1", namespace, PLURAL, "one")


def absent(read, *words: str) -> bool:
    try:
        read(*words)
    except kubernetes.client.ApiException as error:
        return error.status == 404
    return False


anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
size = {"type": "object", "properties": {"size": {"type": "integer", "minimum": 0}}}
schema = {"type": "object", "properties": {"spec": size, "status": anything}}
crd = f"{PLURAL}.{GROUP}"
definitions.create_custom_resource_definition(
    {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": crd},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"plural": PLURAL, "kind": "Shop"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                    "subresources": {"status": {}},
                }
            ],
        },
    }
)
stop = threading.Event()
started = threading.Event()


def operate() -> None:
    asyncio.run(
        kopf.operator(
            namespace=namespace,
            standalone=True,
            stop_flag=stop,
            ready_flag=started,
        )
    )


thread = threading.Thread(target=operate)
thread.start()
try:
    if not started.wait(30):
        raise SystemExit("the operator does not start")
    one = {"apiVersion": f"{GROUP}/v1", "kind": "Shop", "metadata": {"name": "one"}}
    wait_for(
        "the kind is served",
        lambda: not absent(custom.list_namespaced_custom_object, GROUP, "v1", namespace, PLURAL),
    )
    custom.create_namespaced_custom_object(
        GROUP, "v1", namespace, PLURAL, {**one, "spec": {"size": 1}}
    )
    wait_for("one pod is ready", lambda: status().get("ready") == 1)
    assert status()["made"] == {"asked": 1}
    assert (
        apps.read_namespaced_deployment("one", namespace).metadata.owner_references[0].uid
        == (shop()["metadata"]["uid"])
    )
    custom.patch_namespaced_custom_object(
        GROUP, "v1", namespace, PLURAL, "one", {"spec": {"size": 2}}
    )
    wait_for("two pods are ready", lambda: status().get("ready") == 2)
    wait_for("the change is told", lambda: status().get("changed") == 2)
    assert shop()["metadata"]["finalizers"]
    custom.delete_namespaced_custom_object(GROUP, "v1", namespace, PLURAL, "one")
    wait_for("the operator's finalizer is taken off", lambda: gone == ["one"])
    wait_for(
        "the Deployment is collected",
        lambda: absent(apps.read_namespaced_deployment, "one", namespace),
    )
finally:
    stop.set()
    thread.join(30)
definitions.delete_custom_resource_definition(crd)
wait_for("the definition is gone", lambda: absent(definitions.read_custom_resource_definition, crd))
print("ok")
