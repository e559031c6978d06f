"""Defaults of Jobs and CronJobs. Source: Kubernetes pkg/apis/batch/v1 (SetDefaults_*)."""

from typing import Any, Final

from orchestrator.api.defaults.pod import default_pod_spec

Document = dict[str, Any]

_NO_LIMIT: Final = 2**31 - 1


def default_job(document: Document) -> None:
    """One pod at a time until one went well, six retries."""
    spec = document.setdefault("spec", {})
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    per_index = spec.get("backoffLimitPerIndex") is not None
    spec.setdefault("backoffLimit", _NO_LIMIT if per_index else 6)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    spec.setdefault("manualSelector", False)
    policy = spec.get("podFailurePolicy")
    spec.setdefault("podReplacementPolicy", "Failed" if policy else "TerminatingOrFailed")
    for rule in (policy or {}).get("rules") or ():
        for wanted in rule.get("onPodConditions") or ():
            wanted.setdefault("status", "True")
    _template(spec)
    document.setdefault("status", {})


def default_cron_job(document: Document) -> None:
    """Runs may overlap; three Jobs that went well are kept, and one that failed."""
    spec = document.setdefault("spec", {})
    spec.setdefault("concurrencyPolicy", "Allow")
    spec.setdefault("suspend", False)
    spec.setdefault("successfulJobsHistoryLimit", 3)
    spec.setdefault("failedJobsHistoryLimit", 1)
    job = spec.setdefault("jobTemplate", {})
    job.setdefault("metadata", {})
    _template(job.setdefault("spec", {}))
    document.setdefault("status", {})


def _template(spec: Document) -> None:
    template = spec.setdefault("template", {})
    template.setdefault("metadata", {})
    default_pod_spec(template.setdefault("spec", {}))
