"""How often containers ran and how they ended: counted live, and after a server restart."""

import dataclasses

import msgspec
import pytest

from orchestrator.api.types.pod import Pod, StateTerminated
from orchestrator.node.observed import (
    Memory,
    Run,
    Seen,
    adopt,
    newest,
    note_death,
    note_runs,
    same_run,
    seen,
)
from orchestrator.node.status import pod_status
from tests.unit.node.objects import NO_PROBES, NOW_S, at, one, pod, second, sidecar, there

OF = pod()


def noted(*looks: Seen) -> Run:
    """The run of "app" after these looks, each of them at one container."""
    memory = Memory()
    for look in looks:
        note_runs(memory, [look])
    return memory.runs["app"]


def told(memory: Memory, *containers: Seen, of: Pod = OF) -> Pod:
    """The pod with the status that would have been written."""
    document = pod_status(of, {}, containers, NO_PROBES, memory, "10.0.0.1", NOW_S)
    return msgspec.structs.replace(of, status=msgspec.convert(document, type(of.status)))


def run(started: float, restarts: int = 0, **more) -> Seen:
    return there(OF, started=started, restarts=restarts, **more)


@pytest.mark.parametrize(
    ("looks", "restarts"),
    [
        pytest.param([run(-60)], 0, id="the first run"),
        pytest.param([run(-60, 2, attempt=1)], 3, id="nothing known but what is there"),
        pytest.param([run(-60), run(-60)], 0, id="looked at twice"),
        pytest.param(
            [
                there(OF, state="created"),
                there(OF, state="created", attempt=1),
                run(-50, attempt=1),
            ],
            0,
            id="made anew before it ever ran",
        ),
        pytest.param([there(OF, state="created"), run(-60)], 0, id="made, then started"),
        pytest.param([run(-60), run(-60, state="exited")], 0, id="ended"),
        pytest.param([run(-60), run(-50, 1)], 1, id="restarted by the engine"),
        pytest.param([run(-60), run(-30, 3)], 3, id="restarted thrice between two looks"),
        pytest.param([run(-60), run(-50, 1), run(-30, 3)], 3, id="once, then twice"),
        pytest.param([run(-60), run(-60, 0, state="exited"), run(-50)], 1, id="started by us"),
        pytest.param([run(-60, 5), run(-50, 0)], 6, id="our start sets the engine's count back"),
        pytest.param([run(-60, 5), run(-50, 2)], 8, id="our start, and the engine's after it"),
        pytest.param([run(-60), run(-50, attempt=1)], 1, id="made anew"),
        pytest.param(
            [run(-60), there(OF, state="created", attempt=1), run(-50, attempt=1)],
            1,
            id="made anew, seen before its start",
        ),
        pytest.param([run(-60), run(-50, 2, attempt=1)], 3, id="made anew, and it failed twice"),
        pytest.param([run(-60), run(-60, state="restarting"), run(-50, 1)], 1, id="backed off"),
    ],
)
def test_restarts_are_counted_once(looks, restarts):
    assert noted(*looks).restarts == restarts


def test_the_end_of_a_run_becomes_the_last_state_of_the_next():
    ended = run(-60, state="exited", exit_code=3, finished=-55)
    found = noted(run(-60), ended)
    assert found.ended == StateTerminated(
        exit_code=3,
        reason="Error",
        started_at=second(-60),
        finished_at=second(-55),
        container_id="docker://app-0",
    )
    assert found.last is None
    found = noted(run(-60), ended, run(-50))
    assert (found.ended, found.last and found.last.exit_code) == (None, 3)


def test_a_run_that_began_and_ended_between_two_looks_leaves_both_ends():
    first = run(-60, state="exited", exit_code=3, finished=-55)
    next_ = run(-50, state="exited", exit_code=4, finished=-45)
    found = noted(run(-60), first, next_)
    assert found.restarts == 1
    assert found.ended is not None
    assert found.last is not None
    assert (found.last.exit_code, found.ended.exit_code) == (3, 4)


def test_a_last_state_is_not_forgotten_when_the_next_end_went_unseen():
    found = noted(run(-60), run(-60, state="exited", exit_code=3), run(-50), run(-40))
    assert found.last is not None
    assert found.last.exit_code == 3


@pytest.mark.parametrize(
    ("exit_code", "oom", "reason"),
    [
        pytest.param(0, False, "Completed", id="went well"),
        pytest.param(1, False, "Error", id="failed"),
        pytest.param(137, True, "OOMKilled", id="out of memory"),
    ],
)
def test_words_for_an_end(exit_code, oom, reason):
    found = noted(run(-60, state="exited", exit_code=exit_code, oom_killed=oom))
    assert found.ended is not None
    assert found.ended.reason == reason
    memory = Memory()
    note_runs(memory, [run(-60)])
    note_death(memory, run(-60), exit_code, NOW_S - 9, oom)
    ended = memory.runs["app"].ended
    assert ended is not None
    assert (ended.reason, ended.finished_at) == (reason, second(-9))


