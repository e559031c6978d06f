"""Rows of Deployments and ReplicaSets. Source: Kubernetes pkg/printers/internalversion."""

from typing import Any, Final

from orchestrator.api.tables.cells import (
    AGE,
    NAME,
    NONE,
    Cell,
    Column,
    Document,
    age_of,
    selector_text,
)

TEMPLATE: Final = (
    Column("Containers", wide=True, description="Names of the template's containers."),
    Column("Images", wide=True, description="Images of the template's containers."),
    Column("Selector", wide=True, description="Which pods belong to it."),
)
DEPLOYMENT_COLUMNS: Final = (
    NAME,
    Column("Ready", description="Pods that are ready, of those wanted."),
    Column("Up-to-date", description="Pods of the newest template."),
    Column("Available", description="Pods that are ready for minReadySeconds."),
    AGE,
    *TEMPLATE,
)
REPLICA_SET_COLUMNS: Final = (
    NAME,
    Column("Desired", "integer", description="Pods wanted."),
    Column("Current", "integer", description="Pods that there are."),
    Column("Ready", "integer", description="Pods that are ready."),
    AGE,
    *TEMPLATE,
)
SCALE_COLUMNS: Final = (
    NAME,
    Column("Desired", "integer", description="Pods wanted."),
    Column("Available", "integer", description="Pods that there are."),
    AGE,
)


def deployment_cells(deployment: Document, now_s: float) -> list[Cell]:
    """One Deployment's row."""
    spec, status = deployment.get("spec") or {}, deployment.get("status") or {}
    return [
        deployment["metadata"]["name"],
        f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 1)}",
        str(status.get("updatedReplicas", 0)),
        str(status.get("availableReplicas", 0)),
        age_of(deployment, now_s),
        *template_cells(spec),
    ]


def replica_set_cells(replica_set: Document, now_s: float) -> list[Cell]:
    """One ReplicaSet's row."""
    spec, status = replica_set.get("spec") or {}, replica_set.get("status") or {}
    return [
        replica_set["metadata"]["name"],
        spec.get("replicas", 1),
        status.get("replicas", 0),
        status.get("readyReplicas", 0),
        age_of(replica_set, now_s),
        *template_cells(spec),
    ]


def template_cells(spec: dict[str, Any]) -> list[Cell]:
    """What `TEMPLATE`'s columns show of a workload's spec."""
    containers = ((spec.get("template") or {}).get("spec") or {}).get("containers") or ()
    return [
        ",".join(container.get("name", "") for container in containers) or NONE,
        ",".join(container.get("image", "") for container in containers) or NONE,
        selector_text(spec.get("selector")),
    ]


def scale_cells(scale: Document, now_s: float) -> list[Cell]:
    """The row of a workload's Scale."""
    return [
        scale["metadata"]["name"],
        scale["spec"]["replicas"],
        scale["status"]["replicas"],
        age_of(scale, now_s),
    ]
