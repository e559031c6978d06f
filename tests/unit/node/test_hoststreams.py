"""Streams into a host's containers, where what is known of them is a moment old."""

import asyncio

import pytest

from orchestrator.kit.errors import BadRequest
from tests.unit.node.test_fake_host import is_ready, world

pytestmark = pytest.mark.looptime


async def test_attaching_to_what_has_just_ended_is_refused() -> None:
    async with world() as here:
        key = await here.pod("web")
        await here.until(lambda: is_ready(here.status(key)))
        pod = here.registry.get(key)
        engine = here.machine.engine
        (container,) = engine.all_containers()
        attach = engine.attach

        async def late(container_id, **options):
            container.end(3)
            return await attach(container_id, **options)

        engine.attach = late
        with pytest.raises(BadRequest, match=r"container not found"):
            await here.manager.streams("host-1").attach(pod, "c", stdin=False)


@pytest.mark.parametrize("once", [True, False])
async def test_the_first_client_of_a_young_container_gets_what_was_written_before(once) -> None:
    async with world() as here:
        key = await here.pod("web", stdin=True, stdinOnce=once)
        await here.until(lambda: is_ready(here.status(key)))
        pod = here.registry.get(key)
        (container,) = here.machine.engine.all_containers()
        container.write(("stdout", b"early\n"))
        attach = here.manager.streams("host-1").attach
        first, _ = await attach(pod, "c", stdin=True)
        assert (await anext(first.output())).data == b"early\n"
        second, _ = await attach(pod, "c", stdin=True)
        container.write(("stdout", b"late\n"))
        assert (await anext(second.output())).data == b"late\n"
        await first.close()
        await second.close()


async def test_whoever_comes_late_gets_what_is_written_from_now_on() -> None:
    async with world() as here:
        key = await here.pod("web", stdin=True)
        await here.until(lambda: is_ready(here.status(key)))
        (container,) = here.machine.engine.all_containers()
        container.write(("stdout", b"early\n"))
        await asyncio.sleep(15)
        attach = here.manager.streams("host-1").attach
        session, _ = await attach(here.registry.get(key), "c", stdin=True)
        container.write(("stdout", b"late\n"))
        assert (await anext(session.output())).data == b"late\n"
        await session.close()


async def test_attaching_to_what_runs() -> None:
    async with world() as here:
        key = await here.pod("web")
        await here.until(lambda: is_ready(here.status(key)))
        session, tty = await here.manager.streams("host-1").attach(
            here.registry.get(key), "c", stdin=False
        )
        assert tty is False
        await session.close()
