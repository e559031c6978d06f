"""Behaviour: windows, policies, tolerance; and laws over whole lives of autoscalers."""

from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.controllers.hpa.pace import Dated, History
from orchestrator.controllers.hpa.settings import AutoscalingSettings
from tests.unit.controllers.hpa_world import (
    conditions_in,
    cpu,
    looked,
    pods,
    scaled_to,
)
from tests.unit.controllers.objects import NOW_S


def rules(*policies: tuple[str, int, int], **fields: Any) -> dict[str, Any]:
    made = [{"type": t, "value": v, "periodSeconds": p} for t, v, p in policies]
    return {"selectPolicy": "Max", "policies": made, "stabilizationWindowSeconds": 0, **fields}


FREE = rules(("Percent", 100, 15))
FREE_UP = rules(("Percent", 900, 15))


def behavior(up: dict[str, Any] | None = None, down: dict[str, Any] | None = None):
    return {"maxReplicas": 100, "behavior": {"scaleUp": up or FREE_UP, "scaleDown": down or FREE}}


def after(replicas: int, per_cent: int, spec: dict[str, Any], history: History | None = None):
    """With so much of the request used by every pod; half of it is the target."""
    used = {f"p{n}": per_cent for n in range(replicas)}
    return looked(spec, replicas, pods(replicas), used, history=history)


@pytest.mark.parametrize(
    ("spec", "replicas", "per_cent", "wanted", "limited"),
    [
        pytest.param(behavior(), 10, 100, 20, None, id="no limit up"),
        pytest.param(behavior(), 10, 5, 1, None, id="no limit down"),
        pytest.param(
            behavior(up=rules(("Pods", 2, 60))), 10, 100, 12, "ScaleUpLimit", id="pods up"),
        pytest.param(
            behavior(up=rules(("Percent", 15, 60))), 10, 100, 12, "ScaleUpLimit",
            id="per cent up, rounded up"),
        pytest.param(
            behavior(up=rules(("Pods", 2, 60), ("Percent", 50, 60))), 10, 100, 15, "ScaleUpLimit",
            id="the most of two"),
        pytest.param(
            behavior(up=rules(("Pods", 2, 60), ("Percent", 50, 60), selectPolicy="Min")), 10, 100,
            12, "ScaleUpLimit", id="the least of two"),
        pytest.param(
            behavior(up=rules(("Pods", 2, 60), selectPolicy="Disabled")), 10, 100, None,
            "ScaleUpLimit", id="never up"),
        pytest.param(
            behavior(down=rules(("Pods", 3, 60))), 10, 5, 7, "ScaleDownLimit", id="pods down"),
        pytest.param(
            behavior(down=rules(("Percent", 25, 60))), 10, 5, 7, "ScaleDownLimit",
            id="per cent down, rounded down"),
        pytest.param(
            behavior(down=rules(("Pods", 3, 60), ("Percent", 50, 60))), 10, 5, 5, "ScaleDownLimit",
            id="the most of two down"),
        pytest.param(
            behavior(down=rules(("Pods", 3, 60), ("Percent", 50, 60), selectPolicy="Min")), 10, 5,
            7, "ScaleDownLimit", id="the least of two down"),
        pytest.param(
            behavior(down=rules(("Pods", 3, 60), selectPolicy="Disabled")), 10, 5, None,
            "ScaleDownLimit", id="never down"),
        pytest.param(
            behavior() | {"maxReplicas": 15}, 10, 100, 15, "TooManyReplicas", id="the maximum"),
        pytest.param(
            behavior() | {"minReplicas": 4}, 10, 5, 4, "TooFewReplicas", id="the minimum"),
    ],
)  # fmt: skip
def test_policies(spec, replicas, per_cent, wanted, limited):
    outcome = after(replicas, per_cent, spec, History((Dated(NOW_S - 4000, 1),)))
    assert scaled_to(outcome) == wanted
    expected = ("True", limited) if limited else ("False", "DesiredWithinRange")
    assert conditions_in(outcome)["ScalingLimited"] == expected


def test_a_period_counts_what_was_done_in_it():
    spec = behavior(up=rules(("Pods", 4, 60)))
    history = History((Dated(NOW_S, 10),), (Dated(NOW_S - 70, 3), Dated(NOW_S - 50, 3)))
    assert scaled_to(after(10, 100, spec, history)) == 11
    undone = History((Dated(NOW_S, 10),), (Dated(NOW_S - 50, 3), Dated(NOW_S - 40, -3)))
    assert scaled_to(after(10, 100, spec, undone)) == 14


def test_windows():
    up = behavior(up=rules(("Percent", 900, 15), stabilizationWindowSeconds=60))
    history = History((Dated(NOW_S - 30, 12), Dated(NOW_S - 90, 3)))
    outcome = after(10, 100, up, history)
    assert scaled_to(outcome) == 12
    assert conditions_in(outcome)["AbleToScale"] == ("True", "SucceededRescale")
    outcome = after(12, 100, up, history)
    assert scaled_to(outcome) is None
    assert conditions_in(outcome)["AbleToScale"] == ("True", "ScaleUpStabilized")
    down = behavior(down=rules(("Percent", 100, 15), stabilizationWindowSeconds=60))
    assert scaled_to(after(14, 5, down, history)) == 12


