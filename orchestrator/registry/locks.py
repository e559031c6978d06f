"""One lock per object, so that reading, deciding and writing one object is one step."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from orchestrator.kit.ids import ObjectKey


class KeyLocks:
    """Locks that exist while somebody holds or awaits them. Taking a free one does not yield."""

    def __init__(self) -> None:
        self._locks: dict[ObjectKey, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def hold(self, key: ObjectKey) -> AsyncIterator[None]:
        """Holds the lock of `key`; first come, first served."""
        lock, users = self._locks.get(key) or (asyncio.Lock(), 0)
        self._locks[key] = (lock, users + 1)
        try:
            async with lock:
                yield
        finally:
            _, users = self._locks[key]
            if users == 1:
                del self._locks[key]
            else:
                self._locks[key] = (lock, users - 1)
