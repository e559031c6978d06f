"""Which Nodes the API is to have for an inventory: creations, patches, leftovers; pure.

What an inventory once set it may change and take back; labels and taints of others are left alone.
That is why the Node carries, as an annotation, what came from the inventory.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from orchestrator.api.names import (
    NODE_CAPACITY,
    NODE_HOSTNAME_LABEL,
    NODE_INVENTORY,
    NODE_SSH,
)
from orchestrator.bootstrap.inventory.model import InventoryNode
from orchestrator.remote.seams import HostAddress

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class NodeWrite:
    """One write: `patch` is None for a creation, else a merge patch with its resourceVersion."""

    name: str
    document: Document
    patch: bool


def node_document(node: InventoryNode, address: HostAddress) -> Document:
    """The Node that an inventory entry stands for, as it is created."""
    document: Document = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": node.name,
            "labels": {NODE_HOSTNAME_LABEL: node.name, **node.labels},
            "annotations": _annotations(node, address),
        },
        "spec": {},
    }
    if node.taints:
        document["spec"]["taints"] = inventory_taints(node)
    return document


def plan_write(
    node: InventoryNode, address: HostAddress, current: Document | None
) -> NodeWrite | None:
    """The write that brings a Node in line with the inventory; None when it is."""
    if current is None:
        return NodeWrite(node.name, node_document(node, address), patch=False)
    meta = current["metadata"]
    labels, annotations = meta.get("labels") or {}, meta.get("annotations") or {}
    before = _from_inventory(annotations)
    patch: Document = {}
    changed_labels = _difference(
        labels, {NODE_HOSTNAME_LABEL: node.name, **node.labels}, before["labels"]
    )
    changed_annotations = _difference(annotations, _annotations(node, address), [NODE_CAPACITY])
    if changed_labels:
        patch.setdefault("metadata", {})["labels"] = changed_labels
    if changed_annotations:
        patch.setdefault("metadata", {})["annotations"] = changed_annotations
    taints = (current.get("spec") or {}).get("taints") or []
    wanted = _merged_taints(taints, node, before["taints"])
    if wanted != taints:
        patch["spec"] = {"taints": wanted}
    if not patch:
        return None
    patch.setdefault("metadata", {})["resourceVersion"] = meta["resourceVersion"]
    return NodeWrite(node.name, patch, patch=True)


def leftovers(existing: Iterable[Document], inventory: Iterable[InventoryNode]) -> list[Document]:
    """Nodes that an earlier inventory made and this one does not name, by name."""
    named = {node.name for node in inventory}
    return sorted(
        (
            n
            for n in existing
            if n["metadata"]["name"] not in named
            and NODE_SSH in (n["metadata"].get("annotations") or {})
        ),
        key=lambda n: str(n["metadata"]["name"]),
    )


def address_of(node: Document) -> HostAddress:
    """How the server reaches a registered host."""
    return HostAddress(**json.loads(node["metadata"]["annotations"][NODE_SSH]))


def ready_condition(node: Document) -> tuple[bool, str]:
    """Whether a Node is Ready, and what its condition says."""
    for condition in (node.get("status") or {}).get("conditions") or []:
        if condition["type"] == "Ready":
            words = condition.get("message") or condition.get("reason") or ""
            return condition["status"] == "True", words
    return False, "no session has reported yet"


def inventory_taints(node: InventoryNode) -> list[dict[str, str]]:
    """The inventory's taints as `spec.taints` has them."""
    return [_taint({"key": t.key, "value": t.value, "effect": t.effect}) for t in node.taints]


def _taint(taint: Mapping[str, str]) -> dict[str, str]:
    return {k: v for k, v in taint.items() if v}


def _annotations(node: InventoryNode, address: HostAddress) -> dict[str, str]:
    found = {
        NODE_SSH: _json(asdict(address)),
        NODE_INVENTORY: _json(
            {
                "labels": sorted(node.labels),
                "taints": [f"{t.key}:{t.effect}" for t in node.taints],
            }
        ),
    }
    if node.capacity:
        found[NODE_CAPACITY] = _json(node.capacity)
    return found


def _difference(
    current: Mapping[str, str], wanted: Mapping[str, str], ours: Sequence[str]
) -> dict[str, str | None]:
    """Entries to set, and those of ours to remove (None)."""
    changes: dict[str, str | None] = {k: v for k, v in wanted.items() if current.get(k) != v}
    for key in ours:
        if key in current and key not in wanted:
            changes[key] = None
    return changes


def _merged_taints(
    current: list[Document], node: InventoryNode, ours: Sequence[str]
) -> list[Document]:
    """The current taints with ours replaced; those that stay keep their place."""
    wanted = {f"{t['key']}:{t['effect']}": t for t in inventory_taints(node)}
    merged: list[Document] = []
    for taint in current:
        name = f"{taint['key']}:{taint['effect']}"
        if name in wanted:
            replacement = wanted.pop(name)
            same = taint.get("value", "") == replacement.get("value", "")
            merged.append(taint if same else dict(replacement))
        elif name not in ours:
            merged.append(taint)
    return merged + list(wanted.values())


def _from_inventory(annotations: Mapping[str, str]) -> dict[str, list[str]]:
    try:
        found = json.loads(annotations[NODE_INVENTORY])
        return {"labels": list(found["labels"]), "taints": list(found["taints"])}
    except (KeyError, ValueError, TypeError):
        return {"labels": [], "taints": []}


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
