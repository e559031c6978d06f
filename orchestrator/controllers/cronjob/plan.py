"""What a CronJob needs next: Jobs made when they are due, old ones removed, its status (pure).

Source: Kubernetes concepts, "CronJob"; batch/v1 API reference.
"""

import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Final

from orchestrator.api.schedule import Schedule
from orchestrator.api.types.batch import CronJob, Job
from orchestrator.kit.clock import parse_rfc3339, rfc3339
from orchestrator.reconcile import owners
from orchestrator.reconcile.intents import Create, Delete, Intent, Record, RequeueAfter
from orchestrator.reconcile.snapshot import view_as
from orchestrator.reconcile.statuses import status_patch
from orchestrator.store.objects import Document, StoredObject

COMPONENT: Final = "cronjob-controller"
SCHEDULED: Final = "batch.kubernetes.io/cronjob-scheduled-timestamp"
TOO_MANY: Final = 100
"""Missed starts that are told, as a clock that jumped or a long suspension makes them."""
_LONGEST_DELAY_S: Final = 3600.0 * 24 * 20


@dataclass(frozen=True, slots=True)
class Facts:
    """What a plan is made from.

    Attributes:
        cron_job: the CronJob.
        jobs: the Jobs that it controls.
    """

    cron_job: StoredObject
    jobs: Sequence[StoredObject]


def plan(facts: Facts, now_s: float) -> list[Intent]:
    """What to do next.

    Args:
        facts: see there.
        now_s: wall seconds.
    """
    item, cron_job = facts.cron_job, view_as(facts.cron_job, CronJob)
    if owners.is_deleting(item):
        return []
    intents = _forget_old(cron_job, facts.jobs)
    running = [job for job in facts.jobs if _ended(job) is None]
    status = _status(item, cron_job, facts.jobs, running)
    try:
        schedule, zone = Schedule.parse(cron_job.spec.schedule), _zone(cron_job)
    except (ValueError, KeyError) as error:
        told = Record(item.key, "Warning", "UnparseableSchedule", f"{error}", COMPONENT)
        return [*intents, *_patch(item, status), told]
    if cron_job.spec.suspend:
        return [*intents, *_patch(item, status)]
    due_s, missed = _due(item, cron_job, schedule, zone, now_s)
    if missed > TOO_MANY:
        text = f"too many missed start times: {missed}. Set or decrease "
        text += ".spec.startingDeadlineSeconds or check clock skew"
        intents.append(Record(item.key, "Warning", "TooManyMissedTimes", text, COMPONENT))
    if due_s is not None:
        intents += _start(item, cron_job, facts.jobs, running, status, due_s)
    next_s = schedule.next_after(now_s, zone)
    wait = [RequeueAfter(min(next_s - now_s + 0.01, _LONGEST_DELAY_S))] if next_s else []
    return [*intents, *_patch(item, status), *wait]


def _start(
    item: StoredObject,
    cron_job: CronJob,
    jobs: Sequence[StoredObject],
    running: Sequence[StoredObject],
    status: Document,
    due_s: float,
) -> list[Intent]:
    """The Job of a time that has come; the status is told of it, in place."""
    document = job_document(item, due_s)
    name = document["metadata"]["name"]
    if any(job.key.name == name for job in jobs):
        status["lastScheduleTime"] = rfc3339(due_s)
        return []
    policy = cron_job.spec.concurrency_policy
    if policy == "Forbid" and running:
        text = "Not starting job because prior execution is running and concurrency policy is "
        return [Record(item.key, "Normal", "JobAlreadyActive", f"{text}Forbid", COMPONENT)]
    intents: list[Intent] = []
    if policy == "Replace":
        intents += [Delete(job.key, uid=job.uid) for job in running]
        intents += [
            Record(item.key, "Normal", "SuccessfulDelete", f"Deleted job {j.key.name}", COMPONENT)
            for j in running
        ]
    status["lastScheduleTime"] = rfc3339(due_s)
    intents.append(Create("jobs.batch", item.key.namespace, document))
    told = Record(item.key, "Normal", "SuccessfulCreate", f"Created job {name}", COMPONENT)
    return [*intents, told]


