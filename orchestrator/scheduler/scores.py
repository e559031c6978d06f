"""Which of the hosts that fit is best: scores from 0 to 100, weighted. Pure.

Source: kube-scheduler's score plugins NodeResourcesFit (LeastAllocated),
NodeResourcesBalancedAllocation, PodTopologySpread (by host), ImageLocality, TaintToleration.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from orchestrator.reconcile.tolerations import tolerated
from orchestrator.scheduler.view import CPU, MEMORY, PODS, NodeView, PodView, nonzero_requests

FULL: Final = 100.0
_SPREAD: Final = 3.0
_ROOM: Final = 1.0
_BALANCE: Final = 0.5
_TAINTS: Final = 3.0
_IMAGES: Final = 0.5


def best(pod: PodView, nodes: Sequence[NodeView]) -> NodeView:
    """The host with the highest score; of equals the one with fewer pods, then by name.

    Args:
        pod: the pod.
        nodes: at least one host, all of which fit.
    """
    crowd = {node.name: node.workloads.get(pod.workload, 0) for node in nodes}
    disliked = {node.name: _disliked(pod, node) for node in nodes}
    return min(
        nodes,
        key=lambda node: (
            -round(
                _SPREAD * _fewest(crowd, node.name)
                + _TAINTS * _fewest(disliked, node.name)
                + _ROOM * room(pod, node)
                + _BALANCE * balance(pod, node)
                + _IMAGES * images(pod, node),
                6,
            ),
            node.used.get(PODS, 0),
            node.name,
        ),
    )


def _fewest(counts: Mapping[str, int], name: str) -> float:
    most = max(counts.values())
    return FULL * (most - counts[name]) / most if most else FULL


def _disliked(pod: PodView, node: NodeView) -> int:
    return sum(
        taint.effect == "PreferNoSchedule" and not tolerated(pod.tolerations, taint)
        for taint in node.taints
    )


def _fractions(pod: PodView, node: NodeView) -> list[float]:
    """Used part of cpu and memory with the pod on it, 0..1."""
    asked = nonzero_requests(pod)
    found: list[float] = []
    for name in (CPU, MEMORY):
        total = node.allocatable.get(name, 0)
        used = node.nonzero.get(name, 0) + asked[name]
        found.append(min(1.0, used / total) if total else 1.0)
    return found


def room(pod: PodView, node: NodeView) -> float:
    """More for hosts that stay emptier."""
    fractions = _fractions(pod, node)
    return FULL * (1.0 - sum(fractions) / len(fractions))


def balance(pod: PodView, node: NodeView) -> float:
    """More for hosts where cpu and memory fill evenly."""
    cpu, memory = _fractions(pod, node)
    return FULL * (1.0 - abs(cpu - memory) / 2)


def images(pod: PodView, node: NodeView) -> float:
    """More for hosts that have the pod's images."""
    if not pod.images:
        return 0.0
    return FULL * sum(has_image(node, image) for image in pod.images) / len(pod.images)


def has_image(node: NodeView, image: str) -> bool:
    """Whether the host has the image, by any of the names that engines give it."""
    name = image if "@" in image or ":" in image.rsplit("/", 1)[-1] else f"{image}:latest"
    return any(found in node.images for found in (name, f"docker.io/{name}", _library(name)))


def _library(name: str) -> str:
    return name if "/" in name else f"docker.io/library/{name}"
