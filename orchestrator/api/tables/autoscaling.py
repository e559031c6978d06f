"""Rows of HorizontalPodAutoscalers. Source: pkg/printers/internalversion (formatHPAMetrics)."""

from typing import Any, Final

from orchestrator.api.quantity import canonical
from orchestrator.api.tables.cells import (
    AGE,
    NAME,
    NONE,
    UNKNOWN,
    UNSET,
    Cell,
    Column,
    Document,
    age_of,
)

AUTOSCALER_COLUMNS: Final = (
    NAME,
    Column("Reference", description="What is scaled."),
    Column("Targets", description="The metrics: what is measured, and what it should be."),
    Column("MinPods", description="Fewest replicas."),
    Column("MaxPods", description="Most replicas."),
    Column("Replicas", description="Replicas at the last look."),
    AGE,
)
_SHOWN: Final = 2


def autoscaler_cells(autoscaler: Document, now_s: float) -> list[Cell]:
    """One HorizontalPodAutoscaler's row."""
    spec, status = autoscaler.get("spec") or {}, autoscaler.get("status") or {}
    target = spec.get("scaleTargetRef") or {}
    return [
        autoscaler["metadata"]["name"],
        f"{target.get('kind', '')}/{target.get('name', '')}",
        _metrics(spec.get("metrics") or [], status.get("currentMetrics") or []),
        str(spec.get("minReplicas", UNSET)),
        spec.get("maxReplicas", 0),
        status.get("currentReplicas", 0),
        age_of(autoscaler, now_s),
    ]


def _metrics(specs: list[Document], statuses: list[Document]) -> str:
    if not specs:
        return NONE
    shown = [
        _metric(spec, statuses[index] if index < len(statuses) else {})
        for index, spec in enumerate(specs)
    ]
    text = ", ".join(shown[:_SHOWN])
    return f"{text} + {len(shown) - _SHOWN} more..." if len(shown) > _SHOWN else text


def _metric(spec: Document, status: Document) -> str:
    kind = spec.get("type", "")
    part = kind[:1].lower() + kind[1:]
    source: Document = spec.get(part) or {}
    target: Document = source.get("target") or {}
    found = (status.get(part) or {}).get("current") if status.get("type") == kind else None
    current: Document = found or {}
    if part in {"resource", "containerResource"}:
        name = source.get("name", "")
        if "averageValue" in target:
            used = _amount(current.get("averageValue"))
            return f"{name}: {used}/{_amount(target['averageValue'])}"
        return f"{name}: {_per_cent(current)}/{_per_cent(target, '<auto>')}"
    if part == "pods":
        return f"{_amount(current.get('averageValue'))}/{_amount(target.get('averageValue'))}"
    if part not in {"object", "external"}:
        return "<unknown type>"
    if "averageValue" in target:
        return f"{_amount(current.get('averageValue'))}/{_amount(target['averageValue'])} (avg)"
    return f"{_amount(current.get('value'))}/{_amount(target.get('value'))}"


def _amount(value: Any) -> str:
    return UNKNOWN if value is None else canonical(value)


def _per_cent(value: Document, absent: str = UNKNOWN) -> str:
    found = value.get("averageUtilization")
    return absent if found is None else f"{found}%"
