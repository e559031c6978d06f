"""Carries intents out through the registry: the only hands that plans have.

Intents run in the order of the list; neighbours of the same kind (creates, deletes, patches of
different objects) run at the same time, so that the store commits them together. The first failure
stops what has not started yet; what the failure is decides what the controller does with the key.
"""

import asyncio
import contextlib
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, Final, assert_never

import structlog

from orchestrator.kit.aio.tasks import spawn
from orchestrator.kit.errors import AlreadyExists, Conflict, NotFound
from orchestrator.kit.ids import ObjectKey, Uid
from orchestrator.reconcile.intents import (
    Create,
    Delete,
    Evict,
    Intent,
    Patch,
    Record,
    RequeueAfter,
)
from orchestrator.registry.options import DeleteOptions, WriteOptions
from orchestrator.registry.options import Patch as PatchBody
from orchestrator.registry.registry import Registry

_log: Final = structlog.get_logger("executor")
_AT_ONCE: Final = 256
"""Writes of one plan under way at the same time; a batch of the store holds more."""


class Executor:
    """See the module.

    Args:
        registry: where everything is written.
        user: who writes, as UserInfo, for admission policies; empty for the server itself, which
            they do not mean.
    """

    def __init__(self, registry: Registry, user: Mapping[str, Any] | None = None) -> None:
        self._registry = registry
        self._user = user or {}

    async def carry_out(self, intents: Sequence[Intent]) -> None:
        """Carries out all intents; RequeueAfter is the controller's business and is passed over.

        Raises:
            Conflict: an object is not at the expected revision or uid any more.
            ApiError: whatever else the registry answers.
        """
        for _, group in groupby(intents, type):
            run = [self._one(intent) for intent in group]
            for start in range(0, len(run), _AT_ONCE):
                await together(run[start : start + _AT_ONCE])

    async def _one(self, intent: Intent) -> None:
        match intent:
            case Create():
                await self._create(intent)
            case Patch():
                await self._patch(intent)
            case Delete():
                await self._delete(intent)
            case Evict():
                await self._evict(intent)
            case Record():
                await self._record(intent)
            case RequeueAfter():
                pass
            case _:
                assert_never(intent)

    async def _create(self, intent: Create) -> None:
        document = dict(intent.document)
        try:
            made = await self._registry.create(
                intent.resource, intent.namespace, document, options=self._options()
            )
        except AlreadyExists:
            name = document["metadata"].get("name", "")
            there = self._registry.get(ObjectKey(intent.resource, intent.namespace, name))
            if _controller_uid(there.doc) and _controller_uid(there.doc) == _controller_uid(
                document
            ):
                return
            raise
        _log.info("executor.created", made=str(made.key), rev=made.revision)

    async def _patch(self, intent: Patch) -> None:
        current = self._registry.get(intent.key)
        if intent.uid is not None and current.uid != intent.uid:
            raise Conflict(f"{intent.key}: it is another object of the same name now")
        body = dict(intent.patch)
        if intent.expected is not None:
            if current.revision != intent.expected:
                raise Conflict(f"{intent.key}: planned from an old state")
            body["metadata"] = {
                **(body.get("metadata") or {}),
                "resourceVersion": str(intent.expected),
            }
        written = await self._registry.patch(
            intent.key,
            PatchBody("merge", body),
            subresource=intent.subresource,
            options=self._options(),
        )
        if written.revision != current.revision:
            _log.debug("executor.patched", patched=str(intent.key), rev=written.revision)

    async def _evict(self, intent: Evict) -> None:
        if self._is_another(intent.key, intent.uid):
            return
        options = DeleteOptions(uid=intent.uid, requester=self._user)
        with contextlib.suppress(NotFound):
            await self._registry.evict(intent.key, options=options)
            _log.info("executor.evicted", evicted=str(intent.key))

    async def _delete(self, intent: Delete) -> None:
        options = DeleteOptions(
            grace_s=intent.grace_s,
            propagation=intent.propagation,
            uid=intent.uid,
            expected=intent.expected,
            requester=self._user,
        )
        try:
            deleted = await self._registry.delete(intent.key, options=options)
        except NotFound:
            return
        except Conflict:
            if intent.uid is not None and self._is_another(intent.key, intent.uid):
                return  # the one that was meant is gone
            raise
        _log.info("executor.deleted", deleted=str(intent.key), gone=deleted.gone)

    def _options(self) -> WriteOptions | None:
        return WriteOptions(requester=self._user) if self._user else None

    def _is_another(self, key: ObjectKey, uid: Uid) -> bool:
        try:
            return self._registry.get(key).uid != uid
        except NotFound:
            return True

    async def _record(self, intent: Record) -> None:
        await self._registry.record(
            intent.about, intent.type, intent.reason, intent.message, intent.component
        )


def controller_user(name: str) -> dict[str, Any]:
    """A controller as policies know it: "replicaset-controller" is a service account.

    Source: Kubernetes docs, "Using RBAC Authorization", "Roles for built-in controllers".
    """
    group = "system:serviceaccounts"
    return {
        "username": f"system:serviceaccount:kube-system:{name}",
        "groups": [group, f"{group}:kube-system", "system:authenticated"],
    }


async def together(run: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Runs coroutines at the same time and waits for all; raises the worst failure.

    A failure that is no Conflict is worse than a Conflict. Cancelling cancels and awaits them all.
    """
    coroutines = list(run)
    if len(coroutines) == 1:
        await coroutines[0]
        return
    tasks = [spawn(work, name="carry-out") for work in coroutines]
    try:
        await asyncio.wait(tasks)
    except asyncio.CancelledError:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        raise
    errors = [error for task in tasks if (error := task.exception()) is not None]
    for error in errors:
        if not isinstance(error, Conflict):
            raise error
    if errors:
        raise errors[0]


def _controller_uid(document: Any) -> str:
    for owner in document["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            return str(owner["uid"])
    return ""
