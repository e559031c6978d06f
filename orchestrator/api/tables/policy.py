"""Rows of PodDisruptionBudgets and PriorityClasses. Source: pkg/printers/internalversion."""

from typing import Final

from orchestrator.api.tables.cells import AGE, NAME, Cell, Column, Document, age_of

BUDGET_COLUMNS: Final = (
    NAME,
    Column("Min Available", description="Pods that must stay."),
    Column("Max Unavailable", description="Pods that may go."),
    Column("Allowed Disruptions", "integer", description="Pods that may be evicted now."),
    AGE,
)
PRIORITY_COLUMNS: Final = (
    NAME,
    Column("Value", "integer", description="Higher ones are placed first."),
    Column("Global-Default", "boolean", description="Whether pods without a class have it."),
    AGE,
    Column("PreemptionPolicy", description="Whether others make room for its pods."),
)


def budget_cells(budget: Document, now_s: float) -> list[Cell]:
    """One PodDisruptionBudget's row."""
    spec, status = budget.get("spec") or {}, budget.get("status") or {}
    return [
        budget["metadata"]["name"],
        str(spec.get("minAvailable", "N/A")),
        str(spec.get("maxUnavailable", "N/A")),
        status.get("disruptionsAllowed", 0),
        age_of(budget, now_s),
    ]


def priority_cells(priority_class: Document, now_s: float) -> list[Cell]:
    """One PriorityClass' row."""
    return [
        priority_class["metadata"]["name"],
        priority_class.get("value", 0),
        "true" if priority_class.get("globalDefault") else "false",
        age_of(priority_class, now_s),
        priority_class.get("preemptionPolicy", ""),
    ]
