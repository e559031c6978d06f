"""Streams into a host's containers, where what is known of them is a moment old."""

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


async def test_attaching_to_what_runs() -> None:
    async with world() as here:
        key = await here.pod("web")
        await here.until(lambda: is_ready(here.status(key)))
        session, tty = await here.manager.streams("host-1").attach(
            here.registry.get(key), "c", stdin=False
        )
        assert tty is False
        await session.close()
