"""Whether a Job is over, and how (pure). Source: Kubernetes concepts, "Jobs", "Success policy"."""

from dataclasses import dataclass
from typing import Final

from orchestrator.api import intervals
from orchestrator.api.types.batch import Job
from orchestrator.api.types.pod import Pod
from orchestrator.controllers.job.census import Census
from orchestrator.kit.clock import parse_rfc3339
from orchestrator.reconcile.pods import condition
from orchestrator.reconcile.snapshot import view_as

COMPLETE: Final = "Complete"
FAILED: Final = "Failed"
SUCCESS_MET: Final = "SuccessCriteriaMet"
FAILURE_TARGET: Final = "FailureTarget"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a Job ends.

    Attributes:
        success: well or not.
        reason: of the condition.
        message: of the condition.
    """

    success: bool
    reason: str
    message: str


def is_over(job: Job) -> bool:
    """Whether the Job has ended and nothing more is done for it."""
    return any(c.type in {COMPLETE, FAILED} and c.status == "True" for c in job.status.conditions)


def outcome_of(
    job: Job, census: Census, succeeded: int, failed: int, now_s: float
) -> Outcome | None:
    """How the Job ends; None while it goes on.

    Args:
        job: the Job.
        census: of its pods.
        succeeded: pods (or indexes) that went well, in all.
        failed: pods that failed, in all.
        now_s: wall seconds.
    """
    for kind, success in ((FAILURE_TARGET, False), (SUCCESS_MET, True)):
        found = condition(job.status.conditions, kind)
        if found is not None and found.status == "True":
            return Outcome(success, found.reason, found.message)  # said before: it stays so
    return _failure(job, census, failed, now_s) or _success(job, census, succeeded)


def deadline_in_s(job: Job, now_s: float) -> float | None:
    """Seconds until `activeDeadlineSeconds` are over; None without such an end."""
    limit, start = job.spec.active_deadline_seconds, job.status.start_time
    if limit is None or not start or job.spec.suspend:
        return None
    return parse_rfc3339(start) + limit - now_s


def _failure(job: Job, census: Census, failed: int, now_s: float) -> Outcome | None:
    spec = job.spec
    if census.verdict is not None:
        return Outcome(False, "PodFailurePolicy", census.verdict.message)
    per_index = spec.backoff_limit_per_index is not None
    if failed > spec.backoff_limit or _restarted_too_often(job, census):
        text = "Job has reached the specified backoff limit"
        return Outcome(False, "BackoffLimitExceeded", text)
    left_s = deadline_in_s(job, now_s)
    if left_s is not None and left_s <= 0:
        text = "Job was active longer than specified deadline"
        return Outcome(False, "DeadlineExceeded", text)
    if not per_index or not census.failed_indexes:
        return None
    most = spec.max_failed_indexes
    if most is not None and len(census.failed_indexes) > most:
        text = "Job has exceeded the specified maximal number of failed indexes"
        return Outcome(False, "MaxFailedIndexesExceeded", text)
    done = census.failed_indexes | census.completed
    if len(done) >= (spec.completions or 0):
        return Outcome(False, "FailedIndexes", "Job has failed indexes")
    return None


def _restarted_too_often(job: Job, census: Census) -> bool:
    """With OnFailure the engine restarts containers in their pod; that counts as well."""
    if job.spec.template.spec.restart_policy != "OnFailure":
        return False
    restarts = sum(
        status.restart_count
        for item in census.active
        for status in (
            *view_as(item, Pod).status.init_container_statuses,
            *view_as(item, Pod).status.container_statuses,
        )
    )
    limit = job.spec.backoff_limit
    return restarts > 0 if limit == 0 else restarts >= limit


def _success(job: Job, census: Census, succeeded: int) -> Outcome | None:
    spec = job.spec
    for number, rule in enumerate(spec.success_policy.rules if spec.success_policy else ()):
        wanted = (
            intervals.parse(rule.succeeded_indexes)
            if rule.succeeded_indexes is not None
            else frozenset(range(spec.completions or 0))
        )
        done = census.completed & wanted
        enough = len(wanted) if rule.succeeded_count is None else rule.succeeded_count
        if len(done) >= enough:
            return Outcome(True, "SuccessPolicy", f"Matched rules at index {number}")
    reached = Outcome(True, "CompletionsReached", "Reached expected number of succeeded pods")
    if spec.completions is None:
        # a work queue: one that went well means that there is nothing left to begin
        return reached if succeeded > 0 and not census.active else None
    return reached if succeeded >= spec.completions and not census.active else None
