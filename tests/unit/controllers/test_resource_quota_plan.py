"""The status of a quota."""

from orchestrator.api.amounts import read
from orchestrator.controllers.resourcequota.plan import plan
from orchestrator.reconcile.intents import Patch, RequeueAfter
from tests.unit.controllers.objects import NOW_S, merged, stored


def quota(**hard):
    return stored(
        "resourcequotas",
        {"kind": "ResourceQuota", "metadata": {"name": "q"}, "spec": {"hard": hard}},
    )


def test_status_follows_usage_and_then_is_quiet():
    item = quota(pods="3", memory="1Gi")
    used = read({"pods": "1", "memory": "512Mi"})
    (patch,) = plan(item, used, None, NOW_S)
    assert isinstance(patch, Patch)
    assert patch.patch["status"] == {
        "hard": {"pods": "3", "memory": "1Gi"}, "used": {"memory": "512Mi", "pods": "1"},
    }  # fmt: skip
    assert plan(merged(item, patch.patch), used, None, NOW_S + 60) == []


def test_it_looks_again_when_only_time_changes_the_usage():
    found = plan(quota(pods="3"), read({"pods": "1"}), NOW_S + 7, NOW_S)
    assert [one.delay_s for one in found if isinstance(one, RequeueAfter)] == [7]