def test_the_usual_window_holds_where_none_is_named():
    down = rules(("Percent", 100, 15))
    del down["stabilizationWindowSeconds"]
    history = History((Dated(NOW_S - 299, 8),))
    assert scaled_to(after(10, 5, behavior(down=down), history)) == 8


@pytest.mark.parametrize(
    ("up", "per_cent", "wanted"), [("0.5", 74, None), ("0.5", 76, 16), ("0", 51, 11)]
)
def test_tolerance(up, per_cent, wanted):
    spec = behavior(up=rules(("Percent", 900, 15), tolerance=up))
    assert scaled_to(after(10, per_cent, spec)) == wanted


# ------------------------------------------------------------ laws

POLICIES = st.lists(
    st.tuples(st.sampled_from(("Pods", "Percent")), st.integers(1, 200), st.integers(15, 300)),
    min_size=1,
    max_size=3,
)
RULES = st.builds(
    lambda policies, window_s, selection: rules(
        *policies, stabilizationWindowSeconds=window_s, selectPolicy=selection
    ),
    POLICIES,
    st.integers(0, 300),
    st.sampled_from(("Max", "Min", "Disabled")),
)
BEHAVIORS = st.one_of(
    st.none(), st.builds(lambda up, down: {"scaleUp": up, "scaleDown": down}, RULES, RULES)
)
LOADS = st.lists(st.integers(0, 400), min_size=1, max_size=12)
"""Thousandths of a processor that each pod uses, look after look."""
SETTINGS = AutoscalingSettings(downscale_stabilization_s=60.0)


class Look(NamedTuple):
    now_s: float
    before: int
    after: int
    history: History


def life(chosen: Any, loads: list[int], start: int, every_s: float = 15.0):
    """Looks one after the other."""
    spec: dict[str, Any] = {"minReplicas": 2, "maxReplicas": 30, "metrics": [cpu(50)]}
    if chosen is not None:
        spec["behavior"] = chosen
    history, replicas, seen = History(), start, []
    for number, load in enumerate(loads):
        now_s = NOW_S + number * every_s
        used = {f"p{n}": load for n in range(replicas)}
        outcome = looked(
            spec, replicas, pods(replicas), used, history=history, now_s=now_s, settings=SETTINGS
        )
        history = outcome.history
        wanted = scaled_to(outcome)
        seen.append(Look(now_s, replicas, replicas if wanted is None else wanted, history))
        replicas = seen[-1].after
    return seen


@given(BEHAVIORS, LOADS, st.integers(1, 40))
def test_bounds_hold_always(chosen, loads, start):
    assert all(2 <= look.after <= 30 for look in life(chosen, loads, start))


@given(BEHAVIORS, st.integers(45, 55), st.integers(2, 30))
def test_what_is_as_it_should_be_stays(chosen, load, start):
    assert {look.after for look in life(chosen, [load] * 5, start)} == {start}


@given(RULES, LOADS, st.integers(2, 30))
def test_no_faster_than_the_policies_allow(up, loads, start):
    seen = life({"scaleUp": up, "scaleDown": rules(selectPolicy="Disabled")}, loads, start)
    for look in seen:
        if look.after <= look.before:
            continue
        assert up["selectPolicy"] != "Disabled"
        allowed = []
        for policy in up["policies"]:
            since = look.now_s - policy["periodSeconds"]
            first = next(one.before for one in seen if one.now_s > since)
            added = policy["value"]
            if policy["type"] == "Percent":
                added = -(-first * policy["value"] // 100)
            allowed.append(first + added)
        assert look.after <= (min if up["selectPolicy"] == "Min" else max)(allowed)


@given(BEHAVIORS, st.integers(56, 400), st.integers(2, 29))
def test_more_work_never_takes_replicas_away(chosen, load, start):
    replicas = [start, *(look.after for look in life(chosen, [load] * 6, start))]
    assert replicas == sorted(replicas)


@given(LOADS, st.integers(2, 30))
def test_without_a_behaviour_it_shrinks_to_what_was_asked_for_lately(loads, start):
    for look in life(None, loads, start):
        if look.after < look.before:
            asked = [d.number for d in look.history.recommendations if d.at_s > look.now_s - 60]
            assert look.after == max(2, *asked)


COUNTS = st.integers(2, 12)


@given(COUNTS, st.data())
def test_unknown_pods_never_make_the_change_larger(count, data):
    """With pods that say nothing there is no more growth and no more decline than without them."""
    known = data.draw(st.integers(1, count))
    load = data.draw(st.integers(0, 300))
    history = History((Dated(NOW_S - 400, 1),))
    every = {f"p{n}": load for n in range(count)}
    some = {f"p{n}": load for n in range(known)}
    full = scaled_to(looked({}, count, pods(count), every, history=history)) or count
    less = scaled_to(looked({}, count, pods(count), some, history=history)) or count
    assert min(full, count) <= less <= max(full, count)
