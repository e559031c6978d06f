"""Deployments and ReplicaSets. Source: Kubernetes pkg/apis/apps/validation."""

import re
from typing import Any, Final

from orchestrator.api import labels
from orchestrator.api.validation.collector import Faults
from orchestrator.api.validation.meta import (
    validate_annotations,
    validate_labels,
    validate_selector,
)
from orchestrator.api.validation.pod import validate_pod_spec

Document = dict[str, Any]

_PERCENT: Final = re.compile(r"\d+%", re.ASCII)
_STRATEGIES: Final = frozenset({"Recreate", "RollingUpdate"})


def validate_deployment(faults: Faults, document: Document) -> None:
    """A Deployment's spec."""
    spec = document["spec"]
    _scaled(faults, spec)
    strategy = spec.get("strategy") or {}
    kind = strategy.get("type", "")
    if kind not in _STRATEGIES:
        faults.unsupported("spec.strategy.type", kind, _STRATEGIES)
    bounds = strategy.get("rollingUpdate")
    if kind == "Recreate" and bounds is not None:
        faults.forbidden(
            "spec.strategy.rollingUpdate",
            "may not be specified when strategy `type` is 'Recreate'",
        )
    elif bounds is not None:
        _bounds(faults, bounds)
    faults.check_number("spec.revisionHistoryLimit", spec.get("revisionHistoryLimit"))
    deadline = spec.get("progressDeadlineSeconds")
    faults.check_number("spec.progressDeadlineSeconds", deadline)
    if deadline is not None and deadline <= spec.get("minReadySeconds", 0):
        faults.invalid(
            "spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"
        )


def validate_replica_set(faults: Faults, document: Document) -> None:
    """A ReplicaSet's spec."""
    _scaled(faults, document["spec"])


def validate_workload_update(faults: Faults, new: Document, old: Document) -> None:
    """The selector decides which pods belong to a workload for ever."""
    before = (old.get("spec") or {}).get("selector")
    faults.check_immutable("spec.selector", new["spec"].get("selector"), before)


def validate_template(faults: Faults, path: str, template: Document) -> None:
    """Metadata and spec of a pod template; `path` is "spec.template"."""
    meta = template.get("metadata") or {}
    validate_labels(faults, f"{path}.labels", meta.get("labels"))
    validate_annotations(faults, f"{path}.annotations", meta.get("annotations"))
    spec = template.get("spec") or {}
    validate_pod_spec(faults, f"{path}.spec", spec)
    policy = spec.get("restartPolicy", "Always")
    if policy in {"OnFailure", "Never"}:
        faults.unsupported(f"{path}.spec.restartPolicy", policy, ("Always",))
    if spec.get("activeDeadlineSeconds") is not None:
        faults.forbidden(
            f"{path}.spec.activeDeadlineSeconds",
            "activeDeadlineSeconds in ReplicaSet is not Supported",
        )


def _scaled(faults: Faults, spec: Document) -> None:
    faults.check_number("spec.replicas", spec.get("replicas"))
    faults.check_number("spec.minReadySeconds", spec.get("minReadySeconds"))
    template = spec.get("template") or {}
    selector = spec.get("selector")
    if selector is None:
        faults.required("spec.selector")
    else:
        before = len(faults.causes)
        validate_selector(faults, "spec.selector", selector)
        if not selector.get("matchLabels") and not selector.get("matchExpressions"):
            text = "empty selector is invalid for deployment"
            faults.invalid("spec.selector", selector, text)
        elif len(faults.causes) == before:
            here = (template.get("metadata") or {}).get("labels") or {}
            if not labels.from_document(selector).matches(here):
                text = "`selector` does not match template `labels`"
                faults.invalid("spec.template.metadata.labels", here, text)
    validate_template(faults, "spec.template", template)


def validate_bound(faults: Faults, field: str, value: int | str) -> int | None:
    """A number or a percentage up to 100 %; its number, None when it is wrong."""
    if isinstance(value, int):
        faults.check_number(field, value)
        return value
    if not _PERCENT.fullmatch(value):
        faults.invalid(
            field,
            value,
            "a valid percent string must be a numeric string followed by an ending '%' (e.g. "
            "'1%',  or '93%', regex used for validation is '[0-9]+%')",
        )
        return None
    if int(value[:-1]) > 100:
        faults.invalid(field, value, "must not be greater than 100%")
    return int(value[:-1])


def _bounds(faults: Faults, bounds: Document) -> None:
    values = {}
    for name in ("maxUnavailable", "maxSurge"):
        value = bounds.get(name, 0)
        field = f"spec.strategy.rollingUpdate.{name}"
        if isinstance(value, int):
            faults.check_number(field, value)
            values[name] = value
        elif not _PERCENT.fullmatch(value):
            faults.invalid(
                field,
                value,
                "a valid percent string must be a numeric string followed by an ending '%' (e.g. "
                "'1%',  or '93%', regex used for validation is '[0-9]+%')",
            )
        else:
            values[name] = int(value[:-1])
            if name == "maxUnavailable" and values[name] > 100:
                faults.invalid(field, value, "must not be greater than 100%")
    if values.get("maxUnavailable") == 0 and values.get("maxSurge") == 0:
        faults.invalid(
            "spec.strategy.rollingUpdate.maxUnavailable",
            bounds.get("maxUnavailable", 0),
            "may not be 0 when `maxSurge` is 0",
        )
