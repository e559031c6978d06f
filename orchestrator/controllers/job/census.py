"""What a Job's pods are at the moment (pure): running, on their way out, ended, counted.

A pod that ended is counted once, however often it is seen: it keeps a finalizer until its uid
stands in `status.uncountedTerminatedPods`, and its uid stands there until the finalizer is gone.

Source: Kubernetes concepts, "Jobs", "Job tracking with finalizers" (KEP-2307), "Pod replacement
policy" (KEP-3939).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from orchestrator.api import intervals
from orchestrator.api.types.batch import Job, UncountedPods
from orchestrator.api.types.pod import Pod
from orchestrator.controllers.job.failures import Verdict, verdict_of
from orchestrator.reconcile.pods import is_ready
from orchestrator.reconcile.snapshot import view_as
from orchestrator.store.objects import StoredObject

FINALIZER: Final = "batch.kubernetes.io/job-tracking"
INDEX: Final = "batch.kubernetes.io/job-completion-index"
INDEX_FAILURES: Final = "batch.kubernetes.io/job-index-failure-count"
_ENDED: Final = frozenset({"Succeeded", "Failed"})


@dataclass(slots=True)
class Census:
    """See the module.

    Attributes:
        active: pods that run or are to run.
        terminating: pods that are being deleted and have not ended.
        succeeded_now: pods that went well and are in no count yet.
        failed_now: pods that failed and are in no count yet.
        ignored: pods whose failure counts for nothing (a rule says so).
        settled: uids in the stored uncounted lists whose pod has no finalizer any more.
        release: pods whose finalizer can go: what they are is stored.
        failed_pods: every failed pod that is there, counted or not.
        verdict: what the failure policy says of the Job as a whole.
        completed: indexes that went well.
        failed_indexes: indexes that are given up.
        index_failures: how often each index has failed.
        ready: how many are ready.
    """

    active: list[StoredObject] = field(default_factory=list)
    terminating: list[StoredObject] = field(default_factory=list)
    succeeded_now: list[StoredObject] = field(default_factory=list)
    failed_now: list[StoredObject] = field(default_factory=list)
    ignored: list[StoredObject] = field(default_factory=list)
    settled: set[str] = field(default_factory=set)
    release: list[StoredObject] = field(default_factory=list)
    failed_pods: list[StoredObject] = field(default_factory=list)
    verdict: Verdict | None = None
    completed: set[int] = field(default_factory=set)
    failed_indexes: set[int] = field(default_factory=set)
    index_failures: dict[int, int] = field(default_factory=dict)
    ready: int = 0


def count(job: Job, pods: Sequence[StoredObject]) -> Census:
    """Takes the census.

    Args:
        job: the Job.
        pods: the pods that it controls.
    """
    status = job.status
    uncounted = status.uncounted_terminated_pods or UncountedPods()
    known = {*uncounted.succeeded, *uncounted.failed}
    found = Census(
        completed=set(intervals.parse(status.completed_indexes)),
        failed_indexes=set(intervals.parse(status.failed_indexes or "")),
    )
    tracked = {str(pod.uid) for pod in pods if has_finalizer(pod)}
    found.settled = known - tracked
    for pod in sorted(pods, key=lambda item: item.key.name):
        _place(job, pod, known, found)
    return found


def has_finalizer(pod: StoredObject) -> bool:
    """Whether the pod waits for being counted."""
    return FINALIZER in (pod.doc["metadata"].get("finalizers") or ())


def index_of(pod: StoredObject) -> int | None:
    """The completion index of a pod; None when it has none."""
    text = (pod.doc["metadata"].get("annotations") or {}).get(INDEX, "")
    return int(text) if text.isdecimal() else None


def failures_of(pod: StoredObject) -> int:
    """How often the index of a pod had failed before it."""
    text = (pod.doc["metadata"].get("annotations") or {}).get(INDEX_FAILURES, "")
    return int(text) if text.isdecimal() else 0


def replaces_failed_only(job: Job) -> bool:
    """Whether a pod that is being deleted is replaced only once it has ended."""
    return job.spec.pod_replacement_policy == "Failed" or job.spec.pod_failure_policy is not None


def _place(job: Job, item: StoredObject, known: set[str], found: Census) -> None:
    pod = view_as(item, Pod)
    phase, deleting = pod.status.phase, bool(pod.metadata.deletion_timestamp)
    # deleted, its containers are gone: only finalizers hold the object
    over = deleting and not pod.metadata.deletion_grace_period_seconds
    succeeded = phase == "Succeeded"
    failed = phase == "Failed" or (
        deleting and not succeeded and (over or not replaces_failed_only(job))
    )
    if deleting and phase not in _ENDED and not over:
        found.terminating.append(item)
    if not succeeded and not failed:
        if not deleting:
            found.active.append(item)
            found.ready += is_ready(pod)
        return
    tracked, is_known = has_finalizer(item), str(item.uid) in known
    if tracked and is_known:
        found.release.append(item)
    if succeeded:
        _succeeded(item, found, fresh=tracked and not is_known)
    else:
        _failed(job, item, pod, found, fresh=tracked and not is_known)


def _succeeded(item: StoredObject, found: Census, *, fresh: bool) -> None:
    index = index_of(item)
    if fresh:
        found.succeeded_now.append(item)
    if index is not None:
        found.completed.add(index)


def _failed(job: Job, item: StoredObject, pod: Pod, found: Census, *, fresh: bool) -> None:
    verdict = verdict_of(job.spec.pod_failure_policy, item, pod)
    if verdict is not None and verdict.action == "FailJob" and found.verdict is None:
        found.verdict = verdict
    if verdict is not None and verdict.action == "Ignore":
        if fresh:
            found.ignored.append(item)
        return
    found.failed_pods.append(item)
    if fresh:
        found.failed_now.append(item)
    index = index_of(item)
    if index is None:
        return
    failures = failures_of(item) + 1
    found.index_failures[index] = max(found.index_failures.get(index, 0), failures)
    limit = job.spec.backoff_limit_per_index
    if limit is not None and (
        failures > limit or (verdict is not None and verdict.action == "FailIndex")
    ):
        found.failed_indexes.add(index)
