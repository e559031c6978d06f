"""What is done next for one pod: a row per situation."""

import dataclasses

import pytest

from orchestrator.api.types.pod import StateTerminated
from orchestrator.node.machine import (
    Create,
    PostStart,
    Remove,
    SetProbes,
    Stop,
    Wait,
    WriteFiles,
)
from orchestrator.node.observed import Memory, Probes, Run, Waiting
from orchestrator.node.spec import SANDBOX
from tests.unit.node.objects import (
    NOW_S,
    kinds,
    named,
    one,
    pod,
    second,
    sidecar,
    there,
    todo,
)

TWO = (one("app"), one("log"))
INIT = (one("init"),)
PROBE = {"tcpSocket": {"port": 80}}
GRPC = {"grpc": {"port": 80}}
HOOK = {"postStart": {"exec": {"command": ["true"]}}}


def remembered(name="app", *, exit_code=None, restarts=0, identity="app-0", **more) -> Memory:
    """A memory in which a container has run."""
    ended = StateTerminated(exit_code=exit_code) if exit_code is not None else None
    run = Run(container_id=identity, started_at=second(-60), restarts=restarts, ended=ended)
    return Memory(runs={name: run}, **more)


# ---------------------------------------------------------------- coming up


def test_one_container_is_one_container():
    assert todo(pod()) == [Create("app", "app", 0)]


def test_files_come_before_everything():
    of = pod(one(), volumes=[{"name": "v", "configMap": {"name": "c"}}])
    assert todo(of) == [WriteFiles()]
    assert todo(of, memory=Memory(files_written=True)) == [Create("app", "app", 0)]


def test_files_that_could_not_be_written_are_waited_for():
    of = pod(one(), volumes=[{"name": "v", "configMap": {"name": "c"}}])
    memory = Memory(waiting={"": Waiting("CreateContainerConfigError", "", NOW_S + 2, 1)})
    assert todo(of, memory=memory) == [Wait(2)]
    assert todo(of, memory=memory, now_s=NOW_S + 2) == [WriteFiles()]


@pytest.mark.parametrize(
    ("containers", "expected"),
    [
        pytest.param((), ["Create sandbox"], id="sandbox first"),
        pytest.param((SANDBOX, "created"), ["Start sandbox"], id="sandbox made, not started"),
        pytest.param((SANDBOX, "exited"), ["Start sandbox"], id="sandbox stopped"),
        pytest.param((SANDBOX, "dead"), ["Remove sandbox"], id="sandbox that the engine gave up"),
        pytest.param((SANDBOX, "running"), ["Create app", "Create log"], id="apps side by side"),
        pytest.param((SANDBOX, "restarting"), [], id="the engine starts it"),
    ],
)
def test_pods_of_several_containers_begin_with_the_sandbox(containers, expected):
    of = pod(*TWO)
    here = [there(of, *containers)] if containers else []
    assert kinds(todo(of, *here)) == expected


def test_init_containers_run_one_after_the_other():
    of = pod(one(), inits=(one("first"), one("second")))
    sandbox = there(of, SANDBOX)
    assert todo(of, sandbox) == [Create("first", "init", 0)]
    assert todo(of, sandbox, there(of, "first")) == []
    done = there(of, "first", "exited")
    assert todo(of, sandbox, done) == [Create("second", "init", 0)]
    assert todo(of, sandbox, done, there(of, "second", "exited")) == [Create("app", "app", 0)]


@pytest.mark.parametrize(
    ("policy", "state", "exit_code", "expected"),
    [
        pytest.param("Always", "created", 0, ["Start init"], id="made but not started"),
        pytest.param("Always", "restarting", 1, [], id="the engine restarts it"),
        pytest.param("Always", "exited", 1, ["Start init"], id="failed while dockerd was down"),
        pytest.param("OnFailure", "exited", 1, ["Start init"], id="likewise, on failure"),
        pytest.param("Never", "exited", 1, [], id="failed for good"),
        pytest.param("Always", "paused", 0, [], id="paused by a human"),
        pytest.param("Always", "dead", 1, ["Remove init"], id="the engine gave it up"),
        pytest.param("Always", "removing", 1, ["Remove init"], id="half removed"),
    ],
)
def test_an_init_container_in_the_way(policy, state, exit_code, expected):
    of = pod(one(), inits=INIT, policy=policy)
    item = there(of, "init", state, exit_code=exit_code)
    assert kinds(todo(of, there(of, SANDBOX), item)) == expected


def test_an_init_container_with_a_new_image_is_made_anew():
    of = pod(one(), inits=INIT)
    item = there(of, "init", "restarting", exit_code=1, image="typo:1")
    assert kinds(todo(of, there(of, SANDBOX), item)) == ["Stop init", "Remove init"]
    done = there(of, "init", "exited", image="old:1")
    assert kinds(todo(of, there(of, SANDBOX), done)) == ["Create app"]


