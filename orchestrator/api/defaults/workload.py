"""Defaults of Deployments and ReplicaSets. Source: Kubernetes API, apps/v1 (SetDefaults_*)."""

from typing import Any

from orchestrator.api.defaults.pod import default_pod_spec

Document = dict[str, Any]


def default_deployment(document: Document) -> None:
    """One replica, a rolling update by quarters, ten old revisions, ten minutes to progress."""
    spec = document.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    strategy = spec.setdefault("strategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        bounds = strategy.setdefault("rollingUpdate", {})
        bounds.setdefault("maxUnavailable", "25%")
        bounds.setdefault("maxSurge", "25%")
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    _template(spec)
    document.setdefault("status", {})


def default_replica_set(document: Document) -> None:
    """One replica."""
    spec = document.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    _template(spec)
    document.setdefault("status", {}).setdefault("replicas", 0)


def _template(spec: Document) -> None:
    template = spec.setdefault("template", {})
    template.setdefault("metadata", {})
    default_pod_spec(template.setdefault("spec", {}))
