"""How many logins may run at once: sshd refuses more than about ten strangers at a time.

One per host is all we keep open, so only handshakes need a limit. A waiter that had to queue also
waits a random moment, so that a fleet behind one jump host does not come in step.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from orchestrator.remote.settings import RemoteSettings


@dataclass(slots=True)
class _Hop:
    slots: asyncio.Semaphore
    users: int = 0


@dataclass(slots=True)
class Handshakes:
    """Limits of concurrent handshakes; one for the whole server.

    Attributes:
        settings: the limits.
        rng: draws the jitter.
    """

    settings: RemoteSettings
    rng: random.Random
    _hops: dict[str, _Hop] = field(default_factory=dict)
    _overall: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._overall = asyncio.Semaphore(self.settings.handshakes_overall)

    @asynccontextmanager
    async def slot(self, hop: str) -> AsyncIterator[None]:
        """Holds one of the slots of `hop` (the first machine on the way) and one overall.

        Cancelling a waiter frees what it held.
        """
        entry = self._hops.get(hop)
        if entry is None:
            entry = self._hops[hop] = _Hop(asyncio.Semaphore(self.settings.handshakes_per_hop))
        entry.users += 1
        try:
            crowded = entry.slots.locked() or self._overall.locked()
            async with entry.slots, self._overall:
                if crowded:
                    await asyncio.sleep(self.rng.uniform(0, self.settings.handshake_jitter_s))
                yield
        finally:
            entry.users -= 1
            if entry.users == 0:
                self._hops.pop(hop, None)