def test_init_containers_do_not_run_again_once_apps_ran():
    of = pod(one(), inits=INIT)
    assert todo(of, there(of, SANDBOX), there(of)) == []
    assert kinds(todo(of, there(of, SANDBOX), there(of, state="exited"))) == ["Start app"]


def test_init_containers_that_were_pruned_with_their_app_do_not_run_again():
    of = pod(one(), inits=INIT)
    memory = remembered(exit_code=1)
    memory.runs["init"] = Run("init-0", second(-70), ended=StateTerminated(exit_code=0))
    assert kinds(todo(of, there(of, SANDBOX), memory=memory)) == ["Create app"]


def test_a_sidecar_goes_on_beside_and_holds_up_until_it_has_started():
    of = pod(one(), inits=(sidecar(startupProbe=PROBE), one("init")))
    sandbox, proxy = there(of, SANDBOX), there(of, "proxy")
    assert todo(of, sandbox) == [Create("proxy", "init", 0)]
    assert todo(of, sandbox, proxy) == [SetProbes(proxy, named(of, "proxy"))]
    memory = Memory(probes_set=frozenset({"proxy-0"}))
    assert todo(of, sandbox, proxy, memory=memory) == []
    started = Probes({("proxy-0", "startup"): "success"})
    assert todo(of, sandbox, proxy, memory=memory, probes=started) == [Create("init", "init", 0)]


def test_a_sidecar_that_ends_is_started_whatever_the_policy():
    of = pod(one(), inits=(sidecar(),), policy="Never")
    assert kinds(todo(of, there(of, SANDBOX), there(of, "proxy", "exited"))) == ["Start proxy"]


# ---------------------------------------------------------------- running


@pytest.mark.parametrize(
    ("policy", "state", "exit_code", "expected"),
    [
        pytest.param("Always", "running", 0, [], id="runs"),
        pytest.param("Always", "paused", 0, [], id="paused by a human: theirs to end"),
        pytest.param("Always", "restarting", 1, [], id="the engine backs off"),
        pytest.param("Always", "created", 0, ["Start app"], id="its start was not done"),
        pytest.param("Always", "exited", 0, ["Start app"], id="exited though it should run"),
        pytest.param("Always", "exited", 137, ["Start app"], id="killed with dockerd"),
        pytest.param("OnFailure", "exited", 1, ["Start app"], id="failed, on failure"),
        pytest.param("OnFailure", "exited", 0, [], id="done, on failure"),
        pytest.param("Never", "exited", 1, [], id="failed, never"),
        pytest.param("Never", "created", 0, ["Start app"], id="never has run at all, never"),
        pytest.param("Always", "dead", 1, ["Remove app"], id="the engine gave it up"),
        pytest.param("Always", "removing", 1, ["Remove app"], id="half removed"),
    ],
)
def test_restart_policies(policy, state, exit_code, expected):
    of = pod(policy=policy)
    assert kinds(todo(of, there(of, state=state, exit_code=exit_code))) == expected


@pytest.mark.parametrize(
    ("policy", "exit_code", "expected"),
    [
        pytest.param("Always", None, [Create("app", "app", 3)], id="removed while it ran"),
        pytest.param("Always", 0, [Create("app", "app", 3)], id="removed when it had ended"),
        pytest.param("OnFailure", 1, [Create("app", "app", 3)], id="removed when it had failed"),
        pytest.param("OnFailure", 0, [], id="removed when it was done"),
        pytest.param("Never", 1, [], id="failed for good, then pruned"),
        pytest.param("Never", None, [Create("app", "app", 3)], id="end unknown, never"),
    ],
)
def test_a_container_removed_behind_our_back(policy, exit_code, expected):
    memory = remembered(exit_code=exit_code, restarts=2)
    assert todo(pod(policy=policy), memory=memory) == expected


def test_a_back_off_is_waited_for():
    memory = Memory(waiting={"app": Waiting("ErrImagePull", "", NOW_S + 7, 1)})
    assert todo(pod(), memory=memory) == [Wait(7)]
    assert kinds(todo(pod(), memory=memory, now_s=NOW_S + 7)) == ["Create app"]
    of = pod(*TWO)
    assert kinds(todo(of, there(of, SANDBOX), memory=memory)) == ["Wait", "Create log"]


def test_of_two_containers_of_one_name_the_older_goes():
    of = pod()
    old, new = there(of, attempt=0), there(of, attempt=1)
    assert todo(of, old, new) == [Remove(old, "replaced")]
    assert todo(of, new, old) == [Remove(old, "replaced")]


@pytest.mark.parametrize(
    ("spec", "grace_s"),
    [
        pytest.param({}, 30, id="default"),
        pytest.param({"terminationGracePeriodSeconds": 5}, 5, id="the pod's"),
        pytest.param({"terminationGracePeriodSeconds": 0}, 0, id="none at all"),
    ],
)
def test_another_image_makes_the_container_anew(spec, grace_s):
    of = pod(**spec)
    item = there(of, image="app:0")
    assert todo(of, item) == [
        Stop(item, named(of, "app"), grace_s),
        Remove(item, "its image was changed"),
    ]


