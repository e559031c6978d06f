"""Time on the virtual loop: it jumps, in order, and waits for nothing but threads."""

import asyncio
import time

from orchestrator.kit.aio.virtual import LoopClock, VirtualLoop


def run(work):
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)


def test_hours_pass_at_once_and_in_order():
    async def work():
        clock, seen = LoopClock(1000.0), []

        async def note(delay_s):
            await asyncio.sleep(delay_s)
            seen.append((delay_s, clock.monotonic(), clock.wall()))

        async with asyncio.TaskGroup() as group:
            for delay_s in (7200.0, 0.5, 60.0):
                group.create_task(note(delay_s))
        return seen

    began_s = time.monotonic()
    assert run(work()) == [(0.5, 0.5, 1000.5), (60.0, 60.0, 1060.0), (7200.0, 7200.0, 8200.0)]
    assert time.monotonic() - began_s < 5


def test_deadlines_hold_and_threads_are_waited_for():
    async def work():
        try:
            async with asyncio.timeout(30):
                await asyncio.Event().wait()
        except TimeoutError:
            return await asyncio.get_running_loop().run_in_executor(None, lambda: "done")

    assert run(work()) == "done"
