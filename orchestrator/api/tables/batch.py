"""Rows of Jobs and CronJobs. Source: Kubernetes pkg/printers/internalversion."""

from typing import Any, Final

from orchestrator.api.tables.cells import (
    AGE,
    NAME,
    NONE,
    Cell,
    Column,
    Document,
    age_of,
    human_duration,
    selector_text,
    since,
)
from orchestrator.kit.clock import parse_rfc3339

_TEMPLATE: Final = (
    Column("Containers", wide=True, description="Names of the template's containers."),
    Column("Images", wide=True, description="Images of the template's containers."),
    Column("Selector", wide=True, description="Which pods belong to it."),
)
JOB_COLUMNS: Final = (
    NAME,
    Column("Status", description="How it stands."),
    Column("Completions", description="Pods that went well, of those wanted."),
    Column("Duration", description="How long it has been running, or ran."),
    AGE,
    *_TEMPLATE,
)
CRON_JOB_COLUMNS: Final = (
    NAME,
    Column("Schedule", description="When it runs."),
    Column("Timezone", description="Of the schedule."),
    Column("Suspend", "boolean", description="Whether it rests."),
    Column("Active", "integer", description="Jobs that run."),
    Column("Last Schedule", description="When it last made a Job."),
    AGE,
    *_TEMPLATE,
)
_STATES: Final = (
    ("Complete", "Complete"), ("Failed", "Failed"), ("Suspended", "Suspended"),
    ("FailureTarget", "FailureTarget"), ("SuccessCriteriaMet", "SuccessCriteriaMet"),
)  # fmt: skip


def job_cells(job: Document, now_s: float) -> list[Cell]:
    """One Job's row."""
    spec, status = job.get("spec") or {}, job.get("status") or {}
    succeeded = status.get("succeeded", 0)
    if spec.get("completions") is not None:
        completions = f"{succeeded}/{spec['completions']}"
    elif (spec.get("parallelism") or 0) > 1:
        completions = f"{succeeded}/1 of {spec['parallelism']}"
    else:
        completions = f"{succeeded}/1"
    return [
        job["metadata"]["name"],
        _state(job, status),
        completions,
        _duration(status, now_s),
        age_of(job, now_s),
        *_template_cells((spec.get("template") or {}).get("spec") or {}),
        selector_text(spec.get("selector")),
    ]


def cron_job_cells(cron_job: Document, now_s: float) -> list[Cell]:
    """One CronJob's row."""
    spec, status = cron_job.get("spec") or {}, cron_job.get("status") or {}
    last = status.get("lastScheduleTime")
    job = (spec.get("jobTemplate") or {}).get("spec") or {}
    return [
        cron_job["metadata"]["name"],
        spec.get("schedule", ""),
        spec.get("timeZone") or NONE,
        "True" if spec.get("suspend") else "False",
        len(status.get("active") or ()),
        since(last, now_s) if last else NONE,
        age_of(cron_job, now_s),
        *_template_cells((job.get("template") or {}).get("spec") or {}),
        selector_text(job.get("selector")),
    ]


def _state(job: Document, status: dict[str, Any]) -> str:
    holds = {c["type"] for c in status.get("conditions") or () if c.get("status") == "True"}
    for kind, word in _STATES:
        if kind in holds:
            return word
    return "Terminating" if job["metadata"].get("deletionTimestamp") else "Running"


def _duration(status: dict[str, Any], now_s: float) -> str:
    start = status.get("startTime")
    if not start:
        return ""
    end = status.get("completionTime")
    return human_duration((parse_rfc3339(end) if end else now_s) - parse_rfc3339(start))


def _template_cells(spec: dict[str, Any]) -> list[Cell]:
    containers = spec.get("containers") or ()
    return [
        ",".join(container.get("name", "") for container in containers) or NONE,
        ",".join(container.get("image", "") for container in containers) or NONE,
    ]
