"""One lock per object, so that reading, deciding and writing one object is one step."""

import asyncio

from orchestrator.kit.ids import ObjectKey


class KeyLocks:
    """Locks that exist while somebody holds or awaits them. Taking a free one does not yield."""

    def __init__(self) -> None:
        self._locks: dict[ObjectKey, tuple[asyncio.Lock, int]] = {}

    def hold(self, key: ObjectKey) -> "_Held":
        """Holds the lock of `key` as a context; first come, first served."""
        return _Held(self._locks, key)


class _Held:
    """The context; `contextlib` would make three objects more for each write."""

    __slots__ = ("_key", "_locks")

    def __init__(self, locks: dict[ObjectKey, tuple[asyncio.Lock, int]], key: ObjectKey) -> None:
        self._locks = locks
        self._key = key

    async def __aenter__(self) -> None:
        lock, users = self._locks.get(self._key) or (asyncio.Lock(), 0)
        self._locks[self._key] = (lock, users + 1)
        try:
            await lock.acquire()
        except BaseException:
            self._leave()
            raise

    async def __aexit__(self, *_error: object) -> None:
        self._locks[self._key][0].release()
        self._leave()

    def _leave(self) -> None:
        lock, users = self._locks[self._key]
        if users == 1:
            del self._locks[self._key]
        else:
            self._locks[self._key] = (lock, users - 1)
