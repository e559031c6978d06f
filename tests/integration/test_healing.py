"""Hosts, links, engines and containers fail: the platform heals, or keeps calm where it should."""

import time
from contextlib import contextmanager

import pytest

from scripts.lib.load import Load
from tests.rig.watching import (
    NODES,
    PODS,
    Balancer,
    LastTrue,
    Watch,
    containers,
    deployed,
    is_ready,
    matching,
    nodes_ready,
    ready_pods,
    service,
    until,
    web,
)

pytestmark = [
    pytest.mark.docker,
    pytest.mark.rig,
    pytest.mark.usefixtures("busybox", "server_log"),
]
VICTIM = "node-2"
BACK = {
    "kill": "restart",
    "pause": "unpause",
    "disconnect": "connect",
    "stop-sshd": "start-sshd",
    "stop-dockerd": "start-dockerd",
}


@pytest.fixture(autouse=True)
def all_hosts_ready(api):
    until("all hosts are ready", lambda: len(nodes_ready(api)) == 3, 60)


@pytest.mark.parametrize(
    ("fault", "replicas"),
    [
        pytest.param("kill", 30, id="kill-30"),
        pytest.param("pause", 6, id="pause"),
        pytest.param("disconnect", 6, id="disconnect"),
        pytest.param("stop-sshd", 6, id="sshd"),
        pytest.param("stop-dockerd", 6, id="dockerd"),
    ],
)
def test_a_lost_host_is_replaced_and_welcome_when_it_is_back(platform, api, fault, replicas):
    address = platform.rig.cluster.host(VICTIM).address
    balancer = Balancer(platform)
    with deployed(api, web("web", replicas), service("web")), mended(platform):
        until("the balancer serves all", lambda: len(in_service(platform, balancer)) == replicas)
        lost = {p["metadata"]["uid"] for p in ready_pods(api, "web") if on(p, VICTIM)}
        assert len(lost) >= replicas // 3 - 1
        with (
            Watch(platform, NODES) as nodes,
            Watch(platform, PODS) as pods,
            LastTrue(lambda: balancer.in_service(address)) as served,
            Load(platform.lb_port, "/web/", threads=2, rate=20.0) as load,
        ):
            began = time.monotonic()
            platform.rig.faults.apply(fault, VICTIM)
            until("the replicas run elsewhere", lambda: elsewhere(pods, replicas))
            replaced_s = time.monotonic() - began
            until("out of the balancer", lambda: served.at < time.monotonic() - 0.5)
        not_ready_s = next(
            s.at for s in nodes.seen if s.object["metadata"]["name"] == VICTIM
            and not is_ready(s.object)) - began  # fmt: skip
        out_s = served.at - began
        late = [f for f in load.result.failures if began + f[0] > served.at + 0.1]
        print(
            f"\n{fault}: not ready after {not_ready_s:.1f} s, out of the balancer after "
            f"{out_s:.1f} s, {len(lost)} of {replicas} replicas run elsewhere after "
            f"{replaced_s:.1f} s; {len(load.result.failures)} of {load.result.requests} requests "
            f"failed, {len(late)} of them afterwards"
        )
        assert not_ready_s < 5
        assert out_s < 6
        assert replaced_s < 10
        assert not late
        come_back(platform, api, fault, lost, replicas)


@contextmanager
def mended(platform):
    """Takes every fault back also when the test fails: what follows needs the hosts."""
    try:
        yield
    finally:
        platform.rig.mend()


def come_back(platform, api, fault, lost, replicas):
    began = time.monotonic()
    platform.rig.faults.apply(BACK[fault], VICTIM)
    until("the host is ready", lambda: VICTIM in nodes_ready(api), 40)
    ready_s = time.monotonic() - began
    until("stale containers are gone", lambda: not lost & {
        c.pod_uid for c in containers(platform, VICTIM)}, 20)  # fmt: skip
    print(f"back: ready after {ready_s:.1f} s, clean after {time.monotonic() - began:.1f} s")
    until("stale pods are gone", lambda: len(api.get(PODS)["items"]) == replicas)
    scale = {"spec": {"replicas": replicas + 2}}
    api.merge("/apis/apps/v1/namespaces/default/deployments/web", scale)
    until("it takes new pods", lambda: len(ready_pods(api, "web")) == replicas + 2
          and any(on(p, VICTIM) for p in ready_pods(api, "web")))  # fmt: skip


def on(pod, host):
    return pod["spec"].get("nodeName") == host


def elsewhere(pods, replicas):
    return sum(is_ready(p) and not on(p, VICTIM) for p in pods.objects().values()) == replicas


def in_service(platform, balancer):
    return [s for h in platform.rig.hosts for s in balancer.in_service(h.address)]


