"""One task per key: nothing due is lost, nothing runs twice at once."""

import asyncio
import random

import pytest

from orchestrator.kit.errors import ChannelLost
from orchestrator.node.runner import RETRY, KeyedRunner

pytestmark = pytest.mark.looptime


class Work:
    """Takes a second for each key, and records when."""

    def __init__(self) -> None:
        self.runner = KeyedRunner("test", self.run)
        self.done: list[tuple[str, float]] = []
        self.running: set[str] = set()
        self.errors: list[Exception] = []

    async def run(self, key: str) -> None:
        assert key not in self.running, "twice at once"
        self.running.add(key)
        try:
            await asyncio.sleep(1)
        finally:
            self.running.discard(key)
        if self.errors:
            raise self.errors.pop(0)
        self.done.append((key, round(asyncio.get_running_loop().time(), 3)))


async def test_keys_run_side_by_side() -> None:
    work = Work()
    for key in "abc":
        work.runner.due(key)
    await asyncio.sleep(1.1)
    assert work.done == [("a", 1), ("b", 1), ("c", 1)]
    assert work.runner.is_idle


async def test_what_is_due_meanwhile_is_done_once_more() -> None:
    work = Work()
    for _ in range(5):
        work.runner.due("a")
        await asyncio.sleep(0.1)
    await asyncio.sleep(5)
    assert work.done == [("a", 1), ("a", 2)]


async def test_the_earliest_delay_counts() -> None:
    work = Work()
    for delay_s in (20, 5, 10):
        work.runner.due_in("a", delay_s)
    assert not work.runner.is_idle
    await asyncio.sleep(60)
    assert work.done == [("a", 6)]


async def test_being_due_now_takes_the_place_of_a_delay() -> None:
    work = Work()
    work.runner.due_in("a", 5)
    work.runner.due("a")
    await asyncio.sleep(60)
    assert work.done == [("a", 1)]


async def test_a_failure_is_tried_again_later_and_later() -> None:
    work = Work()
    work.errors = [ChannelLost("x"), ChannelLost("x")]
    work.runner.due("a")
    await asyncio.sleep(60)
    expected = 3 + RETRY.delay_s(1) + RETRY.delay_s(2)
    assert work.done == [("a", pytest.approx(expected))]
    work.errors = [ChannelLost("x")]
    work.runner.due("a")
    await asyncio.sleep(60)
    again = work.done[1][1] - 60
    assert again == pytest.approx(2 + RETRY.delay_s(1)), "a success is a new beginning"


async def test_a_bug_in_one_keys_work_harms_no_other() -> None:
    work = Work()
    work.errors = [ValueError("a bug")]
    work.runner.due("a")
    work.runner.due("b")
    await asyncio.sleep(60)
    assert [key for key, _ in work.done] == ["b", "a"]


async def test_when_it_is_closed_nothing_goes_on() -> None:
    work = Work()
    work.runner.due("a")
    work.runner.due("a")
    work.runner.due_in("b", 1)
    await asyncio.sleep(0.5)
    await work.runner.close()
    work.runner.due("c")
    work.runner.due_in("d", 1)
    await asyncio.sleep(60)
    assert (work.done, work.running) == ([], set())
    assert work.runner.is_idle


@pytest.mark.parametrize("seed", range(5))
async def test_every_change_is_seen_by_work_that_began_after_it(seed: int) -> None:
    rng, versions, seen = random.Random(seed), dict.fromkeys("abc", 0), dict.fromkeys("abc", 0)

    async def look(key: str) -> None:
        now = versions[key]
        await asyncio.sleep(rng.uniform(0, 1))
        if rng.random() < 0.2:
            raise ChannelLost("simulated")
        seen[key] = now

    runner = KeyedRunner("test", look)
    for _ in range(50):
        key = rng.choice("abc")
        versions[key] += 1
        if rng.random() < 0.8:
            runner.due(key)
        else:
            runner.due_in(key, rng.uniform(0, 2))
        await asyncio.sleep(rng.uniform(0, 0.5))
    await asyncio.sleep(120)
    assert seen == versions
    assert runner.is_idle
