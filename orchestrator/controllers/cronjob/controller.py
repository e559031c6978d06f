"""Runs the CronJob plan: which writes concern which CronJob, and what its plan reads."""

import random
from collections.abc import Sequence
from typing import Final

from orchestrator.controllers.cronjob.plan import COMPONENT, Facts, plan
from orchestrator.kit.clock import Clock
from orchestrator.kit.ids import ObjectKey
from orchestrator.reconcile.claims import of_controller
from orchestrator.reconcile.controller import CarryOut, Controller, Source, own_key
from orchestrator.reconcile.informers import Informers
from orchestrator.reconcile.intents import Intent

CRON_JOBS: Final = "cronjobs.batch"


def cron_job_controller(
    informers: Informers, carry_out: CarryOut, clock: Clock, rng: random.Random
) -> Controller:
    """The controller; `run` it."""
    snapshot = informers.snapshot

    def read(key: ObjectKey) -> Sequence[Intent]:
        item = snapshot.get(key)
        if item is None:
            return []
        jobs = list(snapshot.owned_by(item.uid, "jobs.batch"))
        return plan(Facts(item, jobs), clock.wall())

    sources = (
        Source(CRON_JOBS, own_key),
        Source("jobs.batch", of_controller(CRON_JOBS, "CronJob")),
    )
    return Controller(COMPONENT, informers, sources, read, carry_out, workers=4, rng=rng)
