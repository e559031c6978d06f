import asyncio
import random

from orchestrator.remote.settings import RemoteSettings
from orchestrator.remote.ssh.pool import Handshakes


class Gauge:
    """How many are inside at once."""

    def __init__(self) -> None:
        self.now = self.most = 0

    async def visit(self, handshakes: Handshakes, hop: str) -> None:
        async with handshakes.slot(hop):
            self.now += 1
            self.most = max(self.most, self.now)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            self.now -= 1


def handshakes(**changes: float) -> Handshakes:
    values = {"handshakes_per_hop": 2, "handshakes_overall": 5, "handshake_jitter_s": 0.0}
    return Handshakes(RemoteSettings(**{**values, **changes}), random.Random(1))  # type: ignore[arg-type]


async def test_one_hop_has_its_own_limit() -> None:
    limits, gauge = handshakes(), Gauge()
    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(gauge.visit(limits, "bastion"))
    assert gauge.most == 2


async def test_all_hops_share_one_limit() -> None:
    limits, gauge = handshakes(), Gauge()
    async with asyncio.TaskGroup() as group:
        for n in range(20):
            group.create_task(gauge.visit(limits, f"host-{n}"))
    assert gauge.most == 5


async def test_a_cancelled_waiter_frees_its_place() -> None:
    limits, gauge = handshakes(handshakes_per_hop=1), Gauge()
    async with limits.slot("h"), asyncio.TaskGroup() as group:
        waiter = group.create_task(gauge.visit(limits, "h"))
        await asyncio.sleep(0)
        waiter.cancel()
    async with asyncio.timeout(1):
        await gauge.visit(limits, "h")
    assert gauge.most == 1


async def test_only_those_who_queued_draw_a_delay() -> None:
    drawn: list[float] = []

    class Rng(random.Random):
        def uniform(self, a: float, b: float) -> float:
            drawn.append(b)
            return 0.0

    settings = RemoteSettings(handshakes_per_hop=1, handshake_jitter_s=0.5)
    limits, gauge = Handshakes(settings, Rng()), Gauge()
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(gauge.visit(limits, "h"))
    assert drawn == [0.5, 0.5]
