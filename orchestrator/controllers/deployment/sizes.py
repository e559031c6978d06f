"""How many pods each ReplicaSet of a Deployment should have: Kubernetes' arithmetic. Pure.

Source: Kubernetes concepts, "Deployments" (max surge, max unavailable, proportional scaling);
k8s.io/kubernetes/pkg/controller/deployment/util.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from orchestrator.api.types.apps import DeploymentSpec, RollingUpdate

_PERCENT: Final = "%"


@dataclass(frozen=True, slots=True)
class Bounds:
    """A Deployment's size and how far a rollout may leave it.

    Attributes:
        replicas: `spec.replicas`.
        surge: pods allowed above it.
        unavailable: pods allowed to be missing below it; for Recreate 0, as Kubernetes counts
            availability.
    """

    replicas: int
    surge: int
    unavailable: int

    @property
    def most(self) -> int:
        """Pods that there may be at once."""
        return self.replicas + self.surge

    @property
    def least_available(self) -> int:
        """Pods that must be available."""
        return self.replicas - self.unavailable


@dataclass(frozen=True, slots=True)
class Size:
    """One ReplicaSet as the arithmetic sees it.

    Attributes:
        name: identifies it.
        replicas: `spec.replicas`.
        available: available pods, never more than `replicas`.
        age: orders by creation, smaller is older; ties are broken by name.
        most_before: its max-replicas annotation; 0 when it has none.
    """

    name: str
    replicas: int
    available: int
    age: str
    most_before: int = 0


def bounds_of(spec: DeploymentSpec) -> Bounds:
    """The bounds that a Deployment's strategy sets."""
    if spec.strategy.type != "RollingUpdate":
        return Bounds(spec.replicas, 0, 0)
    rolling = spec.strategy.rolling_update or RollingUpdate()
    surge = scaled(rolling.max_surge, spec.replicas, up=True)
    unavailable = scaled(rolling.max_unavailable, spec.replicas, up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1  # both may round to nothing; then nothing could ever be replaced
    return Bounds(spec.replicas, surge, min(unavailable, spec.replicas))


def scaled(value: int | str, total: int, *, up: bool) -> int:
    """A count, or a percentage of `total` rounded up or down.

    Raises:
        ValueError: a text that is no percentage; validation keeps it out of the store.
    """
    if isinstance(value, int):
        return value
    if not value.endswith(_PERCENT):
        raise ValueError(f"{value!r} is neither a count nor a percentage")
    hundredths = int(value[:-1]) * total
    return -(-hundredths // 100) if up else hundredths // 100


def new_size(bounds: Bounds, new_replicas: int, total: int) -> int:
    """What the new ReplicaSet grows (or shrinks) to in this step of a rolling update.

    Args:
        bounds: of the Deployment.
        new_replicas: `spec.replicas` of the new ReplicaSet now.
        total: of all ReplicaSets together.
    """
    if new_replicas >= bounds.replicas:
        return bounds.replicas
    room = max(0, bounds.most - total)
    return new_replicas + min(room, bounds.replicas - new_replicas)


def old_sizes(bounds: Bounds, new: Size, old: Sequence[Size]) -> dict[str, int]:
    """What the old ReplicaSets shrink to in this step: pods that are not available go first.

    Returns name to size for those that change. Pods of the new ReplicaSet that are not available
    yet hold the old ones back.
    """
    ordered = sorted(old, key=lambda size: (size.age, size.name))
    left = {size.name: size.replicas for size in ordered}
    total = sum(left.values()) + new.replicas
    new_unavailable = new.replicas - new.available
    room = total - bounds.least_available - new_unavailable
    if room <= 0:
        return {}
    for size in ordered:
        unhealthy = min(room, left[size.name] - min(size.available, left[size.name]))
        left[size.name] -= unhealthy
        room -= unhealthy
    available = new.available + sum(size.available for size in old)
    spare = max(0, available - bounds.least_available)
    for size in ordered:
        step = min(left[size.name], spare)
        left[size.name] -= step
        spare -= step
    return {size.name: left[size.name] for size in old if left[size.name] != size.replicas}


def proportional_sizes(
    bounds: Bounds, sizes: Sequence[Size], status_replicas: int
) -> dict[str, int]:
    """Sizes of all active ReplicaSets when a Deployment is scaled in the middle of a rollout.

    Each grows or shrinks in proportion to its size; what rounding leaves goes to the largest one
    (the newest of them when growing, the oldest when shrinking).

    Args:
        bounds: with the new `spec.replicas`.
        sizes: active ReplicaSets, new and old.
        status_replicas: `status.replicas` of the Deployment, for ReplicaSets without annotation.
    """
    allowed = bounds.most if bounds.replicas > 0 else 0
    to_add = allowed - sum(size.replicas for size in sizes)
    oldest_first = sorted(sizes, key=lambda size: (size.age, size.name))
    ordered = list(reversed(oldest_first)) if to_add > 0 else oldest_first
    ordered.sort(key=lambda size: -size.replicas)
    result: dict[str, int] = {}
    added = 0
    for size in ordered:
        share = _share(bounds, size, status_replicas, to_add, added)
        added += share
        result[size.name] = size.replicas + share
    if ordered and to_add:
        first = ordered[0].name
        result[first] = max(0, result[first] + to_add - added)
    return result


def _share(bounds: Bounds, size: Size, status_replicas: int, to_add: int, added: int) -> int:
    if size.replicas == 0 or to_add in {0, added}:
        return 0
    fraction = _fraction(bounds, size, status_replicas)
    allowed = to_add - added
    return min(fraction, allowed) if to_add > 0 else max(fraction, allowed)


def _fraction(bounds: Bounds, size: Size, status_replicas: int) -> int:
    if bounds.replicas == 0:
        return -size.replicas
    before = size.most_before or status_replicas
    if before == 0:
        return 0
    return math.floor(size.replicas * bounds.most / before + 0.5) - size.replicas
