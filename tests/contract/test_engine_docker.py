"""The Engine contract suite on the Docker Engine of this machine, through its local socket."""

import io
import tarfile
from collections.abc import AsyncIterator

import pytest

from orchestrator.kit.errors import ChannelLost, EngineError, Unreachable
from orchestrator.remote.dialer import LocalDialer
from orchestrator.remote.docker.engine import DockerEngine
from orchestrator.remote.seams import RegistryAuth
from tests.contract.engine_suite import EngineRig, EngineSuite, log_text
from tests.rig.images import ensure_busybox

pytestmark = pytest.mark.docker

SOCKET = "/var/run/docker.sock"


@pytest.fixture
async def rig() -> AsyncIterator[EngineRig]:
    engine = DockerEngine(LocalDialer(), SOCKET, node="here")
    rig = EngineRig(engine=engine, image=ensure_busybox(SOCKET))
    yield rig
    await rig.clean()
    await engine.close()


class TestDockerEngine(EngineSuite):
    """Every law of the suite on a real engine."""


async def test_a_registry_that_does_not_answer_is_told_in_its_words(rig: EngineRig) -> None:
    auth = RegistryAuth(server="127.0.0.1:9", username="u", password="p")
    with pytest.raises(EngineError, match=r"127\.0\.0\.1:9") as caught:
        await rig.engine.pull("127.0.0.1:9/nothing:1", auth)
    assert caught.value.retryable


async def test_attach_reads_from_now_on(rig: EngineRig) -> None:
    made = await rig.create(rig.CAT, OpenStdin=True, StdinOnce=True)
    session = await rig.engine.attach(made, stdin=True, tty=False, once=True)
    await rig.engine.start_container(made)
    await session.write(b"to and fro\n")
    await session.write_eof()
    assert [f.data async for f in session.output()] == [b"to and fro\n"]
    assert await session.exit_code() == 0
    await session.close()


async def test_a_terminal_gives_one_stream(rig: EngineRig) -> None:
    made = await rig.run(rig.SLEEP)
    script = ["sh", "-c", "read line; stty size; echo oops >&2; exit 5"]
    session = await rig.engine.exec(made, script, stdin=True, tty=True)
    await session.resize(100, 30)
    await session.write(b"go\n")
    frames = [frame async for frame in session.output()]
    assert {frame.stream for frame in frames} == {"stdout"}
    assert b"".join(f.data for f in frames) == b"go\r\n30 100\r\noops\r\n"
    assert await session.exit_code() == 5
    await session.close()


async def test_a_missing_socket_says_so() -> None:
    engine = DockerEngine(LocalDialer(), "/no/such.sock")
    with pytest.raises(Unreachable, match=r"/no/such\.sock: No such file"):
        await engine.ping()
    await engine.close()


async def test_a_closed_engine_is_a_lost_channel() -> None:
    engine = DockerEngine(LocalDialer(), SOCKET)
    await engine.ping()
    await engine.close()
    await engine.close()
    with pytest.raises(ChannelLost):
        await engine.ping()


async def test_an_archive_sets_the_mode_of_a_volume_that_is_there(rig: EngineRig) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        entry = tarfile.TarInfo("work")
        entry.type, entry.mode, entry.gid = tarfile.DIRTYPE, 0o2775, 1234
        tar.addfile(entry)
    name = f"remote-test-{rig.token}"
    mount = {"Type": "volume", "Source": name, "Target": "/work", "VolumeOptions": {"NoCopy": True}}
    one = await rig.create(rig.SLEEP, HostConfig={"Mounts": [mount]})
    await rig.engine.put_archive(one, "/", out.getvalue())
    await rig.engine.remove_container(one)
    two = await rig.run(["stat", "-c", "%a %g", "/work"], HostConfig={"Mounts": [mount]})
    assert await rig.ended(two) == 0
    assert (await log_text(rig.engine, two))["stdout"] == b"2775 1234\n"
    await rig.engine.remove_container(two)
    await rig.engine.remove_volume(name)