def test_a_flapping_link_moves_nothing(platform, api):
    with deployed(api, web("web", 6)), mended(platform):
        before = containers(platform)
        with Watch(platform, PODS) as pods:
            platform.rig.faults.disconnect(VICTIM)
            cut = time.monotonic()
            until("three seconds have passed", lambda: time.monotonic() - cut > 3.0)
            platform.rig.faults.connect(VICTIM)
            some = next(name for name, p in pods.objects().items() if on(p, VICTIM))
            until("the host is reached", lambda: reached(platform, some), 30)
            until("all is well", lambda: len(nodes_ready(api)) == 3
                  and len(ready_pods(api, "web")) == 6, 30)  # fmt: skip
        left = {s.object["metadata"]["name"] for s in pods.seen if s.type == "DELETED"
                or "deletionTimestamp" in s.object["metadata"]}  # fmt: skip
        assert not left
        assert len(pods.objects()) == 6
        assert containers(platform) == before


def test_a_crashed_container_is_restarted(platform, api):
    with deployed(api, web("web", 1)):
        pod = ready_pods(api, "web")[0]
        kill_container(platform, pod)
        began = time.monotonic()
        status = until("it was restarted", lambda: restarted(api, 1))
        print(f"\nrunning again after {time.monotonic() - began:.1f} s")
        assert status["lastState"]["terminated"]["exitCode"] == 137
        ready = until("ready again", lambda: ready_pods(api, "web"))
        assert ready[0]["metadata"]["uid"] == pod["metadata"]["uid"]
        assert [c.pod_uid for c in containers(platform)] == [pod["metadata"]["uid"]]


def test_a_container_that_was_removed_behind_our_back_comes_back(platform, api):
    with deployed(api, web("web", 1)):
        pod = ready_pods(api, "web")[0]
        (before,) = containers(platform)
        platform.rig.run(before.host, "docker", "rm", "-f", before.id)
        began = time.monotonic()
        until("another one runs", lambda: [c.running for c in containers(platform)] == [True]
              and containers(platform)[0].id != before.id)  # fmt: skip
        print(f"\nback after {time.monotonic() - began:.1f} s")
        until("ready again", lambda: ready_pods(api, "web"))
        assert containers(platform)[0].pod_uid == pod["metadata"]["uid"]


def test_a_crash_loop_says_so(api):
    document = web("loop", 1, script="sleep 0.3; exit 3")
    with deployed(api, document, ready=False):
        status = until("it is backing off", lambda: next(
            (s for s in statuses(api, "loop") if s["restartCount"] >= 2
             and s["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff"),
            None))  # fmt: skip
        last = status["lastState"]["terminated"]
        assert (last["exitCode"], last["reason"]) == (3, "Error")
        assert last["containerID"].startswith("docker://")
        assert "back-off" in status["state"]["waiting"]["message"]
        until("it goes on", lambda: restarted(api, status["restartCount"] + 1, "loop"))


def test_an_engine_that_is_killed_and_started_again_has_the_same_pods(platform, api):
    with deployed(api, web("web", 6)), mended(platform):
        mine = {p["metadata"]["uid"] for p in ready_pods(api, "web") if on(p, VICTIM)}
        assert mine
        platform.rig.run(VICTIM, "pkill", "-KILL", "-x", "dockerd")
        platform.rig.run(VICTIM, "orch-host", "start", "dockerd")
        began = time.monotonic()
        platform.rig.run(VICTIM, "orch-host", "wait", "30")
        answers_s = time.monotonic() - began
        until("all pods run, each once", lambda: len(nodes_ready(api)) == 3
              and matching(platform, api, 6), 30)  # fmt: skip
        print(f"\nengine back after {answers_s:.1f} s, all pods after "
              f"{time.monotonic() - began:.1f} s")  # fmt: skip


def reached(platform, pod):
    return platform.kubectl.run("logs", pod, "--tail=1", timeout=60).code == 0


def statuses(api, app):
    pods = api.get(f"{PODS}?labelSelector=app%3D{app}")["items"]
    return [s for p in pods for s in p["status"].get("containerStatuses") or ()]


def restarted(api, times, app="web"):
    """The container's status once it was restarted so often and runs."""
    return next((s for s in statuses(api, app) if s["restartCount"] >= times
                 and "running" in s["state"]), None)  # fmt: skip


def kill_container(platform, pod):
    host = pod["spec"]["nodeName"]
    engine_id = pod["status"]["containerStatuses"][0]["containerID"].removeprefix("docker://")
    process = platform.rig.run(host, "docker", "inspect", "-f", "{{.State.Pid}}", engine_id)
    platform.rig.run(host, "kill", "-9", process.strip())
