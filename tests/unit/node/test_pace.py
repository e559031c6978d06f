"""Pods begin in turn while the loop is behind, and at once while it is not."""

import asyncio

import pytest

from orchestrator.node.pace import Pace

pytestmark = pytest.mark.looptime


class Clock:
    """The loop's time, and what the loop has lost since."""

    def __init__(self) -> None:
        self.lost_s = 0.0

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time() + self.lost_s

    def wall(self) -> float:
        return self.monotonic()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def begun():
    return []


@pytest.fixture
def pace(clock, begun):
    made = Pace(clock)

    def begin(*numbers):
        for number in numbers:
            made.begin(str(number), lambda number=number: begun.append(number))

    made.these = begin
    return made


async def test_few_begin_at_once(pace, begun):
    pace.these(*range(20))
    assert begun == list(range(20))


async def test_many_begin_in_their_order_as_long_as_the_loop_keeps_up(pace, begun):
    pace.these(*range(150))
    assert begun == list(range(32))
    await asyncio.sleep(0.0101)
    assert begun == list(range(56))
    await asyncio.sleep(3)
    assert begun == list(range(150))


async def test_few_begin_while_very_many_come(pace, begun):
    for start in range(0, 1000, 100):
        pace.these(*range(start, start + 100))
        await asyncio.sleep(0.1)
    # 132 had begun before it was clear that there are many; from then on one every 50 ms
    assert 132 <= len(begun) <= 132 + 19
    await asyncio.sleep(1)
    assert begun == list(range(1000))


async def test_those_that_come_now_and_then_are_not_held_back(pace, begun):
    for start in range(0, 1000, 100):
        pace.these(*range(start, start + 100))
        await asyncio.sleep(0.51)
        assert begun == list(range(start + 100))


async def test_very_many_that_came_at_once_wait_until_no_more_come(pace, begun):
    pace.these(*range(1000))
    await asyncio.sleep(0.49)
    assert 32 + 9 <= len(begun) <= 32 + 11
    await asyncio.sleep(1)
    assert begun == list(range(1000))


async def test_one_by_one_while_the_loop_is_behind(pace, clock, begun):
    pace.these(*range(100))
    for _ in range(5):
        clock.lost_s += 0.2
        await asyncio.sleep(0.0101)
    assert begun == list(range(32 + 5))
    await asyncio.sleep(0.0101)
    assert begun == list(range(32 + 5 + 24))


async def test_nobody_overtakes_those_that_wait(pace, begun):
    pace.these(*range(40))
    await asyncio.sleep(0.0101)
    pace.these(*range(40, 100))
    await asyncio.sleep(1)
    assert begun == list(range(100))


async def test_who_asks_again_keeps_the_turn_and_who_is_dropped_loses_it(pace, begun):
    pace.these(*range(40))
    pace.these(35)
    pace.drop("33")
    pace.drop("99")
    await asyncio.sleep(1)
    assert begun == [*range(33), *range(34, 40)]


async def test_no_timer_is_left_when_nobody_begins(pace, begun):
    pace.these(1)
    assert pace._ticks is not None
    await asyncio.sleep(0.05)
    assert (begun, pace._ticks) == ([1], None)
