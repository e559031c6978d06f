"""Runs the plan of certificate signing requests."""

import random
from collections.abc import Sequence

from orchestrator.api.certificates import CSRS
from orchestrator.controllers.certificate.plan import COMPONENT, Issue, plan
from orchestrator.kit.clock import Clock
from orchestrator.kit.ids import ObjectKey
from orchestrator.reconcile.controller import CarryOut, Controller, Source, own_key
from orchestrator.reconcile.informers import Informers
from orchestrator.reconcile.intents import Intent


def certificate_controller(
    informers: Informers, carry_out: CarryOut, clock: Clock, rng: random.Random, issue: Issue
) -> Controller:
    """The controller; `run` it."""

    def plan_key(key: ObjectKey) -> Sequence[Intent]:
        return plan(informers.snapshot.get(key), issue, clock.wall())

    sources = (Source(CSRS, own_key),)
    return Controller(COMPONENT, informers, sources, plan_key, carry_out, workers=1, rng=rng)
