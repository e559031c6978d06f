"""Rows of Nodes, Namespaces, ConfigMaps, Secrets, Events, Leases, ServiceAccounts.

Source: Kubernetes pkg/printers/internalversion.
"""

from typing import Any, Final

from orchestrator.api.tables.cells import (
    AGE,
    NAME,
    NONE,
    UNKNOWN,
    Cell,
    Column,
    Document,
    age_of,
    since,
)

_ROLE_PREFIX: Final = "node-role.kubernetes.io/"
_ROLE_LABEL: Final = "kubernetes.io/role"

NODE_COLUMNS: Final = (
    NAME,
    Column("Status", description="Whether it is ready, and takes new pods."),
    Column("Roles", description="From its node-role.kubernetes.io labels."),
    AGE,
    Column("Version", description="Version of what runs its pods."),
    Column("Internal-IP", wide=True, description="Address that the server reaches it at."),
    Column("External-IP", wide=True, description="Address outside."),
    Column("OS-Image", wide=True, description="Operating system."),
    Column("Kernel-Version", wide=True, description="Kernel."),
    Column("Container-Runtime", wide=True, description="Engine."),
)
NAMESPACE_COLUMNS: Final = (NAME, Column("Status", description="Active or Terminating."), AGE)
CONFIG_MAP_COLUMNS: Final = (NAME, Column("Data", "string", description="Number of keys."), AGE)
SECRET_COLUMNS: Final = (
    NAME,
    Column("Type", description="What kind of secret."),
    Column("Data", "string", description="Number of keys."),
    AGE,
)
SERVICE_ACCOUNT_COLUMNS: Final = (NAME, Column("Secrets", description="Number of secrets."), AGE)
LEASE_COLUMNS: Final = (NAME, Column("Holder", description="Who holds it."), AGE)
EVENT_COLUMNS: Final = (
    Column("Last Seen", description="When it was seen last."),
    Column("Type", description="Normal or Warning."),
    Column("Reason", description="Why, in one word."),
    Column("Object", description="What it is about."),
    Column("Subobject", wide=True, description="Part of the object."),
    Column("Source", wide=True, description="Who says so."),
    Column("Message", description="The sentence."),
    Column("First Seen", wide=True, description="When it was seen first."),
    Column("Count", wide=True, description="How often it was seen."),
    Column("Name", wide=True, format="name", description="Name of the event."),
)


def node_cells(node: Document, now_s: float) -> list[Cell]:
    """One Node's row."""
    status = node.get("status") or {}
    info = status.get("nodeInfo") or {}
    return [
        node["metadata"]["name"],
        node_status(node),
        _roles(node["metadata"].get("labels") or {}),
        age_of(node, now_s),
        info.get("kubeletVersion", ""),
        _address(status, "InternalIP"),
        _address(status, "ExternalIP"),
        info.get("osImage") or UNKNOWN,
        info.get("kernelVersion") or UNKNOWN,
        info.get("containerRuntimeVersion") or UNKNOWN,
    ]


def node_status(node: Document) -> str:
    """Ready, NotReady or Unknown, with ",SchedulingDisabled" when it is cordoned."""
    words = [
        "Ready" if condition.get("status") == "True" else "NotReady"
        for condition in (node.get("status") or {}).get("conditions") or ()
        if condition.get("type") == "Ready"
    ] or ["Unknown"]
    if (node.get("spec") or {}).get("unschedulable"):
        words.append("SchedulingDisabled")
    return ",".join(words)


def namespace_cells(namespace: Document, now_s: float) -> list[Cell]:
    """One Namespace's row."""
    phase = (namespace.get("status") or {}).get("phase", "")
    return [namespace["metadata"]["name"], phase, age_of(namespace, now_s)]


def config_map_cells(config_map: Document, now_s: float) -> list[Cell]:
    """One ConfigMap's row."""
    keys = len(config_map.get("data") or ()) + len(config_map.get("binaryData") or ())
    return [config_map["metadata"]["name"], keys, age_of(config_map, now_s)]


def secret_cells(secret: Document, now_s: float) -> list[Cell]:
    """One Secret's row."""
    keys = len(secret.get("data") or ())
    return [secret["metadata"]["name"], secret.get("type", ""), keys, age_of(secret, now_s)]


def service_account_cells(account: Document, now_s: float) -> list[Cell]:
    """One ServiceAccount's row."""
    secrets = len(account.get("secrets") or ())
    return [account["metadata"]["name"], secrets, age_of(account, now_s)]


def lease_cells(lease: Document, now_s: float) -> list[Cell]:
    """One Lease's row."""
    holder = (lease.get("spec") or {}).get("holderIdentity", "")
    return [lease["metadata"]["name"], holder, age_of(lease, now_s)]


def event_cells(event: Document, now_s: float) -> list[Cell]:
    """One Event's row."""
    series = event.get("series") or {}
    first = event.get("firstTimestamp") or event.get("eventTime")
    last = series.get("lastObservedTime") or event.get("lastTimestamp") or first
    involved = event.get("involvedObject") or {}
    kind, name = str(involved.get("kind", "")).lower(), involved.get("name", "")
    return [
        since(last, now_s),
        event.get("type", ""),
        event.get("reason", ""),
        f"{kind}/{name}" if name else kind,
        involved.get("fieldPath", ""),
        _source(event),
        str(event.get("message", "")).strip(),
        since(first, now_s),
        series.get("count") or event.get("count") or 1,
        event["metadata"]["name"],
    ]


def _source(event: Document) -> str:
    source = event.get("source") or {}
    component = source.get("component") or event.get("reportingComponent") or ""
    host = source.get("host") or event.get("reportingInstance") or ""
    return f"{component}, {host}" if host else str(component)


def _roles(labels: dict[str, str]) -> str:
    roles = {label.removeprefix(_ROLE_PREFIX) for label in labels if label.startswith(_ROLE_PREFIX)}
    if labels.get(_ROLE_LABEL):
        roles.add(labels[_ROLE_LABEL])
    return ",".join(sorted(role for role in roles if role)) or NONE


def _address(status: dict[str, Any], kind: str) -> str:
    for address in status.get("addresses") or ():
        if address.get("type") == kind:
            return str(address.get("address", NONE))
    return NONE
