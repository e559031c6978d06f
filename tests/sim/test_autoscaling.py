"""Autoscalers in the whole control plane: from usage to pods and back."""

import pytest

from orchestrator.api.types.pod import Pod
from orchestrator.kit.errors import Conflict
from orchestrator.kit.ids import ObjectKey
from orchestrator.reconcile.pods import is_active
from orchestrator.reconcile.snapshot import view_as
from orchestrator.registry.options import WriteOptions
from tests.sim.cluster import Cluster, cluster, deployment

pytestmark = pytest.mark.looptime

HPAS = "horizontalpodautoscalers.autoscaling"


async def autoscaler(sim: Cluster, target: dict, name: str = "web", **spec) -> ObjectKey:
    document = {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"scaleTargetRef": target, "maxReplicas": 6, **spec},
    }
    await sim.registry.create(HPAS, "default", document)
    return ObjectKey(HPAS, "default", name)


def deployment_of(name: str) -> dict:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}


def active(sim: Cluster, app: str = "web") -> int:
    return sum(is_active(view_as(pod, Pod)) for pod in sim.history.pods(app))


def condition(sim: Cluster, key: ObjectKey, kind: str) -> tuple[str, str]:
    for each in sim.registry.get(key).doc.get("status", {}).get("conditions", ()):
        if each["type"] == kind:
            return each["status"], each["reason"]
    return "", ""


def reasons(sim: Cluster, key: ObjectKey) -> list[str]:
    events = [e.doc for e in sim.store.list("events", "default")]
    return [e["reason"] for e in events if e["involvedObject"]["name"] == key.name]


async def test_a_deployment_follows_its_usage() -> None:
    async with cluster() as sim:
        await sim.deploy("web", 2, cpu="100m")
        await sim.converged(10)
        sim.usage.mcpu["web"] = 80
        key = await autoscaler(sim, deployment_of("web"))
        await sim.until(lambda: condition(sim, key, "ScalingActive")[0] == "True", 20)
        await sim.quiet()
        assert active(sim) == 2
        sim.usage.mcpu["web"] = 160
        await sim.until(lambda: active(sim) == 4, 20)
        sim.usage.mcpu["web"] = 80
        await sim.quiet(60)
        sim.usage.mcpu["web"] = 10
        before = sim.clock.monotonic()
        await sim.until(lambda: active(sim) == 1, 400)
        assert sim.clock.monotonic() - before > 200  # what was wanted lately is kept to
        assert "SuccessfulRescale" in reasons(sim, key)
        status = sim.registry.get(key).doc["status"]
        assert (status["desiredReplicas"], condition(sim, key, "AbleToScale")[0]) == (1, "True")
        sim.history.check()


async def test_who_applies_without_replicas_leaves_them_to_the_autoscaler() -> None:
    async with cluster() as sim:
        config = deployment("web", 2, cpu="100m") | {"apiVersion": "apps/v1", "kind": "Deployment"}
        key = ObjectKey("deployments.apps", "default", "web")
        mine = WriteOptions(field_manager="me")
        await sim.registry.apply(key, config, options=mine)
        await sim.converged(10)
        sim.usage.mcpu["web"] = 160
        await autoscaler(sim, deployment_of("web"))
        await sim.until(lambda: active(sim) == 4, 20)
        with pytest.raises(Conflict):
            await sim.registry.apply(key, config, options=mine)
        del config["spec"]["replicas"]
        await sim.registry.apply(key, config, options=mine)
        assert sim.registry.get(key).doc["spec"]["replicas"] == 4


async def test_a_stateful_set_too() -> None:
    async with cluster() as sim:
        template = {
            "metadata": {"labels": {"app": "db"}},
            "spec": {"containers": [{"name": "c", "image": "db:1", "resources": {
                "requests": {"cpu": "100m"}}}]},
        }  # fmt: skip
        spec = {
            "replicas": 1, "serviceName": "db", "template": template,
            "selector": {"matchLabels": {"app": "db"}},
        }  # fmt: skip
        document = {"metadata": {"name": "db", "namespace": "default"}, "spec": spec}
        await sim.registry.create("statefulsets.apps", "default", document)
        sim.usage.mcpu["db"] = 200
        target = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db"}
        await autoscaler(sim, target, maxReplicas=3)
        await sim.until(lambda: active(sim, "db") == 3, 120)