def test_the_sandbox_is_no_container_of_the_status():
    memory = Memory()
    note_runs(memory, [there(pod(one(), one("log")), "sandbox")])
    assert memory.runs == {}


# ---------------------------------------------------------------- a server that starts again


def test_a_server_restart_counts_nothing_twice():
    memory = Memory()
    for look in (run(-60), run(-50, 1), run(-40, 2)):
        note_runs(memory, [look])
    again = adopt(told(memory, run(-40, 2)))
    note_runs(again, [run(-40, 2)])
    assert again.runs["app"].restarts == 2
    note_runs(again, [run(-30, 3)])
    assert again.runs["app"].restarts == 3


def test_restarts_while_the_server_was_down_are_counted():
    memory = Memory()
    for look in (run(-60), run(-50, 1), run(-40, 2)):
        note_runs(memory, [look])
    again = adopt(told(memory, run(-40, 2)))
    note_runs(again, [run(-10, 6)])
    assert again.runs["app"].restarts == 6


def test_restarts_of_a_container_made_anew_are_counted_over_a_server_restart():
    memory = Memory()
    for look in (run(-60), run(-50, attempt=1), run(-40, 1, attempt=1)):
        note_runs(memory, [look])
    assert memory.runs["app"].restarts == 2
    again = adopt(told(memory, run(-40, 1, attempt=1)))
    note_runs(again, [run(-10, 3, attempt=1)])
    assert again.runs["app"].restarts == 4


def test_our_start_while_nobody_looked_is_one_restart():
    memory = Memory()
    for look in (run(-60), run(-50, 7)):
        note_runs(memory, [look])
    again = adopt(told(memory, run(-50, 7)))
    note_runs(again, [run(-10, 0)])
    assert again.runs["app"].restarts == 8


@pytest.mark.parametrize("state", ["restarting", "exited"])
def test_how_a_run_ended_is_known_after_a_server_restart(state):
    memory, item = Memory(), run(-60, state=state, exit_code=3)
    note_runs(memory, [run(-60)])
    note_runs(memory, [item])
    again = adopt(told(memory, item))
    assert again.runs["app"].ended == memory.runs["app"].ended
    note_runs(again, [item])
    assert again.runs["app"].restarts == 0
    note_runs(again, [run(-20, 1)])
    assert again.runs["app"].restarts == 1
    assert again.runs["app"].last == memory.runs["app"].ended


def test_a_container_that_was_removed_is_still_known_after_a_server_restart():
    memory, item = Memory(), run(-60, state="exited", exit_code=3)
    note_runs(memory, [item])
    again = adopt(told(memory))
    assert again.runs["app"].ended == memory.runs["app"].ended
    assert again.runs["app"].container_id == "app-0"


def test_a_container_made_anew_but_not_started_counts_when_it_starts():
    memory = Memory()
    made = there(OF, state="created", attempt=1)
    for look in (run(-60), run(-60, state="exited", exit_code=3), made):
        note_runs(memory, [look])
    again = adopt(told(memory, made))
    note_runs(again, [made])
    assert again.runs["app"].restarts == 0
    note_runs(again, [run(-20, attempt=1)])
    assert again.runs["app"].restarts == 1


def test_init_containers_are_adopted_too():
    of = pod(one(), inits=(one("init"), sidecar()))
    memory = Memory()
    items = [
        there(of, "sandbox"),
        there(of, "init", "exited"),
        there(of, "proxy", started=-30, restarts=1),
    ]
    note_runs(memory, [there(of, "proxy", started=-50)])
    note_runs(memory, items)
    again = adopt(told(memory, *items, of=of))
    note_runs(again, items)
    assert {name: r.restarts for name, r in again.runs.items() if name != "app"} == {
        "init": 0,
        "proxy": 1,
    }
    assert again.runs["init"].ended == memory.runs["init"].ended


def test_a_pod_that_nothing_is_known_of():
    again = adopt(pod())
    assert again == Memory()


# ---------------------------------------------------------------- small things


def test_runs_are_told_apart_by_container_and_start():
    info = run(-60).info
    assert not same_run(None, info)
    assert same_run(Run("app-0", at(-60)), info)
    assert same_run(Run("app-0", second(-60)), info), "a status has whole seconds"
    assert not same_run(Run("app-0", at(-59)), info)
    assert not same_run(Run("other", at(-60)), info)


def test_labels_are_read_and_bad_ones_survived():
    item = run(-60, attempt=4)
    assert (item.name, item.role, item.attempt) == ("app", "app", 4)
    bare = seen(dataclasses.replace(item.info, labels={}))
    assert (bare.name, bare.role, bare.attempt, bare.spec_hash) == ("", "app", 0, "")


def test_the_newest_of_each_name():
    old, new = run(-60, attempt=0), run(-60, attempt=1)
    assert newest([old, new]) == newest([new, old]) == {"app": new}
