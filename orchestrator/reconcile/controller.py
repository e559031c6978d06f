"""The loop that every controller runs in: a key comes in, a plan is made and carried out.

Events only enqueue keys; a worker reads the snapshot when it gets to the key, so any number of
events in between cost one plan. One key is never worked on twice at the same time.

What a plan or its execution raises decides what happens to the key:

- Conflict: the plan was made from an old state; planned again soon, silently.
- Terminal: written down; the key rests until something about it changes.
- anything else: logged; planned again after a delay that grows.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from orchestrator.kit.aio.tasks import Tasks
from orchestrator.kit.backoff import Backoff
from orchestrator.kit.errors import ApiError, Conflict, OrchError
from orchestrator.kit.ids import ObjectKey
from orchestrator.kit.workqueue import RETRY_BACKOFF
from orchestrator.reconcile.informers import Informers
from orchestrator.reconcile.intents import Intent, Patch, Record, RequeueAfter
from orchestrator.reconcile.queue import KeyQueue
from orchestrator.store.objects import StoreEvent

_log: Final = structlog.get_logger("controller")
_CONFLICT_DELAY_S: Final = 0.005
_SHORTEST_S: Final = 0.01
_MANY: Final = 200
"""Objects from which on a plan is worth a rest."""
_REST_EACH_S: Final = 0.0002
"""Of each object: some ten times what a plan spends on it."""
"""Least delay of a RequeueAfter: a plan that asks for less would spin on a rounded clock."""

EVERY: Final = "*"
"""As a source's resource: every kind, those that are defined later as well."""

Plan = Callable[[ObjectKey], Sequence[Intent]]
CarryOut = Callable[[Sequence[Intent]], Awaitable[None]]
Keys = Callable[[StoreEvent], Iterable[ObjectKey]]


class Terminal(OrchError):
    """Trying again cannot help; the key rests until something about it changes."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where keys come from.

    Attributes:
        resource: group-resource whose writes are looked at; `EVERY` for all there are.
        keys: the keys that a write concerns; must not block.
    """

    resource: str
    keys: Keys


def own_key(event: StoreEvent) -> tuple[ObjectKey, ...]:
    """The written object's own key."""
    return (event.object.key,)


class Controller:
    """See the module. `run` works until it is cancelled."""

    def __init__(
        self,
        name: str,
        informers: Informers,
        sources: Sequence[Source],
        plan: Plan,
        carry_out: CarryOut,
        *,
        workers: int = 4,
        backoff: Backoff = RETRY_BACKOFF,
        rng: random.Random | None = None,
        on_error: Callable[[ObjectKey, ApiError], Sequence[Intent]] | None = None,
        size: Callable[[ObjectKey], int] | None = None,
    ) -> None:
        """Makes a controller.

        Args:
            name: "deployment-controller"; for logs and events.
            informers: tells of writes.
            sources: where keys come from; what is there at the start counts as added.
            plan: pure but for reading the snapshot and the clock; must not block.
            carry_out: `Executor.carry_out`.
            workers: keys worked on at the same time.
            backoff: between tries of a key that fails.
            rng: spreads retries; None for no spreading.
            on_error: what to tell the user when carrying out failed with an answer of the API.
            size: how many objects a plan of the key goes through. One of many rests a while when
                nothing but a status came of it: each of five thousand pods that starts would
                have all of them counted again.
        """
        self.name = name
        self._informers = informers
        self._sources = tuple(sources)
        self._plan = plan
        self._carry_out = carry_out
        self._workers = workers
        self._backoff = backoff
        self._rng = rng
        self._on_error = on_error
        self._size = size
        self._count = 0
        self._queue: KeyQueue[ObjectKey] | None = None

    def enqueue(self, key: ObjectKey) -> None:
        """The key needs a plan; nothing happens while the controller does not run."""
        if self._queue is not None:
            self._queue.add(key)

    async def run(self) -> None:
        """Runs until cancelled."""
        queue = self._queue = KeyQueue[ObjectKey](self._backoff, self._rng)
        unsubscribe = [
            self._informers.on_any(_enqueuer(queue, source.keys), replay=True)
            if source.resource == EVERY
            else self._informers.on_event(source.resource, _enqueuer(queue, source.keys))
            for source in self._sources
        ]
        try:
            async with Tasks() as tasks:
                for number in range(self._workers):
                    tasks.essential(f"{self.name}-{number}", self._work(queue))
        finally:
            for end in unsubscribe:
                end()
            queue.close()
            self._queue = None

    async def _work(self, queue: KeyQueue[ObjectKey]) -> None:
        while True:
            key = await queue.take()
            self._count += 1
            reconcile_id = f"{self.name}-{self._count}"
            with structlog.contextvars.bound_contextvars(
                cause=reconcile_id, reconcile_id=reconcile_id, key=str(key)
            ):
                rest_s = 0.0
                try:
                    rest_s = await self._reconcile(queue, key)
                finally:
                    if rest_s > 0:
                        asyncio.get_running_loop().call_later(rest_s, queue.done, key)
                    else:
                        queue.done(key)

    async def _reconcile(self, queue: KeyQueue[ObjectKey], key: ObjectKey) -> float:
        """Plans a key and carries it out; returns how long the key is to rest, seconds."""
        try:
            intents = self._plan(key)
            for intent in intents:
                if isinstance(intent, RequeueAfter):
                    queue.add_after(key, max(intent.delay_s, _SHORTEST_S))
            await self._carry_out(intents)
            queue.forget(key)
            return self._rest_s(key, intents)
        except asyncio.CancelledError:
            raise
        except Conflict:
            queue.add_after(key, _CONFLICT_DELAY_S)
        except Terminal as error:
            queue.forget(key)
            _log.error("controller.gave_up", error=str(error))
        except Exception as error:  # one key's failure must not end the loop
            delay_s = queue.fail(key)
            _log.warning(
                "controller.retrying",
                error=f"{type(error).__name__}: {error}",
                delay_s=round(delay_s, 3),
                failures=queue.failures(key),
                exc_info=not isinstance(error, OrchError) and queue.failures(key) <= 3,
            )
            await self._tell(key, error)
        return 0.0

    def _rest_s(self, key: ObjectKey, intents: Sequence[Intent]) -> float:
        if self._size is None or not all(_tells(intent, key) for intent in intents):
            return 0.0
        size = self._size(key)
        return size * _REST_EACH_S if size >= _MANY else 0.0

    async def _tell(self, key: ObjectKey, error: Exception) -> None:
        if self._on_error is None or not isinstance(error, ApiError):
            return
        try:
            await self._carry_out(self._on_error(key, error))
        except OrchError as second:
            _log.debug("controller.not_told", error=str(second))


def _tells(intent: Intent, key: ObjectKey) -> bool:
    """Whether an intent changes nothing but what is said of the key's own object."""
    return isinstance(intent, Record | RequeueAfter) or (
        isinstance(intent, Patch) and intent.key == key
    )


def _enqueuer(queue: KeyQueue[ObjectKey], keys: Keys) -> Callable[[StoreEvent], None]:
    def handler(event: StoreEvent) -> None:
        for key in keys(event):
            queue.add(key)

    return handler
