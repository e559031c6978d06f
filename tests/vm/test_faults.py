"""VMs lose power, boot anew and lose their network: the platform goes on, and they come back."""

import time

import pytest

from scripts.lib.load import Load
from tests.rig.watching import (
    NODES,
    PODS,
    Balancer,
    LastTrue,
    Watch,
    deployed,
    is_ready,
    matching,
    nodes_ready,
    ready_pods,
    service,
    until,
)
from tests.vm.machines import PATIENCE, REPLICAS, patient_web, scale
from tests.vm.test_workloads import answering

pytestmark = pytest.mark.usefixtures("server_log")
BOOT_S = 60 * PATIENCE


@pytest.fixture(autouse=True)
def all_ready(platform, api):
    until("all hosts are ready", lambda: len(nodes_ready(api)) == len(platform.rig.hosts), BOOT_S)


@pytest.fixture
def victim(platform):
    """The last VM; at the end it runs and is on the network, also when the test fails."""
    name = platform.rig.hosts[-1].name
    yield name
    platform.rig.do("heal", name)
    platform.rig.do("join", name)


@pytest.fixture
def served(platform, api):
    """A service with pods on every VM, all in service."""
    with deployed(api, patient_web("web", REPLICAS), service("web"), within_s=60 * PATIENCE):
        until("all are served", lambda: len(answering(platform)) == REPLICAS, 20 * PATIENCE)
        yield


def on(pod, host):
    return pod["spec"].get("nodeName") == host


def elsewhere(pods, victim):
    found = pods.objects().values()
    return sum(is_ready(p) and not on(p, victim) for p in found) == REPLICAS


@pytest.mark.parametrize("fault", ["fail", "partition"])
@pytest.mark.usefixtures("served")
def test_a_lost_vm_is_replaced_and_welcome_when_it_is_back(platform, api, victim, fault):
    address = {h.name: h.address for h in platform.rig.hosts}[victim]
    balancer = Balancer(platform)
    assert any(on(p, victim) for p in ready_pods(api, "web"))
    with (
        Watch(platform, NODES) as nodes,
        Watch(platform, PODS) as pods,
        LastTrue(lambda: balancer.in_service(address)) as served,
        Load(
            platform.lb_port, "/web/", threads=2, rate=5.0, limit_s=60 * PATIENCE, timeout_s=60
        ) as load,
    ):
        began = time.monotonic()
        platform.rig.do(fault, victim)
        until("its replicas run elsewhere", lambda: elsewhere(pods, victim), 30 * PATIENCE)
        replaced_s = time.monotonic() - began
        until("out of the balancer", lambda: served.at < time.monotonic() - 1.0, 10 * PATIENCE)
        settled = time.monotonic()
        until("some more requests", lambda: time.monotonic() > settled + 3.0)
    away = next(s for s in nodes.seen if s.object["metadata"]["name"] == victim
                and not is_ready(s.object))  # fmt: skip
    late = [f for f in load.result.failures if began + f[0] > settled]
    print(f"\n{fault}: not ready after {away.at - began:.1f} s, replaced after {replaced_s:.1f} s; "
          f"{len(load.result.failures)} of {load.result.requests} requests failed, "
          f"{len(late)} of them after that")  # fmt: skip
    assert not late
    began = time.monotonic()
    platform.rig.do({"fail": "heal", "partition": "join"}[fault], victim)
    until("the VM is ready", lambda: victim in nodes_ready(api), BOOT_S)
    ready_s = time.monotonic() - began
    until("nothing stale is left", lambda: matching(platform, api, REPLICAS), 30 * PATIENCE)
    print(f"back: ready after {ready_s:.1f} s, clean after {time.monotonic() - began:.1f} s")


@pytest.mark.usefixtures("served")
def test_a_vm_that_boots_anew_gets_all_back(platform, api, victim):
    before = platform.rig.boot_id(victim)
    began = time.monotonic()
    platform.rig.try_run(victim, "systemctl", "reboot")
    until("it booted", lambda: platform.rig.boot_id(victim) not in {"", before}, BOOT_S)
    until("the VM is ready", lambda: victim in nodes_ready(api), BOOT_S)
    ready_s = time.monotonic() - began
    until("each pod has its container", lambda: matching(platform, api, REPLICAS), 30 * PATIENCE)
    until("all are served", lambda: len(answering(platform)) == REPLICAS, 20 * PATIENCE)
    print(f"\nready after {ready_s:.1f} s, all pods after {time.monotonic() - began:.1f} s")
    scale(api, REPLICAS + 2)
    until("it takes new pods", lambda: len(ready_pods(api, "web")) == REPLICAS + 2
          and any(on(p, victim) for p in ready_pods(api, "web")), 60 * PATIENCE)  # fmt: skip
    scale(api, REPLICAS)
    until("back to its size", lambda: matching(platform, api, REPLICAS), 60 * PATIENCE)
