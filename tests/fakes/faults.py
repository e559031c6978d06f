"""Seeded slowness and failure of fakes."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from orchestrator.kit.errors import ChannelLost, EngineError


@dataclass
class Faults:
    """How a fake misbehaves; as made it is instant and never fails.

    Attributes:
        rng: decides; give it a seed.
        latency_s: shortest and longest time of a call.
        error_rate: calls that fail with an error of the server and no effect.
        lost_rate: calls whose answer is lost after their effect.
        down: nothing answers, all streams are broken.
        failing: messages by operation: the next call of that name fails with it, once.
    """

    rng: random.Random = field(default_factory=lambda: random.Random(0))
    latency_s: tuple[float, float] = (0.0, 0.0)
    error_rate: float = 0.0
    lost_rate: float = 0.0
    down: bool = False
    failing: dict[str, EngineError] = field(default_factory=dict)

    @asynccontextmanager
    async def call(self, operation: str, node: str) -> AsyncIterator[None]:
        """Round one call.

        Raises:
            ChannelLost: it is down, or the answer was lost.
            EngineError: this time it fails.
        """
        self.check(operation, node)
        delay_s = self.rng.uniform(*self.latency_s)
        if delay_s:
            await asyncio.sleep(delay_s)
            self.check(operation, node)
        if operation in self.failing:
            raise self.failing.pop(operation)
        if self.rng.random() < self.error_rate:
            raise EngineError("simulated: server error", node=node, operation=operation, status=500)
        yield
        self.check(operation, node)
        if self.rng.random() < self.lost_rate:
            raise ChannelLost("simulated: the answer was lost", node=node, operation=operation)

    def check(self, operation: str, node: str) -> None:
        """Raises ChannelLost while it is down."""
        if self.down:
            raise ChannelLost("simulated: no answer", node=node, operation=operation)
