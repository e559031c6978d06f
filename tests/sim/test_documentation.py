"""What Kubernetes' documentation says of its own examples comes true, manifest by manifest.

The pages are named at each test; the manifests are ours, to the same effect.
Source: Kubernetes concepts and tasks, "Scheduling, Preemption and Eviction".
"""

import asyncio
from collections import Counter
from typing import Any

import pytest
import yaml

from orchestrator.kit.ids import ObjectKey
from orchestrator.registry.options import Patch
from orchestrator.scheduler.settings import SchedulerSettings
from tests.sim.cluster import Cluster, cluster

pytestmark = pytest.mark.looptime

HOSTNAME, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"
CLASSES = "priorityclasses.scheduling.k8s.io"


def pod(name: str, text: str = "", **labels: str) -> dict[str, Any]:
    """A pod of one container; `text` is more of its spec, as YAML."""
    more: dict[str, Any] = yaml.safe_load(text) or {}
    container = {"name": "c", "image": "web:1"}
    if "cpu" in more:
        container |= {"resources": {"requests": {"cpu": more.pop("cpu")}}}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 1, **more}
    metadata = {"name": name, "namespace": "default", "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


async def created(sim: Cluster, *documents: dict[str, Any]) -> list[str]:
    """Creates pods, and returns where they are once each was looked at, "" for nowhere."""
    for document in documents:
        await sim.registry.create("pods", "default", document)
    names = [document["metadata"]["name"] for document in documents]
    await sim.until(lambda: all(scheduled(sim, n) or place(sim, n) for n in names), 20)
    return [place(sim, name) for name in names]


def found(sim: Cluster, name: str) -> dict[str, Any]:
    item = sim.store.get(ObjectKey("pods", "default", name))
    return item.doc if item is not None else {"spec": {}, "status": {}}


def place(sim: Cluster, name: str) -> str:
    return str(found(sim, name)["spec"].get("nodeName", ""))


def scheduled(sim: Cluster, name: str) -> dict[str, Any]:
    conditions = found(sim, name)["status"].get("conditions") or ()
    return next((c for c in conditions if c["type"] == "PodScheduled"), {})


def message(sim: Cluster, name: str) -> str:
    return str(scheduled(sim, name).get("message", ""))


async def node(sim: Cluster, name: str, **body: Any) -> None:
    """Labels and taints of a host."""
    patch = {"metadata": {"labels": body.pop("labels", {})}, "spec": body}
    await sim.registry.patch(ObjectKey("nodes", "", name), Patch("merge", patch))


async def zones(sim: Cluster, **of: str) -> None:
    for number, zone in of.items():
        name = number.replace("_", "-")
        await node(sim, name, labels={ZONE: zone, HOSTNAME: name})


# ---------------------------------------------------------------- assigning pods to nodes


async def test_a_node_selector_needs_every_label() -> None:
    """Task "Assign Pods to Nodes": the pod is on the node that carries `disktype=ssd`."""
    async with cluster() as sim:
        await node(sim, "host-2", labels={"disktype": "ssd"})
        selector = "nodeSelector: {disktype: ssd}"
        both = "nodeSelector: {disktype: ssd, gpu: 'true'}"
        assert await created(sim, pod("one", selector), pod("two", both)) == ["host-2", ""]
        assert "3 node(s) didn't match Pod's node affinity/selector" in message(sim, "two")


async def test_a_node_name_passes_the_scheduler_by() -> None:
    """Same task: `nodeName` puts the pod there, also where a taint keeps others away."""
    async with cluster() as sim:
        await node(sim, "host-3", taints=[{"key": "k", "effect": "NoSchedule"}])
        document = pod("direct", "nodeName: host-3")
        await sim.registry.create("pods", "default", document)
        await sim.until(lambda: found(sim, "direct")["status"].get("phase") == "Running", 10)


async def test_required_node_affinity_is_a_must_and_preferred_a_wish() -> None:
    """Concept "Assigning Pods to Nodes": in one of two zones, rather with another label."""
    affinity = f"""
    affinity:
      nodeAffinity:
        requiredDuringSchedulingIgnoredDuringExecution:
          nodeSelectorTerms:
          - matchExpressions: [{{key: {ZONE}, operator: In, values: [east, west]}}]
        preferredDuringSchedulingIgnoredDuringExecution:
        - weight: 1
          preference:
            matchExpressions: [{{key: other-label, operator: In, values: [some-value]}}]
    """
    async with cluster() as sim:
        await zones(sim, host_1="east", host_2="west", host_3="north")
        await node(sim, "host-2", labels={"other-label": "some-value"})
        await node(sim, "host-3", labels={"other-label": "some-value"})
        assert await created(sim, pod("a", affinity)) == ["host-2"]
        await node(sim, "host-2", labels={ZONE: "north"})
        assert place(sim, "a") == "host-2", "ignored during execution"
        assert await created(sim, pod("b", affinity)) == ["host-1"]


async def test_weights_of_preferences_are_added_up() -> None:
    """Same concept, weights 1 and 50: of two nodes that may be, the one with more weight."""
    affinity = """
    affinity:
      nodeAffinity:
        preferredDuringSchedulingIgnoredDuringExecution:
        - weight: 1
          preference: {matchExpressions: [{key: label-1, operator: In, values: [key-1]}]}
        - weight: 50
          preference: {matchExpressions: [{key: label-2, operator: In, values: [key-2]}]}
    """
    async with cluster(hosts=2) as sim:
        await node(sim, "host-1", labels={"label-1": "key-1"})
        await node(sim, "host-2", labels={"label-2": "key-2"})
        assert await created(sim, pod("a", affinity)) == ["host-2"]


async def test_pods_beside_and_apart_from_others() -> None:
    """Same concept: in a zone with `security=S1`, rather not in one with `security=S2`."""
    affinity = f"""
    affinity:
      podAffinity:
        requiredDuringSchedulingIgnoredDuringExecution:
        - labelSelector: {{matchExpressions: [{{key: security, operator: In, values: [S1]}}]}}
          topologyKey: {ZONE}
      podAntiAffinity:
        preferredDuringSchedulingIgnoredDuringExecution:
        - weight: 100
          podAffinityTerm:
            labelSelector: {{matchExpressions: [{{key: security, operator: In, values: [S2]}}]}}
            topologyKey: {ZONE}
    """
    async with cluster(hosts=3) as sim:
        await zones(sim, host_1="v", host_2="v", host_3="r")
        assert await created(sim, pod("early", affinity)) == [""]
        here = [pod("s1", "nodeName: host-1", security="S1"),
                pod("s2", "nodeName: host-3", security="S2")]  # fmt: skip
        await created(sim, *here)
        await sim.until(lambda: place(sim, "early") in {"host-1", "host-2"}, 10)


async def test_a_cache_on_every_host_and_a_web_server_beside_each() -> None:
    """Same concept, "more practical use-cases": three caches apart, three servers beside them."""
    apart = f"""
    affinity:
      podAntiAffinity: &apart
        requiredDuringSchedulingIgnoredDuringExecution:
        - labelSelector: {{matchExpressions: [{{key: app, operator: In, values: [APP]}}]}}
          topologyKey: {HOSTNAME}
    """
    beside = f"""
      podAffinity:
        requiredDuringSchedulingIgnoredDuringExecution:
        - labelSelector: {{matchExpressions: [{{key: app, operator: In, values: [store]}}]}}
          topologyKey: {HOSTNAME}
    """
    async with cluster(hosts=3) as sim:
        await zones(sim, host_1="a", host_2="a", host_3="a")
        store = yaml.safe_load(apart.replace("APP", "store"))
        await sim.deploy("store", 3, pod=store)
        web = yaml.safe_load(apart.replace("APP", "web").rstrip() + beside)
        await sim.deploy("web", 3, pod=web)
        await sim.converged(20)
        one_each = {"host-1": 1, "host-2": 1, "host-3": 1}
        assert sim.history.per_host("store") == sim.history.per_host("web") == one_each


# ---------------------------------------------------------------- taints and tolerations


async def test_a_taint_keeps_out_who_does_not_tolerate_it() -> None:
    """Concept "Taints and Tolerations": Equal and Exists match `key1=value1:NoSchedule`."""
    equal = "tolerations: [{key: key1, operator: Equal, value: value1, effect: NoSchedule}]"
    exists = "tolerations: [{key: key1, operator: Exists, effect: NoSchedule}]"
    other = "tolerations: [{key: key1, operator: Equal, value: value2, effect: NoSchedule}]"
    everything = "tolerations: [{operator: Exists}]"
    async with cluster(hosts=1) as sim:
        taint = {"key": "key1", "value": "value1", "effect": "NoSchedule"}
        await node(sim, "host-1", taints=[taint])
        texts = ("", equal, exists, other, everything)
        pods = [pod(f"p{number}", text) for number, text in enumerate(texts)]
        assert [bool(p) for p in await created(sim, *pods)] == [False, True, True, False, True]
        assert "had untolerated taint {key1: value1}" in message(sim, "p0")


async def test_of_several_taints_every_one_counts() -> None:
    """Same concept: two of three taints are tolerated: no new pod, but a running one goes on."""
    two = """
    tolerations:
    - {key: key1, operator: Equal, value: value1, effect: NoSchedule}
    - {key: key1, operator: Equal, value: value1, effect: NoExecute}
    """
    async with cluster(hosts=1) as sim:
        assert await created(sim, pod("before", two), pod("plain")) == ["host-1"] * 2
        taints = [
            {"key": "key1", "value": "value1", "effect": "NoSchedule"},
            {"key": "key1", "value": "value1", "effect": "NoExecute"},
            {"key": "key2", "value": "value2", "effect": "NoSchedule"},
        ]
        await node(sim, "host-1", taints=taints)
        assert await created(sim, pod("after", two)) == [""]
        await sim.until(lambda: not place(sim, "plain"), 10)
        assert place(sim, "before") == "host-1"


async def test_a_toleration_for_some_seconds() -> None:
    """Same concept, `tolerationSeconds`: evicted at once, after that time, or never."""
    bound = "tolerations: [{key: k, operator: Exists, effect: NoExecute, tolerationSeconds: 60}]"
    ever = "tolerations: [{key: k, operator: Exists, effect: NoExecute}]"
    async with cluster(hosts=1) as sim:
        await created(sim, pod("none"), pod("bound", bound), pod("ever", ever))
        await node(sim, "host-1", taints=[{"key": "k", "effect": "NoExecute"}])
        await sim.until(lambda: not place(sim, "none"), 10)
        await asyncio.sleep(40)
        assert place(sim, "bound")
        await sim.until(lambda: not place(sim, "bound"), 30)
        await asyncio.sleep(300)
        assert place(sim, "ever")


async def test_a_taint_that_is_taken_away_in_time_evicts_nobody() -> None:
    """Same concept: "if the taint is removed before that time, the pod will not be evicted"."""
    bound = "tolerations: [{key: k, operator: Exists, effect: NoExecute, tolerationSeconds: 60}]"
    async with cluster(hosts=1) as sim:
        await created(sim, pod("bound", bound))
        await node(sim, "host-1", taints=[{"key": "k", "effect": "NoExecute"}])
        await asyncio.sleep(30)
        await node(sim, "host-1", taints=None)
        await asyncio.sleep(120)
        assert place(sim, "bound")


async def test_a_soft_taint_is_avoided_but_not_for_ever() -> None:
    """Same concept, `PreferNoSchedule`: "try to avoid, but it is not required"."""
    async with cluster(hosts=2, cpu="2") as sim:
        await node(sim, "host-1", taints=[{"key": "k", "effect": "PreferNoSchedule"}])
        pods = [pod(f"p{number}", "cpu: '1'") for number in range(4)]
        assert (await created(sim, *pods))[:2] == ["host-2", "host-2"]
        assert place(sim, "p3") == "host-1"


async def test_dedicated_hosts_take_a_taint_and_a_label() -> None:
    """Same concept, "Dedicated Nodes": the taint keeps others out, the label keeps them in."""
    text = """
    tolerations: [{key: dedicated, operator: Equal, value: team, effect: NoSchedule}]
    nodeSelector: {dedicated: team}
    """
    async with cluster(hosts=3) as sim:
        taint = {"key": "dedicated", "value": "team", "effect": "NoSchedule"}
        await node(sim, "host-1", taints=[taint], labels={"dedicated": "team"})
        theirs = await created(sim, *(pod(f"t{n}", text) for n in range(3)))
        others = await created(sim, *(pod(f"o{n}") for n in range(3)))
        assert set(theirs) == {"host-1"}
        assert "host-1" not in others


# ---------------------------------------------------------------- topology spread constraints


def even(topology: str, when: str = "DoNotSchedule", **more: Any) -> dict[str, Any]:
    """A constraint on pods with `foo=bar`."""
    return {
        "maxSkew": 1,
        "topologyKey": topology,
        "whenUnsatisfiable": when,
        "labelSelector": {"matchLabels": {"foo": "bar"}},
        **more,
    }


def counted(name: str, *constraints: dict[str, Any], **spec: Any) -> dict[str, Any]:
    text = yaml.safe_dump({"topologySpreadConstraints": list(constraints), **spec})
    return pod(name, text, foo="bar")


async def four_hosts(sim: Cluster, *there: int) -> None:
    """Zone A is host-1 and host-2, zone B host-3 and host-4; pods with `foo=bar` on some hosts."""
    await zones(sim, host_1="A", host_2="A", host_3="B", host_4="B")
    pods = [pod(f"old-{n}", f"nodeName: host-{host}", foo="bar") for n, host in enumerate(there)]
    for document in pods:
        await sim.registry.create("pods", "default", document)
    await asyncio.sleep(2)


async def test_one_constraint_keeps_zones_even() -> None:
    """Concept "Pod Topology Spread Constraints", example one: 2 and 1, so it goes to zone B."""
    async with cluster(hosts=4) as sim:
        await four_hosts(sim, 1, 2, 3)
        (host,) = await created(sim, counted("mypod", even(ZONE)))
        assert host in {"host-3", "host-4"}


async def test_two_constraints_leave_one_host() -> None:
    """Example of several constraints: zone B for the zones, host-4 for the hosts."""
    async with cluster(hosts=4) as sim:
        await four_hosts(sim, 1, 2, 3)
        assert await created(sim, counted("mypod", even(ZONE), even(HOSTNAME))) == ["host-4"]


async def conflict(sim: Cluster) -> None:
    """Two hosts in zone A with a pod and two, one host in zone B with two."""
    await zones(sim, host_1="A", host_2="A", host_3="B")
    for number, host in enumerate((1, 1, 2, 3, 3)):
        document = pod(f"old-{number}", f"nodeName: host-{host}", foo="bar")
        await sim.registry.create("pods", "default", document)
    await asyncio.sleep(2)


async def test_two_constraints_can_contradict_each_other() -> None:
    """Conflicting constraints: zone B for the zones, host-2 for the hosts: it stays pending."""
    async with cluster(hosts=3) as sim:
        await conflict(sim)
        assert await created(sim, counted("mypod", even(ZONE), even(HOSTNAME))) == [""]
        assert "didn't match pod topology spread constraints" in message(sim, "mypod")
        softer = counted("soft", even(ZONE), even(HOSTNAME, "ScheduleAnyway"))
        assert await created(sim, softer) == ["host-3"]


async def test_zones_that_the_pod_may_not_be_in_do_not_count() -> None:
    """Example with node affinity: zone C is excluded, so its emptiness does not matter."""
    term = {"matchExpressions": [{"key": ZONE, "operator": "NotIn", "values": ["C"]}]}
    required = {"nodeSelectorTerms": [term]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    async with cluster(hosts=5) as sim:
        await four_hosts(sim, 1, 2, 3)
        await zones(sim, host_5="C")
        (host,) = await created(sim, counted("mypod", even(ZONE), affinity=affinity))
        assert host in {"host-3", "host-4"}
        ignored = even(ZONE, nodeAffinityPolicy="Ignore")
        assert await created(sim, counted("strict", ignored, affinity=affinity)) == [""]


async def test_hosts_without_the_label_are_passed_over() -> None:
    """ "Implicit conventions": such a host gets none, and a pod on it is not counted."""
    async with cluster(hosts=5) as sim:
        await four_hosts(sim, 1, 2, 3, 5)
        (host,) = await created(sim, counted("mypod", even(ZONE)))
        assert host in {"host-3", "host-4"}


async def test_a_least_number_of_zones() -> None:
    """`minDomains`: with fewer zones than that the emptiest counts as empty."""
    async with cluster(hosts=4) as sim:
        await four_hosts(sim)
        three = even(ZONE, minDomains=3)
        pods = [counted(f"p{number}", three) for number in range(3)]
        assert [bool(where) for where in await created(sim, *pods)] == [True, True, False]
        await sim.add_host()
        await zones(sim, host_5="C")
        await sim.until(lambda: place(sim, "p2") == "host-5", 10)


# ---------------------------------------------------------------- priority and preemption


async def priority(sim: Cluster, name: str, value: int, **more: Any) -> None:
    document = {"metadata": {"name": name}, "value": value, **more}
    await sim.registry.create(CLASSES, "", document)


async def test_a_class_gives_its_value_and_the_default_class_to_those_that_name_none() -> None:
    """Concept "Pod Priority and Preemption": what admission fills in, and what it refuses."""
    async with cluster() as sim:
        before = pod("before")
        await created(sim, before)
        await priority(sim, "high-priority", 1_000_000, globalDefault=False)
        await priority(sim, "usual", 7, globalDefault=True)
        await created(sim, pod("after"), pod("high", "priorityClassName: high-priority"))
        values = [found(sim, n)["spec"].get("priority") for n in ("before", "after", "high")]
        assert values == [0, 7, 1_000_000]
        with pytest.raises(Exception, match="no PriorityClass with name none was found"):
            await created(sim, pod("none", "priorityClassName: none"))


async def test_the_important_are_scheduled_first_and_push_others_aside() -> None:
    """Same concept: the victim ends gracefully, the preemptor is nominated, then placed."""
    async with cluster(hosts=1, cpu="1") as sim:
        await priority(sim, "high", 1000)
        assert await created(sim, pod("low", "cpu: '1'")) == ["host-1"]
        await sim.registry.create(
            "pods", "default", pod("high", "{cpu: '1', priorityClassName: high}")
        )
        await sim.until(lambda: place(sim, "high") == "host-1", 20)
        assert found(sim, "high")["status"]["nominatedNodeName"] == "host-1"
        assert not place(sim, "low")


async def test_a_polite_class_waits_ahead_of_others_but_pushes_nobody() -> None:
    """Same concept, "Non-preempting PriorityClass"."""
    async with cluster(hosts=1, cpu="1") as sim:
        await priority(sim, "polite", 1000, preemptionPolicy="Never")
        await created(sim, pod("low", "cpu: '1'"))
        assert await created(sim, pod("other", "cpu: '1'")) == [""]
        assert await created(sim, pod("polite", "{cpu: '1', priorityClassName: polite}")) == [""]
        await asyncio.sleep(30)
        assert place(sim, "low")
        await sim.registry.delete(ObjectKey("pods", "default", "low"))
        await sim.until(lambda: place(sim, "polite") == "host-1", 10)
        assert not place(sim, "other")


async def test_preemption_does_not_reach_across_hosts() -> None:
    """Same concept: nobody on another host is pushed aside for a pod's anti-affinity here."""
    term = {"labelSelector": {"matchLabels": {"app": "x"}}, "topologyKey": ZONE}
    rule = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    async with cluster(hosts=2) as sim:
        await zones(sim, host_1="Z", host_2="Z")
        await priority(sim, "high", 1000)
        await node(sim, "host-2", taints=[{"key": "k", "effect": "NoSchedule"}])
        await created(sim, pod("there", "nodeName: host-2", app="x"))
        spec = {"affinity": rule, "priorityClassName": "high"}
        assert await created(sim, pod("high", yaml.safe_dump(spec))) == [""]
        await asyncio.sleep(30)
        assert place(sim, "there")


# ---------------------------------------------------------------- scheduling readiness


async def test_a_gated_pod_is_not_looked_at_until_its_gates_are_gone() -> None:
    """Concept "Pod Scheduling Readiness": two gates, taken away one after the other."""
    gates = "schedulingGates: [{name: example.com/foo}, {name: example.com/bar}]"
    async with cluster() as sim:
        assert await created(sim, pod("gated", gates)) == [""]
        assert scheduled(sim, "gated")["reason"] == "SchedulingGated"
        one = {"spec": {"schedulingGates": [{"name": "example.com/bar"}]}}
        await sim.patch("pods", "gated", one)
        await asyncio.sleep(10)
        assert not place(sim, "gated")
        more = {"spec": {"schedulingGates": [{"name": "example.com/new"}]}}
        with pytest.raises(Exception, match="scheduling"):
            await sim.patch("pods", "gated", more)
        await sim.patch("pods", "gated", {"spec": {"schedulingGates": None}})
        await sim.until(lambda: bool(place(sim, "gated")), 10)


async def test_where_a_gated_pod_may_go_can_be_narrowed() -> None:
    """Same concept, "Mutable Pod scheduling directives": a node selector may be added."""
    async with cluster() as sim:
        await node(sim, "host-3", labels={"disktype": "ssd"})
        await created(sim, pod("gated", "schedulingGates: [{name: example.com/foo}]"))
        await sim.patch("pods", "gated", {"spec": {"nodeSelector": {"disktype": "ssd"}}})
        await sim.patch("pods", "gated", {"spec": {"schedulingGates": None}})
        await sim.until(lambda: place(sim, "gated") == "host-3", 10)


# ---------------------------------------------------------------- several schedulers


async def test_pods_of_a_scheduler_that_is_not_there_wait_for_it() -> None:
    """Task "Configure Multiple Schedulers": the third pod stays pending, the others run."""
    async with cluster(settings=SchedulerSettings()) as sim:
        default = "schedulerName: default-scheduler"
        assert all(await created(sim, pod("one"), pod("two", default)))
        await sim.registry.create("pods", "default", pod("three", "schedulerName: my-scheduler"))
        await asyncio.sleep(30)
        assert not place(sim, "three")
        assert Counter(found(sim, n)["status"]["phase"] for n in ("one", "two")) == {"Running": 2}
