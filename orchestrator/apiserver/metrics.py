"""Metrics of the API server, under the names that Kubernetes dashboards know.

Source: Kubernetes metrics reference (apiserver_request_total and neighbours).
"""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from typing import Any, Final

from litestar.types import Scope
from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

_LABELS_KEY: Final = "orch.labels"
_CODE_KEY: Final = "orch.code"
_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


def set_labels(scope: Scope, verb: str, resource: str) -> None:
    """Names a request's verb ("GET", "LIST", "WATCH", ...) and resource for its metrics."""
    fields: Any = scope
    fields[_LABELS_KEY] = (verb, resource)


def set_code(scope: Scope, code: int) -> None:
    """Says how a request was answered, where no message tells of it."""
    fields: Any = scope
    fields[_CODE_KEY] = code


def code_of(scope: Scope) -> int:
    """What `set_code` said; 0 where it said nothing."""
    fields: Any = scope
    found: int = fields.get(_CODE_KEY, 0)
    return found


def labels_of(scope: Scope) -> tuple[str, str]:
    """Verb and resource of a request; the HTTP method and "" where nothing better is known."""
    fields: Any = scope
    found: tuple[str, str] = fields.get(_LABELS_KEY) or (fields.get("method", ""), "")
    return found


class _Times:
    """How many requests took how long."""

    __slots__ = ("buckets", "sum_s")

    def __init__(self) -> None:
        self.buckets = [0] * (len(_BUCKETS) + 1)  # those that took longer than all last
        self.sum_s = 0.0


class ApiMetrics(Collector):
    """Counts and times requests and watches, in a collector registry of the caller.

    Requests are counted here, and shown when somebody looks: the library's own counters, with their
    locks, would be a tenth of what a GET costs.
    """

    def __init__(self, collector: CollectorRegistry) -> None:
        self.collector = collector
        self._counts: dict[tuple[str, str, int], int] = {}
        self._times: dict[tuple[str, str], _Times] = {}
        self._sent: dict[str, Counter] = {}
        self._long_running = Gauge(
            "apiserver_longrunning_requests",
            "Open watches and log streams.",
            ("verb", "resource"),
            registry=collector,
        )
        collector.register(self)
        self._watch_events = Counter(
            "apiserver_watch_events",
            "Events sent to watchers.",
            ("resource",),
            registry=collector,
        )

    def request_done(
        self, verb: str, resource: str, code: int, took_s: float, *, streamed: bool = False
    ) -> None:
        """Counts a finished request, and times it unless it was a stream."""
        place = (verb, resource, code)
        self._counts[place] = self._counts.get(place, 0) + 1
        if not streamed:
            times = self._times.get((verb, resource))
            if times is None:
                times = self._times[verb, resource] = _Times()
            times.buckets[bisect_left(_BUCKETS, took_s)] += 1
            times.sum_s += took_s

    def collect(self) -> Iterator[Metric]:
        """What the registry asks for; on a thread of its own, so from copies."""
        requests = CounterMetricFamily(
            "apiserver_request",
            "Requests by verb, resource and HTTP code.",
            labels=("verb", "resource", "code"),
        )
        for (verb, resource, code), count in tuple(self._counts.items()):
            requests.add_metric((verb, resource, str(code)), count)
        yield requests
        durations = HistogramMetricFamily(
            "apiserver_request_duration_seconds",
            "Time to answer requests other than watches and log streams.",
            labels=("verb", "resource"),
        )
        for place, times in tuple(self._times.items()):
            ends = (*map(floatToGoString, _BUCKETS), "+Inf")
            buckets = list(zip(ends, accumulate(tuple(times.buckets)), strict=True))
            durations.add_metric(place, buckets, times.sum_s)
        yield durations

    def stream_opened(self, verb: str, resource: str) -> None:
        """Counts a watch or log stream in."""
        self._long_running.labels(verb, resource).inc()

    def stream_closed(self, verb: str, resource: str) -> None:
        """Counts it out."""
        self._long_running.labels(verb, resource).dec()

    def events_sent(self, resource: str, count: int) -> None:
        """Counts watch events."""
        series = self._sent.get(resource)
        if series is None:
            series = self._sent[resource] = self._watch_events.labels(resource)
        series.inc(count)
