"""Running pods get better places: within bounds, within budgets, and then there is rest."""

import asyncio
import random
from typing import Any

import pytest

from orchestrator.controllers.rebalance.settings import RebalanceSettings
from orchestrator.kit.ids import ObjectKey
from orchestrator.registry.options import Patch
from tests.sim.cluster import Cluster, cluster

pytestmark = pytest.mark.looptime

ON = RebalanceSettings(enabled=True, moves_per_minute=4, min_age_s=20)
BUDGETS = "poddisruptionbudgets.policy"


class Evictions:
    """When pods were marked for deletion, and the fewest that were ready meanwhile."""

    def __init__(self, sim: Cluster, *apps: str) -> None:
        self.at: list[float] = []
        self.fewest = {app: len(sim.history.ready_pods(app)) for app in apps}
        self._sim = sim
        sim.store.subscribe(self._note)

    def _note(self, event: Any) -> None:
        if event.object.key.resource != "pods":
            return
        before, after = event.previous, event.object.doc["metadata"]
        if "deletionTimestamp" in after and (
            before is None or "deletionTimestamp" not in before.doc["metadata"]
        ):
            self.at.append(self._sim.clock.monotonic())
        for app, fewest in self.fewest.items():
            self.fewest[app] = min(fewest, len(self._sim.history.ready_pods(app)))

    def most_in_a_minute(self) -> int:
        return max((sum(t <= u < t + 60 for u in self.at) for t in self.at), default=0)


async def set_node(sim: Cluster, name: str, body: dict[str, Any]) -> None:
    await sim.registry.patch(ObjectKey("nodes", "", name), Patch("merge", body))


def reasons(sim: Cluster) -> set[str]:
    return {e.doc["reason"] for e in sim.store.list("events", "default")}


async def test_a_host_joins_and_pods_move_there_within_bounds_and_then_rest() -> None:
    async with cluster(hosts=2, rebalance=ON) as sim:
        names = ("a", "b", "c")
        for name in names:
            await sim.deploy(name, 6, cpu="100m")
        await sim.converged(10)
        evictions = Evictions(sim, *names)
        await sim.quiet(settle_s=40)
        assert not evictions.at, "all is well"
        await sim.add_host()
        even = {"host-1": 2, "host-2": 2, "host-3": 2}
        await sim.until(lambda: all(sim.history.per_host(n) == even for n in names), 300)
        assert len(evictions.at) == 6
        assert evictions.most_in_a_minute() <= 4
        assert min(evictions.fewest.values()) == 5, "one pod of a workload at a time"
        await sim.converged(30)
        await sim.quiet(settle_s=90, silence_s=600)
        assert len(evictions.at) == 6
        assert "RemoveDuplicates" in reasons(sim)
        sim.history.check()


async def test_a_budget_holds_the_moves_up() -> None:
    async with cluster(hosts=1, rebalance=ON) as sim:
        await sim.deploy("web", 4)
        document = {
            "metadata": {"name": "web", "namespace": "default"},
            "spec": {"minAvailable": 4, "selector": {"matchLabels": {"app": "web"}}},
        }
        await sim.registry.create(BUDGETS, "default", document)
        await sim.converged(10)
        evictions = Evictions(sim, "web")
        await sim.add_host()
        await asyncio.sleep(200)
        assert not evictions.at
        await sim.patch(BUDGETS, "web", {"spec": {"minAvailable": 3}})
        await sim.until(lambda: sim.history.per_host("web") == {"host-1": 2, "host-2": 2}, 200)
        assert evictions.fewest == {"web": 3}
        await sim.quiet(settle_s=90)


async def test_a_dry_run_tells_once_and_moves_nothing() -> None:
    dry = RebalanceSettings(enabled=True, dry_run=True, min_age_s=20)
    async with cluster(hosts=1, rebalance=dry) as sim:
        await sim.deploy("web", 4)
        await sim.converged(10)
        await sim.add_host()
        await sim.until(lambda: "RemoveDuplicates" in reasons(sim), 60)
        await sim.quiet(settle_s=60, silence_s=300)
        assert sim.history.per_host("web") == {"host-1": 4}
        (event,) = [
            e.doc for e in sim.store.list("events", "default")
            if e.doc["reason"] == "RemoveDuplicates"
        ]  # fmt: skip
        assert "Would move from host-1 to host-2 (dry run)" in event["message"]
        assert event["count"] == 1


