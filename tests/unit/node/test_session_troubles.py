"""What a session does about hosts and specs that give trouble: real sessions on a fake host."""

import asyncio

import pytest

from orchestrator.node.settings import NodeSettings
from orchestrator.node.worker import PodWorker
from tests.fakes.programs import FOREVER, IMAGE, ends
from tests.unit.node.test_fake_host import is_ready, world

pytestmark = pytest.mark.looptime

PORTS = [{"containerPort": 80}]


def waiting(status):
    states = [c["state"] for c in status.get("containerStatuses") or ()]
    return next((s["waiting"] for s in states if "waiting" in s), {})


def events(here, reason):
    found = [o.doc for o in here.registry.list("events", "default").items]
    return [e["message"] for e in found if e["reason"] == reason]


async def test_a_port_that_another_program_holds_is_replaced_by_the_next():
    async with world() as here:
        here.machine.engine.host_ports.add(20000)
        key = await here.pod("web", ports=PORTS)
        await here.until(lambda: is_ready(here.status(key)))
        (container,) = here.machine.engine.all_containers()
        assert dict((await here.machine.engine.inspect_container(container.id)).ports) == {
            "80/tcp": 20001
        }


async def test_a_host_port_that_is_held_is_told_in_the_engines_words():
    async with world() as here:
        here.machine.engine.host_ports.add(8080)
        key = await here.pod("web", ports=[{"containerPort": 80, "hostPort": 8080}])
        await here.until(lambda: waiting(here.status(key)).get("reason") == "RunContainerError")
        assert "address already in use" in waiting(here.status(key))["message"]
        here.machine.engine.host_ports.clear()
        await here.until(lambda: is_ready(here.status(key)))


async def test_a_probe_that_the_shim_refuses_makes_the_pod_unhealthy_and_not_invisible():
    async with world() as here:
        headers = [{"name": "X", "value": "a\x01b"}]
        probe = {"httpGet": {"port": 80, "httpHeaders": headers}}
        key = await here.pod("web", readinessProbe=probe)
        await here.until(lambda: here.status(key).get("phase") == "Running")
        assert not is_ready(here.status(key))
        await here.until(lambda: events(here, "Unhealthy"))
        assert "header" in events(here, "Unhealthy")[0]


async def test_no_free_port_is_a_reason():
    async with world(NodeSettings(port_first=20000, port_last=20001)) as here:
        wanted = [{"containerPort": port} for port in (80, 81, 82)]
        key = await here.pod("greedy", ports=wanted)
        await here.until(lambda: waiting(here.status(key)).get("reason") == "RunContainerError")
        assert "no free host port" in waiting(here.status(key))["message"]


