"""Jobs: what is made, counted and told, by story and by law."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.controllers.job_world import World


def numbers(world):
    return tuple(world.status.get(name, 0) for name in ("active", "succeeded", "failed"))


def test_one_pod_that_goes_well():
    world = World()
    world.settle()
    (name,) = world.active()
    assert numbers(world) == (1, 0, 0)
    pod = world.pods[name].doc
    assert pod["metadata"]["finalizers"] == ["batch.kubernetes.io/job-tracking"]
    assert pod["metadata"]["ownerReferences"][0]["kind"] == "Job"
    world.end(name)
    world.settle()
    assert numbers(world) == (0, 1, 0)
    assert (
        world.condition("Complete") == world.condition("SuccessCriteriaMet") == "CompletionsReached"
    )
    assert world.status["completionTime"]
    assert "uncountedTerminatedPods" not in world.status
    assert "finalizers" not in world.pods[name].doc["metadata"]
    assert ("Completed", "Job completed") in world.events


def test_parallel_pods_until_all_are_done():
    world = World(completions=5, parallelism=2)
    ended = 0
    world.settle()
    while not world.over:
        assert len(world.active()) == min(2, 5 - ended)
        world.end(world.active()[0])
        ended += 1
        world.settle()
    assert (numbers(world), world.made) == ((0, 5, 0), 5)


def test_a_work_queue_is_done_when_one_went_well_and_none_runs():
    world = World(parallelism=3)
    world.settle()
    first, *others = world.active()
    world.end(first)
    world.settle()
    assert len(world.active()) == 2
    for name in others:
        world.end(name)
    world.settle()
    assert numbers(world) == (0, 3, 0)
    assert world.condition("Complete")


def test_failures_wait_longer_and_longer_and_reach_the_limit():
    world = World(backoffLimit=2)
    waits = []
    world.settle()
    while not world.over:
        world.end(world.active()[0], 1)
        world.settle()
        if world.over:
            break
        assert world.active() == []
        waits.append(world.wait_s)
        world.now_s += world.wait_s
        world.settle()
    assert waits == [10, 20]
    assert world.condition("Failed") == "BackoffLimitExceeded"
    assert numbers(world) == (0, 0, 3)
    assert ("BackoffLimitExceeded", "Job has reached the specified backoff limit") in world.events


def test_restarts_within_a_pod_count_too():
    world = World("OnFailure", backoffLimit=2)
    world.settle()
    (name,) = world.active()
    world.end(name, 1, phase="Running", containerStatuses=[{"name": "c", "restartCount": 2}])
    world.settle()
    assert world.condition("FailureTarget") == "BackoffLimitExceeded"
    assert world.condition("Failed") == ""
    world.finish_leaving()
    world.settle()
    assert world.condition("Failed") == "BackoffLimitExceeded"


def test_a_deadline():
    world = World(activeDeadlineSeconds=60)
    world.settle()
    assert world.wait_s == 60
    world.now_s += 60
    world.settle()
    assert world.condition("FailureTarget") == "DeadlineExceeded"
    assert world.status.get("active", 0) == 0
    assert world.status["terminating"] == 1
    world.finish_leaving()
    world.settle()
    assert world.condition("Failed") == "DeadlineExceeded"


def test_suspension_and_going_on():
    world = World(suspend=True, activeDeadlineSeconds=60)
    world.settle()
    assert world.active() == []
    assert world.condition("Suspended") == "JobSuspended"
    assert "startTime" not in world.status
    world.now_s += 3600
    world.change(suspend=False)
    world.settle()
    assert len(world.active()) == 1
    assert world.condition("Suspended") == ""
    world.change(suspend=True)
    world.settle()
    assert world.active() == []
    assert not world.over


def test_indexes():
    world = World(completionMode="Indexed", completions=3, parallelism=2)
    world.settle()
    assert [name.rsplit("-", 1)[0] for name in world.active()] == ["j-0", "j-1"]
    pod = world.pods[world.active()[1]].doc
    assert pod["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"] == "1"
    assert pod["spec"]["hostname"] == "j-1"
    assert {"name": "JOB_COMPLETION_INDEX", "value": "1"} in pod["spec"]["containers"][0]["env"]
    world.end(world.active()[1])
    world.settle()
    assert [name.rsplit("-", 1)[0] for name in world.active()] == ["j-0", "j-2"]
    assert world.status["completedIndexes"] == "1"
    for name in world.active():
        world.end(name)
    world.settle()
    assert world.status["completedIndexes"] == "0-2"
    assert world.condition("Complete")


def test_a_limit_for_each_index():
    world = World(completionMode="Indexed", completions=3, parallelism=3, backoffLimitPerIndex=1)
    world.settle()
    for name in world.active():
        world.end(name, 1 if name.startswith("j-1-") else 0)
    world.settle()
    assert world.active() == []
    world.now_s += world.wait_s
    world.settle()
    (again,) = world.active()
    failures = world.pods[again].doc["metadata"]["annotations"]
    assert failures["batch.kubernetes.io/job-index-failure-count"] == "1"
    world.end(again, 1)
    world.settle()
    assert world.condition("Failed") == "FailedIndexes"
    assert (world.status["completedIndexes"], world.status["failedIndexes"]) == ("0,2", "1")


def test_too_many_failed_indexes():
    world = World(completionMode="Indexed", completions=5, parallelism=5, backoffLimitPerIndex=0,
                  maxFailedIndexes=1)  # fmt: skip
    world.settle()
    for name in world.active()[:2]:
        world.end(name, 1)
    world.settle()
    world.finish_leaving()
    world.settle()
    assert world.condition("Failed") == "MaxFailedIndexesExceeded"


RULES = [
    {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [42]}},
    {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
]


def test_a_rule_that_fails_the_job():
    world = World(podFailurePolicy={"rules": RULES}, parallelism=2, completions=2)
    world.settle()
    name = world.active()[0]
    world.end(name, 42)
    world.settle()
    world.finish_leaving()
    world.settle()
    assert world.condition("Failed") == "PodFailurePolicy"
    (message,) = {c["message"] for c in world.status["conditions"]}
    assert message == (
        f"Container c for pod default/{name} failed with exit code 42 "
        "matching FailJob rule at index 0"
    )


def test_a_rule_that_ignores_a_failure():
    world = World(podFailurePolicy={"rules": RULES}, backoffLimit=0)
    world.settle()
    disrupted = [{"type": "DisruptionTarget", "status": "True"}]
    world.end(world.active()[0], 143, conditions=disrupted)
    world.settle()
    assert len(world.active()) == 1
    assert numbers(world) == (1, 0, 0)


def test_success_by_policy():
    policy = {"rules": [{"succeededIndexes": "0,2-3", "succeededCount": 2}]}
    world = World(completionMode="Indexed", completions=4, parallelism=4, successPolicy=policy)
    world.settle()
    for name in world.active():
        if name.startswith(("j-0-", "j-3-")):
            world.end(name)
    world.settle()
    assert world.condition("SuccessCriteriaMet") == "SuccessPolicy"
    world.finish_leaving()
    world.settle()
    assert world.condition("Complete") == "SuccessPolicy"


def test_pods_that_a_user_deletes_are_replaced_at_once_or_when_they_ended():
    world = World(backoffLimit=9)
    world.settle()
    world.delete(world.active()[0])
    world.settle()
    assert world.status["failed"] == 1 or world.status["uncountedTerminatedPods"]["failed"]
    patient = World(podReplacementPolicy="Failed", backoffLimit=9)
    patient.settle()
    patient.delete(patient.active()[0])
    patient.settle()
    assert patient.active() == []
    assert patient.status["terminating"] == 1
    patient.finish_leaving()
    patient.settle()
    patient.now_s += 40
    patient.settle()
    assert len(patient.active()) == 1


def test_a_job_that_ended_goes_after_its_time():
    world = World(ttlSecondsAfterFinished=30)
    world.settle()
    world.end(world.active()[0])
    world.settle()
    assert world.wait_s == 30
    world.now_s += 30
    world.settle()
    assert world.job is None


def test_fewer_at_a_time():
    world = World(completions=4, parallelism=4)
    world.settle()
    world.change(parallelism=1)
    world.settle()
    assert len(world.active()) == 1


@settings(max_examples=40)
@given(
    st.integers(1, 4), st.integers(1, 6), st.booleans(),
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["well", "ill", "delete", "leave"])),
             max_size=25),
)  # fmt: skip
def test_laws(parallelism, completions, indexed, story):
    mode = "Indexed" if indexed else "NonIndexed"
    world = World(completions=completions, parallelism=parallelism, completionMode=mode,
                  backoffLimit=3)  # fmt: skip
    went_well, went_ill = set(), set()
    world.settle()
    for which, what in story:
        active = world.active()
        assert len(active) <= parallelism
        if active:
            name = active[which % len(active)]
            if what == "well":
                world.end(name)
                went_well.add(name)
            elif what == "ill":
                world.end(name, 1)
                went_ill.add(name)
            elif what == "delete":
                world.delete(name)
                went_ill.add(name)
        if what == "leave":
            world.finish_leaving()
        world.now_s += 400
        world.settle()
        active_count, succeeded, failed = numbers(world)
        waiting = world.status.get("uncountedTerminatedPods", {})
        assert active_count == len(world.active())
        counted = failed + len(waiting.get("failed", ()))
        # pods that the failing Job itself takes away are counted among the failed
        ended = world.condition("FailureTarget") or world.condition("SuccessCriteriaMet")
        assert counted >= len(went_ill) if ended else counted == len(went_ill)
        assert succeeded <= completions
        if not indexed:
            assert succeeded + len(waiting.get("succeeded", ())) == len(went_well)
    world.finish_leaving()
    world.settle()
    if len(went_ill) > 3 and not world.condition("Complete"):
        assert world.condition("Failed") == "BackoffLimitExceeded"
    if world.over:
        assert world.active() == []


@pytest.mark.parametrize("policy", ["Never", "OnFailure"])
def test_nothing_is_written_when_nothing_changes(policy):
    world = World(policy, completions=3, parallelism=2)
    world.settle()
    world.now_s += 5
    assert world.settle() == 0
