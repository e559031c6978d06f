"""The work queue's laws: a key waits once, never runs twice at once, and is never lost."""

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.kit.backoff import Backoff
from orchestrator.kit.workqueue import WorkQueue

BACKOFF = Backoff(first_s=1.0, cap_s=8.0)


def test_a_key_added_often_waits_once() -> None:
    queue: WorkQueue[str] = WorkQueue()
    for key in ("a", "b", "a", "a"):
        queue.add(key)
    assert [queue.take_nowait(), queue.take_nowait(), queue.take_nowait()] == ["a", "b", None]


def test_a_key_added_while_worked_on_runs_once_more_and_not_at_the_same_time() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add("a")
    assert queue.take_nowait() == "a"
    queue.add("a")
    queue.add("a")
    assert queue.take_nowait() is None
    queue.done("a")
    assert queue.take_nowait() == "a"
    queue.done("a")
    assert queue.take_nowait() is None


def test_of_several_delays_the_earliest_counts() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add_at("a", 9.0)
    queue.add_at("a", 3.0)
    queue.add_at("a", 5.0)
    assert queue.next_due_s() == 3.0
    queue.promote(2.9)
    assert queue.take_nowait() is None
    queue.promote(3.0)
    assert queue.take_nowait() == "a"
    queue.done("a")
    queue.promote(100.0)
    assert queue.take_nowait() is None
    assert queue.next_due_s() is None


def test_failures_delay_a_key_longer_and_longer_until_it_succeeds() -> None:
    queue: WorkQueue[str] = WorkQueue(BACKOFF)
    assert [queue.fail("a", 0.0) for _ in range(5)] == [1.0, 2.0, 4.0, 8.0, 8.0]
    queue.forget("a")
    assert queue.failures("a") == 0
    assert queue.fail("a", 0.0) == 1.0


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("add"), st.sampled_from("abc")),
            st.tuples(st.just("later"), st.sampled_from("abc")),
            st.just(("take", "")),
            st.just(("done", "")),
        ),
        max_size=60,
    )
)
def test_every_added_key_is_worked_on_after_its_last_add(steps: list[tuple[str, str]]) -> None:
    queue: WorkQueue[str] = WorkQueue()
    now, added, started, working = 0.0, {}, {}, []
    for number, (step, key) in enumerate(steps):
        now += 1.0
        queue.promote(now)
        if step == "add":
            queue.add(key)
            added[key] = number
        elif step == "later":
            queue.add_at(key, now + 5.0)
            added[key] = number
        elif step == "take":
            taken = queue.take_nowait()
            if taken is not None:
                assert taken not in working
                working.append(taken)
                started[taken] = number
        elif working:
            queue.done(working.pop(0))
    queue.promote(now + 100.0)
    for key in working:
        queue.done(key)
    while (taken := queue.take_nowait()) is not None:
        started[taken] = len(steps)
        queue.done(taken)
    assert all(started.get(key, -1) > number for key, number in added.items())
