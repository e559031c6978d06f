"""Affinity, spread and gates: what is wrong with them, in Kubernetes' words."""

import pytest

from orchestrator.api.validation.collector import Faults
from orchestrator.api.validation.placement import validate_placement

NODE = "requiredDuringSchedulingIgnoredDuringExecution"
LIKED = "preferredDuringSchedulingIgnoredDuringExecution"


def told(spec: dict) -> list[str]:
    faults = Faults()
    validate_placement(faults, "spec", spec)
    return [f"{cause.field}: {cause.message}" for cause in faults.causes]


def expression(**doc) -> dict:
    return {"affinity": {"nodeAffinity": {NODE: {"nodeSelectorTerms": [doc]}}}}


def near(**term) -> dict:
    return {"affinity": {"podAffinity": {NODE: [term]}}}


def spread(**doc) -> dict:
    usual = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
    return {"topologySpreadConstraints": [{**usual, **doc}]}


TERM = f"spec.affinity.nodeAffinity.{NODE}.nodeSelectorTerms[0]"
NEAR = f"spec.affinity.podAffinity.{NODE}[0]"
SPREAD = "spec.topologySpreadConstraints[0]"


@pytest.mark.parametrize(
    "spec",
    [
        {},
        expression(matchExpressions=[{"key": "a", "operator": "Gt", "values": ["1"]}]),
        expression(matchFields=[{"key": "metadata.name", "operator": "In", "values": ["h"]}]),
        near(topologyKey="zone", labelSelector={"matchLabels": {"a": "b"}}),
        spread(minDomains=2, nodeTaintsPolicy="Honor", labelSelector={}, matchLabelKeys=["a"]),
        {"schedulingGates": [{"name": "example.com/gate"}], "preemptionPolicy": "Never"},
    ],
)
def test_what_is_right(spec):
    assert told(spec) == []


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        (
            {"affinity": {"nodeAffinity": {NODE: {"nodeSelectorTerms": []}}}},
            f"{TERM[:-3]}: Required value: must have at least one node selector term",
        ),
        (
            expression(matchExpressions=[{"key": "a", "operator": "In"}]),
            f"{TERM}.matchExpressions[0].values: Required value: "
            "must be specified when `operator` is 'In' or 'NotIn'",
        ),
        (
            expression(matchExpressions=[{"key": "a", "operator": "Exists", "values": ["b"]}]),
            f"{TERM}.matchExpressions[0].values: Forbidden: "
            "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
        ),
        (
            expression(matchExpressions=[{"key": "a", "operator": "Lt", "values": []}]),
            f"{TERM}.matchExpressions[0].values: Required value: "
            "must be specified single value when `operator` is 'Lt' or 'Gt'",
        ),
        (
            expression(matchExpressions=[{"key": "a", "operator": "Is", "values": []}]),
            f'{TERM}.matchExpressions[0].operator: Invalid value: "Is": '
            "not a valid selector operator",
        ),
        (
            expression(matchFields=[{"key": "spec.x", "operator": "In", "values": ["h"]}]),
            f'{TERM}.matchFields[0].key: Invalid value: "spec.x": not a valid field selector key',
        ),
        (
            {"affinity": {"nodeAffinity": {LIKED: [{"weight": 0, "preference": {}}]}}},
            f"spec.affinity.nodeAffinity.{LIKED}[0].weight: Invalid value: 0: "
            "must be in the range 1-100",
        ),
        (
            {"affinity": {"podAntiAffinity": {LIKED: [
                {"weight": 101, "podAffinityTerm": {"topologyKey": "z"}}]}}},
            f"spec.affinity.podAntiAffinity.{LIKED}[0].weight: Invalid value: 101: "
            "must be in the range 1-100",
        ),
        (near(labelSelector={}), f"{NEAR}.topologyKey: Required value: can not be empty"),
        (
            near(topologyKey="z", matchLabelKeys=["a"]),
            f"{NEAR}.matchLabelKeys: Forbidden: "
            "must not be specified when labelSelector is not set",
        ),
        (
            near(topologyKey="z", labelSelector={"matchExpressions": [
                {"key": "a", "operator": "Gt"}]}),
            f"{NEAR}.labelSelector.matchExpressions[0].operator: "
            'Invalid value: "Gt": not a valid selector operator',
        ),
        (spread(maxSkew=0), f"{SPREAD}.maxSkew: Invalid value: 0: must be greater than zero"),
        (spread(topologyKey=""), f"{SPREAD}.topologyKey: Required value: can not be empty"),
        (
            spread(whenUnsatisfiable="Maybe"),
            f'{SPREAD}.whenUnsatisfiable: Unsupported value: "Maybe": '
            'supported values: "DoNotSchedule", "ScheduleAnyway"',
        ),
        (
            spread(whenUnsatisfiable="ScheduleAnyway", minDomains=2),
            f"{SPREAD}.minDomains: Invalid value: 2: can only use minDomains if "
            "whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway",
        ),
        (
            {"topologySpreadConstraints": spread()["topologySpreadConstraints"] * 2},
            "spec.topologySpreadConstraints[1].{topologyKey, whenUnsatisfiable}: "
            'Duplicate value: "{zone, DoNotSchedule}"',
        ),
        (
            spread(nodeAffinityPolicy="Perhaps"),
            f'{SPREAD}.nodeAffinityPolicy: Unsupported value: "Perhaps": '
            'supported values: "Honor", "Ignore"',
        ),
        (
            {"schedulingGates": [{"name": "a"}, {"name": "a"}]},
            'spec.schedulingGates[1].name: Duplicate value: "a"',
        ),
        (
            {"preemptionPolicy": "Always"},
            'spec.preemptionPolicy: Unsupported value: "Always": '
            'supported values: "Never", "PreemptLowerPriority"',
        ),
    ],
)  # fmt: skip
def test_what_is_wrong(spec, fault):
    assert told(spec) == [fault]
