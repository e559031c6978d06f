"""The Engine contract suite on the fake engine, so that what is tested with it holds for Docker."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator

import pytest

from orchestrator.kit.errors import ChannelLost, EngineError
from orchestrator.remote.seams import RegistryAuth
from tests.contract.engine_suite import EngineRig, EngineSuite, log_text, watching
from tests.fakes.engine import FakeEngine
from tests.fakes.faults import Faults
from tests.fakes.images import Published
from tests.fakes.programs import IMAGE, Program, ends


@pytest.fixture
async def rig() -> AsyncIterator[EngineRig]:
    rig = EngineRig(engine=FakeEngine(), image=IMAGE)
    yield rig
    await rig.clean()


@pytest.fixture
def engine(rig: EngineRig) -> FakeEngine:
    assert isinstance(rig.engine, FakeEngine)
    return rig.engine


class TestFakeEngine(EngineSuite):
    """Every law of the suite on the fake."""


def restart(policy: str) -> dict:
    return {"HostConfig": {"RestartPolicy": {"Name": policy}}}


async def test_attach_reads_from_now_on(rig: EngineRig) -> None:
    made = await rig.create(rig.CAT, OpenStdin=True, StdinOnce=True)
    session = await rig.engine.attach(made, stdin=True, tty=False, once=True)
    await rig.engine.start_container(made)
    await session.write(b"to and fro\n")
    await session.write_eof()
    assert [f.data async for f in session.output()] == [b"to and fro\n"]
    assert await session.exit_code() == 0
    await session.close()


@pytest.mark.looptime
async def test_restarts_back_off_as_dockers_do(rig: EngineRig, engine: FakeEngine) -> None:
    loop = asyncio.get_running_loop()
    async with watching(engine, rig.labels) as tape:
        made = await rig.run(rig.FAIL, **restart("unless-stopped"))
        times = []
        for _ in range(5):
            await tape.until("start")
            times.append(loop.time())
    gaps = [round(b - a, 1) for a, b in itertools.pairwise(times)]
    assert gaps == [0.1, 0.2, 0.4, 0.8]
    assert (await engine.inspect_container(made)).restart_count == 4
    await asyncio.sleep(0.1)
    assert (await engine.inspect_container(made)).state == "restarting"
    await engine.stop_container(made, 1)
    await asyncio.sleep(100)
    assert (await engine.inspect_container(made)).state == "exited"
    await engine.start_container(made)
    assert (await engine.inspect_container(made)).restart_count == 0


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("policy", "argv", "state"),
    [
        pytest.param("no", EngineRig.FAIL, "exited", id="no"),
        pytest.param("on-failure", EngineRig.FAIL, "restarting", id="on failure, failed"),
        pytest.param("on-failure", EngineRig.TALK, "exited", id="on failure, went well"),
        pytest.param("always", EngineRig.TALK, "restarting", id="always"),
    ],
)
async def test_restart_policies(rig: EngineRig, policy: str, argv: list[str], state: str) -> None:
    made = await rig.run(argv, **restart(policy))
    await asyncio.sleep(0.05)
    assert (await rig.engine.inspect_container(made)).state == state


@pytest.mark.looptime
async def test_programs_by_script(rig: EngineRig, engine: FakeEngine) -> None:
    scripts = [ends(3), ends(0, 5.0), Program()]
    engine.program_of = lambda container: scripts[min(container.starts, 2)]
    made = await rig.run(["app"], **restart("always"))
    await asyncio.sleep(1)
    info = await engine.inspect_container(made)
    assert (info.state, info.restart_count) == ("running", 1)
    await asyncio.sleep(60)
    info = await engine.inspect_container(made)
    assert (info.state, info.restart_count) == ("running", 2)
    engine.container(made).end(137, oom=True)
    info = await engine.inspect_container(made)
    assert (info.state, info.exit_code, info.oom_killed) == ("restarting", 137, True)


async def test_a_port_is_published_once(rig: EngineRig, engine: FakeEngine) -> None:
    ports = {"HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": "8080"}]}}}
    await rig.run(rig.SLEEP, **ports)
    two = await rig.create(rig.SLEEP, **ports)
    with pytest.raises(EngineError, match="port is already allocated") as caught:
        await engine.start_container(two)
    assert caught.value.status == 500
    assert (await engine.inspect_container(two)).state == "created"


async def test_a_network_is_joined_while_it_is_there(rig: EngineRig, engine: FakeEngine) -> None:
    owner = await rig.create(rig.SLEEP)
    made = await rig.create(rig.SLEEP, HostConfig={"NetworkMode": f"container:{owner}"})
    with pytest.raises(EngineError, match="cannot join network of a non running") as caught:
        await engine.start_container(made)
    assert caught.value.status == 409
    await engine.start_container(owner)
    await engine.start_container(made)
    assert (await engine.inspect_container(made)).ip == ""
    await engine.remove_container(owner)
    with pytest.raises(EngineError, match="No such container"):
        await engine.restart_container(made, 0)


@pytest.mark.looptime
async def test_pulls(rig: EngineRig, engine: FakeEngine) -> None:
    auth = RegistryAuth("example.com", "u", "p")
    engine.images_here.registry["example.com/app:1"] = Published(pull_s=3, auth=auth)
    for reference, given, status in (
        ("example.com/app:2", auth, 404),
        ("example.com/app:1", None, 401),
    ):
        with pytest.raises(EngineError) as caught:
            await engine.pull(reference, given)
        assert caught.value.status == status
    await engine.pull("example.com/app:1", auth)
    assert asyncio.get_running_loop().time() == pytest.approx(3)
    assert await engine.image("example.com/app:1") is not None


@pytest.mark.looptime
async def test_an_engine_that_crashes(rig: EngineRig, engine: FakeEngine) -> None:
    kept = await rig.run(rig.SLEEP, **restart("unless-stopped"))
    once = await rig.run(rig.SLEEP)
    async with watching(engine, rig.labels) as tape:
        engine.crash()
        with pytest.raises(ChannelLost):
            await tape.until("die")
    with pytest.raises(ChannelLost):
        await engine.ping()
    engine.recover(died=True)
    assert (await engine.inspect_container(kept)).state == "running"
    assert (await engine.inspect_container(once)).state == "exited"
    engine.crash()
    engine.recover(died=True, policies=False)
    assert (await engine.inspect_container(kept)).state == "exited"


@pytest.mark.looptime
async def test_faults_are_seeded(rig: EngineRig) -> None:
    async def tape(seed: int) -> list[str]:
        faults = Faults(random.Random(seed), (0.0, 1.0), error_rate=0.2, lost_rate=0.2)
        engine, found = FakeEngine(faults=faults), []
        for _ in range(50):
            try:
                await engine.ping()
                found.append("")
            except (EngineError, ChannelLost) as error:
                found.append(type(error).__name__)
        return found

    one = await tape(1)
    assert one == await tape(1) != await tape(2)
    assert set(one) == {"", "EngineError", "ChannelLost"}


@pytest.mark.looptime
async def test_an_answer_may_be_lost_after_the_effect(rig: EngineRig, engine: FakeEngine) -> None:
    engine.faults.lost_rate = 1.0
    with pytest.raises(ChannelLost):
        await engine.create_container("a", {"Image": IMAGE})
    engine.faults.lost_rate = 0.0
    assert [c.name for c in await engine.containers({})] == ["a"]


async def test_a_followed_log_goes_on_over_restarts(rig: EngineRig, engine: FakeEngine) -> None:
    made = await rig.run(["app"])
    reading = asyncio.ensure_future(log_text(engine, made, follow=True))
    await asyncio.sleep(0)
    engine.container(made).write(("stdout", b"late\n"))
    engine.container(made).end(0)
    assert (await reading)["stdout"] == b"late\n"
