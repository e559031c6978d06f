"""What a pod's status says: phase, conditions, container states, in kubelet's words."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.api.types.pod import PodStatus, StateTerminated
from orchestrator.node.observed import Memory, Run, Waiting
from orchestrator.node.spec import SANDBOX
from orchestrator.node.status import qos_class
from tests.unit.node.objects import HOST, NOW_S, one, pod, second, sidecar, status, there

PROBE = {"tcpSocket": {"port": 80}}
GRPC = {"grpc": {"port": 80}}
TWO = (one("app"), one("log"))


def waiting(reason: str, message: str = "") -> Waiting:
    return Waiting(reason, message, NOW_S + 5, 1)


# ---------------------------------------------------------------- phase

ENDED = {"state": "exited"}
FAILED = {"state": "exited", "exit_code": 1}


@pytest.mark.parametrize(
    ("policy", "app", "log", "phase"),
    [
        pytest.param("Always", None, None, "Pending", id="nothing there"),
        pytest.param("Always", {"state": "created"}, None, "Pending", id="nothing started"),
        pytest.param("Always", {}, {}, "Running", id="both run"),
        pytest.param("Always", {}, None, "Pending", id="one has not been started yet"),
        pytest.param("Always", {}, {"state": "created"}, "Pending", id="one is made only"),
        pytest.param("Always", FAILED, FAILED, "Running", id="both ended, to be started again"),
        pytest.param("Always", {"state": "restarting", "exit_code": 1}, {}, "Running", id="loop"),
        pytest.param("OnFailure", ENDED, {}, "Running", id="one done"),
        pytest.param("OnFailure", ENDED, ENDED, "Succeeded", id="both done"),
        pytest.param("OnFailure", ENDED, FAILED, "Running", id="one to be started again"),
        pytest.param("Never", ENDED, ENDED, "Succeeded", id="both went well"),
        pytest.param("Never", ENDED, FAILED, "Failed", id="one failed"),
        pytest.param("Never", {}, FAILED, "Running", id="one failed, one runs"),
        pytest.param("Never", FAILED, None, "Pending", id="one failed, one to come"),
    ],
)
def test_phase(policy, app, log, phase):
    of = pod(*TWO, policy=policy)
    here = [
        there(of, name, **facts)
        for name, facts in (("app", app), ("log", log))
        if facts is not None
    ]
    assert status(of, there(of, SANDBOX), *here)["phase"] == phase


def test_a_running_pod_does_not_become_pending_again():
    of = pod(*TWO, status={"phase": "Running"})
    assert status(of, there(of, SANDBOX), there(of))["phase"] == "Running"
    assert status(of)["phase"] == "Running"


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_finished_pod_stays_finished(phase):
    of = pod(status={"phase": phase})
    assert status(of, there(of))["phase"] == phase
    assert status(of)["phase"] == phase


@pytest.mark.parametrize(
    ("policy", "init", "phase"),
    [
        pytest.param("Always", {}, "Pending", id="runs"),
        pytest.param("Always", FAILED, "Pending", id="failed, tried again"),
        pytest.param("OnFailure", FAILED, "Pending", id="failed, tried again on failure"),
        pytest.param("Never", FAILED, "Failed", id="failed for good"),
        pytest.param("Never", ENDED, "Pending", id="done, the app is next"),
    ],
)
def test_phase_while_init_containers_run(policy, init, phase):
    of = pod(one(), inits=(one("init"),), policy=policy)
    assert status(of, there(of, SANDBOX), there(of, "init", **init))["phase"] == phase


def test_a_sidecar_neither_fails_nor_holds_up_the_end():
    of = pod(one(), inits=(sidecar(),), policy="Never")
    proxy = there(of, "proxy", "exited", exit_code=1)
    assert status(of, proxy, there(of))["phase"] == "Running"
    assert status(of, there(of, "proxy"), there(of, **ENDED))["phase"] == "Succeeded"


def test_a_deadline_that_passed_fails_the_pod():
    of = pod(policy="OnFailure")
    found = status(
        of, there(of, state="exited", exit_code=137), memory=Memory(deadline_passed=True)
    )
    assert (found["phase"], found["reason"]) == ("Failed", "DeadlineExceeded")
    assert found["message"] == "Pod was active on the node longer than the specified deadline"
    kept = status(pod(status={"phase": "Failed"}), current=found)
    assert (kept["reason"], kept["message"]) == (found["reason"], found["message"])


# ---------------------------------------------------------------- container states


def states(document, inits=False) -> list[dict[str, Any]]:
    return [s["state"] for s in document["initContainerStatuses" if inits else "containerStatuses"]]


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        pytest.param(None, {"waiting": {"reason": "ContainerCreating"}}, id="not there"),
        pytest.param(
            {"state": "created"}, {"waiting": {"reason": "ContainerCreating"}}, id="not started"
        ),
        pytest.param({}, {"running": {"startedAt": second(-60)}}, id="runs"),
        pytest.param({"state": "paused"}, {"running": {"startedAt": second(-60)}}, id="paused"),
        pytest.param(
            {"state": "restarting", "exit_code": 1},
            {
                "waiting": {
                    "reason": "CrashLoopBackOff",
                    "message": "back-off restarting failed container=app"
                    " pod=web_default(11111111-2222-3333-4444-555555555555)",
                }
            },
            id="the engine backs off",
        ),
        pytest.param(
            {"state": "exited", "exit_code": 3, "finished": -5},
            {
                "terminated": {
                    "exitCode": 3,
                    "reason": "Error",
                    "startedAt": second(-60),
                    "finishedAt": second(-5),
                    "containerID": "docker://app-0",
                }
            },
            id="ended",
        ),
    ],
)
def test_state_of_a_container(facts, state):
    of = pod()
    here = [there(of, **facts)] if facts is not None else []
    assert states(status(of, *here)) == [state]


@pytest.mark.parametrize("name", ["", SANDBOX, "app"])
def test_why_a_container_waits(name):
    of = pod()
    memory = Memory(waiting={name: waiting("ErrImagePull", "no such host")})
    told = [{"waiting": {"reason": "ErrImagePull", "message": "no such host"}}]
    assert states(status(of, memory=memory)) == told
    assert states(status(of, there(of, state="created"), memory=memory)) == told
    assert states(status(of, there(of, state="exited"), memory=memory)) == told
    assert "running" in states(status(of, there(of), memory=memory))[0]


def test_pods_with_init_containers_wait_in_kubelets_words():
    of = pod(one(), inits=(one("init"), one("next")))
    found = status(of, there(of, SANDBOX), there(of, "init", "restarting", exit_code=1))
    assert states(found) == [{"waiting": {"reason": "PodInitializing"}}]
    first, second_ = states(found, inits=True)
    assert first["waiting"]["reason"] == "CrashLoopBackOff"
    assert second_ == {"waiting": {"reason": "PodInitializing"}}


def test_a_crash_loop_shows_how_the_last_run_ended():
    of, memory = pod(), Memory()
    status(of, there(of), memory=memory)
    item = there(of, state="restarting", exit_code=3)
    found = status(of, item, memory=memory)["containerStatuses"][0]
    assert found["lastState"]["terminated"]["exitCode"] == 3
    assert (found["ready"], found["started"], found["restartCount"]) == (False, False, 0)
    again = status(of, there(of, started=-1, restarts=1), memory=memory)["containerStatuses"][0]
    assert again["lastState"]["terminated"]["exitCode"] == 3
    assert (again["ready"], again["restartCount"]) == (True, 1)


def test_a_container_that_was_removed_is_still_told_of():
    of = pod(policy="Never")
    run = Run("app-0", second(-60), ended=StateTerminated(exit_code=3))
    gone = status(of, memory=Memory(runs={"app": run}))["containerStatuses"][0]
    assert gone["state"] == {"terminated": {"exitCode": 3}}
    assert gone["containerID"] == "docker://app-0"
    memory = Memory(runs={"app": run}, waiting={"app": waiting("ErrImagePull")})
    comes = status(of, memory=memory)["containerStatuses"][0]
    assert comes["state"]["waiting"]["reason"] == "ErrImagePull"
    assert comes["lastState"] == {"terminated": {"exitCode": 3}}


def test_the_image_told_is_the_one_that_runs():
    of = pod()
    assert status(of, there(of, image="app:0"))["containerStatuses"][0]["image"] == "app:0"
    assert status(of)["containerStatuses"][0]["image"] == "app:1"


# ---------------------------------------------------------------- the rest


def test_addresses_and_times():
    of = pod()
    found = status(of, there(of))
    assert (found["podIP"], found["podIPs"]) == ("172.17.0.2", [{"ip": "172.17.0.2"}])
    assert (found["hostIP"], found["hostIPs"]) == (HOST, [{"ip": HOST}])
    assert found["startTime"] == second(0)
    later = status(of, there(of, state="exited"), current=found, now_s=NOW_S + 9)
    assert (later["startTime"], later["podIP"]) == (second(0), "172.17.0.2")
    assert "podIP" not in status(of)
    assert status(pod(hostNetwork=True))["podIP"] == HOST
    shared = pod(*TWO)
    items = [there(shared, SANDBOX, ip="172.17.0.9"), there(shared, ip="")]
    assert status(shared, *items)["podIP"] == "172.17.0.9"


def test_what_others_wrote_is_kept():
    kept = {"nominatedNodeName": "n", "resize": "Proposed"}
    found = status(pod(), current={**kept, "reason": "Old", "phase": "Pending"})
    assert kept.items() <= found.items()
    assert "reason" not in found


def test_a_status_is_one_that_is_read_back():
    of = pod(one(), inits=(one("init"), sidecar()))
    items = [there(of, SANDBOX), there(of, "init", "exited"), there(of, "proxy"), there(of)]
    read = msgspec.convert(status(of, *items), PodStatus)
    assert [s.name for s in read.init_container_statuses] == ["init", "proxy"]
    assert read.container_statuses[0].state.running is not None


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    states=st.lists(
        st.sampled_from(["created", "running", "restarting", "exited", "paused"]),
        min_size=3,
        max_size=3,
    ),
    codes=st.lists(st.integers(0, 1), min_size=3, max_size=3),
    policy=st.sampled_from(["Always", "OnFailure", "Never"]),
    later_s=st.integers(0, 100_000),
)
def test_nothing_new_gives_the_same_document_at_any_time(states, codes, policy, later_s):
    of, memory = pod(*TWO, inits=(one("init"),), policy=policy), Memory()
    names = ("init", "app", "log")
    items = [
        there(of, name, state, exit_code=code)
        for name, state, code in zip(names, states, codes, strict=True)
    ]
    first = status(of, *items, memory=memory)
    told = msgspec.structs.replace(of, status=msgspec.convert(first, PodStatus))
    again = status(told, *items, memory=memory, current=first, now_s=NOW_S + later_s)
    assert again == first


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        pytest.param([{}, {}], "BestEffort", id="nothing"),
        pytest.param([{"limits": {"ephemeral-storage": "1Gi"}}, {}], "BestEffort", id="disk only"),
        pytest.param([{"requests": {"cpu": "0"}}, {}], "BestEffort", id="a request of nothing"),
        pytest.param([{"requests": {"cpu": "1"}}, {}], "Burstable", id="a request"),
        pytest.param([{"limits": {"cpu": "1", "memory": "1Gi"}}, {}], "Burstable", id="one only"),
        pytest.param([{"limits": {"cpu": "1", "memory": "1Gi"}}] * 2, "Guaranteed", id="limits"),
        pytest.param(
            [{"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1000m"}}] * 2,
            "Guaranteed",
            id="the same amount in other words",
        ),
        pytest.param(
            [{"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}] * 2,
            "Burstable",
            id="less requested than allowed",
        ),
    ],
)
def test_quality_of_service(resources, expected):
    of = pod(*(one(n, resources=r) for n, r in zip(("app", "log"), resources, strict=True)))
    assert qos_class(of) == expected
