"""From samples to rates; and a real session that samples a fake host."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.kit.ids import ObjectKey
from orchestrator.node.usage import HostUsage
from orchestrator.reconcile.usage import Usage
from tests.unit.node.test_fake_host import is_ready, world

RUNNING = {"a": ("pod", "web"), "b": ("pod", "side")}
MIB = 1 << 20


def answer(at_s, host=0.0, **cpu_s):
    containers = {
        one: {"cpu_s": used, "memory_bytes": 2, "working_set_bytes": MIB}
        for one, used in cpu_s.items()
    }
    return {
        "monotonic_s": at_s + 500,
        "host": {"cpu_s": host, "memory_bytes": 4 * MIB},
        "containers": containers,
    }


def sampled(usage, now_s, running=RUNNING, **numbers):
    """One tick: what was asked for, with the answer taken in."""
    asked = usage.due(running, now_s)
    if asked is not None:
        usage.take(answer(now_s, **numbers), asked, running, now_s)
    return asked


def test_new_containers_are_known_after_two_quick_samples():
    usage = HostUsage(15, 2)
    assert sampled(usage, 0, a=1.0, b=5.0) == ["a", "b"]
    assert usage.pod("pod", 0) is None
    assert sampled(usage, 1) is None
    assert sampled(usage, 2, a=1.5, b=5.0, host=3.0) == ["a", "b"]
    found = usage.pod("pod", 2)
    assert found.containers == {"web": Usage(250_000_000, MIB), "side": Usage(0, MIB)}
    assert (found.at_s, found.window_s) == (2, 2)
    node = usage.node(2)
    assert (node.usage, node.window_s) == (Usage(1_500_000_000, 4 * MIB), 2)
    assert sampled(usage, 14) is None
    assert sampled(usage, 15, a=2.0, b=5.0) == ["a", "b"]


def test_a_window_grows_to_the_usual_length():
    usage = HostUsage(15, 2)
    for now_s in (0, 2, 15, 30, 45):
        sampled(usage, now_s, a=now_s / 10, b=0.0)
    assert usage.pod("pod", 45).window_s == 15
    assert usage.pod("pod", 45).containers["web"].cpu_nanocores == 100_000_000


def test_a_container_that_comes_later_hides_its_pod_until_it_is_known():
    usage = HostUsage(15, 2)
    one = {"a": RUNNING["a"]}
    sampled(usage, 0, one, a=0.0)
    sampled(usage, 2, one, a=1.0)
    assert usage.pod("pod", 2)
    assert sampled(usage, 4, a=1.0, b=0.0) == ["b"]
    assert usage.pod("pod", 4) is None
    assert sampled(usage, 6, a=1.0, b=1.0) == ["b"]
    assert set(usage.pod("pod", 6).containers) == {"web", "side"}


def test_a_counter_that_begins_anew():
    usage = HostUsage(15, 2)
    one = {"a": RUNNING["a"]}
    for now_s, used in ((0, 100.0), (2, 101.0), (15, 0.5)):
        sampled(usage, now_s, one, a=used)
    assert usage.pod("pod", 15) is None
    sampled(usage, 17, one, a=1.5)
    assert usage.pod("pod", 17).containers["web"].cpu_nanocores == 500_000_000


def test_what_is_old_or_gone_is_not_told():
    usage = HostUsage(15, 2)
    sampled(usage, 0, a=0.0, b=0.0)
    sampled(usage, 2, a=0.0, b=0.0)
    assert usage.pod("pod", 2 + 37) is not None
    assert usage.pod("pod", 2 + 38) is None
    assert usage.node(2 + 38) is None
    assert usage.pod("another", 2) is None
    sampled(usage, 40, {})
    assert usage.pod("pod", 40) is None
    usage.clear()
    assert usage.node(40) is None


def test_a_container_without_a_cgroup_is_looked_for_once_a_round():
    usage = HostUsage(15, 2)
    sampled(usage, 0, a=0.0)  # b is not in the answer
    assert sampled(usage, 2, a=0.0) == ["a"]
    assert sampled(usage, 4, a=0.0) is None
    assert sampled(usage, 15, a=0.0) == ["a", "b"]


@given(
    st.lists(st.tuples(st.integers(1, 40), st.floats(0, 4)), min_size=2, max_size=30),
)
def test_a_rate_lies_between_the_loads_that_made_it(steps):
    usage, now_s, used, loads = HostUsage(15, 2), 0, 0.0, []
    one = {"a": RUNNING["a"]}
    sampled(usage, 0, one, a=0.0)
    for delay_s, load in steps:
        now_s += delay_s
        used += load * delay_s
        loads.append(load)
        if sampled(usage, now_s, one, a=used) is None:
            continue
        found = usage.pod("pod", now_s)
        cores = found.containers["web"].cpu_nanocores / 1e9
        assert min(loads) - 1e-6 <= cores <= max(loads) + 1e-6


@pytest.mark.looptime
async def test_a_session_knows_what_its_pods_use():
    async with world() as here:
        key = await here.pod("web")
        await here.until(lambda: is_ready(here.status(key)))
        pod = here.registry.get(ObjectKey("pods", "default", "web"))
        await here.until(lambda: here.manager.pod_usage(pod))
        found = here.manager.pod_usage(pod)
        assert {n: round(u.cpu_nanocores, -6) for n, u in found.containers.items()} == {
            "c": 250_000_000
        }
        assert round(here.manager.node_usage("host-1").usage.cpu_nanocores, -6) == 500_000_000
        assert here.manager.node_usage("nowhere") is None
        before = here.store.revision
        asked = sum(operation == "usage" for operation, _ in here.machine.shim.calls)
        await here.until(
            lambda: sum(op == "usage" for op, _ in here.machine.shim.calls) > asked + 2
        )
        assert here.store.revision == before  # a sample is no write
        here.machine.vanish()
        await here.until(lambda: here.manager.pod_usage(pod) is None)
