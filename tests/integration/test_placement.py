"""Where pods go on real hosts, by kubectl: taints, priorities, groups, and better places later."""

import time
from collections import Counter
from contextlib import contextmanager

import pytest
import yaml

from orchestrator.bootstrap.state import StateDirectory
from tests.rig.images import BUSYBOX_TAG
from tests.rig.watching import PODS, deployed, is_ready, nodes_ready, ready_pods, until, web

pytestmark = [
    pytest.mark.docker,
    pytest.mark.rig,
    pytest.mark.usefixtures("busybox", "server_log"),
]
VICTIM = "node-2"
HOSTNAME = "kubernetes.io/hostname"


def pod(name, *, on="", cpu="10m", labels=(), annotations=(), **spec):
    container = {
        "name": "c",
        "image": BUSYBOX_TAG,
        "command": ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.2; done"],
        "resources": {"requests": {"cpu": cpu}},
    }
    selector = {"nodeSelector": {HOSTNAME: on}} if on else {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "labels": {"test": "placement", **dict(labels)},
            "annotations": dict(annotations),
        },
        "spec": {
            "containers": [container], "terminationGracePeriodSeconds": 2, **selector, **spec,
        },
    }  # fmt: skip


@pytest.fixture
def kubectl(platform, api):
    until("all hosts are ready", lambda: len(nodes_ready(api)) == 3, 60)
    yield platform.kubectl
    platform.kubectl("uncordon", *(host.name for host in platform.rig.hosts))
    platform.kubectl.run("taint", "nodes", "--all", "maintenance-")
    platform.kubectl("delete", "pods", "-l", "test=placement", "--wait=false")
    until("the pods are gone", lambda: not api.get(PODS)["items"], 60)


def apply(kubectl, *documents):
    kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(documents))


def pods(api):
    return {p["metadata"]["name"]: p for p in api.get(PODS)["items"]}


def running(api, *names):
    there = pods(api)
    return all(name in there and is_ready(there[name]) for name in names)


def says(api, name, words):
    conditions = pods(api)[name]["status"].get("conditions") or ()
    return any(words in c.get("message", "") for c in conditions if c["type"] == "PodScheduled")


def per_host(api, app):
    return Counter(p["spec"]["nodeName"] for p in ready_pods(api, app))


def test_pods_leave_a_host_that_is_tainted_when_their_time_is_up(kubectl, api):
    bears = {"key": "maintenance", "operator": "Exists", "effect": "NoExecute"}
    apply(
        kubectl,
        pod("none", on=VICTIM),
        pod("bound", on=VICTIM, tolerations=[{**bears, "tolerationSeconds": 6}]),
        pod("ever", on=VICTIM, tolerations=[bears]),
    )
    until("all run", lambda: running(api, "none", "bound", "ever"), 60)
    began = time.monotonic()
    kubectl("taint", "nodes", VICTIM, "maintenance=now:NoExecute")
    until("one left at once", lambda: "none" not in pods(api), 30)
    until("one left later", lambda: "bound" not in pods(api), 60)
    assert time.monotonic() - began > 5.0
    assert running(api, "ever")


def test_an_important_pod_takes_the_room_of_another(kubectl, api):
    metadata = {"name": "placement-high"}
    kubectl("apply", "-f", "-", stdin={
        "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": metadata,
        "value": 1000})  # fmt: skip
    try:
        node = kubectl.get("node", VICTIM)["status"]["allocatable"]["cpu"]
        most = int(node[:-1]) if node.endswith("m") else 1000 * int(node)
        cpu = f"{most * 6 // 10}m"
        apply(kubectl, pod("low", on=VICTIM, cpu=cpu))
        until("the ordinary one runs", lambda: running(api, "low"), 60)
        apply(kubectl, pod("high", on=VICTIM, cpu=cpu, priorityClassName="placement-high"))
        until("the important one runs", lambda: running(api, "high"), 60)
        assert "low" not in pods(api)
        events = kubectl.get("events", "--field-selector", "reason=Preempted")["items"]
        assert [e["involvedObject"]["name"] for e in events] == ["low"]
    finally:
        kubectl("delete", "priorityclass", "placement-high")


def test_a_group_waits_and_then_starts_whole(kubectl, api):
    labels = {"orch.dev/pod-group": "train"}
    term = {"labelSelector": {"matchLabels": labels}, "topologyKey": HOSTNAME}
    apart = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    members = {"orch.dev/min-member": "3"}
    names = ("t-0", "t-1", "t-2")
    kubectl("cordon", VICTIM)
    gang = [pod(n, labels=labels, annotations=members, affinity=apart) for n in names]
    apply(kubectl, *gang)
    until("it says why", lambda: says(api, "t-2", "only 2 of the 3 pods"), 30)
    assert not any(p["spec"].get("nodeName") for p in pods(api).values())
    kubectl("uncordon", VICTIM)
    until("all run", lambda: running(api, *names), 60)
    assert len({p["spec"]["nodeName"] for p in pods(api).values()}) == 3


def placed(name, replicas, **spec):
    """A Deployment whose pods follow rules about where they may be."""
    document = web(name, replicas)
    document["spec"]["template"]["spec"] |= spec
    return document


