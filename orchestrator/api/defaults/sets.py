"""Defaults of StatefulSets and DaemonSets. Source: Kubernetes API, apps/v1 (SetDefaults_*)."""

from typing import Any

from orchestrator.api.defaults.pod import default_pod_spec

Document = dict[str, Any]


def default_stateful_set(document: Document) -> None:
    """One pod after the other, updated from the last one on; claims stay."""
    spec = document.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    spec.setdefault("podManagementPolicy", "OrderedReady")
    strategy = spec.setdefault("updateStrategy", {})
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        strategy.setdefault("rollingUpdate", {}).setdefault("partition", 0)
    spec.setdefault("revisionHistoryLimit", 10)
    retention = spec.setdefault("persistentVolumeClaimRetentionPolicy", {})
    retention.setdefault("whenDeleted", "Retain")
    retention.setdefault("whenScaled", "Retain")
    _template(spec)
    status = document.setdefault("status", {})
    status.setdefault("replicas", 0)
    status.setdefault("availableReplicas", 0)


def default_daemon_set(document: Document) -> None:
    """Updated one host after the other."""
    spec = document.setdefault("spec", {})
    strategy = spec.setdefault("updateStrategy", {})
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        bounds = strategy.setdefault("rollingUpdate", {})
        bounds.setdefault("maxUnavailable", 1)
        bounds.setdefault("maxSurge", 0)
    spec.setdefault("revisionHistoryLimit", 10)
    _template(spec)
    status = document.setdefault("status", {})
    for field in (
        "currentNumberScheduled", "desiredNumberScheduled", "numberMisscheduled", "numberReady",
    ):  # fmt: skip
        status.setdefault(field, 0)


def _template(spec: Document) -> None:
    template = spec.setdefault("template", {})
    template.setdefault("metadata", {})
    default_pod_spec(template.setdefault("spec", {}))
