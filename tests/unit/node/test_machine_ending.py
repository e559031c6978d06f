"""What is done next for a pod that leaves, is finished, or is out of time."""

import pytest

from orchestrator.node.machine import Finish, Stop, Wait
from orchestrator.node.observed import Memory
from orchestrator.node.spec import SANDBOX
from tests.unit.node.objects import NOW_S, kinds, named, one, pod, second, sidecar, there, todo

TWO = (one("app"), one("log"))


def test_a_leaving_pod_is_stopped_removed_and_finished():
    of = pod(*TWO, deleting=20)
    sandbox, app, log = there(of, SANDBOX), there(of, "app"), there(of, "log")
    memory = Memory()
    assert todo(of, sandbox, app, log, memory=memory) == [
        Stop(app, named(of, "app"), 20),
        Stop(log, named(of, "log"), 20),
    ]
    gone = [there(of, "app", "exited"), there(of, "log", "exited")]
    assert kinds(todo(of, sandbox, *gone, memory=memory)) == [
        "Remove sandbox", "Remove app", "Remove log"
    ]  # fmt: skip
    assert todo(of, memory=memory) == [Finish()]


def test_what_stopping_took_is_taken_off_the_grace():
    of, memory = pod(*TWO, deleting=20), Memory()
    todo(of, there(of), memory=memory)
    assert todo(of, there(of), memory=memory, now_s=NOW_S + 12) == [
        Stop(there(of), named(of, "app"), 8)
    ]
    assert todo(of, there(of), memory=memory, now_s=NOW_S + 99) == [
        Stop(there(of), named(of, "app"), 0)
    ]


def test_a_container_that_survives_its_stop_is_removed():
    of = pod(deleting=20)
    assert kinds(todo(of, there(of), memory=Memory(stopped=frozenset({"app-0"})))) == ["Remove app"]


@pytest.mark.parametrize("state", ["restarting", "paused"])
def test_what_may_run_again_is_stopped_too(state):
    of = pod(deleting=20)
    assert kinds(todo(of, there(of, state=state))) == ["Stop app"]


def test_sidecars_stop_after_the_apps_and_in_reverse_order():
    of = pod(one(), inits=(sidecar("one"), sidecar("two")), deleting=20)
    first, second_ = there(of, "one"), there(of, "two")
    memory = Memory()
    assert kinds(todo(of, first, second_, there(of), memory=memory)) == ["Stop app"]
    assert kinds(todo(of, first, second_, memory=memory)) == ["Stop two"]
    assert kinds(todo(of, first, memory=memory)) == ["Stop one"]


@pytest.mark.parametrize(
    ("deleting", "drained", "now_s", "expected"),
    [
        pytest.param(30, False, 0, [Wait(10)], id="waits for the balancer"),
        pytest.param(30, False, 4, [Wait(6)], id="as long as is left"),
        pytest.param(30, False, 10, ["Stop app"], id="no longer than that"),
        pytest.param(30, True, 0, ["Stop app"], id="drained"),
        pytest.param(4, False, 0, [Wait(2)], id="at most half of the grace"),
        pytest.param(0, False, 0, ["Stop app"], id="at once when forced"),
    ],
)
def test_a_pod_in_service_is_drained_first(deleting, drained, now_s, expected):
    of = pod(deleting=deleting)
    memory = Memory(drained=drained, stopping_since=NOW_S)
    found = todo(of, there(of), memory=memory, now_s=NOW_S + now_s, in_service=True)
    assert (kinds(found) if "Stop app" in expected else found) == expected


def test_a_pod_that_never_came_up_is_finished_at_once():
    assert todo(pod(deleting=30), in_service=True) == [Finish()]
    of = pod(deleting=30)
    assert kinds(todo(of, there(of, state="created"), in_service=True)) == ["Remove app"]


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_finished_pods_stay_finished(phase):
    of = pod(policy="OnFailure", status={"phase": phase})
    assert todo(of) == []
    assert todo(of, there(of, state="exited", exit_code=1)) == []
    assert todo(of, there(of, state="created")) == []


def test_what_runs_of_a_finished_pod_is_stopped_with_grace_and_then_its_sandbox():
    of = pod(
        one(), inits=(sidecar(),), policy="Never", status={"phase": "Succeeded"},
        terminationGracePeriodSeconds=7,
    )  # fmt: skip
    sandbox, proxy, app = there(of, SANDBOX), there(of, "proxy"), there(of, state="exited")
    assert todo(of, sandbox, proxy, app) == [Stop(proxy, named(of, "proxy"), 7)]
    off = there(of, "proxy", "exited")
    assert todo(of, sandbox, off, app) == [Stop(sandbox, None, 0)]
    assert todo(of, there(of, SANDBOX, "exited"), off, app) == []


def test_what_the_engine_would_start_again_of_a_finished_pod_is_stopped():
    of = pod(policy="OnFailure", status={"phase": "Failed"})
    assert kinds(todo(of, there(of, state="restarting", exit_code=1))) == ["Stop app"]


def test_a_pod_has_a_deadline():
    of = pod(
        policy="Never", activeDeadlineSeconds=100, terminationGracePeriodSeconds=7,
        status={"startTime": second(-40)},
    )  # fmt: skip
    memory, item = Memory(), there(of)
    assert todo(of, item, memory=memory) == [Wait(60)]
    assert not memory.deadline_passed
    assert todo(of, item, memory=memory, now_s=NOW_S + 60) == [Stop(item, named(of, "app"), 7)]
    assert memory.deadline_passed
    assert todo(of, there(of, state="exited"), memory=memory, now_s=NOW_S + 61) == []
    back = there(of, state="restarting", exit_code=1)
    assert kinds(todo(of, back, memory=memory, now_s=NOW_S + 61)) == ["Stop app"]
