"""From samples of one host's counters to what is used: pure, times are given.

Processor time is a counter: two samples make a rate. New containers are sampled again soon, so
that they are known within seconds, and then in step with the others.
Source: Kubernetes, "Resource metrics pipeline"; metrics-server.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from orchestrator.reconcile.usage import NodeUsage, PodUsage, Usage

Place = tuple[str, str]
"""A container's pod uid and its name."""

_HOST: Final = ""
_SHORTEST_S: Final = 10.0
"""Rates over less are too noisy to be used when there is something better."""
_STALE: Final = 2.5
"""Intervals after which a measured value is of no worth any more."""


@dataclass(frozen=True, slots=True)
class _Sample:
    at_s: float
    monotonic_s: float
    cpu_s: float
    memory_bytes: int


@dataclass(slots=True)
class _Series:
    """The last samples of one counter: the first is where the rate's window begins."""

    samples: list[_Sample] = field(default_factory=list)

    def add(self, sample: _Sample) -> None:
        if self.samples and sample.cpu_s < self.samples[-1].cpu_s:
            self.samples.clear()  # it was started again: the counter began anew
        while (
            len(self.samples) > 1
            and sample.monotonic_s - self.samples[1].monotonic_s >= _SHORTEST_S
        ):
            del self.samples[0]
        self.samples.append(sample)

    def measured(self) -> tuple[Usage, float, float] | None:
        """Usage, end and length of its window."""
        first, last = self.samples[0], self.samples[-1]
        window_s = last.monotonic_s - first.monotonic_s
        if window_s <= 0:
            return None
        nanocores = round((last.cpu_s - first.cpu_s) / window_s * 1e9)
        return Usage(nanocores, last.memory_bytes), last.at_s, window_s


class HostUsage:
    """What one host's containers use, and the host as a whole."""

    def __init__(self, every_s: float, first_s: float) -> None:
        """Makes one that knows nothing yet.

        Args:
            every_s: between samples of everything.
            first_s: between the first two samples of a container.
        """
        self._every_s = every_s
        self._first_s = first_s
        self._series: dict[str, _Series] = {}
        self._places: Mapping[str, Place] = {}
        self._missing: set[str] = set()
        self._last_s: float | None = None
        self._settled: Mapping[str, Place] | None = None

    def clear(self) -> None:
        """Nothing is known of the host any more."""
        self._series.clear()
        self._places = {}
        self._last_s = None
        self._settled = None

    def due(self, running: Mapping[str, Place], now_s: float) -> list[str] | None:
        """Ids of the containers to be sampled now; None when it is not time for any.

        What is given counts as sampled: a round whose call fails is left out.

        Args:
            running: the containers that run, by id; the same ones while it is the same mapping.
            now_s: wall seconds.
        """
        if self._last_s is None or now_s - self._last_s >= self._every_s:
            self._last_s = now_s
            self._missing.clear()
            return sorted(running)
        if running is self._settled:
            return None
        wanted = [one for one in (_HOST, *running) if one not in self._missing]
        if all(len(self._samples(one)) > 1 for one in wanted):
            self._settled = running
            return None
        new = [one for one in wanted if self._is_new(one, now_s)]
        return sorted(one for one in new if one != _HOST) if new else None

    def take(
        self,
        answer: Mapping[str, Any],
        asked: list[str],
        running: Mapping[str, Place],
        now_s: float,
    ) -> None:
        """Takes in the shim's answer to `usage`.

        Args:
            answer: see agentshim.
            asked: what `due` gave.
            running: the containers that run, by id.
            now_s: wall seconds.
        """
        monotonic_s, host = float(answer["monotonic_s"]), answer["host"]
        self._add(_HOST, host, now_s, monotonic_s, "memory_bytes")
        found = answer["containers"]
        for one in asked:
            if one in found:
                self._add(one, found[one], now_s, monotonic_s, "working_set_bytes")
            else:
                self._series.pop(one, None)
                self._missing.add(one)  # looking for it costs: not before the next round
        for one in [one for one in self._series if one != _HOST and one not in running]:
            del self._series[one]
        self._places = running

    def node(self, now_s: float) -> NodeUsage | None:
        """What the host uses; None when nothing recent is known."""
        found = self._recent(_HOST, now_s)
        if found is None:
            return None
        usage, at_s, window_s = found
        return NodeUsage(at_s, window_s, usage)

    def pod(self, uid: str, now_s: float) -> PodUsage | None:
        """What a pod uses; None when nothing recent is known of all its running containers."""
        containers: dict[str, Usage] = {}
        at_s, window_s = now_s, 0.0
        for one, (owner, name) in self._places.items():
            if owner != uid:
                continue
            found = self._recent(one, now_s)
            if found is None:
                return None
            containers[name] = found[0]
            at_s, window_s = min(at_s, found[1]), max(window_s, found[2])
        return PodUsage(at_s, window_s, containers) if containers else None

    def _samples(self, one: str) -> list[_Sample]:
        series = self._series.get(one)
        return series.samples if series is not None else []

    def _is_new(self, one: str, now_s: float) -> bool:
        samples = self._samples(one)
        return not samples or (len(samples) < 2 and now_s - samples[-1].at_s >= self._first_s)

    def _add(
        self, one: str, numbers: Mapping[str, Any], now_s: float, monotonic_s: float, memory: str
    ) -> None:
        sample = _Sample(now_s, monotonic_s, float(numbers["cpu_s"]), int(numbers[memory]))
        self._series.setdefault(one, _Series()).add(sample)

    def _recent(self, one: str, now_s: float) -> tuple[Usage, float, float] | None:
        series = self._series.get(one)
        found = series.measured() if series is not None else None
        if found is None or now_s - found[1] > self._every_s * _STALE:
            return None
        return found
