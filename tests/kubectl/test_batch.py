"""Jobs."""

import pytest

from tests.kubectl.manifests import cron_job, job

pytestmark = [pytest.mark.docker, pytest.mark.rig, pytest.mark.slow]


@pytest.mark.command(
    "Job: `create`, `wait --for=condition=complete`, `logs job/x`, `get`, `delete`"
)
def test_job(kubectl, bench):
    kubectl("create", "-f", bench.file("j.yaml", job(completions=2, parallelism=2)))
    kubectl("wait", "job/once", "--for=condition=complete", "--timeout=40s")
    assert "2/2" in kubectl("get", "job", "once").rows[1]
    assert "done" in kubectl("logs", "job/once").out
    assert "Completed" in kubectl("describe", "job", "once").out
    kubectl("delete", "job", "once")
    assert kubectl("get", "pods", "-o", "name").lines == [] or kubectl(
        "wait", "pods", "--all", "--for=delete", "--timeout=20s"
    )


@pytest.mark.command("Job that fails")
def test_failing_job(kubectl, bench):
    kubectl("create", "-f", bench.file("j.yaml", job(script="exit 1", backoffLimit=0)))
    kubectl("wait", "job/once", "--for=condition=failed", "--timeout=40s")
    conditions = {c["type"]: c for c in kubectl.get("job", "once")["status"]["conditions"]}
    assert conditions["Failed"]["reason"] == "BackoffLimitExceeded"


@pytest.mark.command("CronJob: `create`, `get`, `create job --from`")
def test_cron_job(kubectl, bench):
    kubectl("create", "-f", bench.file("c.yaml", cron_job()))
    assert "0 3 * * *" in kubectl("get", "cj").rows[1]
    kubectl("create", "job", "now", "--from=cronjob/nightly")
    kubectl("wait", "job/now", "--for=condition=complete", "--timeout=40s")
    assert "Schedule:" in kubectl("describe", "cj", "nightly").out
