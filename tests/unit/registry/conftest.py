"""A registry on the real store, in memory, with a clock that tests move."""

import random
from collections.abc import AsyncIterator

import msgspec
import pytest

from orchestrator.registry.registry import Registry
from orchestrator.store.sql import InlineSqlite
from orchestrator.store.store import Store

START_S = 1_800_000_000.0


class MovedClock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.now_s = START_S

    def wall(self) -> float:
        return self.now_s

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    opened = await Store.open(InlineSqlite())
    yield opened
    for resource in opened.statistics().objects:
        for item in opened.list(resource):
            assert item.doc == msgspec.json.decode(item.data), f"somebody changed {item}"
    await opened.close()


@pytest.fixture
async def registry(store: Store, clock: MovedClock) -> Registry:
    made = Registry(store, clock, random.Random(7))
    await made.ensure_builtins()
    return made
