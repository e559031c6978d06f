import pytest

from orchestrator.remote.silence import TICK_S, Silence


def silence() -> Silence:
    return Silence(limit_s=3.5, patience_s=6.5, heard_s=100.0)


@pytest.mark.parametrize(
    ("now_s", "suspicious", "lost"),
    [(101.0, False, False), (101.8, True, False), (103.4, True, False), (103.5, True, True)],
)
def test_silence_alone(now_s: float, suspicious: bool, lost: bool) -> None:
    watch = silence()
    watch.tick(100.0, 0.0)
    assert (watch.is_suspicious(now_s), watch.is_lost(now_s)) == (suspicious, lost)


def test_a_frame_ends_it() -> None:
    watch = silence()
    watch.tick(103.0, 0.0)
    assert not watch.is_lost(106.4)
    assert watch.is_lost(106.5)


def test_an_answer_of_sshd_gives_patience_for_a_while() -> None:
    watch = silence()
    watch.answered(103.0)
    assert not watch.is_lost(103.5)
    assert watch.is_lost(104.6)
    watch.answered(104.5)
    assert not watch.is_lost(105.9)
    watch.answered(106.4)
    assert watch.is_lost(106.5)


def test_a_stall_of_ours_is_not_the_hosts_silence() -> None:
    watch = silence()
    watch.tick(100.0, late_s=5.0)
    assert not watch.is_lost(105.25)
    assert watch.is_lost(108.5)


def test_ticks_that_are_a_little_late_are_no_stall() -> None:
    watch = silence()
    for _ in range(10):
        watch.tick(100.0, late_s=TICK_S * 0.9)
    assert watch.is_lost(103.5)


def test_nobody_looks_before_silence_can_be_suspicious() -> None:
    watch = silence()
    assert watch.next_tick_s(100.25) == 1.5
    assert watch.next_tick_s(101.75) == TICK_S
    watch.tick(102.0, 0.0)
    assert watch.next_tick_s(102.5) == 1.25


@pytest.mark.parametrize("stalled_s", [0.5, 2.0, 4.0, 30.0])
def test_a_stall_between_two_looks_is_not_the_hosts_silence(stalled_s: float) -> None:
    """Wherever in the sleep it begins, and though the frames of the time are not read yet."""
    for heard_s in (99.0, 99.5, 100.0):
        for begins_s in (100.0, 100.7, 101.2):
            watch = Silence(limit_s=3.5, patience_s=6.5, heard_s=heard_s)
            due_s = 100.0 + watch.next_tick_s(100.0)
            if begins_s >= due_s:
                continue
            now_s = max(due_s, begins_s + stalled_s)
            watch.tick(heard_s, now_s - due_s)
            assert not watch.is_lost(now_s), (heard_s, begins_s)
