"""Nodes, Namespaces, ConfigMaps, Secrets, Events and Leases.

Source: Kubernetes pkg/apis/core/validation, pkg/apis/coordination/validation.
"""

import base64
import binascii
import json
from typing import Any, Final

from orchestrator.api import metadata
from orchestrator.api.validation.collector import Faults
from orchestrator.api.validation.container import check_quantity

Document = dict[str, Any]

MOST_DATA_BYTES: Final = 1024 * 1024
"""All values of a ConfigMap or a Secret together."""

_TAINT_EFFECTS: Final = frozenset({"NoSchedule", "PreferNoSchedule", "NoExecute"})
_EVENT_TYPES: Final = frozenset({"Normal", "Warning", ""})
_DOCKER_TYPES: Final = {
    "kubernetes.io/dockerconfigjson": ".dockerconfigjson",
    "kubernetes.io/dockercfg": ".dockercfg",
}
_NEEDED_KEYS: Final = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}
_ACCOUNT_TOKEN: Final = "kubernetes.io/service-account-token"  # noqa: S105  # a type, no secret
_ACCOUNT_NAME: Final = "kubernetes.io/service-account.name"
_HELD: Final = "field is immutable when `immutable` is set"


def validate_node(faults: Faults, document: Document) -> None:
    """A Node's taints and resources."""
    seen: set[tuple[str, str]] = set()
    for index, taint in enumerate((document.get("spec") or {}).get("taints") or ()):
        here = f"spec.taints[{index}]"
        key, value = taint.get("key", ""), taint.get("value", "")
        effect = taint.get("effect", "")
        faults.check_words(f"{here}.key", key, metadata.is_qualified_name(key))
        if value:
            faults.check_words(f"{here}.value", value, metadata.is_label_value(value))
        faults.check_choice(f"{here}.effect", effect, _TAINT_EFFECTS)
        if (key, effect) in seen:
            faults.duplicate(here, f"{key}:{effect}")
        seen.add((key, effect))
    validate_node_status(faults, document)


def validate_node_status(faults: Faults, document: Document) -> None:
    """A Node's capacity and allocatable."""
    status = document.get("status") or {}
    for kind in ("capacity", "allocatable"):
        for name, value in (status.get(kind) or {}).items():
            check_quantity(faults, f"status.{kind}[{name}]", value)


def validate_node_update(faults: Faults, new: Document, old: Document) -> None:
    """The provider's id of a Node stays once it is set."""
    was = (old.get("spec") or {}).get("providerID", "")
    if was and (new.get("spec") or {}).get("providerID", "") != was:
        faults.forbidden(
            "spec.providerID", 'node updates may not change providerID except from "" to valid'
        )


def validate_config_map(faults: Faults, document: Document) -> None:
    """Keys and size of a ConfigMap."""
    size = 0
    plain, binary = document.get("data") or {}, document.get("binaryData") or {}
    for key, value in plain.items():
        faults.check_words(f"data[{key}]", key, metadata.is_config_key(key))
        size += len(value.encode())
    for key, value in binary.items():
        faults.check_words(f"binaryData[{key}]", key, metadata.is_config_key(key))
        if key in plain:
            faults.invalid(f"binaryData[{key}]", key, "duplicate of key present in data")
        size += _decoded_size(faults, f"binaryData[{key}]", value)
    if size > MOST_DATA_BYTES:
        faults.too_long("", MOST_DATA_BYTES)


def validate_secret(faults: Faults, document: Document) -> None:
    """Keys, size and what the type demands of a Secret. Values are never shown."""
    data = document.get("data") or {}
    size = 0
    for key, value in data.items():
        faults.check_words(f"data[{key}]", key, metadata.is_config_key(key))
        size += _decoded_size(faults, f"data[{key}]", value)
    if size > MOST_DATA_BYTES:
        faults.too_long("data", MOST_DATA_BYTES)
    kind = document.get("type", "")
    for key in _NEEDED_KEYS.get(kind, ()):
        if key not in data:
            faults.required(f"data[{key}]")
    if kind == _ACCOUNT_TOKEN:
        annotations = document["metadata"].get("annotations") or {}
        if not annotations.get(_ACCOUNT_NAME):
            faults.required(f"metadata.annotations[{_ACCOUNT_NAME}]")
    if kind == "kubernetes.io/basic-auth" and not {"username", "password"} & set(data):
        faults.required("data[username]")
        faults.required("data[password]")
    if kind in _DOCKER_TYPES:
        _docker_config(faults, _DOCKER_TYPES[kind], data)


def validate_config_map_update(faults: Faults, new: Document, old: Document) -> None:
    """A ConfigMap marked immutable stays as it is."""
    _held(faults, new, old, ("data", "binaryData"))


def validate_secret_update(faults: Faults, new: Document, old: Document) -> None:
    """A Secret's type stays; one marked immutable stays as it is."""
    faults.check_immutable("type", new.get("type"), old.get("type"))
    _held(faults, new, old, ("data",))


def validate_event(faults: Faults, document: Document) -> None:
    """An Event stands in the namespace of what it is about, or in default."""
    involved = (document.get("involvedObject") or {}).get("namespace", "")
    home = document["metadata"].get("namespace", "")
    elsewhere = home != (involved or "default") and not (not involved and home == "kube-system")
    if elsewhere and not (document.get("eventTime") and involved):
        text = "does not match event.namespace"
        faults.invalid("involvedObject.namespace", involved, text)
    kind = document.get("type", "")
    if kind not in _EVENT_TYPES:
        faults.unsupported("type", kind, ("Normal", "Warning"))


def validate_lease(faults: Faults, document: Document) -> None:
    """A Lease's duration and count of hand-overs."""
    spec = document.get("spec") or {}
    faults.check_number("spec.leaseDurationSeconds", spec.get("leaseDurationSeconds"), 1)
    faults.check_number("spec.leaseTransitions", spec.get("leaseTransitions"))
    if spec.get("holderIdentity") == "":
        faults.required("spec.holderIdentity", "holderIdentity must not be empty")


def _decoded_size(faults: Faults, field: str, value: str) -> int:
    try:
        return len(base64.b64decode("".join(value.split()), validate=True))
    except (binascii.Error, ValueError):
        faults.invalid(field, "<redacted>", "must be base64")
        return 0


def _docker_config(faults: Faults, key: str, data: Document) -> None:
    if key not in data:
        faults.required(f"data[{key}]")
        return
    try:
        config = json.loads(base64.b64decode(data[key]))
    except (ValueError, binascii.Error):
        faults.invalid(f"data[{key}]", "<secret contents redacted>", "must be a JSON object")
        return
    if not isinstance(config, dict):
        faults.invalid(f"data[{key}]", "<secret contents redacted>", "must be a JSON object")


def _held(faults: Faults, new: Document, old: Document, fields: tuple[str, ...]) -> None:
    if not old.get("immutable"):
        return
    if not new.get("immutable"):
        faults.forbidden("immutable", _HELD)
    for field in fields:
        if (new.get(field) or {}) != (old.get(field) or {}):
            faults.forbidden(field, _HELD)
