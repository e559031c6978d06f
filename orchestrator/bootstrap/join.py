"""Registers hosts as Nodes over the API, waits until they are Ready, and takes Nodes out again."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from orchestrator.bootstrap.api import NODES, AdminApi, ApiRefused, node_path, pod_path
from orchestrator.bootstrap.nodes import (
    Document,
    NodeWrite,
    plan_write,
    ready_condition,
)
from orchestrator.bootstrap.runner import HostEvent, HostOutcome, Report
from orchestrator.kit.clock import SystemClock

POLL_S: Final = 0.1
CONFLICT_TRIES: Final = 5
DRAIN_LIMIT_S: Final = 120.0


def list_nodes(api: AdminApi) -> dict[str, Document]:
    """All Nodes by name."""
    return {n["metadata"]["name"]: n for n in api.get(NODES)["items"]}


def register(
    api: AdminApi, outcomes: Sequence[HostOutcome], existing: Mapping[str, Document], report: Report
) -> dict[str, str]:
    """Makes a Node of every prepared host, or brings it in line; failures by node name."""
    failures: dict[str, str] = {}
    for outcome in outcomes:
        if not outcome.prepared or outcome.address is None:
            continue
        name = outcome.node.name
        current = existing.get(name)
        for _ in range(CONFLICT_TRIES):
            write = plan_write(outcome.node, outcome.address, current)
            if write is None:
                report(HostEvent(name, "join", "done", "registered"))
                break
            try:
                _write(api, write)
            except ApiRefused as error:
                if error.reason in {"Conflict", "AlreadyExists"}:
                    current = api.find(node_path(name))
                    continue
                failures[name] = str(error)
                report(HostEvent(name, "join", "failed", str(error)))
                break
            words = "brought in line with the inventory" if write.patch else "registered"
            report(HostEvent(name, "join", "changed", words))
            break
        else:
            failures[name] = "the Node changes all the time; run bootstrap again"
            report(HostEvent(name, "join", "failed", failures[name]))
    return failures


def _write(api: AdminApi, write: NodeWrite) -> None:
    if write.patch:
        api.merge(node_path(write.name), write.document)
    else:
        api.create(NODES, write.document)


def wait_ready(
    api: AdminApi, names: Sequence[str], report: Report, limit_s: float
) -> dict[str, str]:
    """Waits until these Nodes are Ready; why not, by name, for those that are not in time."""
    clock = SystemClock()
    started_s = clock.monotonic()
    waiting = dict.fromkeys(names, "")
    told: set[str] = set()
    while waiting:
        nodes = list_nodes(api)
        for name in list(waiting):
            ready, words = ready_condition(nodes[name]) if name in nodes else (False, "deleted")
            if ready:
                took = f"after {clock.monotonic() - started_s:.1f} s" if name in told else ""
                report(HostEvent(name, "ready", "done", took))
                del waiting[name]
                continue
            waiting[name] = words
            if name not in told:
                told.add(name)
                report(HostEvent(name, "ready", "running", words))
        if waiting and clock.monotonic() - started_s > limit_s:
            break
        if waiting:
            time.sleep(POLL_S)
    for name, words in waiting.items():
        report(HostEvent(name, "ready", "failed", words))
    return waiting


def drain(api: AdminApi, name: str, report: Report, limit_s: float = DRAIN_LIMIT_S) -> bool:
    """Cordons a Node and evicts its pods; whether all were gone in time."""
    report(HostEvent(name, "drain", "running", "cordoned"))
    api.merge(node_path(name), {"spec": {"unschedulable": True}})
    clock = SystemClock()
    started_s = clock.monotonic()
    asked: set[str] = set()
    while True:
        pods = pods_on(api, name)
        if not pods:
            report(HostEvent(name, "drain", "changed", f"{len(asked)} pods moved away"))
            return True
        for pod in pods:
            meta = pod["metadata"]
            if meta["uid"] not in asked and _evict(api, meta):
                asked.add(meta["uid"])
        if clock.monotonic() - started_s > limit_s:
            left = ", ".join(f"{p['metadata']['namespace']}/{p['metadata']['name']}" for p in pods)
            report(
                HostEvent(name, "drain", "warning", f"still there after {limit_s:.0f} s: {left}")
            )
            return False
        time.sleep(POLL_S)


def remove_node(api: AdminApi, name: str) -> None:
    """Deletes what pods are left on a Node without waiting for them, then the Node itself."""
    for pod in pods_on(api, name):
        meta = pod["metadata"]
        api.delete(pod_path(meta["namespace"], meta["name"]), gracePeriodSeconds=0)
    api.delete(node_path(name))


def pods_on(api: AdminApi, name: str) -> list[Document]:
    """Pods bound to a Node that have not ended."""
    answer = api.get(f"/api/v1/pods?fieldSelector=spec.nodeName%3D{name}")
    ended = {"Succeeded", "Failed"}
    return [p for p in answer["items"] if (p.get("status") or {}).get("phase") not in ended]


def _evict(api: AdminApi, meta: Mapping[str, Any]) -> bool:
    """Asks for a pod to go; False when the answer is "later" (429)."""
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": meta["name"], "namespace": meta["namespace"]},
    }
    try:
        api.create(f"{pod_path(meta['namespace'], meta['name'])}/eviction", eviction)
    except ApiRefused as error:
        if error.reason == "TooManyRequests":
            return False
        if error.reason != "NotFound":
            raise
    return True
