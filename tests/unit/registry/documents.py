"""Small documents for the registry's tests."""

from orchestrator.kit.ids import ObjectKey


def pod_document(name: str = "a", **spec: object) -> dict:
    containers = [{"name": "c", "image": "web:1"}]
    return {"metadata": {"name": name}, "spec": {"containers": containers, **spec}}


def deployment_document(name: str = "web", **spec: object) -> dict:
    labels = {"app": name}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "c", "image": "web:1"}]},
    }
    return {
        "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": labels}, "template": template, **spec},
    }


def key(resource: str, name: str, namespace: str = "default") -> ObjectKey:
    return ObjectKey(resource, namespace, name)