def test_pods_keep_zones_even_also_when_one_is_lost(platform, kubectl, api):
    names = [host.name for host in platform.rig.hosts]
    rule = {
        "maxSkew": 1, "topologyKey": "placement-zone", "whenUnsatisfiable": "DoNotSchedule",
        "nodeTaintsPolicy": "Honor", "labelSelector": {"matchLabels": {"app": "zoned"}},
    }  # fmt: skip
    for zone, name in zip("aab", names, strict=True):
        kubectl("label", "node", name, f"placement-zone={zone}")
    try:
        with deployed(api, placed("zoned", 4, topologySpreadConstraints=[rule])):
            assert per_host(api, "zoned")[names[2]] == 2
            platform.rig.faults.kill(names[2])
            until("all run in the other zone", lambda: names[2] not in per_host(api, "zoned")
                  and per_host(api, "zoned").total() == 4, 120)  # fmt: skip
            platform.rig.faults.restart(names[2])
            until("the host is back", lambda: len(nodes_ready(api)) == 3, 60)
            kubectl("scale", "deployment/zoned", "--replicas=8")
            until("the lost zone has its half", lambda: per_host(api, "zoned")[names[2]] == 4, 60)
    finally:
        platform.rig.mend()
        kubectl("label", "nodes", "--all", "placement-zone-")


def test_pods_keep_apart_and_it_is_told_why_and_what_would_be(platform, kubectl, api):
    term = {"labelSelector": {"matchLabels": {"app": "apart"}}, "topologyKey": HOSTNAME}
    rule = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    with deployed(api, placed("apart", 4, affinity=rule), ready=False):
        until("three run", lambda: len(per_host(api, "apart")) == 3, 60)
        (waits,) = [n for n, p in pods(api).items() if not p["spec"].get("nodeName")]
        until("it is said why", lambda: says(api, waits, "anti-affinity"), 30)
        found = platform.client("explain", "pod", waits)
        assert (found.code, "3 hosts" in found.out) == (0, True), found.out + found.err
        (there,) = [n for n, p in pods(api).items() if p["spec"].get("nodeName") == VICTIM]
        assert f"on {VICTIM}" in platform.client("explain", f"pod/{there}").out

        before = pods(api)
        lost = platform.client("simulate", "--fail", VICTIM)
        assert lost.code == 0, lost.err
        assert ["default", "deployment/apart", VICTIM, "->", "pending", "1"] in words(lost.out)
        more = platform.client("simulate", "--add-nodes", "1:cpu=2,memory=1Gi")
        assert (more.code, "nothing was changed" in more.out) == (0, True), more.err
        assert ["default", "deployment/apart", "-", "->", "new-1", "1"] in words(more.out)
        assert {n: p["metadata"]["uid"] for n, p in pods(api).items()} == {
            n: p["metadata"]["uid"] for n, p in before.items()
        }


def words(text):
    return [line.split() for line in text.splitlines()]


@contextmanager
def rebalancing(platform, **settings):
    """The server with a rebalance."""
    state = StateDirectory(platform.state_dir)

    def with_settings(wanted):
        state.write_settings({"rebalance": wanted})
        assert platform.orch("stop").code == 0
        answer = platform.bootstrap()
        assert answer.code == 0, answer.out + answer.err

    with_settings({"enabled": True, **settings})
    try:
        yield
    finally:
        platform.rig.mend()
        with_settings({"enabled": False})


def bootstrap(platform, hosts):
    """`orch bootstrap` with only so many of the inventory's hosts; the others are taken out."""
    inventory = yaml.safe_load(platform.rig.cluster.inventory.read_text())
    inventory["nodes"] = inventory["nodes"][:hosts]
    fewer = platform.rig.cluster.inventory.with_name(f"inventory-{hosts}.yaml")
    fewer.write_text(yaml.safe_dump(inventory))
    ports = ("--api-port", str(platform.api_port), "--lb-port", str(platform.lb_port))
    answer = platform.orch("bootstrap", str(fewer), *ports, "--prune")
    assert answer.code == 0, answer.out + answer.err


def test_pods_spread_when_a_host_joins_and_when_one_is_back(platform, kubectl, api):
    quick = {"every_s": 1, "moves_per_minute": 60, "min_age_s": 2}
    with rebalancing(platform, **quick):
        bootstrap(platform, 2)
        assert len(nodes_ready(api)) == 2
        with deployed(api, web("web", 6)):
            assert sorted(per_host(api, "web").values()) == [3, 3]
            bootstrap(platform, 3)
            platform.rig.seed(BUSYBOX_TAG)
            until("the host that joined has its share", lambda: is_even(api), 240)
            events = kubectl.get("events", "--field-selector", "reason=RemoveDuplicates")["items"]
            assert len(events) == 2
            platform.rig.faults.kill(VICTIM)
            until("all run elsewhere", lambda: VICTIM not in per_host(api, "web")
                  and per_host(api, "web").total() == 6, 120)  # fmt: skip
            platform.rig.faults.restart(VICTIM)
            until("the host that is back has its share", lambda: is_even(api), 240)
            still = {p["metadata"]["uid"] for p in ready_pods(api, "web")}
            time.sleep(5)  # there is nothing to wait for: no more moves
            assert {p["metadata"]["uid"] for p in ready_pods(api, "web")} == still


def is_even(api):
    return sorted(per_host(api, "web").values()) == [2, 2, 2] and len(pods(api)) == 6
