"""What the commands are tried on: small objects that start and end at once."""

from tests.rig.images import BUSYBOX_TAG

LOOP = "trap 'exit 0' TERM; echo started; while :; do sleep 0.1; done"
HTTPD = "trap 'exit 0' TERM; echo started; httpd -p 80 -h /www; while :; do sleep 0.1; done"


def container(name: str = "c", script: str = LOOP, **fields) -> dict:
    return {"name": name, "image": BUSYBOX_TAG, "command": ["sh", "-c", script], **fields}


def pod(name: str = "p", script: str = LOOP, **spec) -> dict:
    labels = spec.pop("labels", {"app": name})
    spec = {"containers": [container(script=script)], "terminationGracePeriodSeconds": 1, **spec}
    return {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "labels": labels}, "spec": spec,
    }  # fmt: skip


def template(app: str, script: str = LOOP, **spec) -> dict:
    containers = [container(script=script, ports=[{"name": "http", "containerPort": 80}])]
    return {
        "metadata": {"labels": {"app": app}},
        "spec": {"terminationGracePeriodSeconds": 1, "containers": containers, **spec},
    }


def deployment(name: str = "web", replicas: int = 2, script: str = LOOP, **spec) -> dict:
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": {"app": name}},
            "template": template(name, script), **spec,
        },
    }  # fmt: skip


def stateful_set(name: str = "db", replicas: int = 2, **spec) -> dict:
    made = deployment(name, replicas)
    made["kind"] = "StatefulSet"
    made["spec"] |= {"serviceName": name, **spec}
    return made


def daemon_set(name: str = "agent", **spec) -> dict:
    made = deployment(name)
    made["kind"] = "DaemonSet"
    del made["spec"]["replicas"]
    made["spec"] |= spec
    return made


def service(name: str = "web", **spec) -> dict:
    ports = [{"name": "http", "port": 80, "targetPort": "http"}]
    return {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": ports, **spec},
    }  # fmt: skip


def config_map(name: str = "settings", labels: dict | None = None, **data: str) -> dict:
    return {
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, **({"labels": labels} if labels else {})},
        "data": data or {"key": "value"},
    }  # fmt: skip


def job(name: str = "once", script: str = "echo done", **spec) -> dict:
    template = {"spec": {"restartPolicy": "Never", "containers": [container(script=script)]}}
    return {
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name},
        "spec": {"template": template, **spec},
    }  # fmt: skip


def cron_job(name: str = "nightly", schedule: str = "0 3 * * *", **spec) -> dict:
    return {
        "apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name},
        "spec": {"schedule": schedule, "jobTemplate": {"spec": job()["spec"]}, **spec},
    }  # fmt: skip


def crd(plural: str = "crontabs", kind: str = "CronTab", group: str = "stable.example.com") -> dict:
    schema = {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "properties": {
                    "cronSpec": {
                        "type": "string",
                        "pattern": r"^(\d+|\*)(/\d+)?(\s+(\d+|\*)(/\d+)?){4}$",
                    },
                    "image": {"type": "string", "description": "What to run."},
                    "replicas": {"type": "integer", "minimum": 1, "maximum": 10, "default": 1},
                },
                "required": ["cronSpec"],
            },
            "status": {
                "type": "object",
                "properties": {
                    "replicas": {"type": "integer"},
                    "labelSelector": {"type": "string"},
                },
            },
        },
    }
    version = {
        "name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema},
        "subresources": {
            "status": {},
            "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
        },
        "additionalPrinterColumns": [
            {"name": "Spec", "type": "string", "jsonPath": ".spec.cronSpec"},
            {"name": "Replicas", "type": "integer", "jsonPath": ".spec.replicas"},
            {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
        ],
    }  # fmt: skip
    names = {
        "plural": plural,
        "singular": kind.lower(),
        "kind": kind,
        "shortNames": [f"s{plural[:2]}"],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [version]},
    }  # fmt: skip
