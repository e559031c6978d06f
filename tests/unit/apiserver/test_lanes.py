"""Seats and lanes: a flood waits behind itself, and is told to come back when it is too long."""

import asyncio

import pytest

from orchestrator.apiserver.lanes import Lanes
from orchestrator.kit.errors import TooManyRequests


async def turns(lanes, users):
    """The order in which waiting users get their seats, each leaving at once."""
    order = []

    async def one(user):
        await lanes.enter(user)
        order.append(user)
        lanes.leave()

    async with asyncio.TaskGroup() as group:
        for user in users:
            group.create_task(one(user))
        await asyncio.sleep(0)
        lanes.leave()
    return order


async def test_a_flood_leaves_others_their_turn():
    lanes = Lanes(1, 100, 5)
    assert lanes.enter_nowait()
    order = await turns(lanes, ["flood"] * 50 + ["ann", "bob"])
    assert order.index("ann") <= 2
    assert order.index("bob") <= 3
    assert len(order) == 52


async def test_a_full_lane_refuses_and_others_do_not():
    lanes = Lanes(1, 2, 5)
    assert lanes.enter_nowait()
    waiting = [asyncio.ensure_future(lanes.enter("flood")) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(TooManyRequests) as caught:
        await lanes.enter("flood")
    assert caught.value.retry_after_s == 1
    other = asyncio.ensure_future(lanes.enter("ann"))
    await asyncio.sleep(0)
    assert lanes.waiting == 3
    for _ in range(4):
        lanes.leave()
        await asyncio.sleep(0)
    await asyncio.gather(*waiting, other)
    assert lanes.enter_nowait()


async def test_a_long_wait_is_refused_and_leaves_nothing_behind():
    lanes = Lanes(1, 2, 0.01)
    assert lanes.enter_nowait()
    with pytest.raises(TooManyRequests):
        await lanes.enter("ann")
    assert lanes.waiting == 0
    lanes.leave()
    assert lanes.enter_nowait()


async def test_who_goes_away_takes_no_seat_along():
    lanes = Lanes(1, 5, 5)
    assert lanes.enter_nowait()
    gone = asyncio.ensure_future(lanes.enter("ann"))
    late = asyncio.ensure_future(lanes.enter("ann"))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.wait([gone])
    late_too = asyncio.ensure_future(lanes.enter("bob"))
    await asyncio.sleep(0)
    lanes.leave()  # the seat is late's now, and late leaves in the same moment
    late.cancel()
    await asyncio.wait([late])
    async with asyncio.timeout(1):
        await late_too
    lanes.leave()
    assert lanes.enter_nowait()


async def test_whoever_comes_waits_behind_those_who_wait():
    lanes = Lanes(1, 5, 5)
    assert lanes.enter_nowait()
    first = asyncio.ensure_future(lanes.enter("ann"))
    await asyncio.sleep(0)
    assert not lanes.enter_nowait()
    lanes.leave()
    await first
    assert not lanes.enter_nowait()
    lanes.leave()
    assert lanes.enter_nowait()
