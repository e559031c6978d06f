"""What decides where a pod goes, shared by all pods that agree on it. Pure.

The pods of one workload differ in their names only, so what they ask for is read once, and what is
found out about hosts for one of them holds for the next: `Templates` gives equal pods one object.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from orchestrator.api.types.pod import Pod, Toleration
from orchestrator.reconcile.affinity import Terms, required_terms
from orchestrator.reconcile.snapshot import view_as
from orchestrator.scheduler.requests import (
    CPU,
    MEMORY,
    USUAL,
    HostPort,
    host_ports,
    pod_requests,
)
from orchestrator.scheduler.terms import Spread, Term, affinity_terms, spread_constraints
from orchestrator.store.objects import StoredObject

POD_GROUP: Final = "orch.dev/pod-group"
"""Label: the pods of a namespace with one value are placed all or none."""
MIN_MEMBER: Final = "orch.dev/min-member"
"""Annotation of the pods of a group: how many of them must find a place together."""

Preferred = Sequence[tuple[int, Mapping[str, Any]]]
"""Preferred node affinity: weight and `nodeSelectorTerm`."""


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """What decides about a pod. Equal pods share one: it is compared by identity.

    Attributes:
        namespace: of the pod.
        labels: of the pod; what others' rules match.
        requests: (resource, amount), sorted; what it asks for.
        usual: cpu and memory for comparing hosts; a usual amount where it asks for nothing.
        selector: labels that its host must have.
        required: terms of required node affinity, of which one must fit; None for no rule.
        preferred: preferred node affinity.
        tolerations: taints that it bears.
        ports: ports of the host that it takes.
        images: images that it needs.
        workload: uid of its controller; "" for a pod of its own.
        scheduler: `spec.schedulerName`.
        priority: higher ones are placed first, and may evict lower ones.
        preempts: whether it may.
        spread: topology spread constraints.
        attracts: required pod affinity.
        repels: required pod anti-affinity.
        wishes: preferred pod affinity and, with negative weights, anti-affinity.
    """

    namespace: str
    labels: Mapping[str, str]
    requests: tuple[tuple[str, int], ...] = ()
    usual: tuple[int, int] = (USUAL[CPU], USUAL[MEMORY])
    selector: Mapping[str, str] | None = None
    required: Terms | None = None
    preferred: Preferred = ()
    tolerations: Sequence[Toleration] = ()
    ports: frozenset[HostPort] = frozenset()
    images: tuple[str, ...] = ()
    workload: str = ""
    scheduler: str = ""
    priority: int = 0
    preempts: bool = True
    spread: tuple[Spread, ...] = ()
    attracts: tuple[Term, ...] = ()
    repels: tuple[Term, ...] = ()
    wishes: tuple[Term, ...] = ()


class Templates:
    """Gives each pod its template, and equal ones the same.

    Most pods of a workload are also spelled alike, which is quick to see.
    """

    def __init__(self) -> None:
        self._known: dict[bytes, Template] = {}
        self._spelled: dict[bytes, Template] = {}

    def of(self, item: StoredObject) -> Template:
        """The template of a pod."""
        spelling = _spelling(item)
        found = self._spelled.get(spelling)
        if found is None:
            key = _identity(item)
            found = self._known.get(key)
            if found is None:
                found = self._known[key] = template(item)
            if len(self._spelled) >= _MOST_SPELLINGS:
                self._spelled.clear()
            self._spelled[spelling] = found
        return found

    def keep(self, used: set[Template]) -> None:
        """Forgets all but those: what no pod has any more."""
        self._known = {key: found for key, found in self._known.items() if found in used}
        self._spelled.clear()

    def __len__(self) -> int:
        """How many there are."""
        return len(self._known)


def _identity(item: StoredObject) -> bytes:
    """Equal for pods that need not be told apart."""
    spec, view = item.doc["spec"], view_as(item, Pod)
    metadata, controller = view.metadata, view.metadata.controller
    asked = [
        (c.get("image"), c.get("resources"), c.get("ports"), c.get("restartPolicy"), kind)
        for kind in ("containers", "initContainers")
        for c in spec.get(kind) or ()
    ]
    return msgspec.json.encode(
        (
            metadata.namespace,
            metadata.labels,
            controller.uid if controller else "",
            asked,
            *(spec.get(name) for name in _DECIDING),
        ),
        order="deterministic",
    )


_DECIDING: Final = (
    "nodeSelector", "affinity", "tolerations", "topologySpreadConstraints", "overhead",
    "hostNetwork", "priority", "preemptionPolicy", "schedulerName",
)  # fmt: skip
_MOST_SPELLINGS: Final = 4096
_NOTHING: Final = msgspec.Raw(b"")


class _Metadata(msgspec.Struct, gc=False):
    labels: msgspec.Raw = _NOTHING


_Spec = msgspec.defstruct(
    "_Spec",
    [(n, msgspec.Raw, _NOTHING) for n in ("containers", "initContainers", *_DECIDING)],
    gc=False,
)


class _Text(msgspec.Struct, gc=False):
    metadata: _Metadata
    spec: _Spec  # type: ignore[valid-type]  # it is made from the names above


_text: Final = msgspec.json.Decoder(_Text)


def _spelling(item: StoredObject) -> bytes:
    """Equal only for pods whose `_identity` is; of equal ones it may differ."""
    text, metadata = _text.decode(item.data), view_as(item, Pod).metadata
    controller = metadata.controller
    return b"\0".join((
        metadata.namespace.encode(), controller.uid.encode() if controller else b"",
        text.metadata.labels, *msgspec.structs.astuple(text.spec),
    ))  # fmt: skip


def template(item: StoredObject) -> Template:
    """A pod's template, made anew."""
    pod, doc = view_as(item, Pod), item.doc["spec"]
    spec, controller = pod.spec, pod.metadata.controller
    namespace, labels = pod.metadata.namespace, pod.metadata.labels or {}
    requests = pod_requests(pod)
    attracts, liked = affinity_terms(doc, "podAffinity", namespace, labels)
    repels, disliked = affinity_terms(doc, "podAntiAffinity", namespace, labels)
    images = dict.fromkeys(c.image for c in (*spec.init_containers, *spec.containers))
    return Template(
        namespace=namespace,
        labels=labels,
        requests=tuple(requests.items()),
        usual=(requests.get(CPU) or USUAL[CPU], requests.get(MEMORY) or USUAL[MEMORY]),
        selector=spec.node_selector,
        required=required_terms(doc.get("affinity")),
        preferred=_preferred(doc),
        tolerations=spec.tolerations,
        ports=host_ports(pod),
        images=tuple(images),
        workload=controller.uid if controller else "",
        scheduler=spec.scheduler_name,
        priority=spec.priority or 0,
        preempts=doc.get("preemptionPolicy") != "Never",
        spread=spread_constraints(doc.get("topologySpreadConstraints") or (), namespace, labels),
        attracts=attracts,
        repels=repels,
        wishes=(*liked, *disliked),
    )


def _preferred(spec: Mapping[str, Any]) -> Preferred:
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    docs = affinity.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
    return tuple((int(doc["weight"]), doc["preference"]) for doc in docs)
