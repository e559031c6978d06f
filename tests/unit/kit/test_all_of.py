"""Work side by side: all of it ends, and its first failure is told."""

import asyncio

import pytest

from orchestrator.kit.aio.tasks import all_of


async def test_nothing_is_fine():
    await all_of([])


async def test_a_failure_stops_none_of_the_others_and_is_told_as_it_is():
    done = []

    async def fails():
        raise ValueError("first")

    async def works(name):
        await asyncio.sleep(0)
        done.append(name)

    with pytest.raises(ValueError, match="first"):
        await all_of([works("a"), fails(), works("b")])
    assert done == ["a", "b"]


async def test_cancelling_cancels_and_waits_for_all():
    ended = []

    async def waits(name):
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append(name)

    async def both():
        await all_of([waits("a"), waits("b")])

    task = asyncio.ensure_future(both())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sorted(ended) == ["a", "b"]
