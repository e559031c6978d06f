"""Which taints a Node's conditions mean."""

import json

import pytest

from orchestrator.controllers.nodelifecycle.plan import Facts, plan
from orchestrator.kit.ids import ObjectKey, Revision
from orchestrator.store.objects import StoredObject

NODE = ObjectKey("nodes", "", "n")
PRESSURE = "node.kubernetes.io/disk-pressure"


def node(*taints, **conditions):
    document = {
        "metadata": {"name": "n", "uid": "u"},
        "spec": {"taints": [dict(taint) for taint in taints]},
        "status": {
            "conditions": [
                {"type": kind, "status": status}
                for kind, status in {"Ready": "True", **conditions}.items()
            ]
        },
    }
    return StoredObject(NODE, Revision(1), json.dumps(document).encode())


def taints(item):
    """What the plan makes of the taints; None when it leaves them alone."""
    intents = plan(Facts(NODE, item, (), True, 0.0), 5.0, 60.0, 1_800_000_000.0)
    found = [i.patch["spec"]["taints"] for i in intents if hasattr(i, "patch")]
    return [(t["key"], t["effect"]) for t in found[0] or ()] if found else None


def test_a_host_that_is_well_has_none():
    assert taints(node(DiskPressure="False")) is None


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("DiskPressure", PRESSURE),
        ("MemoryPressure", "node.kubernetes.io/memory-pressure"),
        ("PIDPressure", "node.kubernetes.io/pid-pressure"),
    ],
)
def test_a_host_under_pressure_gets_no_more_pods_and_keeps_those_it_has(kind, key):
    assert taints(node(**{kind: "True"})) == [(key, "NoSchedule")]


def test_pressure_that_is_over_is_no_taint_and_others_stay():
    own = {"key": "dedicated", "effect": "NoSchedule"}
    gone = {"key": PRESSURE, "effect": "NoSchedule"}
    assert taints(node(own, gone, DiskPressure="False")) == [("dedicated", "NoSchedule")]


def test_of_a_host_that_is_lost_nobody_knows_whether_it_is_under_pressure():
    lost = "node.kubernetes.io/unreachable"
    found = taints(node(Ready="Unknown", DiskPressure="Unknown"))
    assert found == [(lost, "NoSchedule"), (lost, "NoExecute")]
