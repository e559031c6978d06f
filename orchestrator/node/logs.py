"""Logs of a pod's containers, from the engine's own log files.

Docker keeps one log per container over all its runs; a run's part is cut out by time: it begins
where the run before ended. Source: Kubernetes API, `pods/log`; Docker Engine API, ContainerLogs.
"""

from collections.abc import Iterable

from orchestrator.kit.clock import parse_rfc3339
from orchestrator.kit.errors import BadRequest
from orchestrator.node.observed import Memory, Run, Seen, newest
from orchestrator.node.streams import LogQuery
from orchestrator.remote.seams import LogOptions

EARLY_S = 0.09
"""A process may write before the engine notes its start; restarts are at least 100 ms apart."""


def choose(
    containers: Iterable[Seen], memory: Memory, pod: str, name: str, query: LogQuery
) -> tuple[Seen, LogOptions]:
    """The container to read, and which part of its log (pure).

    Raises:
        BadRequest: there is no such run.
    """
    of_name = sorted((c for c in containers if c.name == name), key=lambda c: c.attempt)
    run = memory.runs.get(name, Run())
    if query.previous:
        return _previous(of_name, run, pod, name, query)
    item = newest(of_name).get(name)
    if item is None or not item.ever_started:
        waiting = memory.waiting.get(name) or memory.waiting.get("")
        reason = waiting.reason if waiting else "ContainerCreating"
        raise BadRequest(f'container "{name}" in pod "{pod}" is waiting to start: {reason}')
    return item, _options(query, _begin_s(item, run), None)


def _previous(
    of_name: list[Seen], run: Run, pod: str, name: str, query: LogQuery
) -> tuple[Seen, LogOptions]:
    item = of_name[-1] if of_name else None
    if item is not None and item.info.state == "restarting":
        # between two runs: the last one, and not what comes while it is read
        finished_s = _time(item.info.finished_at)
        end_s = finished_s + EARLY_S if finished_s is not None else None
        return item, _options(query, _begin_s(item, run), end_s)
    begin_s = _begin_s(item, run) if item is not None else None
    if item is not None and run.last is not None and begin_s is not None:
        since_s = _time(run.last.started_at or "")
        return item, _options(query, since_s and since_s - EARLY_S, begin_s)
    started = [c for c in of_name[:-1] if c.ever_started]
    if started:
        return started[-1], _options(query, None, None)
    raise BadRequest(f'previous terminated container "{name}" in pod "{pod}" not found')


def _begin_s(item: Seen, run: Run) -> float | None:
    """Where the present run's part of the log begins; None for the log's beginning."""
    info = item.info
    last = run.last.container_id.removeprefix("docker://") if run.last else ""
    if not info.restart_count and last != info.id:
        return None  # its first run
    started_s, finished_s = _time(info.started_at), _time(info.finished_at)
    if started_s is None:
        return None
    ends = [finished_s, _time(run.cut)]
    before = [end for end in ends if end is not None and end <= started_s]
    return max(before, default=started_s - EARLY_S)


def _time(text: str) -> float | None:
    return parse_rfc3339(text) if text else None


def _options(query: LogQuery, begin_s: float | None, end_s: float | None) -> LogOptions:
    times = [t for t in (query.since_s, begin_s) if t is not None]
    return LogOptions(
        follow=query.follow and end_s is None,
        tail=query.tail,
        since_s=max(times) if times else None,
        until_s=end_s,
        timestamps=query.timestamps,
    )
