"""Autoscalers, targets and pods for plan tests, as short as a table row."""

from typing import Any

from orchestrator.api.resources import by_resource
from orchestrator.api.scale import read_scale
from orchestrator.api.types.pod import Pod
from orchestrator.controllers.hpa.pace import History
from orchestrator.controllers.hpa.plan import Facts, Outcome, Target, plan
from orchestrator.controllers.hpa.settings import AutoscalingSettings
from orchestrator.kit.clock import rfc3339
from orchestrator.reconcile.intents import Patch, Record
from orchestrator.reconcile.snapshot import view_as
from orchestrator.reconcile.usage import PodUsage, Usage
from tests.unit.controllers.objects import NOW_S, stored

DEPLOYMENTS = by_resource("deployments.apps")
SETTINGS = AutoscalingSettings()
MIB = 1 << 20


def cpu(per_cent: int = 50, **target: Any) -> dict[str, Any]:
    target = target or {"type": "Utilization", "averageUtilization": per_cent}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


def autoscaler(status: dict[str, Any] | None = None, name: str = "web", **spec: Any) -> Any:
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    document = {
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name},
        "spec": {
            "scaleTargetRef": reference, "minReplicas": 1, "maxReplicas": 10, "metrics": [cpu()],
            **spec,
        },
        "status": status or {"desiredReplicas": 0},
    }  # fmt: skip
    return stored("horizontalpodautoscalers.autoscaling", document)


def target(replicas: int, selector: dict[str, str] | None = None) -> Target:
    labels = {"app": "web"} if selector is None else selector
    spec = {"replicas": replicas, "selector": {"matchLabels": labels} if labels else {}}
    document = {"kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}
    item = stored("deployments.apps", document)
    return Target(item, DEPLOYMENTS, read_scale(DEPLOYMENTS, item.doc))


def pod(
    name: str,
    *,
    request: str | None = "100m",
    ready: str = "True",
    age_s: float = 3600,
    ready_for_s: float = 3000,
    phase: str = "Running",
    gone: bool = False,
) -> Pod:
    requests = {"requests": {"cpu": request, "memory": "100Mi"}} if request else {}
    meta: dict[str, Any] = {"name": name, "labels": {"app": "web"}}
    if gone:
        meta["deletionTimestamp"] = rfc3339(NOW_S)
    changed = rfc3339(NOW_S - ready_for_s)
    document = {
        "kind": "Pod",
        "metadata": meta,
        "spec": {"containers": [{"name": "c", "image": "i", "resources": requests}]},
        "status": {
            "phase": phase,
            "startTime": rfc3339(NOW_S - age_s),
            "conditions": [{"type": "Ready", "status": ready, "lastTransitionTime": changed}],
        },
    }
    return view_as(stored("pods", document), Pod)


def pods(count: int, **fields: Any) -> list[Pod]:
    return [pod(f"p{number}", **fields) for number in range(count)]


def using(mcpu: dict[str, int], mib: int = 10, at_s: float = NOW_S) -> dict[str, PodUsage]:
    """By pod: one container that uses so much."""
    return {
        name: PodUsage(at_s, 15.0, {"c": Usage(used * 10**6, mib * MIB)})
        for name, used in mcpu.items()
    }


def looked(
    spec: dict[str, Any],
    replicas: int,
    found: list[Pod],
    mcpu: dict[str, int],
    *,
    history: History | None = None,
    now_s: float = NOW_S,
    settings: AutoscalingSettings = SETTINGS,
    item: Any = None,
) -> Outcome:
    """One look at the usage."""
    facts = Facts(
        item or autoscaler(**spec),
        target(replicas),
        found,
        using(mcpu, at_s=now_s),
        history=history or History(),
    )
    return plan(facts, settings, now_s)


def status_in(outcome: Outcome) -> dict[str, Any]:
    """The status that is written."""
    (patch,) = [
        i for i in outcome.intents if isinstance(i, Patch) and i.subresource == "status"
    ]  # fmt: skip
    return dict(patch.patch["status"])


def conditions_in(outcome: Outcome) -> dict[str, tuple[str, str]]:
    """Status and reason by type."""
    return {c["type"]: (c["status"], c["reason"]) for c in status_in(outcome)["conditions"]}


def message_in(outcome: Outcome, kind: str) -> str:
    return next(c["message"] for c in status_in(outcome)["conditions"] if c["type"] == kind)


def events_in(outcome: Outcome) -> list[tuple[str, str]]:
    return [(i.reason, i.message) for i in outcome.intents if isinstance(i, Record)]


def scaled_to(outcome: Outcome) -> int | None:
    """The new number of replicas; None when it stays."""
    patches = [i for i in outcome.intents if isinstance(i, Patch) and not i.subresource]
    return patches[0].patch["spec"]["replicas"] if patches else None
