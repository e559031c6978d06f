"""Rows of ResourceQuotas. Source: pkg/printers/internalversion."""

from typing import Final

from orchestrator.api.tables.cells import AGE, NAME, Cell, Column, Document, age_of

QUOTA_COLUMNS: Final = (
    NAME,
    Column("Request", description="What is used of what may be had at least."),
    Column("Limit", description="What is used of what may be had at most."),
    AGE,
)


def quota_cells(quota: Document, now_s: float) -> list[Cell]:
    """One ResourceQuota's row."""
    status = quota.get("status") or {}
    used, hard = status.get("used") or {}, status.get("hard") or {}
    texts: dict[bool, list[str]] = {True: [], False: []}
    for name in sorted(hard):
        share = f"{name}: {used.get(name, 0)}/{hard[name]}"
        texts[name.startswith("limits.")].append(share)
    requests, limits = ", ".join(texts[False]), ", ".join(texts[True])
    return [quota["metadata"]["name"], requests, limits, age_of(quota, now_s)]
