"""What a budget allows, in numbers."""

import pytest

from orchestrator.controllers.disruption.plan import Facts, plan
from orchestrator.kit.clock import rfc3339
from orchestrator.reconcile.intents import Patch, Record, RequeueAfter
from tests.unit.controllers.objects import NOW_S, merged, stored


def budget(**spec):
    document = {"kind": "PodDisruptionBudget", "metadata": {"name": "b"},
                "spec": {"selector": {}, **spec}}  # fmt: skip
    return stored("poddisruptionbudgets.policy", document)


def pods(ready, unready=0, owner="rs"):
    reference = [{"uid": owner, "controller": True}] if owner else []
    made = []
    for number in range(ready + unready):
        status = {"conditions": [{"type": "Ready", "status": str(number < ready)}]}
        meta = {"name": f"p{number}", "ownerReferences": reference}
        made.append(stored("pods", {"kind": "Pod", "metadata": meta, "status": status}))
    return made


def numbers(intents):
    (patch,) = [i for i in intents if isinstance(i, Patch)]
    status = patch.patch["status"]
    names = ("expectedPods", "desiredHealthy", "currentHealthy", "disruptionsAllowed")
    return tuple(status.get(name, 0) for name in names)


@pytest.mark.parametrize(
    ("spec", "ready", "unready", "scale", "expected"),
    [
        ({"minAvailable": 2}, 3, 0, 3, (3, 2, 3, 1)),
        ({"minAvailable": 2}, 1, 2, 3, (3, 2, 1, 0)),
        ({"minAvailable": "50%"}, 3, 0, 3, (3, 2, 3, 1)),
        ({"maxUnavailable": 1}, 3, 0, 3, (3, 2, 3, 1)),
        ({"maxUnavailable": "30%"}, 5, 0, 5, (5, 3, 5, 2)),
        ({"maxUnavailable": 5}, 3, 0, 3, (3, 0, 3, 3)),
        ({"maxUnavailable": 1}, 2, 0, 4, (4, 3, 2, 0)),
        ({}, 2, 0, 2, (2, 0, 2, 2)),
        ({"minAvailable": 1}, 0, 0, 3, (0, 1, 0, 0)),
    ],
)
def test_counts(spec, ready, unready, scale, expected):
    found = plan(Facts(budget(**spec), pods(ready, unready), {"rs": scale}), NOW_S)
    assert numbers(found) == expected


def test_a_condition_has_its_message_also_when_it_is_empty():
    """The schema requires it, and clients with strict models believe the schema."""
    (patch,) = plan(Facts(budget(minAvailable=1), pods(2), {}), NOW_S)
    (condition,) = patch.patch["status"]["conditions"]
    assert condition["message"] == ""


def test_settled_is_quiet():
    item = budget(minAvailable=1)
    facts = Facts(item, pods(2), {})
    (patch,) = plan(facts, NOW_S)
    again = merged(item, patch.patch)
    assert plan(Facts(again, facts.pods, {}), NOW_S + 60) == []


def test_pods_whose_number_nobody_knows():
    for some, scales in ((pods(1, owner=""), {}), (pods(1), {})):
        found = plan(Facts(budget(maxUnavailable=1), some, scales), NOW_S)
        (patch,) = [i for i in found if isinstance(i, Patch)]
        (condition,) = patch.patch["status"]["conditions"]
        assert (condition["reason"], condition["status"]) == ("SyncFailed", "False")
        assert [i.reason for i in found if isinstance(i, Record)] == [
            "CalculateExpectedPodCountFailed"
        ]


def test_an_eviction_that_is_under_way_counts_as_gone():
    item = merged(budget(minAvailable=1), {"status": {"disruptedPods": {"p0": rfc3339(NOW_S)}}})
    found = plan(Facts(item, pods(3), {}), NOW_S + 1)
    assert numbers(found) == (3, 1, 2, 1)
    assert [i.delay_s for i in found if isinstance(i, RequeueAfter)] == [119]
    forgotten = plan(Facts(item, pods(3), {}), NOW_S + 200)
    assert numbers(forgotten) == (3, 1, 3, 2)
