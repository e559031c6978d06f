"""Jobs and CronJobs. Source: Kubernetes pkg/apis/batch/validation."""

import copy
import zoneinfo
from typing import Any, Final

from orchestrator.api import intervals
from orchestrator.api.schedule import Schedule
from orchestrator.api.validation.collector import Faults
from orchestrator.api.validation.meta import (
    validate_annotations,
    validate_labels,
    validate_selector,
)
from orchestrator.api.validation.pod import validate_pod_spec

Document = dict[str, Any]

_MODES: Final = frozenset({"Indexed", "NonIndexed"})
_REPLACEMENTS: Final = frozenset({"Failed", "TerminatingOrFailed"})
_POLICIES: Final = frozenset({"Allow", "Forbid", "Replace"})
_ACTIONS: Final = frozenset({"Count", "FailIndex", "FailJob", "Ignore"})
_LONGEST_CRON_JOB_NAME: Final = 52
_MOST_INDEXED: Final = 100_000
_MUTABLE_WHEN_SUSPENDED: Final = ("nodeSelector", "tolerations", "affinity", "schedulingGates")


def validate_job(faults: Faults, document: Document) -> None:
    """A Job's spec."""
    spec = document["spec"]
    uid = document["metadata"].get("uid", "")
    selector = spec.get("selector")
    if not spec.get("manualSelector"):
        generated = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
        if uid and selector != generated:
            faults.invalid("spec.selector", selector, "`selector` not auto-generated")
    elif selector is None:
        faults.required("spec.selector")
    else:
        validate_selector(faults, "spec.selector", selector)
    _job_spec(faults, "spec", spec)


def validate_job_update(faults: Faults, new: Document, old: Document) -> None:
    """How a Job's pods look and are counted is settled when it is made."""
    after, before = new["spec"], old["spec"]
    for field in (
        "selector", "completionMode", "podFailurePolicy", "backoffLimitPerIndex", "successPolicy",
        "manualSelector",
    ):  # fmt: skip
        faults.check_immutable(f"spec.{field}", after.get(field), before.get(field))
    elastic = after.get("completionMode") == "Indexed" and after.get("completions") == after.get(
        "parallelism"
    )
    if not elastic:
        faults.check_immutable(
            "spec.completions", after.get("completions"), before.get("completions")
        )
    template, was = copy.deepcopy(after.get("template")), before.get("template")
    if before.get("suspend") and not (old.get("status") or {}).get("startTime"):
        for field in _MUTABLE_WHEN_SUSPENDED:
            template["spec"].pop(field, None)
            if field in was["spec"]:
                template["spec"][field] = was["spec"][field]
        template["metadata"] = was.get("metadata", {})
    faults.check_immutable("spec.template", template, was)


def validate_cron_job(faults: Faults, document: Document) -> None:
    """A CronJob's spec."""
    name = document["metadata"].get("name", "")
    if len(name) > _LONGEST_CRON_JOB_NAME:
        text = f"must be no more than {_LONGEST_CRON_JOB_NAME} characters"
        faults.invalid("metadata.name", name, text)
    spec = document["spec"]
    schedule = spec.get("schedule", "")
    if not schedule:
        faults.required("spec.schedule")
    elif "TZ" in schedule:
        text = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
        faults.invalid("spec.schedule", schedule, text)
    else:
        try:
            Schedule.parse(schedule)
        except ValueError as error:
            faults.invalid("spec.schedule", schedule, str(error))
    _time_zone(faults, spec.get("timeZone"))
    for field in (
        "startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit",
    ):  # fmt: skip
        faults.check_number(f"spec.{field}", spec.get(field))
    faults.check_choice("spec.concurrencyPolicy", spec.get("concurrencyPolicy", ""), _POLICIES)
    template = spec.get("jobTemplate") or {}
    meta = template.get("metadata") or {}
    validate_labels(faults, "spec.jobTemplate.metadata.labels", meta.get("labels"))
    validate_annotations(faults, "spec.jobTemplate.metadata.annotations", meta.get("annotations"))
    if (template.get("spec") or {}).get("manualSelector"):
        faults.unsupported("spec.jobTemplate.spec.manualSelector", True, ("nil", "false"))
    _job_spec(faults, "spec.jobTemplate.spec", template.get("spec") or {})


def _time_zone(faults: Faults, zone: str | None) -> None:
    if zone is None:
        return
    if not zone:
        faults.invalid("spec.timeZone", zone, "timeZone must be nil or non-empty string")
    elif zone.lower() == "local" or zone not in zoneinfo.available_timezones():
        faults.invalid("spec.timeZone", zone, f"unknown time zone {zone}")


