"""Readiness and conditions of a pod, in kubelet's words."""

import pytest

from orchestrator.node.spec import SANDBOX
from tests.unit.node.objects import (
    NOW_S,
    condition,
    conditions,
    one,
    pod,
    second,
    sidecar,
    status,
    there,
)

PROBE = {"tcpSocket": {"port": 80}}
GRPC = {"grpc": {"port": 80}}
FAILED = {"state": "exited", "exit_code": 1}
TWO = (one("app"), one("log"))


@pytest.mark.parametrize(
    ("probes", "told", "started", "ready"),
    [
        pytest.param({}, {}, True, True, id="no probes"),
        pytest.param({"readinessProbe": PROBE}, {}, True, False, id="not asked yet"),
        pytest.param({"readinessProbe": PROBE}, {"readiness": "failure"}, True, False, id="no"),
        pytest.param({"readinessProbe": PROBE}, {"readiness": "success"}, True, True, id="yes"),
        pytest.param({"startupProbe": PROBE}, {}, False, False, id="starting"),
        pytest.param({"startupProbe": PROBE}, {"startup": "success"}, True, True, id="started"),
        pytest.param(
            {"startupProbe": PROBE, "readinessProbe": PROBE},
            {"readiness": "success"},
            False,
            False,
            id="ready before it started does not count",
        ),
        pytest.param(
            {"startupProbe": PROBE, "readinessProbe": PROBE},
            {"startup": "success", "readiness": "success"},
            True,
            True,
            id="started and ready",
        ),
        pytest.param({"livenessProbe": PROBE}, {"liveness": "failure"}, True, True, id="liveness"),
        pytest.param({"readinessProbe": GRPC, "startupProbe": GRPC}, {}, True, True, id="grpc"),
    ],
)
def test_readiness_follows_the_probes(probes, told, started, ready):
    of = pod(one(**probes))
    answers = {("app-0", kind): state for kind, state in told.items()}
    found = status(of, there(of), probes=answers)
    container = found["containerStatuses"][0]
    assert (container["started"], container["ready"]) == (started, ready)
    wanted = "True" if ready else "False"
    assert conditions(found)["Ready"] == conditions(found)["ContainersReady"] == wanted


def test_nothing_that_does_not_run_is_ready():
    of = pod(one(readinessProbe=PROBE))
    answers = {("app-0", "readiness"): "success"}
    for state in ("created", "exited", "restarting"):
        container = status(of, there(of, state=state), probes=answers)["containerStatuses"][0]
        assert (container["started"], container["ready"]) == (False, False)


# ---------------------------------------------------------------- conditions


def test_conditions_of_a_pod_that_runs():
    of = pod()
    assert conditions(status(of, there(of))) == {
        "PodReadyToStartContainers": "True",
        "Initialized": "True",
        "Ready": "True",
        "ContainersReady": "True",
        "PodScheduled": "True",
    }


def test_what_is_not_ready_is_named():
    of = pod(*TWO)
    found = status(of, there(of, SANDBOX), there(of))
    for kind in ("Ready", "ContainersReady"):
        told = condition(found, kind)
        assert told["reason"] == "ContainersNotReady"
        assert told["message"] == "containers with unready status: [log]"


def test_a_sidecar_has_its_part_in_readiness():
    of = pod(one(), inits=(sidecar(readinessProbe=PROBE),))
    items = [there(of, SANDBOX), there(of, "proxy"), there(of)]
    found = status(of, *items)
    assert condition(found, "Ready")["message"] == "containers with unready status: [proxy]"
    found = status(of, *items, probes={("proxy-0", "readiness"): "success"})
    assert conditions(found)["Ready"] == "True"


def test_init_containers_that_are_not_done_are_named():
    of = pod(one(), inits=(one("init"), sidecar(), one("last")))
    items = [there(of, SANDBOX), there(of, "init", "exited"), there(of, "proxy")]
    told = condition(status(of, *items), "Initialized")
    assert (told["status"], told["reason"]) == ("False", "ContainersNotInitialized")
    assert told["message"] == "containers with incomplete status: [last]"
    items += [there(of, "last", "exited"), there(of)]
    assert conditions(status(of, *items))["Initialized"] == "True"
    assert conditions(status(of, *items[:2], items[-1]))["Initialized"] == "True", "pruned since"


@pytest.mark.parametrize(
    ("code", "reason"), [pytest.param(0, "PodCompleted"), pytest.param(1, "PodFailed")]
)
def test_conditions_of_a_finished_pod(code, reason):
    of = pod(one(), inits=(sidecar(),), policy="Never")
    found = status(
        of, there(of, SANDBOX), there(of, "proxy"), there(of, **{**FAILED, "exit_code": code})
    )
    for kind in ("Ready", "ContainersReady"):
        told = condition(found, kind)
        assert (told["status"], told["reason"], "message" in told) == ("False", reason, False)
    assert conditions(found)["Initialized"] == "True"


def test_a_pod_that_failed_while_a_container_runs_is_not_ready():
    of = pod(status={"phase": "Failed"})
    assert conditions(status(of, there(of)))["Ready"] == "False"


def test_conditions_keep_their_times_while_they_hold_and_others_stay():
    of = pod(one(readinessProbe=PROBE))
    gate = {"type": "example.com/gate", "status": "True"}
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": second(-500)}
    before = {"conditions": [gate, scheduled]}
    first = status(of, there(of), now_s=NOW_S, current=before)
    assert gate in first["conditions"]
    assert scheduled in first["conditions"]
    later = status(
        of, there(of), now_s=NOW_S + 9, current=first, probes={("app-0", "readiness"): "success"}
    )
    times = {c["type"]: c.get("lastTransitionTime") for c in later["conditions"]}
    assert times["Ready"] == times["ContainersReady"] == second(9)
    assert times["Initialized"] == second(0)
