"""Runs a scenario on a copy and says what came of it.

First the copy settles by itself: what is on its way anyway is not the scenario's doing. Then the
scenario happens, all at one moment, and time goes on until nothing moves any more.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from orchestrator.kit.aio.virtual import LoopClock, VirtualLoop
from orchestrator.kit.errors import ApiError, ConfigError
from orchestrator.kit.ids import Uid
from orchestrator.registry.options import Patch, WriteOptions
from orchestrator.registry.registry import Registry
from orchestrator.simulation.budgets import Budgets
from orchestrator.simulation.copied import Copied
from orchestrator.simulation.drain import Drain
from orchestrator.simulation.outcome import Blocked, Outcome, Seen, Waiting, moves, seen
from orchestrator.simulation.plane import Plane, PlaneSettings
from orchestrator.simulation.scenario import Applied, Scenario

Pods = Mapping[Uid, Seen]
_REFUSALS: Final = frozenset({"FailedCreate", "FailedDaemonPod"})


def simulate(copied: Copied, scenario: Scenario, settings: PlaneSettings, now_s: float) -> Outcome:
    """What the scenario would do; blocks for as long as the work takes, and waits for nothing.

    Args:
        copied: the state.
        scenario: what happens to it.
        settings: of the server.
        now_s: wall seconds at the start.

    Raises:
        ConfigError: objects that would be refused, each with its place.
    """
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(_run(copied, scenario, settings, LoopClock(now_s)))


async def _run(
    copied: Copied, scenario: Scenario, settings: PlaneSettings, clock: LoopClock
) -> Outcome:
    async with Plane.running(copied, clock, settings) as plane:
        snapshot = plane.informers.snapshot
        given = {uid: pod.node for uid, pod in seen(snapshot).items()}
        calm = await plane.settled()
        before = seen(snapshot)
        told = _refusals(plane)
        budgets, drain = Budgets(plane.informers, clock), None
        began_s = clock.monotonic()
        with budgets.watched():
            await plane.hosts.add(scenario.nodes)
            await _apply(plane.registry, scenario.applied)
            await plane.hosts.fail(scenario.fail)
            if scenario.drain:
                drain = Drain(plane.registry, snapshot, scenario.drain)
                plane.go("drain", drain.run)
            settled = await plane.settled()
        took_s = clock.monotonic() - began_s
        after = seen(snapshot)
        found, lost = moves(before, after, scenario.fail)
        return Outcome(
            hosts=len(copied.get("nodes", ())),
            pods=len(copied.get("pods", ())),
            settled=settled,
            seconds=round(took_s, 1),
            moves=found,
            lost=lost,
            waiting=_waiting(plane, before, after),
            broken=budgets.broken(),
            blocked=_blocked(drain, after) if drain is not None else [],
            refused=sorted(_refusals(plane) - told),
            notes=_notes(given, before, drain, calm=calm),
        )


async def _apply(registry: Registry, applied: Sequence[Applied]) -> None:
    problems: list[str] = []
    options = WriteOptions(field_validation="Strict")
    for one in applied:
        key = one.key
        try:
            if one.patch is None:
                await registry.create(key.resource, key.namespace, one.document, options=options)
            elif one.patch:
                await registry.patch(key, Patch("strategic", one.patch), options=options)
        except ApiError as error:
            problems.append(f"{one.place}: {error.message}")
    if problems:
        raise ConfigError(problems)


def _waiting(plane: Plane, before: Pods, after: Pods) -> list[Waiting]:
    found: list[Waiting] = []
    for uid, pod in after.items():
        item = plane.store.get(pod.key)
        if pod.node or pod.leaving or item is None:
            continue
        why = plane.scheduler.explain(item).summary
        waited = uid in before and not before[uid].node
        found.append(Waiting(*pod.workload, pod=pod.key.name, why=why, before=waited))
    return found


def _blocked(drain: Drain, after: Pods) -> list[Blocked]:
    pods = {pod.key: pod for pod in after.values()}
    return [
        Blocked(*pods[key].workload, pod=key.name, node=pods[key].node, why=why)
        for key, why in sorted(drain.refused.items())
        if key in pods
    ]


def _notes(given: Mapping[Uid, str], before: Pods, drain: Drain | None, *, calm: bool) -> list[str]:
    found: list[str] = []
    moved = sum(uid not in before or before[uid].node != node for uid, node in given.items())
    moved += sum(uid not in given for uid in before)
    if moved:
        found.append(
            f"pods that were on their way already: {moved}; compared with where they get to"
        )
    if not calm:
        found.append("without the scenario, too, this state does not come to rest")
    delayed = len(drain.delayed - set(drain.refused)) if drain is not None else 0
    if delayed:
        found.append(f"evictions that have to wait for a disruption budget first: {delayed}")
    return found


def _refusals(plane: Plane) -> set[str]:
    """What controllers could not make: the messages of their events."""
    return {
        f"{about['kind'].lower()}/{about['name']} in {item.key.namespace}: {item.doc['message']}"
        for item in plane.store.list("events")
        if item.doc.get("reason") in _REFUSALS
        for about in (item.doc["involvedObject"],)
    }
