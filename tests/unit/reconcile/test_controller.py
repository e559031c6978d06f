"""When a key is planned: after writes, and not too often where a plan goes through many objects."""

import asyncio
import itertools
import random

import pytest

from orchestrator.kit.aio.tasks import spawn
from orchestrator.kit.ids import ObjectKey
from orchestrator.reconcile.controller import Controller, Source, own_key
from orchestrator.reconcile.informers import Informers
from orchestrator.reconcile.intents import Delete, Patch
from orchestrator.registry.registry import Registry
from orchestrator.store.settings import StoreSettings
from orchestrator.store.sql import InlineSqlite
from orchestrator.store.store import Store
from tests.sim.clock import LoopClock

pytestmark = pytest.mark.looptime

KEY = ObjectKey("configmaps", "default", "a")


@pytest.fixture
async def watched():
    """A controller of ConfigMaps that only records when it plans; call it with a size."""
    store = await Store.open(InlineSqlite(), StoreSettings())
    registry, informers = Registry(store, LoopClock(), random.Random(1)), Informers(store)
    await registry.create("namespaces", "", {"metadata": {"name": "default"}})
    planned, running = [], []

    async def start(size, intents=()):
        def plan(key):
            if key == KEY:
                planned.append(asyncio.get_running_loop().time())
            return list(intents)

        async def carry_out(_intents):
            await asyncio.sleep(0)

        controller = Controller(
            "test", informers, [Source("configmaps", own_key)], plan, carry_out,
            size=lambda _key: size,
        )  # fmt: skip
        running.append(spawn(controller.run(), name="test"))
        await registry.create("configmaps", "default", {"metadata": {"name": "a"}})
        await asyncio.sleep(0.01)
        return planned

    async def write(value):
        await registry.update(KEY, {
            "kind": "ConfigMap", "apiVersion": "v1",
            "metadata": {"name": "a", "namespace": "default"}, "data": {"value": value},
        })  # fmt: skip

    start.write = write
    yield start
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    await store.close()


async def write_for_a_second(watched):
    for number in range(100):
        await watched.write(str(number))
        await asyncio.sleep(0.01)


async def test_a_small_key_is_planned_after_every_write(watched):
    planned = await watched(size=199)
    await write_for_a_second(watched)
    assert len(planned) == 101


async def test_a_big_key_rests_between_plans_and_misses_nothing(watched):
    planned = await watched(size=1000, intents=[Patch(KEY, {"status": {}})])
    await write_for_a_second(watched)
    last = asyncio.get_running_loop().time()
    await asyncio.sleep(1)
    assert len(planned) in {6, 7}
    assert planned[-1] >= last - 0.02, "the last write was not planned"
    assert all(later - earlier >= 0.19 for earlier, later in itertools.pairwise(planned))


async def test_a_big_key_does_not_rest_while_there_is_more_to_do(watched):
    planned = await watched(size=1000, intents=[Delete(ObjectKey("pods", "default", "b"))])
    await write_for_a_second(watched)
    assert len(planned) == 101


async def test_who_changes_others_does_not_rest(watched):
    other = Patch(ObjectKey("pods", "default", "b"), {"metadata": {"labels": {"a": "b"}}})
    planned = await watched(size=1000, intents=[other])
    await write_for_a_second(watched)
    assert len(planned) == 101
