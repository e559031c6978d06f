"""The proxy subresource of nodes: what a kubelet tells about its host.

There is no kubelet: the server drives the host itself, so it answers from what it knows. Served
are /healthz, /pods, /stats/summary and /metrics/resource.
Source: Kubernetes, "Node metrics data", "Kubelet authentication/authorization" (its paths).
"""

from collections.abc import Iterator
from typing import Any, Final, cast

import msgspec

from orchestrator.api.types.node import Node
from orchestrator.apiserver.answers import Answer, json_answer
from orchestrator.apiserver.paths import ObjectPath
from orchestrator.apiserver.request import Request
from orchestrator.apiserver.services import Services
from orchestrator.kit.clock import rfc3339
from orchestrator.kit.errors import MethodNotAllowed, NotFound, ServiceUnavailable
from orchestrator.kit.ids import ObjectKey
from orchestrator.reconcile.usage import NodeUsage, PodUsage, Usage
from orchestrator.store.objects import StoredObject

_TEXT: Final = "text/plain; charset=utf-8"
_METRICS: Final = "text/plain; version=0.0.4; charset=utf-8"
_PATHS: Final = "/healthz, /pods, /stats/summary, /metrics/resource"


async def node_proxy(services: Services, request: Request, path: ObjectPath) -> Answer:
    """GET: one of the kubelet's pages.

    Raises:
        NotFound: no such node, or no such page.
        MethodNotAllowed: another method.
        ServiceUnavailable: nothing is known of the host at present.
    """
    name = path.name.split(":")[0] if path.name.count(":") < 2 else path.name.split(":")[1]
    node = services.registry.get(ObjectKey("nodes", "", name))
    if request.method not in {"GET", "HEAD"}:
        raise MethodNotAllowed("the pages of a node can only be read")
    match path.rest.rstrip("/"):
        case "/healthz":
            return _health(node)
        case "/pods" | "/runningpods":
            return _pods(services, name)
        case "/stats/summary":
            return json_answer(_summary(services, name))
        case "/metrics/resource":
            return Answer(_metrics(services, name).encode(), content_type=_METRICS)
    words = f"a node has no page {path.rest or '/'}: there are {_PATHS}"
    raise NotFound(words, name=name, kind="nodes")


def _health(node: StoredObject) -> Answer:
    for condition in cast("Node", node.view).status.conditions:
        if condition.type == "Ready" and condition.status == "True":
            return Answer(b"ok", content_type=_TEXT)
    raise ServiceUnavailable(f"node {node.key.name} is not ready")


def _pods_on(services: Services, node: str) -> Iterator[StoredObject]:
    for pod in services.store.list("pods"):
        if (pod.doc.get("spec") or {}).get("nodeName") == node:
            yield pod


def _pods(services: Services, node: str) -> Answer:
    items = [msgspec.Raw(pod.data) for pod in _pods_on(services, node)]
    return json_answer({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items})


def _measured(services: Services, node: str) -> tuple[NodeUsage, list[tuple[Any, PodUsage]]]:
    whole = services.usage.node_usage(node)
    if whole is None:
        raise ServiceUnavailable(f"nothing recent is known of what node {node} uses")
    pods = [(pod, services.usage.pod_usage(pod)) for pod in _pods_on(services, node)]
    return whole, [(pod, used) for pod, used in pods if used is not None]


def _summary(services: Services, node: str) -> dict[str, Any]:
    """Source: k8s.io/kubelet stats/v1alpha1, Summary."""
    whole, pods = _measured(services, node)
    return {
        "node": {"nodeName": node, **_stats(whole.at_s, whole.usage)},
        "pods": [
            {
                "podRef": {
                    "name": pod.key.name,
                    "namespace": pod.key.namespace,
                    "uid": pod.uid,
                },
                "containers": [
                    {"name": name, **_stats(used.at_s, usage)}
                    for name, usage in used.containers.items()
                ],
                **_stats(used.at_s, _together(used)),
            }
            for pod, used in pods
        ],
    }


def _together(used: PodUsage) -> Usage:
    return Usage(
        sum(one.cpu_nanocores for one in used.containers.values()),
        sum(one.memory_bytes for one in used.containers.values()),
    )


def _stats(at_s: float, usage: Usage) -> dict[str, Any]:
    at = rfc3339(at_s)
    return {
        "cpu": {"time": at, "usageNanoCores": usage.cpu_nanocores},
        "memory": {"time": at, "workingSetBytes": usage.memory_bytes},
    }


def _metrics(services: Services, node: str) -> str:
    """Working sets only: the counters of processor time are not kept here."""
    whole, pods = _measured(services, node)
    lines = [
        "# HELP node_memory_working_set_bytes Current working set of the node in bytes",
        "# TYPE node_memory_working_set_bytes gauge",
        f"node_memory_working_set_bytes {whole.usage.memory_bytes}",
        "# HELP container_memory_working_set_bytes Current working set of the container in bytes",
        "# TYPE container_memory_working_set_bytes gauge",
    ]
    for pod, used in pods:
        for name, usage in used.containers.items():
            labels = f'container="{name}",namespace="{pod.key.namespace}",pod="{pod.key.name}"'
            lines.append(f"container_memory_working_set_bytes{{{labels}}} {usage.memory_bytes}")
    return "\n".join(lines) + "\n"
