"""Defaults of Namespaces, Nodes, Secrets and Events. Source: Kubernetes API, core/v1."""

import base64
from typing import Any, Final

from orchestrator.api.defaults.pod import canonical_map

Document = dict[str, Any]

NAMESPACE_NAME_LABEL: Final = "kubernetes.io/metadata.name"
NAMESPACE_FINALIZER: Final = "kubernetes"


def default_namespace(document: Document) -> None:
    """The label with its own name, and phase Active."""
    meta = document["metadata"]
    if meta.get("name"):
        meta.setdefault("labels", {})[NAMESPACE_NAME_LABEL] = meta["name"]
    document.setdefault("spec", {})
    document.setdefault("status", {}).setdefault("phase", "Active")


def default_node(document: Document) -> None:
    """Quantities in Kubernetes' own form; allocatable is the capacity when nobody says less."""
    document.setdefault("spec", {})
    status = document.setdefault("status", {})
    canonical_map(status.get("capacity"))
    canonical_map(status.get("allocatable"))
    if status.get("capacity") and not status.get("allocatable"):
        status["allocatable"] = dict(status["capacity"])


def default_secret(document: Document) -> None:
    """Type Opaque; stringData is folded into data, where it wins."""
    document.setdefault("type", "Opaque")
    plain = document.pop("stringData", None)
    if plain:
        data = document.setdefault("data", {})
        for key, text in plain.items():
            data[key] = base64.b64encode(text.encode()).decode()


def default_event(document: Document) -> None:
    """The reporting component; events with an eventTime say it themselves and have no source."""
    document.setdefault("involvedObject", {})
    source = document.setdefault("source", {})
    if document.get("reportingComponent") and not document.get("eventTime"):
        source.setdefault("component", document["reportingComponent"])
    document.setdefault("reportingComponent", source.get("component", ""))
    document.setdefault("reportingInstance", "")
