"""What an autoscaler does next: another number of replicas, its status, what it tells. Pure.

Neighbours: `metrics` (what is measured), `proposal` (what one metric asks for), `pace` (what is
done about it).
Source: Kubernetes concepts, "Horizontal Pod Autoscaling"; conditions and events as its controller.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from orchestrator.api.labels import parse_label_selector
from orchestrator.api.resources import Resource
from orchestrator.api.scale import Scale, replicas_patch
from orchestrator.api.types.autoscaling import HorizontalPodAutoscaler
from orchestrator.api.types.pod import Pod
from orchestrator.controllers.hpa.metrics import Found, Measured, measure
from orchestrator.controllers.hpa.pace import History, paced
from orchestrator.controllers.hpa.settings import AutoscalingSettings
from orchestrator.kit.clock import rfc3339
from orchestrator.kit.ids import ObjectKey
from orchestrator.reconcile.intents import Intent, Patch, Record, RequeueAfter
from orchestrator.reconcile.snapshot import view_as
from orchestrator.reconcile.statuses import conditions_of, stamped, status_of, status_patch
from orchestrator.reconcile.usage import PodUsage
from orchestrator.store.objects import StoredObject

COMPONENT: Final = "horizontal-pod-autoscaler"
_ABLE: Final = "AbleToScale"
_ACTIVE: Final = "ScalingActive"
_LIMITED: Final = "ScalingLimited"
_UNABLE: Final = "the HPA controller was unable to get the target's current scale: {}"
_Truth = Literal["True", "False"]


@dataclass(frozen=True, slots=True)
class Target:
    """What is scaled.

    Attributes:
        item: the object.
        resource: the row that it is served at.
        scale: of it.
    """

    item: StoredObject
    resource: Resource
    scale: Scale


@dataclass(frozen=True, slots=True)
class Facts:
    """What a plan is made from.

    Attributes:
        autoscaler: the HorizontalPodAutoscaler.
        target: what it scales; in words why that cannot be told.
        pods: that the target's selector matches.
        usage: by name of the pod, where something recent is known.
        rivals: all autoscalers that have some of these pods, this one among them.
        history: what the autoscaler remembers.
    """

    autoscaler: StoredObject
    target: Target | str
    pods: Sequence[Pod] = ()
    usage: Mapping[str, PodUsage] | None = None
    rivals: Sequence[ObjectKey] = ()
    history: History = field(default_factory=History)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is to be done, and what the autoscaler remembers of it."""

    intents: list[Intent]
    history: History


class _Told:
    """Conditions and events in the making; what an earlier look told already is not told again."""

    def __init__(self, item: StoredObject, now_s: float) -> None:
        self._item = item
        self._now_s = now_s
        self.conditions = {c["type"]: c for c in conditions_of(item)}
        self.troubles: dict[tuple[str, str], None] = {}

    def set(self, kind: str, truth: _Truth, reason: str, message: str) -> None:
        """Sets a condition."""
        before = self.conditions.get(kind)
        self.conditions[kind] = stamped(before, truth, reason, message, self._now_s, kind)

    def trouble(self, reason: str, message: str) -> None:
        """Something that an event tells about."""
        self.troubles[reason, message] = None

    def warnings(self, told: frozenset[tuple[str, str]]) -> list[Intent]:
        """Events of the troubles that were not told yet."""
        return [
            Record(self._item.key, "Warning", reason, message, COMPONENT)
            for reason, message in self.troubles
            if (reason, message) not in told
        ]


def plan(facts: Facts, settings: AutoscalingSettings, now_s: float) -> Outcome:
    """What to do next: the target's replicas first, then events, then the status.

    Args:
        facts: see there.
        settings: see there.
        now_s: wall seconds.
    """
    told = _Told(facts.autoscaler, now_s)
    again = RequeueAfter(settings.sync_s)
    if isinstance(facts.target, str):
        told.trouble("FailedGetScale", facts.target)
        told.set(_ABLE, "False", "FailedGetScale", _UNABLE.format(facts.target))
        return _outcome(facts, told, facts.history, {}, again)
    current = facts.target.scale.replicas
    text = "the HPA controller was able to get the target's current scale"
    told.set(_ABLE, "True", "SucceededGetScale", text)
    history = facts.history.seen(current, now_s)
    wish = _wish(facts, facts.target, settings, told, history, now_s)
    history = replace(history, recommendations=wish.history.recommendations)
    status: dict[str, Any] = {"currentReplicas": current, "currentMetrics": wish.metrics}
    if wish.replicas is None:
        return _outcome(facts, told, history, status, again)
    status["desiredReplicas"] = wish.replicas
    if wish.replicas == current:
        return _outcome(facts, told, history, status, again)
    status["lastScaleTime"] = rfc3339(now_s)
    text = f"the HPA controller was able to update the target scale to {wish.replicas}"
    told.set(_ABLE, "True", "SucceededRescale", text)
    history = replace(history, asked=(now_s, current, wish.replicas))
    outcome = _outcome(facts, told, history, status, again)
    item = facts.target.item
    change = replicas_patch(facts.target.resource, wish.replicas)
    message = f"New size: {wish.replicas}; reason: {wish.why}"
    rescale: list[Intent] = [
        Patch(item.key, change, expected=item.revision, uid=item.uid),
        Record(facts.autoscaler.key, "Normal", "SuccessfulRescale", message, COMPONENT),
    ]
    return replace(outcome, intents=rescale + outcome.intents)


