"""Time and a store that sometimes fails, for simulations on virtual time."""

import asyncio
import random
from collections.abc import Sequence

from orchestrator.kit.errors import ServiceUnavailable
from orchestrator.store.sql import NO_UPKEEP, InlineSqlite, LogRow, Upkeep

EPOCH_S = 1_700_000_000.0


class LoopClock:
    """Both clocks follow the loop's time, which looptime makes virtual."""

    def wall(self) -> float:
        return EPOCH_S + asyncio.get_running_loop().time()

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


class FlakySqlite(InlineSqlite):
    """An in-memory log whose transactions fail now and then; nothing of a failed one is kept."""

    def __init__(self, rng: random.Random, failure_rate: float) -> None:
        super().__init__()
        self._rng = rng
        self.failure_rate = failure_rate

    def commit(self, rows: Sequence[LogRow], upkeep: Upkeep = NO_UPKEEP) -> None:
        if self._rng.random() < self.failure_rate:
            raise ServiceUnavailable("simulated: the disk is full")
        super().commit(rows, upkeep)
