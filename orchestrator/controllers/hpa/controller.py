"""Runs the autoscaling plan: at an interval, and at once when an autoscaler's spec changes."""

import random
from collections.abc import Iterable, Sequence
from typing import Final

from orchestrator.api.labels import Selector, parse_label_selector
from orchestrator.api.resources import Resource
from orchestrator.api.scale import has_scale, read_scale
from orchestrator.api.types.autoscaling import HorizontalPodAutoscaler
from orchestrator.api.types.pod import Pod
from orchestrator.controllers.hpa.pace import History
from orchestrator.controllers.hpa.plan import COMPONENT, Facts, Target, plan, plan_failure
from orchestrator.controllers.hpa.settings import AutoscalingSettings
from orchestrator.kit.clock import Clock
from orchestrator.kit.errors import ApiError
from orchestrator.kit.ids import ObjectKey
from orchestrator.reconcile import owners
from orchestrator.reconcile.controller import CarryOut, Controller, Source
from orchestrator.reconcile.informers import Informers
from orchestrator.reconcile.intents import Intent, Record
from orchestrator.reconcile.snapshot import Snapshot, metadata_of, view_as
from orchestrator.reconcile.usage import UsageSource
from orchestrator.registry.catalog import LiveCatalog
from orchestrator.store.objects import StoredObject, StoreEvent

AUTOSCALERS: Final = "horizontalpodautoscalers.autoscaling"
_NEW: Final = History()


def hpa_controller(
    informers: Informers,
    carry_out: CarryOut,
    clock: Clock,
    rng: random.Random,
    catalog: LiveCatalog,
    usage: UsageSource,
    settings: AutoscalingSettings,
) -> Controller:
    """The controller; `run` it.

    Args:
        informers: tells of writes.
        carry_out: `Executor.carry_out`.
        clock: tells when.
        rng: spreads retries.
        catalog: which kinds can be scaled.
        usage: what pods use.
        settings: how often, and how careful.
    """
    reader = _Reader(informers.snapshot, clock, catalog, usage, settings)
    return Controller(
        COMPONENT,
        informers,
        [Source(AUTOSCALERS, reader.changed)],
        reader.plan,
        carry_out,
        workers=4,
        rng=rng,
        on_error=reader.failure,
    )


class _Reader:
    def __init__(
        self,
        snapshot: Snapshot,
        clock: Clock,
        catalog: LiveCatalog,
        usage: UsageSource,
        settings: AutoscalingSettings,
    ) -> None:
        self._snapshot = snapshot
        self._clock = clock
        self._catalog = catalog
        self._usage = usage
        self._settings = settings
        self._histories: dict[str, History] = {}
        self._last: dict[ObjectKey, Sequence[Intent]] = {}

    def changed(self, event: StoreEvent) -> Iterable[ObjectKey]:
        """An autoscaler whose spec is another one now; its status is written here."""
        item, before = event.object, event.previous
        if event.type == "DELETED":
            self._histories.pop(item.uid, None)
            self._last.pop(item.key, None)
        elif before is None or _spec(before) != _spec(item):
            yield item.key

    def plan(self, key: ObjectKey) -> Sequence[Intent]:
        item = self._snapshot.get(key)
        if item is None or owners.is_deleting(item):
            return []
        outcome = plan(self._facts(item), self._settings, self._clock.wall())
        self._histories[item.uid] = outcome.history
        self._last[key] = outcome.intents
        return outcome.intents

    def failure(self, key: ObjectKey, error: ApiError) -> Sequence[Intent]:
        item = self._snapshot.get(key)
        history = self._histories.get(item.uid, _NEW) if item is not None else _NEW
        if item is None or history.asked is None:
            return []
        told = (i.message for i in self._last.get(key, ()) if isinstance(i, Record))
        why = next((text.partition("; reason: ")[2] for text in told), "")
        now_s = self._clock.wall()
        return plan_failure(item, history.asked[2], why, error.message, now_s)

    def _facts(self, item: StoredObject) -> Facts:
        history = self._histories.get(item.uid, _NEW)
        target = self._target(item)
        if isinstance(target, str):
            return Facts(item, target, history=history)
        selector = _selector(target)
        pods = self._pods(item.key.namespace, selector) if selector else []
        usage = {pod.key.name: found for pod in pods if (found := self._usage.pod_usage(pod))}
        rivals = self._rivals(item, pods)
        return Facts(item, target, [view_as(pod, Pod) for pod in pods], usage, rivals, history)

    def _target(self, item: StoredObject) -> Target | str:
        reference = view_as(item, HorizontalPodAutoscaler).spec.scale_target_ref
        if reference.api_version.count("/") > 1:
            return f"unexpected GroupVersion string: {reference.api_version}"
        group = reference.api_version.rpartition("/")[0]
        rows = [
            row
            for row in self._catalog.current.rows
            if row.group == group and row.kind == reference.kind and row.stored
        ]
        if not rows:
            return f'no matches for kind "{reference.kind}" in group "{group}"'
        row = next((row for row in rows if row.api_version == reference.api_version), rows[0])
        if not has_scale(row):
            return "the server could not find the requested resource"
        found = self._snapshot.get(
            ObjectKey(row.resource, item.key.namespace if row.namespaced else "", reference.name)
        )
        if found is None:
            return f'{_scale_name(row)} "{reference.name}" not found'
        try:
            return Target(found, row, read_scale(row, found.doc))
        except ApiError as error:
            return error.message

    def _pods(self, namespace: str, selector: Selector) -> list[StoredObject]:
        pods = self._snapshot.list("pods", namespace)
        return [pod for pod in pods if selector.matches(metadata_of(pod).labels)]

    def _rivals(self, item: StoredObject, pods: Sequence[StoredObject]) -> list[ObjectKey]:
        """All autoscalers of the namespace that have one of these pods."""
        rivals = []
        for other in self._snapshot.list(AUTOSCALERS, item.key.namespace):
            target = self._target(other)
            selector = None if isinstance(target, str) else _selector(target)
            if selector and any(selector.matches(metadata_of(pod).labels) for pod in pods):
                rivals.append(other.key)
        return rivals


def _spec(item: StoredObject) -> object:
    return item.doc.get("spec")


def _selector(target: Target) -> Selector | None:
    if not target.scale.selector:
        return None
    try:
        return parse_label_selector(target.scale.selector)
    except ValueError:
        return None


def _scale_name(row: Resource) -> str:
    """As "deployments/scale.apps"; custom kinds go without the subresource."""
    if row.custom is not None:
        return row.resource
    plural, dot, group = row.resource.partition(".")
    return f"{plural}/scale{dot}{group}"