async def test_it_is_off_unless_somebody_wants_it() -> None:
    async with cluster(hosts=1) as sim:
        await sim.deploy("web", 4)
        await sim.converged(10)
        await sim.add_host()
        await sim.quiet(settle_s=200)
        assert sim.history.per_host("web") == {"host-1": 4}


async def test_pods_leave_a_tainted_host_one_by_one_and_come_back_when_it_is_free_again() -> None:
    async with cluster(hosts=2, rebalance=ON) as sim:
        await sim.deploy("web", 4)
        await sim.converged(10)
        evictions = Evictions(sim, "web")
        taint = {"key": "maintenance", "effect": "NoSchedule"}
        await set_node(sim, "host-1", {"spec": {"taints": [taint]}})
        await sim.until(lambda: sim.history.per_host("web") == {"host-2": 4}, 200)
        assert evictions.fewest == {"web": 3}
        await set_node(sim, "host-1", {"spec": {"taints": None}})
        await sim.until(lambda: sim.history.per_host("web") == {"host-1": 2, "host-2": 2}, 200)
        await sim.quiet(settle_s=90)


async def test_bare_pods_and_those_of_a_daemon_set_stay() -> None:
    async with cluster(hosts=1, rebalance=ON) as sim:
        spec = {"containers": [{"name": "c", "image": "web:1"}]}
        labels = {"app": "agent"}
        for number in range(3):
            metadata = {"name": f"bare-{number}", "namespace": "default"}
            await sim.registry.create("pods", "default", {"metadata": metadata, "spec": spec})
        document = {
            "metadata": {"name": "agent", "namespace": "default"},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": spec},
            },
        }
        await sim.registry.create("daemonsets.apps", "default", document)
        await sim.until(lambda: len(sim.history.per_host()) == 1, 10)
        evictions = Evictions(sim)
        await sim.add_host()
        await set_node(sim, "host-1", {"spec": {"taints": [{"key": "x", "effect": "NoSchedule"}]}})
        await asyncio.sleep(300)
        assert not evictions.at


async def test_whatever_happens_it_comes_to_rest(long_seed: int) -> None:
    """Random workloads, hosts that come, go and change: then no pod moves any more."""
    rng = random.Random(long_seed)
    settings = RebalanceSettings(
        enabled=True,
        every_s=5,
        moves_per_minute=rng.choice([2, 20]),
        min_age_s=rng.choice([0, 20]),
        min_replicas=1,
        spread_soft=True,
        low_below={"cpu": 40},
        low_above={"cpu": 60},
    )
    async with cluster(seed=long_seed, hosts=2, rebalance=settings) as sim:
        for name in "abc":
            when = rng.choice(["DoNotSchedule", "ScheduleAnyway"])
            even = {
                "maxSkew": 1,
                "topologyKey": "zone",
                "whenUnsatisfiable": when,
                "labelSelector": {"matchLabels": {"app": name}},
            }
            pod = rng.choice([{}, {"topologySpreadConstraints": [even]}])
            await sim.deploy(name, rng.randint(1, 5), cpu=rng.choice(["100m", "600m"]), pod=pod)
        for _ in range(6):
            await asyncio.sleep(rng.choice([1, 10, 40]))
            host = rng.choice(list(sim.hosts.values()))
            match rng.randrange(4):
                case 0 if len(sim.hosts) < 5:
                    await sim.add_host()
                case 1:
                    host.kill(containers_die=True)
                case 2:
                    taint = {"key": "x", "effect": rng.choice(["NoSchedule", "PreferNoSchedule"])}
                    await set_node(
                        sim, host.name, {"spec": {"taints": rng.choice([[taint], None])}}
                    )
                case _:
                    zone = rng.choice(["z1", "z2"])
                    await set_node(sim, host.name, {"metadata": {"labels": {"zone": zone}}})
            for each in sim.hosts.values():
                if each is not host:
                    each.revive()
        for host in sim.hosts.values():
            host.revive()
        await asyncio.sleep(600)
        await sim.quiet(silence_s=300)
        sim.history.check()
