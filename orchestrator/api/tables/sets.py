"""Rows of StatefulSets, DaemonSets and ControllerRevisions.

Source: Kubernetes pkg/printers/internalversion.
"""

from typing import Final

from orchestrator.api.tables.cells import (
    AGE,
    NAME,
    NONE,
    Cell,
    Column,
    Document,
    age_of,
    joined_labels,
)
from orchestrator.api.tables.workload import TEMPLATE, template_cells

STATEFUL_SET_COLUMNS: Final = (
    NAME, Column("Ready", description="Pods that are ready, of those wanted."), AGE, *TEMPLATE[:2],
)  # fmt: skip
DAEMON_SET_COLUMNS: Final = (
    NAME,
    Column("Desired", "integer", description="Hosts that should run a pod."),
    Column("Current", "integer", description="Hosts that have one."),
    Column("Ready", "integer", description="Hosts whose pod is ready."),
    Column("Up-to-date", "integer", description="Hosts with a pod of the newest template."),
    Column("Available", "integer", description="Hosts whose pod is ready for minReadySeconds."),
    Column("Node Selector", description="Labels of the hosts."),
    AGE,
    *TEMPLATE,
)
REVISION_COLUMNS: Final = (
    NAME,
    Column("Controller", description="Whose template it is."),
    Column("Revision", "integer", description="Its number."),
    AGE,
)


def stateful_set_cells(stateful_set: Document, now_s: float) -> list[Cell]:
    """One StatefulSet's row."""
    spec, status = stateful_set.get("spec") or {}, stateful_set.get("status") or {}
    return [
        stateful_set["metadata"]["name"],
        f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 1)}",
        age_of(stateful_set, now_s),
        *template_cells(spec)[:2],
    ]


def daemon_set_cells(daemon_set: Document, now_s: float) -> list[Cell]:
    """One DaemonSet's row."""
    spec, status = daemon_set.get("spec") or {}, daemon_set.get("status") or {}
    pod = (spec.get("template") or {}).get("spec") or {}
    return [
        daemon_set["metadata"]["name"],
        status.get("desiredNumberScheduled", 0),
        status.get("currentNumberScheduled", 0),
        status.get("numberReady", 0),
        status.get("updatedNumberScheduled", 0),
        status.get("numberAvailable", 0),
        joined_labels(pod.get("nodeSelector")),
        age_of(daemon_set, now_s),
        *template_cells(spec),
    ]


def revision_cells(revision: Document, now_s: float) -> list[Cell]:
    """One ControllerRevision's row."""
    owner = next(
        (r for r in revision["metadata"].get("ownerReferences") or () if r.get("controller")), None
    )
    controller = f"{owner['kind'].lower()}.apps/{owner['name']}" if owner else NONE
    name = revision["metadata"]["name"]
    return [name, controller, revision.get("revision", 0), age_of(revision, now_s)]