def job_document(item: StoredObject, due_s: float) -> Document:
    """The Job of one time; its name says which, so that it is made once."""
    template = item.doc["spec"]["jobTemplate"]
    meta: Document = {
        "name": f"{item.key.name}-{int(due_s) // 60}",
        "namespace": item.key.namespace,
        "ownerReferences": [owners.controller_reference(item)],
    }
    given = template.get("metadata") or {}
    if given.get("labels"):
        meta["labels"] = given["labels"]
    meta["annotations"] = {**(given.get("annotations") or {}), SCHEDULED: rfc3339(due_s)}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": template["spec"]}


def _zone(cron_job: CronJob) -> tzinfo:
    name = cron_job.spec.time_zone
    return zoneinfo.ZoneInfo(name) if name else UTC


def _due(
    item: StoredObject, cron_job: CronJob, schedule: Schedule, zone: tzinfo, now_s: float
) -> tuple[float | None, int]:
    """The latest time that has come and was not served, and how many have come."""
    last = cron_job.status.last_schedule_time or item.doc["metadata"]["creationTimestamp"]
    since_s = parse_rfc3339(last)
    deadline = cron_job.spec.starting_deadline_seconds
    if deadline is not None:
        since_s = max(since_s, now_s - deadline)
    latest: float | None = None
    count = 0
    at = schedule.next_after(since_s, zone)
    while at is not None and at <= now_s:
        latest, count = at, count + 1
        if count > TOO_MANY:  # long away: from here on only the last one matters
            latest = _last_before(schedule, zone, now_s) or latest
            break
        at = schedule.next_after(at, zone)
    return latest, count


def _last_before(schedule: Schedule, zone: tzinfo, now_s: float) -> float | None:
    for back_s in (3600.0, 86400.0, 86400.0 * 32, 86400.0 * 367):
        at = schedule.next_after(now_s - back_s, zone)
        latest = None
        while at is not None and at <= now_s:
            latest, at = at, schedule.next_after(at, zone)
        if latest is not None:
            return latest
    return None


def _ended(job: StoredObject) -> str | None:
    """Complete or Failed; None while it runs."""
    for condition in view_as(job, Job).status.conditions:
        if condition.type in {"Complete", "Failed"} and condition.status == "True":
            return condition.type
    return None


def _forget_old(cron_job: CronJob, jobs: Sequence[StoredObject]) -> list[Intent]:
    limits = {
        "Complete": cron_job.spec.successful_jobs_history_limit,
        "Failed": cron_job.spec.failed_jobs_history_limit,
    }
    intents: list[Intent] = []
    for kind, limit in limits.items():
        ended = [job for job in jobs if _ended(job) == kind and not owners.is_deleting(job)]
        ended.sort(key=lambda job: (view_as(job, Job).status.start_time or "", job.key.name))
        intents += [Delete(job.key, uid=job.uid) for job in ended[: max(0, len(ended) - limit)]]
    return intents


def _status(
    item: StoredObject,
    cron_job: CronJob,
    jobs: Sequence[StoredObject],
    running: Sequence[StoredObject],
) -> Document:
    status: Document = {}
    active = [
        {
            "apiVersion": "batch/v1", "kind": "Job", "namespace": job.key.namespace,
            "name": job.key.name, "uid": str(job.uid),
            "resourceVersion": str(job.revision),
        }
        for job in sorted(running, key=lambda job: job.key.name)
    ]  # fmt: skip
    known = {ref["uid"]: ref for ref in (item.doc.get("status") or {}).get("active") or ()}
    if active:  # a Job that changes is still the same Job
        status["active"] = [known.get(ref["uid"], ref) for ref in active]
    if cron_job.status.last_schedule_time:
        status["lastScheduleTime"] = cron_job.status.last_schedule_time
    ends = [
        end
        for job in jobs
        if _ended(job) == "Complete" and (end := view_as(job, Job).status.completion_time)
    ]
    last = max([*ends, cron_job.status.last_successful_time or ""])
    if last:
        status["lastSuccessfulTime"] = last
    return status


def _patch(item: StoredObject, status: Document) -> list[Intent]:
    patch = status_patch(item, status)
    return [patch] if patch is not None else []
