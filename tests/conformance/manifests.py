"""The objects that the conformance tests write."""


def deployment(name="web", replicas=2, image="registry.example/web:1", **labels):
    match = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": {**match, **labels}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": match},
            "template": {
                "metadata": {"labels": match},
                "spec": {
                    "containers": [
                        {
                            "name": "web",
                            "image": image,
                            "ports": [{"containerPort": 8080}],
                            "env": [{"name": "A", "value": "1"}],
                        },
                        {"name": "side", "image": "registry.example/side:1"},
                    ]
                },
            },
        },
    }


def replica_set(owner, number, image, replicas=0):
    """A ReplicaSet as the deployment controller makes it; `owner` is the live Deployment."""
    name = owner["metadata"]["name"]
    labels = {"app": name, "pod-template-hash": f"h{number}"}
    template = owner["spec"]["template"]
    containers = [
        {**c, "image": image} if c["name"] == "web" else c for c in template["spec"]["containers"]
    ]
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{name}-h{number}",
            "labels": labels,
            "annotations": {
                "deployment.kubernetes.io/revision": str(number),
                "kubernetes.io/change-cause": f"image {image}",
            },
            "ownerReferences": [
                {
                    "apiVersion": "apps/v1",
                    "kind": "Deployment",
                    "name": name,
                    "uid": owner["metadata"]["uid"],
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {**template["spec"], "containers": containers},
            },
        },
    }


def pod(name="solo", **labels):
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels or {"app": name}},
        "spec": {"containers": [{"name": "main", "image": "registry.example/main:1"}]},
    }


def node(name, **labels):
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **labels}},
    }


def service(name="web", port=80):
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"port": port, "targetPort": 8080}]},
    }


def config_map(name="settings", **data):
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name},
        "data": data or {"a": "1"},
    }
