"""What a DaemonSet needs next: one pod on every host that it is for (pure).

Pods are bound to their host by a required node affinity on its name, through the scheduler, as
Kubernetes does. Source: Kubernetes concepts, "DaemonSet"; pkg/controller/daemon.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from orchestrator.api import names
from orchestrator.api.labels import from_view
from orchestrator.api.metadata import Chooser, generated_name
from orchestrator.api.types.node import Node, Taint
from orchestrator.api.types.pod import Pod, Toleration
from orchestrator.api.types.sets import DaemonSet
from orchestrator.kit.clock import parse_rfc3339
from orchestrator.reconcile import owners
from orchestrator.reconcile.affinity import fits, required_terms
from orchestrator.reconcile.history import REVISION_LABEL, History, expired, history
from orchestrator.reconcile.intents import Create, Delete, Intent, Record, RequeueAfter
from orchestrator.reconcile.pods import available_in_s, is_ready
from orchestrator.reconcile.snapshot import metadata_of, view_as
from orchestrator.reconcile.statuses import conditions_of, status_patch
from orchestrator.reconcile.tolerations import tolerated
from orchestrator.store.objects import Document, StoredObject

COMPONENT: Final = "daemonset-controller"
_FAILED_PODS_S: Final = 1.0
"""Least age of a failed pod before it is replaced, so that a bad template does not spin."""
_TOLERATED: Final = (
    (names.TAINT_NOT_READY, "NoExecute"),
    (names.TAINT_UNREACHABLE, "NoExecute"),
    *((key, "NoSchedule") for key in names.TAINTS_OF_PRESSURE.values()),
    (names.TAINT_UNSCHEDULABLE, "NoSchedule"),
)
_NETWORK: Final = ("node.kubernetes.io/network-unavailable", "NoSchedule")


@dataclass(frozen=True, slots=True)
class Facts:
    """What a plan is made from.

    Attributes:
        item: the DaemonSet.
        nodes: all hosts.
        pods: pods that it owns or that its selector matches.
        revisions: ControllerRevisions that it owns.
        accepts: False while the namespace is being deleted.
    """

    item: StoredObject
    nodes: Sequence[StoredObject]
    pods: Sequence[StoredObject]
    revisions: Sequence[StoredObject]
    accepts: bool = True


@dataclass(slots=True)
class _Host:
    """One host with the set's pods that are on it or on their way there."""

    node: StoredObject
    wanted: bool
    stays: bool
    pods: list[StoredObject] = field(default_factory=list)


def plan(facts: Facts, now_s: float, rng: Chooser) -> list[Intent]:
    """What to do next.

    Args:
        facts: see there.
        now_s: wall seconds.
        rng: chooses the names of new pods.
    """
    item, view = facts.item, view_as(facts.item, DaemonSet)
    if owners.is_deleting(item):
        return []
    mine, claims = _claim(facts)
    if claims:
        return claims
    past = history(item, facts.revisions)
    if past.intents:
        return list(past.intents)
    hosts, stray = _hosts(facts, mine)
    intents: list[Intent] = []
    waits: list[float] = []
    deletes = [pod for pod in stray if not owners.is_deleting(pod)]
    creates: list[str] = []
    for host in hosts.values():
        _manage(host, past, now_s, deletes, creates, waits)
    if not deletes and not creates and view.spec.update_strategy.type == "RollingUpdate":
        _update(view, hosts, past, now_s, deletes, creates)
    status = _status(item, view, hosts, past, now_s, waits)
    patch = status_patch(item, status)
    intents += [patch] if patch is not None else []
    intents += _deletes(item, deletes)
    if facts.accepts:
        intents += _creates(item, view, past, creates, rng)
    in_use = {past.update, *(revision_of(pod) for pod in mine)}
    intents += expired(facts.revisions, in_use, view.spec.revision_history_limit)
    if waits:
        intents.append(RequeueAfter(math.ceil(min(waits) * 1000) / 1000))
    return intents


def revision_of(pod: StoredObject) -> str:
    """The revision that a pod was made from."""
    return str((pod.doc["metadata"].get("labels") or {}).get(REVISION_LABEL, ""))


def target_of(pod: StoredObject) -> str:
    """The host that a pod is on, or is made for."""
    spec = pod.doc["spec"]
    if spec.get("nodeName"):
        return str(spec["nodeName"])
    for term in required_terms(spec.get("affinity")) or ():
        for entry in term.get("matchFields") or ():
            if entry.get("key") == "metadata.name" and len(entry.get("values") or ()) == 1:
                return str(entry["values"][0])
    return ""


def _claim(facts: Facts) -> tuple[list[StoredObject], list[Intent]]:
    item = facts.item
    selector = from_view(view_as(item, DaemonSet).spec.selector)
    mine: list[StoredObject] = []
    intents: list[Intent] = []
    for pod in facts.pods:
        controller = owners.controller_uid(pod)
        matches = selector.matches(metadata_of(pod).labels)
        if controller == item.uid:
            if matches:
                mine.append(pod)
            else:
                intents.append(owners.release(pod, item.uid))
        elif not controller and matches and not owners.is_deleting(pod):
            intents.append(owners.adopt(item, pod))
    return mine, intents