async def test_what_is_not_there_yet_and_what_is_in_trouble() -> None:
    async with cluster() as sim:
        key = await autoscaler(sim, deployment_of("web"))
        missing = ("False", "FailedGetScale")
        await sim.until(lambda: condition(sim, key, "AbleToScale") == missing, 5)
        (condition_,) = sim.registry.get(key).doc["status"]["conditions"]
        assert condition_["message"].endswith('deployments/scale.apps "web" not found')
        await sim.quiet()
        assert reasons(sim, key) == ["FailedGetScale"]
        await sim.deploy("web", 2)  # its pods request nothing
        sim.usage.mcpu["web"] = 80
        await sim.until(
            lambda: condition(sim, key, "ScalingActive") == ("False", "FailedGetResourceMetric"), 40
        )
        await sim.quiet(60)
        for kind, text in (
            ({"apiVersion": "apps/v1", "kind": "Thing", "name": "x"},
             'no matches for kind "Thing" in group "apps"'),
            ({"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "x"},
             "the server could not find the requested resource"),
            ({"apiVersion": "a/b/c", "kind": "DaemonSet", "name": "x"},
             "unexpected GroupVersion string: a/b/c"),
        ):  # fmt: skip
            await sim.patch(HPAS, "web", {"spec": {"scaleTargetRef": kind}})
            await sim.until(lambda text=text: told(sim, key).endswith(text), 2)


def told(sim: Cluster, key: ObjectKey) -> str:
    conditions = sim.registry.get(key).doc["status"]["conditions"]
    return next(c["message"] for c in conditions if c["type"] == "AbleToScale")


async def test_two_autoscalers_of_the_same_pods_leave_them_alone() -> None:
    async with cluster() as sim:
        await sim.deploy("web", 2, cpu="100m")
        await sim.converged(10)
        sim.usage.mcpu["web"] = 400
        keys = [await autoscaler(sim, deployment_of("web"), name, minReplicas=2) for name in "ab"]
        await sim.until(
            lambda: all(
                condition(sim, key, "ScalingActive") == ("False", "AmbiguousSelector")
                for key in keys
            ),
            40,
        )
        size = active(sim)
        await sim.quiet(30)
        assert active(sim) == size
        await sim.registry.delete(keys[1])
        await sim.until(lambda: active(sim) == 6, 60)


async def fleet(sim: Cluster) -> None:
    """A custom object of size 2 that says which pods are its own."""
    await sim.registry.create("customresourcedefinitions.apiextensions.k8s.io", "", CRD)
    document = {
        "apiVersion": "example.com/v1", "kind": "Fleet",
        "metadata": {"name": "f", "namespace": "default"},
        "spec": {"size": 2}, "status": {"size": 2, "pods": "app=web"},
    }  # fmt: skip
    served = sim.registry.catalog
    await sim.until(lambda: served.current.by_kind("example.com/v1", "Fleet") is not None, 5)
    await sim.registry.create("fleets.example.com", "default", document)


async def test_a_custom_resource_with_a_scale() -> None:
    async with cluster() as sim:
        await fleet(sim)
        await sim.deploy("web", 2, cpu="100m")
        await sim.converged(10)
        sim.usage.mcpu["web"] = 160
        await autoscaler(
            sim, {"apiVersion": "example.com/v1", "kind": "Fleet", "name": "f"}, "fleet"
        )
        key = ObjectKey("fleets.example.com", "default", "f")
        await sim.until(lambda: sim.registry.get(key).doc["spec"]["size"] == 4, 30)


NUMBER = {"type": "integer"}
CRD = {
    "metadata": {"name": "fleets.example.com"},
    "spec": {
        "group": "example.com", "scope": "Namespaced",
        "names": {"plural": "fleets", "singular": "fleet", "kind": "Fleet"},
        "versions": [{
            "name": "v1", "served": True, "storage": True,
            "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                "spec": {"type": "object", "properties": {"size": NUMBER | {"maximum": 4}}},
                "status": {"type": "object", "properties": {
                    "size": NUMBER, "pods": {"type": "string"}}},
            }}},
            "subresources": {"scale": {
                "specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size",
                "labelSelectorPath": ".status.pods"}},
        }],
    },
}  # fmt: skip


async def test_a_target_that_refuses_is_told_about() -> None:
    async with cluster() as sim:
        await fleet(sim)
        target = {"apiVersion": "example.com/v1", "kind": "Fleet", "name": "f"}
        key = await autoscaler(sim, target, "fleet", minReplicas=5)
        await sim.until(
            lambda: condition(sim, key, "AbleToScale") == ("False", "FailedUpdateScale"), 20
        )
        assert "FailedRescale" in reasons(sim, key)
        assert "should be less than or equal to 4" in told(sim, key)
