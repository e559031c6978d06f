"""Views of Job and CronJob. Source: Kubernetes API, batch/v1."""

from orchestrator.api.types.meta import Condition, LabelSelector, ObjectMeta, View
from orchestrator.api.types.pod import PodTemplateSpec


class OnExitCodes(View, frozen=True):
    """`podFailurePolicy.rules[].onExitCodes`."""

    container_name: str | None = None
    operator: str = "In"
    values: tuple[int, ...] = ()


class OnPodCondition(View, frozen=True):
    """`podFailurePolicy.rules[].onPodConditions[]`."""

    type: str = ""
    status: str = "True"


class PodFailureRule(View, frozen=True):
    """`podFailurePolicy.rules[]`: FailJob, FailIndex, Ignore or Count."""

    action: str = ""
    on_exit_codes: OnExitCodes | None = None
    on_pod_conditions: tuple[OnPodCondition, ...] = ()


class PodFailurePolicy(View, frozen=True):
    """`podFailurePolicy`: the first rule that fits decides."""

    rules: tuple[PodFailureRule, ...] = ()


class SuccessRule(View, frozen=True):
    """`successPolicy.rules[]`: indexes, a number of them, or both."""

    succeeded_indexes: str | None = None
    succeeded_count: int | None = None


class SuccessPolicy(View, frozen=True):
    """`successPolicy`: one rule that is met is enough."""

    rules: tuple[SuccessRule, ...] = ()


class JobSpec(View, frozen=True):
    """`spec` of a Job."""

    parallelism: int = 1
    completions: int | None = None
    completion_mode: str = "NonIndexed"
    backoff_limit: int = 6
    backoff_limit_per_index: int | None = None
    max_failed_indexes: int | None = None
    active_deadline_seconds: int | None = None
    ttl_seconds_after_finished: int | None = None
    suspend: bool = False
    manual_selector: bool = False
    pod_replacement_policy: str = ""
    pod_failure_policy: PodFailurePolicy | None = None
    success_policy: SuccessPolicy | None = None
    selector: LabelSelector = LabelSelector()
    template: PodTemplateSpec = PodTemplateSpec()


class UncountedPods(View, frozen=True):
    """`status.uncountedTerminatedPods`: uids of pods that ended and are not in the counts yet."""

    succeeded: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


class JobStatus(View, frozen=True):
    """`status` of a Job."""

    active: int = 0
    succeeded: int = 0
    failed: int = 0
    ready: int | None = None
    terminating: int | None = None
    start_time: str | None = None
    completion_time: str | None = None
    completed_indexes: str = ""
    failed_indexes: str | None = None
    conditions: tuple[Condition, ...] = ()
    uncounted_terminated_pods: UncountedPods | None = None


class Job(View, frozen=True):
    """A Job."""

    metadata: ObjectMeta = ObjectMeta()
    spec: JobSpec = JobSpec()
    status: JobStatus = JobStatus()


class CronJobSpec(View, frozen=True):
    """`spec` of a CronJob; the template is read from the document."""

    schedule: str = ""
    time_zone: str | None = None
    starting_deadline_seconds: int | None = None
    concurrency_policy: str = "Allow"
    suspend: bool = False
    successful_jobs_history_limit: int = 3
    failed_jobs_history_limit: int = 1


class CronJobStatus(View, frozen=True):
    """`status` of a CronJob."""

    last_schedule_time: str | None = None
    last_successful_time: str | None = None


class CronJob(View, frozen=True):
    """A CronJob."""

    metadata: ObjectMeta = ObjectMeta()
    spec: CronJobSpec = CronJobSpec()
    status: CronJobStatus = CronJobStatus()
