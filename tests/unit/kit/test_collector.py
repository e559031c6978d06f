"""The garbage collector as a server has it: it looks when memory has grown, and then it does."""

import asyncio
import gc
import weakref
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest

from orchestrator.kit.aio.collector import Collector, resident_bytes
from orchestrator.kit.aio.virtual import VirtualLoop

MB = 1 << 20


class Knot:
    """An object in a cycle: reference counts alone never free it."""

    def __init__(self) -> None:
        self.itself = self


class Process:
    """What the collector asks of the machine."""

    def __init__(self) -> None:
        self.bytes = 100 * MB
        self.spent_s = 0.0
        self.busy = 0.0

    def collector(self) -> Collector:
        """One whose every look takes 20 ms."""
        loop = asyncio.get_running_loop()
        return Collector(
            lambda: self.bytes,
            lambda: loop.time() + self.spent_s,
            lambda: loop.time() * self.busy,
            self._collect,
        )

    def _collect(self) -> int:
        self.spent_s += 0.02
        return gc.collect()


@pytest.fixture
def process() -> Iterator[Process]:
    gc.freeze()  # what pytest has: the collector's own first look is at little then
    yield Process()
    gc.unfreeze()
    gc.enable()


def run(work: Coroutine[object, object, Any]) -> Any:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)


async def freed(process: Process, memory: int, after_s: float = 3.0) -> bool:
    """Whether a cycle is gone when so much memory is in use so much later; looks once a second."""
    collector = asyncio.create_task(process.collector().run())
    try:
        return await knot_freed(process, memory, after_s)
    finally:
        collector.cancel()


async def knot_freed(process: Process, memory: int, after_s: float) -> bool:
    knot = weakref.ref(Knot())
    assert knot() is not None
    process.bytes = memory
    await asyncio.sleep(after_s)
    return knot() is None


@pytest.mark.parametrize(
    ("before", "memory", "after_s", "expected"),
    [
        (100, 100, 3, False),
        (100, 611, 3, False),  # six times as much, but by less than 512 MB
        (100, 612, 3, True),
        (1000, 1999, 3, False),
        (1000, 2000, 3, True),
        (100, 114, 3, False),
        (100, 114, 19, False),
        (100, 114, 22, True),  # an eighth, and a thousand times as long as a look takes
        (100, 111, 22, False),
    ],
)
def test_it_looks_when_memory_has_grown(
    process: Process, before: int, memory: int, after_s: float, expected: bool
) -> None:
    process.bytes = before * MB
    assert run(freed(process, memory * MB, after_s)) is expected


def test_a_busy_process_looks_when_it_must(process: Process) -> None:
    async def twice() -> list[bool]:
        collector = asyncio.create_task(process.collector().run())
        found = [await knot_freed(process, mb * MB, 30) for mb in (200, 612)]
        process.busy = 0.4
        found.append(await knot_freed(process, 800 * MB, 30))
        collector.cancel()
        return found

    process.busy = 0.6
    assert run(twice()) == [False, True, True]


def test_growth_counts_from_the_last_time(process: Process) -> None:
    async def twice() -> list[bool]:
        collector = asyncio.create_task(process.collector().run())
        found = [await knot_freed(process, mb * MB, 3) for mb in (700, 1399, 1400)]
        collector.cancel()
        return found

    assert run(twice()) == [True, False, True]


def test_python_itself_does_not_look(process: Process) -> None:
    Collector()
    assert not gc.isenabled()


def test_memory_is_counted_in_bytes() -> None:
    assert 1 << 20 < resident_bytes() < 1 << 40