@pytest.mark.parametrize("policy", ["Never", "OnFailure"])
def test_another_image_is_run_whatever_the_policy(policy):
    of = pod(policy=policy)
    memory = remembered()
    assert kinds(todo(of, there(of, image="app:0"), memory=memory)) == ["Stop app", "Remove app"]
    memory.runs["app"].ended = StateTerminated(exit_code=0)
    assert todo(of, memory=memory) == [Create("app", "app", 1)]
    new = there(of, attempt=1, state="exited")
    assert todo(of, new, memory=memory) == []
    assert todo(of, memory=memory) == [], "it ran: another removal is not a change of image"


def test_another_image_for_a_container_that_is_done_changes_nothing():
    of = pod(policy="Never")
    assert todo(of, there(of, state="exited", exit_code=1, image="app:0")) == []


@pytest.mark.parametrize(
    ("sandbox_s", "state", "expected"),
    [
        pytest.param(-90.0, "running", [], id="older sandbox"),
        pytest.param(-60.0, "running", [], id="of the same moment"),
        pytest.param(-10.0, "running", ["Restart app", "Restart log"], id="newer sandbox"),
        pytest.param(-10.0, "restarting", [], id="the engine starts them anyway"),
    ],
)
def test_containers_are_restarted_with_their_sandbox(sandbox_s, state, expected):
    of = pod(*TWO)
    apps = [there(of, "app", state), there(of, "log", state)]
    assert kinds(todo(of, there(of, SANDBOX, started=sandbox_s), *apps)) == expected


def test_a_running_init_container_is_restarted_with_its_sandbox():
    of = pod(one(), inits=INIT)
    sandbox = there(of, SANDBOX, started=-10)
    assert kinds(todo(of, sandbox, there(of, "init"))) == ["Restart init"]


def test_a_clock_that_went_back_restarts_a_container_once():
    of, memory = pod(*TWO), Memory()
    sandbox = there(of, SANDBOX, started=3600)
    apps = [there(of, "app"), there(of, "log")]
    assert kinds(todo(of, sandbox, *apps, memory=memory)) == ["Restart app", "Restart log"]
    assert kinds(todo(of, sandbox, *apps, memory=memory)) == ["Restart app", "Restart log"]
    again = [there(of, "app", started=0), there(of, "log", started=0)]
    assert todo(of, sandbox, *again, memory=memory) == []


def test_containers_of_a_sandbox_that_is_gone_are_made_anew():
    of, memory = pod(one(), inits=INIT), Memory()
    sandbox = there(of, SANDBOX, started=-10, created=-11, identity="new")
    init = there(of, "init", "exited", created=-80)
    gone = [*todo(of, sandbox, init, there(of), memory=memory)]
    assert gone == [Remove(init, "its sandbox was replaced")]
    memory = remembered()
    assert todo(of, sandbox, memory=memory) == [Create("init", "init", 0)]
    apps = [there(of, state=state, created=-80) for state in ("running", "exited", "created")]
    done = there(of, "init", "exited", created=-9, started=-8)
    for app in apps:
        assert kinds(todo(of, sandbox, done, app)) == ["Remove app"]


def test_a_clock_that_went_back_makes_a_container_anew_once():
    of, memory = pod(*TWO), Memory()
    sandbox = there(of, SANDBOX, created=3600)
    log = there(of, "log", created=3601)
    old = there(of, created=0)
    assert kinds(todo(of, sandbox, old, log, memory=memory)) == ["Remove app"]
    assert kinds(todo(of, sandbox, old, log, memory=memory)) == ["Remove app"]
    new = there(of, created=1, attempt=1)
    assert todo(of, sandbox, new, log, memory=memory) == []


def test_times_are_compared_as_times():
    of = pod(*TWO)
    sandbox, app, log = there(of, SANDBOX), there(of, "app"), there(of, "log")

    def started(item, text):
        info = dataclasses.replace(item.info, started_at=text)
        return dataclasses.replace(item, info=info)

    whole = started(sandbox, "2024-01-01T00:00:00Z")
    parts = [started(item, "2024-01-01T00:00:00.5Z") for item in (app, log)]
    assert todo(of, whole, *parts) == []


def test_hooks_and_probes_of_a_started_container():
    of = pod(one(lifecycle=HOOK, readinessProbe=PROBE))
    item, container = there(of), named(of, "app")
    assert todo(of, item) == [PostStart(item, container), SetProbes(item, container)]
    done = frozenset({f"{item.info.id}@{item.info.started_at}"})
    memory = Memory(hooks_done=done, probes_set=frozenset({"app-0"}))
    assert todo(of, item, memory=memory) == []
    again = there(of, started=-1)
    assert todo(of, again, memory=memory) == [PostStart(again, container)]


def test_probes_that_nothing_acts_on_are_not_set():
    of = pod(one(readinessProbe=GRPC))
    assert todo(of, there(of)) == []