async def test_the_sandboxes_image_is_made_once_for_pods_that_come_together():
    async with world() as here:
        engine, made = here.machine.engine, []
        really = engine.import_image

        async def counted(*words):
            made.append(words[1])
            await asyncio.sleep(0.1)
            await really(*words)

        engine.import_image = counted
        env = [{"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]
        keys = [await here.pod(f"p{number}", env=env) for number in range(4)]
        await here.until(lambda: all(is_ready(here.status(key)) for key in keys))
        assert len(made) == 1


async def test_a_new_shim_takes_no_pod_out_of_service():
    async with world() as here:
        key = await here.pod("web", readinessProbe={"tcpSocket": {"port": 80}})
        await here.until(lambda: is_ready(here.status(key)))
        said, shim = [], here.machine.shim
        here.informers.on_event("pods", lambda event: said.append(event.object.doc))
        shim.answer = lambda spec, kind: ""
        shim.forget()
        here.machine.cut()
        await here.until(lambda: here.machine.connects == 2)
        await asyncio.sleep(5)
        assert all(is_ready(document["status"]) for document in said)
        (container,) = here.machine.engine.all_containers()
        shim.fail(container.id, "readiness")
        await here.until(lambda: not is_ready(here.status(key)))


async def test_a_pod_that_goes_before_its_turn_to_begin_need_not_wait_for_it(monkeypatch):
    for name in ("_AT_ONCE", "_ON_TIME"):  # nobody's turn comes
        monkeypatch.setattr(f"orchestrator.node.pace.{name}", 0)
    async with world() as here:
        key = await here.pod("web")
        await asyncio.sleep(5)
        assert here.machine.engine.all_containers() == []
        await here.registry.delete(key)
        await here.until(lambda: not here.registry.exists(key))


async def test_a_container_that_starts_is_looked_at_once():
    async with world() as here:
        engine, looks = here.machine.engine, []
        engine.faults.latency_s = (0.05, 0.1)  # the engine's word of the start comes first
        really = engine.inspect_container

        async def counted(container_id):
            looks.append(container_id)
            return await really(container_id)

        engine.inspect_container = counted
        key = await here.pod("web", readinessProbe={"tcpSocket": {"port": 80}})
        await here.until(lambda: is_ready(here.status(key)))
        assert len(looks) == 1


async def test_a_container_that_starts_again_while_it_is_looked_at_is_looked_at_again():
    async with world() as here:
        engine, looks = here.machine.engine, []
        engine.faults.latency_s = (0.05, 0.1)
        really = engine.inspect_container

        async def looked(container_id):
            looks.append(container_id)
            info = await really(container_id)
            if len(looks) == 1:
                await asyncio.sleep(2)
                await engine.restart_container(container_id, 0)
            return info

        engine.inspect_container = looked
        key = await here.pod("web")
        await here.until(lambda: is_ready(here.status(key)))
        started = (await really(looks[0])).started_at
        await here.until(lambda: here.status(key)["containerStatuses"][0]["state"]["running"]
                         ["startedAt"] == started[:19] + "Z")  # fmt: skip


async def test_a_container_is_told_the_address_that_its_sandbox_got():
    async with world() as here:
        env = [{"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]
        key = await here.pod("web", env=env)
        await here.until(lambda: is_ready(here.status(key)))
        (app,) = (c for c in here.machine.engine.all_containers() if "Env" in c.body)
        assert here.status(key)["podIP"]
        assert f"IP={here.status(key)['podIP']}" in app.body["Env"]


async def test_a_deadline_counts_from_the_start_that_the_status_tells():
    async with world() as here:
        container = {"name": "c", "image": IMAGE}
        spec = {"nodeName": "host-1", "activeDeadlineSeconds": 3, "containers": [container]}
        document = {"metadata": {"name": "late", "namespace": "default"}, "spec": spec}
        key = (await here.registry.create("pods", "default", document)).key
        await here.until(lambda: here.status(key).get("phase") == "Failed")
        assert here.status(key)["reason"] == "DeadlineExceeded"


async def test_of_a_pod_that_has_ended_the_sandbox_stops():
    async with world() as here:
        env = [{"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]
        container = {"name": "c", "image": IMAGE, "command": ["end"], "env": env}
        spec = {"nodeName": "host-1", "restartPolicy": "Never", "containers": [container]}
        document = {"metadata": {"name": "once", "namespace": "default"}, "spec": spec}
        here.machine.engine.program_of = lambda c: ends(0, 0.5) if "end" in c.argv else FOREVER
        key = (await here.registry.create("pods", "default", document)).key
        await here.until(lambda: here.status(key).get("phase") == "Succeeded")
        both = here.machine.engine.all_containers()
        await here.until(lambda: not any(one.running for one in both))
        assert len(both) == 2


async def counted_steps(monkeypatch, here, change=None):
    """How often a pod with a probe is worked on until 5 s after it is ready.

    `change` is called once, while the first status is being written.
    """
    steps, really = [], PodWorker.step
    report = here.registry.report

    async def step(worker):
        steps.append(worker.state.key)
        return await really(worker)

    async def reported(key, body):
        nonlocal change
        if change is not None and key.resource == "pods":
            change, wanted = None, change
            await wanted(key)
        return await report(key, body)

    monkeypatch.setattr(PodWorker, "step", step)
    monkeypatch.setattr(here.registry, "report", reported)
    key = await here.pod("web", readinessProbe={"tcpSocket": {"port": 80}})
    await here.until(lambda: is_ready(here.status(key)))
    await asyncio.sleep(5)
    return len(steps)


async def test_what_a_pods_worker_writes_itself_makes_it_no_work(monkeypatch):
    async with world() as here:
        # once when it is bound, once when its probe has succeeded
        assert await counted_steps(monkeypatch, here) == 2


async def test_what_somebody_else_writes_meanwhile_does(monkeypatch):
    async with world() as here:

        async def annotate(key):
            await here.registry.report(key, {"metadata": {"annotations": {"by": "another"}}})

        assert await counted_steps(monkeypatch, here, annotate) == 3