def plan_failure(
    item: StoredObject, replicas: int, why: str, error: str, now_s: float
) -> list[Intent]:
    """What to tell when the target did not take its new number of replicas."""
    told = _Told(item, now_s)
    text = f"the HPA controller was unable to update the target scale: {error}"
    told.set(_ABLE, "False", "FailedUpdateScale", text)
    message = f"New size: {replicas}; reason: {why}; error: {error}"
    status = {**status_of(item), "conditions": list(told.conditions.values())}
    patch = status_patch(item, status)
    if patch is None:
        return []  # told before
    return [patch, Record(item.key, "Warning", "FailedRescale", message, COMPONENT)]


@dataclass(frozen=True, slots=True)
class _Wish:
    """Replicas (None: they cannot be told), why, and what was measured on the way."""

    replicas: int | None
    why: str
    metrics: list[dict[str, Any]]
    history: History


def _wish(
    facts: Facts,
    target: Target,
    settings: AutoscalingSettings,
    told: _Told,
    history: History,
    now_s: float,
) -> _Wish:
    spec = view_as(facts.autoscaler, HorizontalPodAutoscaler).spec
    current = target.scale.replicas
    if current == 0 and spec.min_replicas != 0:
        text = "scaling is disabled since the replica count of the target is zero"
        told.set(_ACTIVE, "False", "ScalingDisabled", text)
        return _Wish(0, "", [], history)
    if current > spec.max_replicas:
        why = "Current number of replicas above Spec.MaxReplicas"
        return _Wish(spec.max_replicas, why, [], history)
    if current < spec.min_replicas:
        why = "Current number of replicas below Spec.MinReplicas"
        return _Wish(spec.min_replicas, why, [], history)
    if not _selects(facts, target, told):
        return _Wish(None, "", [], history)
    key = facts.autoscaler.key
    found = Found(key.namespace, current, facts.pods, facts.usage or {}, now_s)
    measured = measure(spec, found, settings)
    metrics = [one.status for one in measured]
    best = _best(measured, current, told)
    if best is None or best.replicas is None:
        return _Wish(None, "", metrics, history)
    window_s = settings.downscale_stabilization_s
    done = paced(spec, history, current, best.replicas, window_s, now_s)
    told.set(_ABLE, "True", *done.able)
    told.set(_LIMITED, "True" if done.is_limited else "False", *done.limited)
    why = f"{best.name} above target" if best.replicas > current else "All metrics below target"
    return _Wish(done.replicas, why, metrics, history.recommended(best.replicas, now_s))


def _selects(facts: Facts, target: Target, told: _Told) -> bool:
    """Whether the target says which pods are its own, and nobody else scales them."""
    if not target.scale.selector:
        told.trouble("SelectorRequired", "selector is required")
        text = "the HPA target's scale is missing a selector"
        told.set(_ACTIVE, "False", "InvalidSelector", text)
        return False
    selector = target.scale.selector
    try:
        parse_label_selector(selector)
    except ValueError as error:
        text = f"couldn't convert selector into a corresponding internal selector object: {error}"
        told.trouble("InvalidSelector", text)
        told.set(_ACTIVE, "False", "InvalidSelector", text)
        return False
    if len(facts.rivals) > 1:
        names = " ".join(f"{{{key.name} {key.namespace}}}" for key in facts.rivals)
        text = f"pods by selector {selector} are controlled by multiple HPAs: [{names}]"
        told.trouble("AmbiguousSelector", text)
        told.set(_ACTIVE, "False", "AmbiguousSelector", text)
        return False
    return True


def _best(measured: Sequence[Measured], current: int, told: _Told) -> Measured | None:
    """The metric that asks for most; None when that cannot be trusted.

    With some metrics failing the others may ask for more replicas, never for fewer.
    """
    valid = [one for one in measured if one.replicas is not None]
    failing = [one for one in measured if one.replicas is None]
    for one in failing:
        told.trouble(one.reason, one.trouble)
    best = max(valid, key=lambda one: one.replicas or 0, default=None)
    if failing and (best is None or (best.replicas or 0) < current):
        first = failing[0]
        text = f"the HPA was unable to compute the replica count: {first.trouble}"
        told.set(_ACTIVE, "False", first.reason, text)
        count = f"{len(failing)} invalid out of {len(measured)}"
        text = f"invalid metrics ({count}), first error is: {first.within}: {first.trouble}"
        told.trouble("FailedComputeMetricsReplicas", text)
        return None
    if best is not None:
        text = f"the HPA was able to successfully calculate a replica count from {best.name}"
        told.set(_ACTIVE, "True", "ValidMetricFound", text)
    return best


def _outcome(
    facts: Facts, told: _Told, history: History, changes: Mapping[str, Any], again: RequeueAfter
) -> Outcome:
    """Events, the status with these fields changed, and when to look again."""
    intents = told.warnings(facts.history.told)
    status = {**status_of(facts.autoscaler), **changes}
    status["conditions"] = list(told.conditions.values())
    status.setdefault("desiredReplicas", 0)
    if not status.get("currentMetrics"):
        status.pop("currentMetrics", None)
    patch = status_patch(facts.autoscaler, status)
    if patch is not None:
        intents.append(patch)
    intents.append(again)
    return Outcome(intents, replace(history, told=frozenset(told.troubles)))
