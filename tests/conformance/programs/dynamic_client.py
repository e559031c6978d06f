"""The dynamic client of PyPI's `kubernetes` on a custom kind: prints "fine" when all of it worked.

dynamic_client.py NAMESPACE        (KUBECONFIG names the server)
"""

import sys
import time

from kubernetes import config, dynamic
from kubernetes.client import ApiClient, ApiextensionsV1Api, CustomObjectsApi
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic.exceptions import DynamicApiError

GROUP = "dynamic.example.com"
NAME = f"gadgets.{GROUP}"


def definition():
    schema = {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "properties": {
                    "size": {"type": "integer", "minimum": 1},
                    "color": {"type": "string", "default": "red"},
                },
            },
            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        },
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": NAME},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"plural": "gadgets", "singular": "gadget", "kind": "Gadget"},
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


def established(client):
    definitions = client.resources.get(
        api_version="apiextensions.k8s.io/v1", kind="CustomResourceDefinition"
    )
    definitions.create(body=definition())
    for event in definitions.watch(name=NAME, timeout=20):
        conditions = (event["object"].status or {}).get("conditions") or []
        if any(c.type == "Established" and c.status == "True" for c in conditions):
            return definitions
    raise AssertionError("the definition was never established")


def status_of(call):
    """The HTTP status that a call fails with; 200 when it does not."""
    try:
        call()
    except (ApiException, DynamicApiError) as refused:
        return refused.status
    return 200


def main(namespace):
    config.load_kube_config()
    client = dynamic.DynamicClient(ApiClient())
    definitions = established(client)
    gadgets = client.resources.get(api_version=f"{GROUP}/v1", kind="Gadget")
    body = {
        "apiVersion": f"{GROUP}/v1",
        "kind": "Gadget",
        "metadata": {"name": "one"},
        "spec": {"size": 3},
    }
    made = gadgets.create(body=body, namespace=namespace)
    assert made.spec.color == "red"
    patched = gadgets.patch(
        name="one",
        namespace=namespace,
        body={"spec": {"size": 5}},
        content_type="application/merge-patch+json",
    )
    assert patched.spec.size == 5
    assert patched.metadata.generation == 2
    shown = gadgets.status.patch(
        name="one",
        namespace=namespace,
        body={"status": {"phase": "Ready"}},
        content_type="application/merge-patch+json",
    )
    assert shown.status.phase == "Ready"
    (listed,) = gadgets.get(namespace=namespace).items
    assert listed.metadata.name == "one"
    seen = next(iter(gadgets.watch(namespace=namespace, timeout=5)))
    assert (seen["type"], seen["object"].metadata.name) == ("ADDED", "one")
    plain = CustomObjectsApi()
    got = plain.get_namespaced_custom_object(GROUP, "v1", namespace, "gadgets", "one")
    assert got["spec"] == {"size": 5, "color": "red"}
    got["spec"]["size"] = 0
    assert (
        status_of(
            lambda: plain.replace_namespaced_custom_object(
                GROUP, "v1", namespace, "gadgets", "one", got
            )
        )
        == 422
    )
    gadgets.delete(name="one", namespace=namespace)
    model = ApiextensionsV1Api().read_custom_resource_definition(NAME)
    assert model.status.stored_versions == ["v1"]
    definitions.delete(name=NAME)
    deadline = time.monotonic() + 20
    while status_of(lambda: gadgets.get(namespace=namespace)) != 404:
        assert time.monotonic() < deadline, "the kind is still served"
        time.sleep(0.05)
    print("fine")


if __name__ == "__main__":
    main(sys.argv[1])