def _job_spec(faults: Faults, path: str, spec: Document) -> None:
    for field in (
        "parallelism", "completions", "activeDeadlineSeconds", "backoffLimit",
        "backoffLimitPerIndex", "maxFailedIndexes", "ttlSecondsAfterFinished",
    ):  # fmt: skip
        faults.check_number(f"{path}.{field}", spec.get(field))
    mode = spec.get("completionMode", "NonIndexed")
    if mode not in _MODES:
        faults.unsupported(f"{path}.completionMode", mode, _MODES)
    indexed = mode == "Indexed"
    if indexed and spec.get("completions") is None:
        faults.required(f"{path}.completions", "when completion mode is Indexed")
    if indexed and (spec.get("parallelism") or 0) > _MOST_INDEXED:
        text = f"must be less than or equal to {_MOST_INDEXED} when completion mode is Indexed"
        faults.invalid(f"{path}.parallelism", spec["parallelism"], text)
    if spec.get("backoffLimitPerIndex") is not None and not indexed:
        text = "requires indexed completion mode"
        faults.invalid(f"{path}.backoffLimitPerIndex", spec["backoffLimitPerIndex"], text)
    if spec.get("maxFailedIndexes") is not None and spec.get("backoffLimitPerIndex") is None:
        text = "when maxFailedIndexes is specified"
        faults.required(f"{path}.backoffLimitPerIndex", text)
    policy = spec.get("podReplacementPolicy")
    if policy is not None and policy not in _REPLACEMENTS:
        faults.unsupported(f"{path}.podReplacementPolicy", policy, _REPLACEMENTS)
    if policy == "TerminatingOrFailed" and spec.get("podFailurePolicy"):
        faults.unsupported(f"{path}.podReplacementPolicy", policy, ("Failed",))
    _failure_policy(faults, path, spec)
    _success_policy(faults, path, spec, indexed=indexed)
    _template(faults, f"{path}.template", spec)


def _failure_policy(faults: Faults, path: str, spec: Document) -> None:
    policy = spec.get("podFailurePolicy")
    if policy is None:
        return
    pod = (spec.get("template") or {}).get("spec") or {}
    if pod.get("restartPolicy") != "Never":
        text = 'only "Never" is supported when podFailurePolicy is specified'
        faults.invalid(f"{path}.template.spec.restartPolicy", pod.get("restartPolicy"), text)
    names = {
        c.get("name") for kind in ("initContainers", "containers") for c in pod.get(kind) or ()
    }
    for index, rule in enumerate(policy.get("rules") or ()):
        here = f"{path}.podFailurePolicy.rules[{index}]"
        action = rule.get("action", "")
        faults.check_choice(f"{here}.action", action, _ACTIONS)
        if action == "FailIndex" and spec.get("backoffLimitPerIndex") is None:
            text = "requires the backoffLimitPerIndex to be set"
            faults.invalid(f"{here}.action", action, text)
        codes, conditions = rule.get("onExitCodes"), rule.get("onPodConditions")
        if not codes and not conditions:
            text = "specifying one of OnExitCodes and OnPodConditions is required"
            faults.invalid(here, rule, text)
        elif codes and conditions:
            text = "specifying both OnExitCodes and OnPodConditions is not supported"
            faults.invalid(here, rule, text)
        if codes:
            _exit_codes(faults, f"{here}.onExitCodes", codes, names)


def _exit_codes(faults: Faults, path: str, codes: Document, names: set[Any]) -> None:
    operator = codes.get("operator", "")
    faults.check_choice(f"{path}.operator", operator, ("In", "NotIn"))
    name = codes.get("containerName")
    if name is not None and name not in names:
        text = "must be one of the container or initContainer names in the pod template"
        faults.invalid(f"{path}.containerName", name, text)
    values = codes.get("values") or []
    if not values:
        faults.invalid(f"{path}.values", values, "at least one value is required")
    if operator == "In" and 0 in values:
        faults.invalid(f"{path}.values[{values.index(0)}]", 0, "must not be 0 for the In operator")
    if len(values) != len(set(values)):
        faults.duplicate(f"{path}.values", values)
    elif values != sorted(values):
        faults.invalid(f"{path}.values", values, "must be ordered")


def _success_policy(faults: Faults, path: str, spec: Document, *, indexed: bool) -> None:
    policy = spec.get("successPolicy")
    if policy is None:
        return
    here = f"{path}.successPolicy"
    if not indexed:
        faults.invalid(here, policy, "requires indexed completion mode")
        return
    if not policy.get("rules"):
        faults.required(f"{here}.rules", "at least one rules must be specified")
    for index, rule in enumerate(policy.get("rules") or ()):
        place = f"{here}.rules[{index}]"
        count, text = rule.get("succeededCount"), rule.get("succeededIndexes")
        if count is None and text is None:
            faults.required(place, "at least one of succeededCount or succeededIndexes must be "
                            "specified")  # fmt: skip
        faults.check_number(f"{place}.succeededCount", count)
        if text is not None:
            try:
                inside = intervals.parse(text)
            except ValueError as error:
                faults.invalid(f"{place}.succeededIndexes", text, f"error parsing: {error}")
                continue
            if any(i >= (spec.get("completions") or 0) for i in inside):
                faults.invalid(f"{place}.succeededIndexes", text, "an index is not in completions")


def _template(faults: Faults, path: str, spec: Document) -> None:
    template = spec.get("template") or {}
    meta = template.get("metadata") or {}
    validate_labels(faults, f"{path}.labels", meta.get("labels"))
    validate_annotations(faults, f"{path}.annotations", meta.get("annotations"))
    pod = template.get("spec") or {}
    validate_pod_spec(faults, f"{path}.spec", pod)
    policy = pod.get("restartPolicy", "")
    if policy not in {"OnFailure", "Never"}:
        faults.unsupported(f"{path}.spec.restartPolicy", policy, ("OnFailure", "Never"))
