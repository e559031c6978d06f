"""Rows of NodeMetrics and PodMetrics. Source: metrics-server's tables."""

from typing import Final

from orchestrator.api.amounts import NOTHING, add, read
from orchestrator.api.tables.cells import NAME, Cell, Column, Document

USAGE_COLUMNS: Final = (
    NAME,
    Column("CPU", description="Processors used on average over the window."),
    Column("Memory", description="Working set at the end of the window."),
    Column("Window", description="How long was measured."),
)


def usage_cells(metrics: Document, _now_s: float) -> list[Cell]:
    """One NodeMetrics' or PodMetrics' row; a pod's containers together."""
    used = read(metrics.get("usage"))
    for container in metrics.get("containers") or ():
        add(used, read(container.get("usage")))
    cpu, memory = (str(used.get(name, NOTHING)) for name in ("cpu", "memory"))
    return [metrics["metadata"]["name"], cpu, memory, metrics.get("window", "")]