# ---------------------------------------------------------------- hosts


def _hosts(
    facts: Facts, mine: Sequence[StoredObject]
) -> tuple[dict[str, _Host], list[StoredObject]]:
    """The hosts by name, and pods on hosts that are not there."""
    spec = facts.item.doc["spec"]["template"]["spec"]
    given = view_as(facts.item, DaemonSet).spec.template.spec
    tolerations = (*given.tolerations, *_own_tolerations(host_network=given.host_network))
    hosts: dict[str, _Host] = {}
    for node in facts.nodes:
        view = view_as(node, Node)
        labels = view.metadata.labels or {}
        chosen = all(labels.get(k) == v for k, v in (given.node_selector or {}).items())
        chosen = chosen and fits(required_terms(spec.get("affinity")), node.key.name, labels)
        taints = [t for t in view.spec.taints if not tolerated(tolerations, t)]
        keeps = chosen and not any(t.effect == "NoExecute" for t in taints)
        starts = keeps and not any(t.effect == "NoSchedule" for t in taints)
        hosts[node.key.name] = _Host(node, starts, keeps)
    stray: list[StoredObject] = []
    for pod in mine:
        host = hosts.get(target_of(pod))
        if host is not None:
            host.pods.append(pod)
        else:
            stray.append(pod)
    return hosts, stray


def _own_tolerations(*, host_network: bool) -> list[Toleration]:
    every = (*_TOLERATED, _NETWORK) if host_network else _TOLERATED
    return [Toleration(key=key, operator="Exists", effect=effect) for key, effect in every]


def _manage(
    host: _Host,
    past: History,
    now_s: float,
    deletes: list[StoredObject],
    creates: list[str],
    waits: list[float],
) -> None:
    """One host: a pod where there should be one, none where there should not."""
    staying: list[StoredObject] = []
    for pod in host.pods:
        if owners.is_deleting(pod):
            continue
        if view_as(pod, Pod).status.phase == "Failed":
            made = parse_rfc3339(pod.doc["metadata"]["creationTimestamp"])
            left_s = made + _FAILED_PODS_S - now_s
            if left_s > 0:
                waits.append(left_s)
                staying.append(pod)
            else:
                deletes.append(pod)
        else:
            staying.append(pod)
    if not host.stays:
        deletes += [pod for pod in staying if pod not in deletes]
        return
    if host.wanted and not host.pods:
        creates.append(host.node.key.name)
        return
    if len(staying) > 1:
        deletes += _surplus(staying, past)


def _surplus(staying: Sequence[StoredObject], past: History) -> list[StoredObject]:
    """All but one pod of a host; during an update the old one stays until the new one is ready."""
    new = [pod for pod in staying if revision_of(pod) == past.update]
    old = [pod for pod in staying if revision_of(pod) != past.update]
    new.sort(key=_age)
    old.sort(key=_age)
    if new and old:
        ready = any(is_ready(view_as(pod, Pod)) for pod in new)
        return [*old, *new[1:]] if ready else [*old[1:], *new[1:]]
    return (new or old)[1:]


def _age(pod: StoredObject) -> tuple[bool, str, str]:
    """Sorts first what is bound, then the oldest."""
    meta = pod.doc["metadata"]
    return not pod.doc["spec"].get("nodeName"), meta.get("creationTimestamp", ""), pod.key.name


def _update(
    view: DaemonSet,
    hosts: dict[str, _Host],
    past: History,
    now_s: float,
    deletes: list[StoredObject],
    creates: list[str],
) -> None:
    """Replaces pods of older revisions, as many at a time as the bounds allow."""
    wanted = [host for host in hosts.values() if host.wanted]
    rolling = view.spec.update_strategy.rolling_update
    unavailable = _bound(rolling.max_unavailable if rolling else 1, len(wanted))
    surge = _bound(rolling.max_surge if rolling else 0, len(wanted))
    if not surge and not unavailable:
        unavailable = 1
    missing = sum(not _has_available(host, view, now_s) for host in wanted)
    surging = sum(len([p for p in host.pods if not owners.is_deleting(p)]) > 1 for host in wanted)
    for host in sorted(wanted, key=lambda h: (_has_available(h, view, now_s), h.node.key.name)):
        staying = [pod for pod in host.pods if not owners.is_deleting(pod)]
        old = [pod for pod in staying if revision_of(pod) != past.update]
        if len(staying) != 1 or not old:
            continue
        broken = not _has_available(host, view, now_s)
        if surge:
            if broken:
                deletes += old
            elif surging < surge:
                creates.append(host.node.key.name)
                surging += 1
        elif broken or missing < unavailable:
            deletes += old
            missing += not broken


