"""Which writes bring the API's Nodes in line with an inventory."""

import json

from orchestrator.api.names import NODE_CAPACITY, NODE_INVENTORY, NODE_SSH
from orchestrator.bootstrap.inventory.model import InventoryNode, InventoryTaint
from orchestrator.bootstrap.nodes import (
    address_of,
    leftovers,
    node_document,
    plan_write,
    ready_condition,
)
from orchestrator.remote.seams import HostAddress

ADDRESS = HostAddress(node="a", host="10.0.0.1", port=22, user="ops", known_hosts="/s/known_hosts")
DB = InventoryTaint("dedicated", "db", "NoSchedule")
NODE = InventoryNode(
    "a", "10.0.0.1", labels={"zone": "x"}, taints=(DB,), capacity={"cpu": "3", "memory": "6Gi"}
)


def registered(node=NODE, **changes):
    document = node_document(node, ADDRESS)
    document["metadata"]["resourceVersion"] = "7"
    document["metadata"].setdefault("labels", {}).update(changes.pop("labels", {}))
    document["spec"].setdefault("taints", []).extend(changes.pop("taints", []))
    assert not changes
    return document


def test_a_new_host_becomes_a_node():
    write = plan_write(NODE, ADDRESS, None)
    assert not write.patch
    meta = write.document["metadata"]
    assert meta["labels"] == {"kubernetes.io/hostname": "a", "zone": "x"}
    assert write.document["spec"] == {
        "taints": [{"key": "dedicated", "value": "db", "effect": "NoSchedule"}]
    }
    assert json.loads(meta["annotations"][NODE_CAPACITY]) == {"cpu": "3", "memory": "6Gi"}
    assert address_of(write.document) == ADDRESS


def test_a_second_time_nothing_is_written():
    assert plan_write(NODE, ADDRESS, registered()) is None


def test_what_others_set_stays():
    lost = {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}
    current = registered(labels={"team": "web"}, taints=[lost])
    assert plan_write(NODE, ADDRESS, current) is None
    other = InventoryNode("a", "10.0.0.1", labels={"zone": "y"})
    patch = plan_write(other, ADDRESS, current).document
    assert patch["metadata"]["labels"] == {"zone": "y"}
    assert patch["spec"] == {"taints": [lost]}
    assert patch["metadata"]["annotations"][NODE_CAPACITY] is None
    assert patch["metadata"]["resourceVersion"] == "7"


def test_what_the_inventory_takes_back_goes():
    patch = plan_write(InventoryNode("a", "10.0.0.1"), ADDRESS, registered()).document
    assert patch["metadata"]["labels"] == {"zone": None}
    assert patch["spec"] == {"taints": []}
    assert json.loads(patch["metadata"]["annotations"][NODE_INVENTORY]) == {
        "labels": [], "taints": [],
    }  # fmt: skip


def test_a_changed_address_is_written_alone():
    moved = HostAddress(node="a", host="10.0.0.2", port=22, user="ops")
    patch = plan_write(NODE, moved, registered()).document
    assert set(patch) == {"metadata"}
    assert set(patch["metadata"]) == {"annotations", "resourceVersion"}
    assert set(patch["metadata"]["annotations"]) == {NODE_SSH}


def test_a_changed_taint_keeps_its_place():
    first = {"key": "x", "effect": "NoExecute"}
    current = registered(taints=[first])
    changed = InventoryNode(
        "a", "10.0.0.1", labels=NODE.labels, capacity=NODE.capacity,
        taints=(InventoryTaint("dedicated", "web", "NoSchedule"),),
    )  # fmt: skip
    patch = plan_write(changed, ADDRESS, current).document
    assert patch["spec"]["taints"] == [
        {"key": "dedicated", "value": "web", "effect": "NoSchedule"}, first,
    ]  # fmt: skip


def test_leftovers_are_ours_and_not_in_the_inventory():
    own, strange = registered(), {"metadata": {"name": "z"}}
    gone = node_document(InventoryNode("b", "10.0.0.9"), ADDRESS)
    assert leftovers([own, strange, gone], [NODE]) == [gone]


def test_readiness_in_words():
    condition = {"type": "Ready", "status": "Unknown", "reason": "Lost", "message": "no heartbeat"}
    assert ready_condition({"status": {"conditions": [condition]}}) == (False, "no heartbeat")
    condition["status"] = "True"
    assert ready_condition({"status": {"conditions": [condition]}})[0]
    assert ready_condition({}) == (False, "no session has reported yet")
