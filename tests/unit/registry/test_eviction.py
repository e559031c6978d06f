"""Evictions against budgets, and priorities of new pods."""

import asyncio

import pytest

from orchestrator.kit.errors import ApiError, Forbidden, Invalid, TooManyRequests
from orchestrator.registry.options import DeleteOptions, Patch
from tests.unit.registry.documents import key, pod_document

BUDGETS = "poddisruptionbudgets.policy"
CLASSES = "priorityclasses.scheduling.k8s.io"


async def running(registry, name, ready=True, phase="Running"):
    document = pod_document(name)
    document["metadata"]["labels"] = {"app": "web"}
    await registry.create("pods", "default", document)
    conditions = [{"type": "Ready", "status": str(ready)}]
    status = {"phase": phase, "conditions": conditions}
    await registry.patch(
        key("pods", name), Patch("merge", {"status": status}), subresource="status"
    )


async def budget(registry, allowed, name="b", healthy=3, desired=2, **spec):
    spec = {"minAvailable": desired, "selector": {"matchLabels": {"app": "web"}}, **spec}
    await registry.create(BUDGETS, "default", {"metadata": {"name": name}, "spec": spec})
    status = {"disruptionsAllowed": allowed, "observedGeneration": 1, "currentHealthy": healthy,
              "desiredHealthy": desired, "expectedPods": healthy}  # fmt: skip
    await registry.patch(
        key(BUDGETS, name), Patch("merge", {"status": status}), subresource="status"
    )


async def test_the_last_allowed_disruption_is_taken_once(registry):
    for name in ("p0", "p1", "p2"):
        await running(registry, name)
    await budget(registry, 1)
    answers = await asyncio.gather(
        *(registry.evict(key("pods", f"p{n}")) for n in range(3)), return_exceptions=True
    )
    refused = [a for a in answers if isinstance(a, TooManyRequests)]
    assert len(refused) == 2
    assert refused[0].message == "Cannot evict pod as it would violate the pod's disruption budget."
    (cause,) = refused[0].causes
    assert cause.reason == "DisruptionBudget"
    assert cause.message == "The disruption budget b needs 2 healthy pods and has 3 currently"
    status = registry.get(key(BUDGETS, "b")).doc["status"]
    assert status["disruptionsAllowed"] == 0
    assert len(status["disruptedPods"]) == 1


async def test_who_is_not_asked_about(registry):
    await budget(registry, 0)
    for name, phase in (("waits", "Pending"), ("done", "Succeeded")):
        await running(registry, name, phase=phase)
        assert (await registry.evict(key("pods", name))).gone
    await running(registry, "ill", ready=False)
    assert (await registry.evict(key("pods", "ill"))).gone


async def test_unhealthy_pods_below_the_budget(registry):
    await budget(registry, 0, healthy=1)
    await running(registry, "ill", ready=False)
    with pytest.raises(TooManyRequests):
        await registry.evict(key("pods", "ill"))
    change = {"spec": {"unhealthyPodEvictionPolicy": "AlwaysAllow"}}
    await registry.patch(key(BUDGETS, "b"), Patch("merge", change))
    assert (await registry.evict(key("pods", "ill"))).gone


async def test_a_budget_that_was_not_counted_yet(registry):
    await budget(registry, 1)
    await running(registry, "p")
    await registry.patch(key(BUDGETS, "b"), Patch("merge", {"spec": {"minAvailable": 1}}))
    with pytest.raises(TooManyRequests) as caught:
        await registry.evict(key("pods", "p"))
    assert "is still being processed by the server" in caught.value.causes[0].message


async def test_two_budgets_for_one_pod(registry):
    await running(registry, "p")
    await budget(registry, 1)
    await budget(registry, 1, "c")
    with pytest.raises(ApiError, match="more than one PodDisruptionBudget") as caught:
        await registry.evict(key("pods", "p"))
    assert caught.value.code == 500


async def test_a_dry_run_takes_nothing(registry):
    await running(registry, "p")
    await budget(registry, 1)
    await registry.evict(key("pods", "p"), options=DeleteOptions(dry_run=True))
    assert registry.get(key(BUDGETS, "b")).doc["status"]["disruptionsAllowed"] == 1
    assert registry.exists(key("pods", "p"))


async def test_budgets_are_checked(registry):
    for spec, words in (
        ({"minAvailable": 1, "maxUnavailable": 1}, "cannot be both set"),
        ({"minAvailable": "x"}, "a valid percent string"),
        ({"maxUnavailable": "101%"}, "must not be greater than 100%"),
        ({"unhealthyPodEvictionPolicy": "No"}, "Unsupported value"),
    ):
        with pytest.raises(Invalid, match=words):
            await registry.create(BUDGETS, "default", {"metadata": {"name": "b"}, "spec": spec})


async def test_priorities_of_new_pods(registry):
    async def made(name, **spec):
        return (await registry.create("pods", "default", pod_document(name, **spec))).doc["spec"]

    await registry.create(CLASSES, "", {"metadata": {"name": "high"}, "value": 7,
                                        "preemptionPolicy": "Never"})  # fmt: skip
    spec = await made("a", priorityClassName="high")
    assert (spec["priority"], spec["preemptionPolicy"]) == (7, "Never")
    assert (await made("b"))["priority"] == 0
    assert (await made("c", priorityClassName="system-node-critical"))["priority"] == 2_000_001_000
    with pytest.raises(Forbidden, match="no PriorityClass with name none was found"):
        await made("d", priorityClassName="none")
    with pytest.raises(Forbidden, match="computed 7 from the given PriorityClass name"):
        await made("e", priorityClassName="high", priority=8)
    default = {"metadata": {"name": "usual"}, "value": 3, "globalDefault": True}
    await registry.create(CLASSES, "", default)
    assert (await made("f"))["priorityClassName"] == "usual"
    again = {"metadata": {"name": "other"}, "value": 4, "globalDefault": True}
    with pytest.raises(Forbidden, match="usual is already marked as default"):
        await registry.create(CLASSES, "", again)
    with pytest.raises(Invalid, match="may not be changed in an update"):
        await registry.patch(key(CLASSES, "high", ""), Patch("merge", {"value": 8}))
    with pytest.raises(Invalid, match="reserved for system use only"):
        await registry.create(CLASSES, "", {"metadata": {"name": "system-x"}, "value": 1})
    with pytest.raises(Invalid, match="maximum allowed value"):
        await registry.create(CLASSES, "", {"metadata": {"name": "x"}, "value": 1_000_000_001})