def _has_available(host: _Host, view: DaemonSet, now_s: float) -> bool:
    return any(
        available_in_s(view_as(pod, Pod), view.spec.min_ready_seconds, now_s) == 0
        for pod in host.pods
        if not owners.is_deleting(pod)
    )


def _bound(value: int | str, whole: int) -> int:
    if isinstance(value, int):
        return value
    return math.ceil(int(value.removesuffix("%")) * whole / 100)


# ---------------------------------------------------------------- pods


def _creates(
    item: StoredObject, view: DaemonSet, past: History, hosts: Sequence[str], rng: Chooser
) -> list[Intent]:
    made: list[Intent] = []
    told: list[Intent] = []
    taken: set[str] = set()
    for host in hosts:
        name = generated_name(f"{item.key.name}-", rng)
        while name in taken:
            name = generated_name(f"{item.key.name}-", rng)
        taken.add(name)
        made.append(Create("pods", item.key.namespace, _pod_document(item, view, past, name, host)))
        told.append(
            Record(item.key, "Normal", "SuccessfulCreate", f"Created pod: {name}", COMPONENT)
        )
    return made + told


def _deletes(item: StoredObject, pods: Sequence[StoredObject]) -> list[Intent]:
    gone: list[Intent] = [Delete(pod.key, uid=pod.uid) for pod in pods]
    told: list[Intent] = [
        Record(item.key, "Normal", "SuccessfulDelete", f"Deleted pod: {pod.key.name}", COMPONENT)
        for pod in pods
    ]
    return gone + told


def _pod_document(
    item: StoredObject, view: DaemonSet, past: History, name: str, host: str
) -> Document:
    template = past.templates[past.update]
    given = template.get("metadata") or {}
    meta: Document = {
        "name": name,
        "generateName": f"{item.key.name}-",
        "namespace": item.key.namespace,
        "ownerReferences": [owners.controller_reference(item)],
        "labels": {
            **(given.get("labels") or {}),
            REVISION_LABEL: past.update,
            "pod-template-generation": str(item.doc["metadata"].get("generation", 1)),
        },
    }
    for key in ("annotations", "finalizers"):
        if given.get(key):
            meta[key] = given[key]
    host_network = view.spec.template.spec.host_network
    tolerations = list(template["spec"].get("tolerations") or ())
    for one in _own_tolerations(host_network=host_network):
        entry = {"key": one.key, "operator": one.operator, "effect": one.effect}
        if entry not in tolerations:
            tolerations.append(entry)
    spec = {
        **template["spec"],
        "tolerations": tolerations,
        "affinity": _bound_to(template["spec"].get("affinity") or {}, host),
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def _bound_to(affinity: Document, host: str) -> Document:
    """The template's affinity, with every term of the required one narrowed to the host."""
    term: dict[str, Any] = {
        "matchFields": [{"key": "metadata.name", "operator": "In", "values": [host]}]
    }
    required = {"nodeSelectorTerms": [term]}
    node = affinity.get("nodeAffinity") or {}
    made = {**node, "requiredDuringSchedulingIgnoredDuringExecution": required}
    return {**affinity, "nodeAffinity": made}


# ---------------------------------------------------------------- status


def _status(
    item: StoredObject,
    view: DaemonSet,
    hosts: dict[str, _Host],
    past: History,
    now_s: float,
    waits: list[float],
) -> Document:
    wanted = [host for host in hosts.values() if host.wanted]
    ready = available = updated = current = 0
    for host in wanted:
        staying = [pod for pod in host.pods if not owners.is_deleting(pod)]
        current += bool(staying)
        newest = sorted(staying, key=lambda p: revision_of(p) != past.update)[:1]
        updated += any(revision_of(pod) == past.update for pod in newest)
        ready += any(is_ready(view_as(pod, Pod)) for pod in staying)
        delays = [
            delay
            for pod in staying
            if (delay := available_in_s(view_as(pod, Pod), view.spec.min_ready_seconds, now_s))
            is not None
        ]
        available += 0 in delays
        waits += [delay for delay in delays if delay]
    strangers = [host for host in hosts.values() if not host.wanted and host.pods]
    counts = {
        "updatedNumberScheduled": updated,
        "numberAvailable": available,
        "numberUnavailable": len(wanted) - available,
        "observedGeneration": item.doc["metadata"].get("generation", 0),
    }
    status: Document = {
        "currentNumberScheduled": current,
        "desiredNumberScheduled": len(wanted),
        "numberMisscheduled": len(strangers),
        "numberReady": ready,
        **{key: value for key, value in counts.items() if value},
    }
    conditions = conditions_of(item)
    if conditions:
        status["conditions"] = conditions
    return status


def taints_of(node: StoredObject) -> tuple[Taint, ...]:
    """A host's taints; what changes of them matters."""
    return view_as(node, Node).spec.taints
