"""CronJobs: which Jobs are made, when, and which are forgotten."""

from orchestrator.api.defaults.batch import default_cron_job
from orchestrator.controllers.cronjob.plan import Facts, plan
from orchestrator.kit.clock import rfc3339
from orchestrator.reconcile.intents import Create, Delete, Patch, Record, RequeueAfter
from tests.unit.controllers.objects import NOW_S, controller_ref, merged, stored

MINUTE = int(NOW_S) // 60
"""NOW_S is 20 seconds after it."""


def cron_job(schedule="* * * * *", status=None, **spec):
    document = {
        "apiVersion": "batch/v1", "kind": "CronJob",
        "metadata": {"name": "c", "creationTimestamp": rfc3339(NOW_S - 70)},
        "spec": {
            "schedule": schedule,
            "jobTemplate": {
                "metadata": {"labels": {"a": "b"}},
                "spec": {"template": {"spec": {"containers": []}}},
            },
            **spec,
        },
        **({"status": status} if status else {}),
    }  # fmt: skip
    default_cron_job(document)
    return stored("cronjobs.batch", document)


def job(owner, name, end="", started_s=NOW_S - 60):
    conditions = [{"type": end, "status": "True"}] if end else []
    status = {"conditions": conditions, "startTime": rfc3339(started_s)}
    if end == "Complete":
        status["completionTime"] = rfc3339(started_s + 5)
    meta = {"name": name, "ownerReferences": controller_ref(owner)}
    return stored("jobs.batch", {"kind": "Job", "metadata": meta, "status": status})


def split(intents):
    kinds = {Create: [], Delete: [], Patch: [], Record: [], RequeueAfter: []}
    for intent in intents:
        kinds[type(intent)].append(intent)
    return kinds


def made(intents):
    return [i.document["metadata"]["name"] for i in split(intents)[Create]]


def test_a_time_that_has_come():
    item = cron_job()
    intents = plan(Facts(item, []), NOW_S)
    assert made(intents) == [f"c-{MINUTE}"]
    (create,) = split(intents)[Create]
    meta = create.document["metadata"]
    assert meta["labels"] == {"a": "b"}
    when = rfc3339(MINUTE * 60)
    assert meta["annotations"] == {"batch.kubernetes.io/cronjob-scheduled-timestamp": when}
    (patch,) = split(intents)[Patch]
    assert patch.patch["status"]["lastScheduleTime"] == when
    (wait,) = split(intents)[RequeueAfter]
    assert 39 < wait.delay_s < 41
    later = merged(item, patch.patch)
    there = job(later, f"c-{MINUTE}")
    again = plan(Facts(later, [there]), NOW_S)
    assert made(again) == []
    settled = merged(later, split(again)[Patch][0].patch)
    assert [ref["name"] for ref in settled.doc["status"]["active"]] == [f"c-{MINUTE}"]
    assert split(plan(Facts(settled, [there]), NOW_S))[Patch] == []


def test_only_the_latest_of_missed_times_is_served():
    item = cron_job(status={"lastScheduleTime": rfc3339(NOW_S - 600)})
    assert made(plan(Facts(item, []), NOW_S)) == [f"c-{MINUTE}"]


def test_far_too_many_missed_times_are_told():
    item = cron_job(status={"lastScheduleTime": rfc3339(NOW_S - 86400 * 3)})
    intents = plan(Facts(item, []), NOW_S)
    assert made(intents) == [f"c-{MINUTE}"]
    assert "TooManyMissedTimes" in {r.reason for r in split(intents)[Record]}


def test_a_deadline_for_starting():
    item = cron_job("0 * * * *", startingDeadlineSeconds=10,
                    status={"lastScheduleTime": rfc3339(NOW_S - 7200)})  # fmt: skip
    assert made(plan(Facts(item, []), NOW_S)) == []


def test_suspended():
    assert split(plan(Facts(cron_job(suspend=True), []), NOW_S))[Create] == []


def test_runs_that_would_overlap():
    running = job(cron_job(), "c-1")
    assert made(plan(Facts(cron_job(), [running]), NOW_S)) == [f"c-{MINUTE}"]
    forbid = plan(Facts(cron_job(concurrencyPolicy="Forbid"), [running]), NOW_S)
    assert made(forbid) == []
    assert "JobAlreadyActive" in {r.reason for r in split(forbid)[Record]}
    replace = plan(Facts(cron_job(concurrencyPolicy="Replace"), [running]), NOW_S)
    assert made(replace) == [f"c-{MINUTE}"]
    assert [d.key.name for d in split(replace)[Delete]] == ["c-1"]


def test_history():
    item = cron_job(suspend=True)
    jobs = [job(item, f"w{n}", "Complete", NOW_S - 100 * n) for n in range(1, 6)]
    jobs += [job(item, f"i{n}", "Failed", NOW_S - 100 * n) for n in range(1, 4)]
    intents = split(plan(Facts(item, jobs), NOW_S))
    assert sorted(d.key.name for d in intents[Delete]) == ["i2", "i3", "w4", "w5"]
    (patch,) = intents[Patch]
    assert patch.patch["status"]["lastSuccessfulTime"] == rfc3339(NOW_S - 95)


def test_time_zones():
    item = cron_job("14 23 * * *", timeZone="Europe/Berlin")  # NOW_S is 23:13:20 there
    intents = plan(Facts(item, []), NOW_S)
    assert made(intents) == []
    assert 39 < split(intents)[RequeueAfter][0].delay_s < 41
