"""What a Job needs next: pods made and deleted, ended pods counted, its status (pure).

Source: Kubernetes concepts, "Jobs"; batch/v1 API reference; KEP-2307 (each ended pod counts once).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from orchestrator.api import intervals
from orchestrator.api.metadata import Chooser
from orchestrator.api.types.batch import Job, UncountedPods
from orchestrator.api.types.pod import Pod
from orchestrator.controllers.job.census import (
    FINALIZER,
    Census,
    count,
    has_finalizer,
    index_of,
    replaces_failed_only,
)
from orchestrator.controllers.job.failures import delay_s, finished_s
from orchestrator.controllers.job.making import pod_documents
from orchestrator.controllers.job.outcome import (
    COMPLETE,
    FAILED,
    FAILURE_TARGET,
    SUCCESS_MET,
    Outcome,
    deadline_in_s,
    is_over,
    outcome_of,
)
from orchestrator.kit.clock import parse_rfc3339, rfc3339
from orchestrator.reconcile import owners
from orchestrator.reconcile.intents import Create, Delete, Intent, Patch, Record, RequeueAfter
from orchestrator.reconcile.snapshot import view_as
from orchestrator.reconcile.statuses import (
    conditions_of,
    find_condition,
    status_patch,
    without_condition,
)
from orchestrator.store.objects import Document, StoredObject

COMPONENT: Final = "job-controller"
BURST_PODS: Final = 500


@dataclass(frozen=True, slots=True)
class Facts:
    """What a plan is made from.

    Attributes:
        job: the Job.
        pods: the pods that it controls.
        accepts: False while the namespace is being deleted: nothing can be created there.
    """

    job: StoredObject
    pods: Sequence[StoredObject]
    accepts: bool = True


def plan(facts: Facts, now_s: float, rng: Chooser) -> list[Intent]:
    """What to do next.

    Args:
        facts: see there.
        now_s: wall seconds.
        rng: chooses the names of new pods.
    """
    item, job = facts.job, view_as(facts.job, Job)
    if owners.is_deleting(item):
        return releases(facts.pods)
    census = count(job, facts.pods)
    if is_over(job):
        return [*releases(facts.pods), *_time_to_live(item, job, now_s)]
    succeeded, failed = _totals(job, census)
    outcome = outcome_of(job, census, succeeded, failed, now_s)
    status = _status(item, job, census, outcome, succeeded, failed, now_s)
    patch = status_patch(item, status)
    intents: list[Intent] = [_whole_lists(patch)] if patch is not None else []
    intents += _told(item, job, status)
    # what is stored now as counted or to be counted may go; what this very patch adds may not yet
    intents += [_release(pod) for pod in (*census.release, *census.ignored)]
    if outcome is not None or job.spec.suspend:
        return [*intents, *_deletes(item, census.active)]
    intents += _pods(facts, job, census, succeeded, now_s, rng)
    left_s = deadline_in_s(job, now_s)
    if left_s is not None:
        intents.append(RequeueAfter(left_s))
    elif job.spec.active_deadline_seconds is not None:
        intents.append(RequeueAfter(float(job.spec.active_deadline_seconds)))
    return intents


def _whole_lists(patch: Patch) -> Patch:
    """The patch with null for the uncounted lists that are empty: a merge would keep them."""
    change = dict(patch.patch["status"])
    lists = change.get("uncountedTerminatedPods")
    if lists is None:
        return patch
    change["uncountedTerminatedPods"] = {"failed": None, "succeeded": None, **lists}
    return replace(patch, patch={"status": change})


def releases(pods: Iterable[StoredObject]) -> list[Intent]:
    """Lets go of pods whose Job is gone or going: nobody counts them any more."""
    return [_release(pod) for pod in pods if has_finalizer(pod)]


def _release(pod: StoredObject) -> Patch:
    kept = [f for f in pod.doc["metadata"].get("finalizers") or () if f != FINALIZER]
    body = {"metadata": {"finalizers": kept or None}}
    return Patch(pod.key, body, expected=pod.revision, uid=pod.uid)


def _time_to_live(item: StoredObject, job: Job, now_s: float) -> list[Intent]:
    limit = job.spec.ttl_seconds_after_finished
    if limit is None:
        return []
    ends = [
        c.last_transition_time
        for c in job.status.conditions
        if c.type in {COMPLETE, FAILED} and c.status == "True" and c.last_transition_time
    ]
    left_s = parse_rfc3339(ends[0]) + limit - now_s if ends else 0.0
    if left_s > 0:
        return [RequeueAfter(left_s)]
    return [Delete(item.key, uid=item.uid, propagation="Foreground")]


def _totals(job: Job, census: Census) -> tuple[int, int]:
    """Succeeded and failed pods in all, those that are in no count yet included."""
    uncounted = job.status.uncounted_terminated_pods or UncountedPods()
    failed = job.status.failed + len(uncounted.failed) + len(census.failed_now)
    if job.spec.completion_mode == "Indexed":
        most = job.spec.completions or 0
        return len({index for index in census.completed if index < most}), failed
    succeeded = job.status.succeeded + len(uncounted.succeeded) + len(census.succeeded_now)
    return succeeded, failed


# ---------------------------------------------------------------- pods


def _pods(
    facts: Facts, job: Job, census: Census, succeeded: int, now_s: float, rng: Chooser
) -> list[Intent]:
    spec = job.spec
    if spec.completions is None:
        wanted = len(census.active) if succeeded else spec.parallelism
    else:
        wanted = min(spec.parallelism, max(0, spec.completions - succeeded))
        if spec.backoff_limit_per_index is not None:
            left = spec.completions - len(census.completed | census.failed_indexes)
            wanted = min(spec.parallelism, max(0, left))
    active = census.active
    if len(active) > wanted:
        newest_first = sorted(active, key=_by_readiness)
        return _deletes(facts.job, newest_first[: len(active) - wanted])
    occupied = len(active) + (len(census.terminating) if replaces_failed_only(job) else 0)
    lacking = min(wanted - occupied, BURST_PODS)
    if lacking <= 0 or not facts.accepts:
        return []
    if spec.completion_mode == "Indexed":
        return _indexed(facts, job, census, lacking, now_s, rng)
    wait_s = _delay(job, census.failed_pods, facts.pods, now_s)
    if wait_s > 0:
        return [RequeueAfter(wait_s)]
    return _creates(facts.job, [(None, 0)] * lacking, rng)


def _by_readiness(item: StoredObject) -> tuple[bool, bool, float, str]:
    pod = view_as(item, Pod)
    made = pod.metadata.creation_timestamp
    age = -parse_rfc3339(made) if made else 0.0
    return bool(pod.spec.node_name), pod.status.phase == "Running", age, item.key.name


def _indexed(
    facts: Facts, job: Job, census: Census, lacking: int, now_s: float, rng: Chooser
) -> list[Intent]:
    """The lowest indexes that nobody works on; with a limit per index each waits by itself."""
    running = census.active
    if replaces_failed_only(job):
        running = [*running, *census.terminating]
    taken = {index_of(pod) for pod in running} | census.completed | census.failed_indexes
    free = [i for i in range(job.spec.completions or 0) if i not in taken]
    if job.spec.backoff_limit_per_index is None:
        wait_s = _delay(job, census.failed_pods, facts.pods, now_s)
        if wait_s > 0:
            return [RequeueAfter(wait_s)]
        return _creates(facts.job, [(i, 0) for i in free[:lacking]], rng)
    due: list[tuple[int | None, int]] = []
    waits: list[float] = []
    for index in free:
        failed = [pod for pod in census.failed_pods if index_of(pod) == index]
        wait_s = _delay(job, failed, (), now_s)
        if wait_s > 0:
            waits.append(wait_s)
        elif len(due) < lacking:
            due.append((index, census.index_failures.get(index, 0)))
    found = _creates(facts.job, due, rng)
    return [*found, RequeueAfter(min(waits))] if waits else found


def _delay(
    job: Job, failed: Iterable[StoredObject], pods: Iterable[StoredObject], now_s: float
) -> float:
    start_s = parse_rfc3339(job.status.start_time) if job.status.start_time else 0.0
    failures = [finished_s(pod, view_as(pod, Pod), now_s) for pod in failed]
    successes = [
        finished_s(pod, view_as(pod, Pod), now_s)
        for pod in pods
        if view_as(pod, Pod).status.phase == "Succeeded"
    ]
    return delay_s([at for at in failures if at >= start_s], successes, now_s)


def _creates(
    item: StoredObject, wanted: Sequence[tuple[int | None, int]], rng: Chooser
) -> list[Intent]:
    documents = pod_documents(item, wanted, rng)
    made: list[Intent] = [Create("pods", item.key.namespace, document) for document in documents]
    told: list[Intent] = [
        Record(
            item.key, "Normal", "SuccessfulCreate",
            f"Created pod: {document['metadata']['name']}", COMPONENT,
        )
        for document in documents
    ]  # fmt: skip
    return made + told


def _deletes(item: StoredObject, pods: Iterable[StoredObject]) -> list[Intent]:
    chosen = list(pods)
    gone: list[Intent] = [Delete(pod.key, uid=pod.uid) for pod in chosen]
    told: list[Intent] = [
        Record(item.key, "Normal", "SuccessfulDelete", f"Deleted pod: {pod.key.name}", COMPONENT)
        for pod in chosen
    ]
    return gone + told


# ---------------------------------------------------------------- status


def _status(
    item: StoredObject,
    job: Job,
    census: Census,
    outcome: Outcome | None,
    succeeded: int,
    failed: int,
    now_s: float,
) -> Document:
    spec, before = job.spec, job.status
    uncounted, counted = _uncounted(job, census)
    status: Document = {
        "ready": census.ready,
        "terminating": len(census.terminating),
        "uncountedTerminatedPods": {k: v for k, v in uncounted.items() if v},
    }
    # pods that are about to be deleted are active no more, as soon as it is decided
    active = 0 if outcome is not None or spec.suspend else len(census.active)
    numbers = {
        "active": active,
        "failed": before.failed + counted["failed"],
        "succeeded": before.succeeded + counted["succeeded"],
    }
    if spec.completion_mode == "Indexed":
        most = spec.completions or 0
        numbers["succeeded"] = succeeded
        done = intervals.shown(i for i in census.completed if i < most)
        if done:
            status["completedIndexes"] = done
        if spec.backoff_limit_per_index is not None:
            status["failedIndexes"] = intervals.shown(i for i in census.failed_indexes if i < most)
    status |= {name: number for name, number in numbers.items() if number}
    conditions = _suspension(item, job, status, now_s)
    settled = not (any(uncounted.values()) or census.active or census.terminating or census.ignored)
    if outcome is not None:
        conditions = _ending(conditions, outcome, status, now_s, settled=settled)
    if conditions:
        status["conditions"] = conditions
    return status


def _uncounted(job: Job, census: Census) -> tuple[dict[str, list[str]], dict[str, int]]:
    """The uids that wait for their finalizers to go, and how many came into the counts now."""
    before = job.status.uncounted_terminated_pods or UncountedPods()
    lists: dict[str, list[str]] = {}
    counted: dict[str, int] = {}
    for name, known, fresh in (
        ("succeeded", before.succeeded, census.succeeded_now),
        ("failed", before.failed, census.failed_now),
    ):
        lists[name] = [uid for uid in known if uid not in census.settled]
        counted[name] = len(known) - len(lists[name])
        lists[name] += [str(pod.uid) for pod in fresh]
    return lists, counted


def _suspension(item: StoredObject, job: Job, status: Document, now_s: float) -> list[Document]:
    """Conditions with Suspended, and the time of the start in the status."""
    conditions = list(conditions_of(item))
    current = find_condition(conditions, "Suspended")
    suspended = current is not None and current.get("status") == "True"
    if job.spec.suspend:
        if not suspended:
            made = _condition("Suspended", "True", "JobSuspended", "Job suspended", now_s)
            conditions = [*without_condition(conditions, "Suspended"), made]
        return conditions
    start = job.status.start_time or rfc3339(now_s)
    if suspended:
        made = _condition("Suspended", "False", "JobResumed", "Job resumed", now_s)
        conditions = [*without_condition(conditions, "Suspended"), made]
        start = rfc3339(now_s)
    status["startTime"] = start
    return conditions


def _ending(
    conditions: list[Document],
    outcome: Outcome,
    status: Document,
    now_s: float,
    *,
    settled: bool,
) -> list[Document]:
    """First what it will come to, then, when no pod is left and all are counted, that it has."""
    target, last = (SUCCESS_MET, COMPLETE) if outcome.success else (FAILURE_TARGET, FAILED)
    if find_condition(conditions, target) is None:
        made = _condition(target, "True", outcome.reason, outcome.message, now_s)
        conditions = [*conditions, made]
    if settled:
        made = _condition(last, "True", outcome.reason, outcome.message, now_s)
        conditions = [*conditions, made]
        status.pop("uncountedTerminatedPods", None)
        if outcome.success:
            status["completionTime"] = rfc3339(now_s)
    return conditions


def _condition(kind: str, status: str, reason: str, message: str, now_s: float) -> Document:
    now = rfc3339(now_s)
    return {
        "type": kind, "status": status, "lastProbeTime": now, "lastTransitionTime": now,
        "reason": reason, "message": message,
    }  # fmt: skip


def _told(item: StoredObject, job: Job, status: Document) -> list[Intent]:
    """Events of conditions that are new."""
    before = {(c.type, c.status) for c in job.status.conditions}
    told: list[Intent] = []
    for new in status.get("conditions", ()):
        if (new["type"], new["status"]) in before:
            continue
        if new["type"] == COMPLETE:
            told.append(Record(item.key, "Normal", "Completed", "Job completed", COMPONENT))
        elif new["type"] == FAILED:
            told.append(Record(item.key, "Warning", new["reason"], new["message"], COMPONENT))
        elif new["type"] == "Suspended":
            reason, words = (
                ("Suspended", "Job suspended")
                if new["status"] == "True"
                else ("Resumed", "Job resumed")
            )
            told.append(Record(item.key, "Normal", reason, words, COMPONENT))
    return told
