"""Describes a Deployment and a ReplicaSet."""

from typing import Any

from orchestrator.cli.describe.page import Page, conditions, heading
from orchestrator.cli.describe.pod import template


def selector_text(selector: dict[str, Any] | None) -> str:
    """A label selector as one line."""
    if not selector:
        return ""
    parts = [f"{k}={v}" for k, v in sorted((selector.get("matchLabels") or {}).items())]
    for rule in selector.get("matchExpressions") or []:
        operator, key = rule["operator"], rule["key"]
        if operator in {"In", "NotIn"}:
            parts.append(f"{key} {operator.lower()} ({','.join(rule.get('values') or [])})")
        else:
            parts.append(key if operator == "Exists" else f"!{key}")
    return ",".join(parts)


def describe_deployment(
    page: Page, deployment: dict[str, Any], replica_sets: list[dict[str, Any]]
) -> None:
    """A Deployment with its old and new ReplicaSets."""
    spec, status = deployment["spec"], deployment.get("status") or {}
    heading(page, deployment)
    page.field("CreationTimestamp", deployment["metadata"].get("creationTimestamp"))
    page.field("Selector", selector_text(spec.get("selector")))
    page.field(
        "Replicas",
        f"{spec.get('replicas', 1)} desired | {status.get('updatedReplicas', 0)} updated | "
        f"{status.get('replicas', 0)} total | {status.get('availableReplicas', 0)} available | "
        f"{status.get('unavailableReplicas', 0)} unavailable",
    )
    strategy = spec.get("strategy") or {}
    page.field("StrategyType", strategy.get("type"))
    page.field("MinReadySeconds", spec.get("minReadySeconds", 0))
    rolling = strategy.get("rollingUpdate")
    if rolling:
        page.field(
            "RollingUpdateStrategy",
            f"{rolling.get('maxUnavailable')} max unavailable, {rolling.get('maxSurge')} max surge",
        )
    template(page, spec["template"])
    conditions(page, status.get("conditions"), reasons=True)
    revision = "deployment.kubernetes.io/revision"
    newest = (deployment["metadata"].get("annotations") or {}).get(revision)
    old, new = [], []
    for replica_set in replica_sets:
        of = (replica_set["metadata"].get("annotations") or {}).get(revision)
        wanted = replica_set["spec"].get("replicas", 0)
        made = (replica_set.get("status") or {}).get("replicas", 0)
        text = f"{replica_set['metadata']['name']} ({made}/{wanted} replicas created)"
        if of == newest:
            new.append(text)
        elif wanted or made:
            old.append(text)
    page.field("OldReplicaSets", ", ".join(old))
    page.field("NewReplicaSet", ", ".join(new))


def describe_replica_set(
    page: Page, replica_set: dict[str, Any], pods: list[dict[str, Any]]
) -> None:
    """A ReplicaSet with the phases of its pods."""
    spec, status = replica_set["spec"], replica_set.get("status") or {}
    heading(page, replica_set)
    owner = next(
        (o for o in replica_set["metadata"].get("ownerReferences") or [] if o.get("controller")),
        None,
    )
    if owner:
        page.field("Controlled By", f"{owner['kind']}/{owner['name']}")
    page.field("Selector", selector_text(spec.get("selector")))
    page.field(
        "Replicas", f"{status.get('replicas', 0)} current / {spec.get('replicas', 1)} desired"
    )
    phases = [str((p.get("status") or {}).get("phase")) for p in pods]
    text = " / ".join(
        f"{phases.count(p)} {w}"
        for p, w in (
            ("Running", "Running"),
            ("Pending", "Waiting"),
            ("Succeeded", "Succeeded"),
            ("Failed", "Failed"),
        )
    )
    page.field("Pods Status", text)
    template(page, spec["template"])
    conditions(page, status.get("conditions"), reasons=True)
