"""Runs the Job plan: which writes concern which Job, and what its plan reads."""

import random
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final

from orchestrator.controllers.job.census import has_finalizer
from orchestrator.controllers.job.plan import COMPONENT, Facts, plan, releases
from orchestrator.kit.clock import Clock
from orchestrator.kit.errors import ApiError
from orchestrator.kit.ids import ObjectKey
from orchestrator.reconcile import owners
from orchestrator.reconcile.claims import of_controller, pods_owned, takes_objects
from orchestrator.reconcile.controller import CarryOut, Controller, Source, own_key
from orchestrator.reconcile.informers import Informers
from orchestrator.reconcile.intents import Intent
from orchestrator.reconcile.refusals import create_refused
from orchestrator.reconcile.snapshot import Snapshot
from orchestrator.store.objects import StoredObject

JOBS: Final = "jobs.batch"
_NAME_LABEL: Final = "batch.kubernetes.io/job-name"


def job_controller(
    informers: Informers, carry_out: CarryOut, clock: Clock, rng: random.Random
) -> Controller:
    """The controller; `run` it."""
    reader = _Reader(informers.snapshot, clock, rng)
    sources = (Source(JOBS, own_key), Source("pods", of_controller(JOBS, "Job")))
    return Controller(
        COMPONENT,
        informers,
        sources,
        reader.plan,
        carry_out,
        workers=8,
        rng=rng,
        on_error=reader.failure,
        size=partial(pods_owned, informers.snapshot),
    )


class _Reader:
    def __init__(self, snapshot: Snapshot, clock: Clock, rng: random.Random) -> None:
        self._snapshot = snapshot
        self._clock = clock
        self._rng = rng

    def plan(self, key: ObjectKey) -> Sequence[Intent]:
        item = self._snapshot.get(key)
        lost = releases(self._of_another(key, item))
        if item is None:
            return lost
        accepts = takes_objects(self._snapshot, key.namespace)
        pods = list(self._snapshot.owned_by(item.uid, "pods"))
        return [*lost, *plan(Facts(item, pods, accepts), self._clock.wall(), self._rng)]

    def _of_another(self, key: ObjectKey, item: StoredObject | None) -> Iterable[StoredObject]:
        """Pods that wait for being counted by a Job of this name that is gone."""
        for pod in self._snapshot.pods_labelled(key.namespace, {_NAME_LABEL: key.name}):
            uid = owners.controller_uid(pod)
            if has_finalizer(pod) and (item is None or uid != item.uid):
                yield pod

    def failure(self, key: ObjectKey, error: ApiError) -> Sequence[Intent]:
        return create_refused(key, error, COMPONENT)
