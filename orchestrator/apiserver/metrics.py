"""Metrics of the API server, under the names that Kubernetes dashboards know.

Source: Kubernetes metrics reference (apiserver_request_total and neighbours).
"""

from typing import Any, Final

from litestar.types import Scope
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_LABELS_KEY: Final = "orch.labels"
_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


def set_labels(scope: Scope, verb: str, resource: str) -> None:
    """Names a request's verb ("GET", "LIST", "WATCH", ...) and resource for its metrics."""
    fields: Any = scope
    fields[_LABELS_KEY] = (verb, resource)


def labels_of(scope: Scope) -> tuple[str, str]:
    """Verb and resource of a request; the HTTP method and "" where nothing better is known."""
    fields: Any = scope
    found: tuple[str, str] = fields.get(_LABELS_KEY) or (fields.get("method", ""), "")
    return found


class ApiMetrics:
    """Counts and times requests and watches, in a collector registry of the caller."""

    def __init__(self, collector: CollectorRegistry) -> None:
        self.collector = collector
        self._series: dict[tuple[str, str, int], tuple[Counter, Histogram | None]] = {}
        self._sent: dict[str, Counter] = {}
        self._requests = Counter(
            "apiserver_request",
            "Requests by verb, resource and HTTP code.",
            ("verb", "resource", "code"),
            registry=collector,
        )
        self._durations = Histogram(
            "apiserver_request_duration_seconds",
            "Time to answer requests other than watches and log streams.",
            ("verb", "resource"),
            buckets=_BUCKETS,
            registry=collector,
        )
        self._long_running = Gauge(
            "apiserver_longrunning_requests",
            "Open watches and log streams.",
            ("verb", "resource"),
            registry=collector,
        )
        self._watch_events = Counter(
            "apiserver_watch_events",
            "Events sent to watchers.",
            ("resource",),
            registry=collector,
        )

    def request_done(self, scope: Scope, code: int, took_s: float, *, streamed: bool) -> None:
        """Counts a finished request."""
        verb, resource = labels_of(scope)
        place = (verb, resource, code)
        if place not in self._series:  # looking a series up by its labels costs more than counting
            self._series[place] = (
                self._requests.labels(verb, resource, str(code)),
                None if streamed else self._durations.labels(verb, resource),
            )
        requests, durations = self._series[place]
        requests.inc()
        if not streamed:
            if durations is None:
                durations = self._durations.labels(verb, resource)
                self._series[place] = (requests, durations)
            durations.observe(took_s)

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
