"""A whole host through a real sshd on loopback and the Docker Engine of this machine.

The Engine suite runs over the tunnel; the shim is pushed, started, probed, replaced and removed.
"""

import asyncio
import base64
import contextlib
import dataclasses
import json
import os
import random
import secrets
import shutil
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.kit.errors import (
    AuthFailed,
    ChannelLost,
    ConfigError,
    HostKeyMismatch,
    ShimError,
    Unreachable,
)
from orchestrator.remote.connect import SshHostConnector
from orchestrator.remote.seams import Host, HostAddress
from orchestrator.remote.settings import RemoteSettings
from orchestrator.remote.ssh.login import login
from orchestrator.remote.ssh.pool import Handshakes
from tests.contract.engine_suite import EngineRig, EngineSuite
from tests.rig.images import ensure_busybox
from tests.rig.sshd import Sshd, free_port, make_key, running_sshd

pytestmark = [
    pytest.mark.docker,
    pytest.mark.skipif(os.geteuid() != 0, reason="sshd that logs in as root needs root"),
]

DEADLINE_S = 30.0


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with running_sshd(tmp_path_factory.mktemp("sshd")) as running:
        yield running


@pytest.fixture
def settings() -> Iterator[RemoteSettings]:
    with own_runtime_dir() as settings:
        yield settings


@contextlib.contextmanager
def own_runtime_dir() -> Iterator[RemoteSettings]:
    """Settings for a shim of the test's own; afterwards neither process nor directory is left."""
    directory = Path(f"/run/orch-test-{secrets.token_hex(3)}")
    yield RemoteSettings(runtime_dir=str(directory), ssh_config="")
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        os.kill(json.loads((directory / "shim.pid").read_text())["pid"], signal.SIGTERM)
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def address(sshd: Sshd) -> HostAddress:
    return address_of(sshd)


def address_of(sshd: Sshd) -> HostAddress:
    return HostAddress(
        node="web-1",
        host="127.0.0.1",
        port=sshd.port,
        user="root",
        identity_file=str(sshd.identity),
        known_hosts=str(sshd.known_hosts),
    )


@pytest.fixture
async def host(address: HostAddress, settings: RemoteSettings) -> AsyncIterator[Host]:
    connector = SshHostConnector(settings, random.Random(1))
    async with asyncio.timeout(DEADLINE_S):
        host = await connector.connect(address)
    yield host
    with contextlib.suppress(ChannelLost):
        await host.shim.call("shutdown", {"clean": True})
    await host.close()


@pytest.fixture
async def rig(host: Host) -> AsyncIterator[EngineRig]:
    rig = EngineRig(engine=host.engine, image=ensure_busybox())
    yield rig
    await rig.clean()


class Tape:
    """Events that the shim pushed."""

    def __init__(self, host: Host) -> None:
        self.events: list[dict[str, Any]] = []
        self.end = host.shim.subscribe(self.events.append)

    async def until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        async with asyncio.timeout(DEADLINE_S):
            while True:
                for event in self.events:
                    if wanted(event):
                        return event
                await asyncio.sleep(0.02)


class TestDockerEngineThroughSsh(EngineSuite):
    """Every law of the Engine suite, through the tunnel."""


async def test_first_contact_gives_facts_and_usage(host: Host, rig: EngineRig) -> None:
    made = await rig.run(rig.SLEEP, HostConfig={"Memory": 64 << 20})
    facts = await host.shim.call("facts", {})
    assert facts["cores"] == os.cpu_count()
    assert facts["kernel"] == os.uname().release
    assert any(a["address"] == "127.0.0.1" for a in facts["addresses"])
    usage = await host.shim.call("usage", {"containers": [made, "0" * 64]})
    assert 0 < usage["host"]["memory_bytes"] < usage["host"]["memory_total_bytes"]
    assert set(usage["containers"]) == {made}
    assert usage["containers"][made]["memory_limit_bytes"] == 64 << 20
    assert usage["containers"][made]["pids"] == 1


async def test_the_shim_stays_small_and_is_found_again(
    host: Host, address: HostAddress, settings: RemoteSettings
) -> None:
    pid = (await host.shim.call("hello", {"protocol": 1}))["pid"]
    status = Path(f"/proc/{pid}/status").read_text()
    resident_kb = int(status.split("VmRSS:")[1].split()[0])
    assert resident_kb < 20 * 1024
    socket = Path(settings.runtime_dir, "shim.sock")
    assert socket.stat().st_mode & 0o777 == 0o600
    assert socket.parent.stat().st_mode & 0o777 == 0o700
    again = await SshHostConnector(settings).connect(address)
    assert (await again.shim.call("hello", {"protocol": 1}))["pid"] == pid
    await again.close()


async def test_heartbeats_come_every_second(host: Host) -> None:
    tape = Tape(host)
    await tape.until(lambda _: sum(e["event"] == "heartbeat" for e in tape.events) >= 3)
    beats = [e["time_s"] for e in tape.events if e["event"] == "heartbeat"]
    assert 0.5 < beats[-1] - beats[-2] < 2.0


async def test_files_are_written_and_switched(host: Host, rig: EngineRig) -> None:
    def tree(text: str) -> dict[str, Any]:
        data = base64.b64encode(text.encode()).decode()
        return {"path": "pods/u1/volumes/config", "files": {"sub/a.conf": {"data": data}}}

    first = await host.shim.call("files.write_tree", tree("one"))
    assert first["changed"]
    assert not (await host.shim.call("files.write_tree", tree("one")))["changed"]
    made = await rig.run(rig.SLEEP, HostConfig={"Binds": [f"{first['path']}:/config:ro"]})

    async def inside() -> bytes:
        session = await rig.engine.exec(made, ["cat", "/config/sub/a.conf"])
        text = b"".join([frame.data async for frame in session.output()])
        await session.close()
        return text

    assert await inside() == b"one"
    assert (await host.shim.call("files.write_tree", tree("two")))["changed"]
    assert await inside() == b"two"
    listed = await host.shim.call("files.list", {})
    assert listed == {"trees": [{"path": "pods/u1/volumes/config", "files": ["sub/a.conf"]}]}
    assert await host.shim.call("files.remove", {"path": "pods/u1"}) == {"removed": True}
    assert await host.shim.call("files.remove", {"path": "pods/u1"}) == {"removed": False}


async def test_readiness_follows_the_server_inside(host: Host, rig: EngineRig) -> None:
    tape = Tape(host)
    made = await rig.run(["sh", "-c", "sleep 1; exec httpd -f -p 8080 -h /www"])
    probe = {"http_get": {"port": 8080, "path": "/"}, "period_s": 1, "failure_threshold": 1}
    payload = {"container_id": made, "key": "pod/web", "probes": {"readiness": probe}}
    answer = await host.shim.call("probes.set", payload)
    assert [(p["probe"], p["state"]) for p in answer["probes"]] == [("readiness", "unknown")]
    refused = await tape.until(lambda e: e.get("state") == "failure")
    assert "connection refused" in refused["message"]
    ready = await tape.until(lambda e: e.get("state") == "success")
    assert (ready["key"], ready["container_id"], ready["restarts"]) == ("pod/web", made, 0)
    assert ready["seq"] > refused["seq"]
    await host.shim.call("probes.set", payload)
    states = (await host.shim.call("probes.list", {}))["probes"]
    assert [p["state"] for p in states] == ["success"]
    await rig.engine.kill_container(made)
    await tape.until(lambda e: e.get("state") == "unknown" and e["seq"] > ready["seq"])
    await rig.engine.remove_container(made)
    async with asyncio.timeout(DEADLINE_S):
        while (await host.shim.call("probes.list", {}))["probes"]:
            await asyncio.sleep(0.02)


async def test_a_hanging_container_is_restarted_with_the_server_away(
    address: HostAddress, settings: RemoteSettings, rig: EngineRig
) -> None:
    made = await rig.run(["sh", "-c", "touch /alive; exec sleep 1000"])
    before = await rig.engine.inspect_container(made)
    connector = SshHostConnector(settings)
    host = await connector.connect(address)
    probe = {
        "exec": {"argv": ["test", "-e", "/alive"]},
        "period_s": 1,
        "failure_threshold": 2,
        "timeout_s": 5,
    }
    tape = Tape(host)
    await host.shim.call(
        "probes.set",
        {"container_id": made, "key": "k", "grace_s": 0, "probes": {"liveness": probe}},
    )
    await tape.until(lambda e: e.get("state") == "success")
    session = await host.engine.exec(made, ["rm", "/alive"])
    await session.exit_code()
    await session.close()
    await host.close()

    async with asyncio.timeout(DEADLINE_S):
        while (after := await rig.engine.inspect_container(made)).started_at == before.started_at:
            await asyncio.sleep(0.05)
    assert after.id == made

    host = await connector.connect(address)
    tape = Tape(host)
    acted = await tape.until(lambda e: e.get("action") == "restart")
    assert acted["replayed"]
    assert acted["restarts"] == 1
    assert acted["started_at"] == before.started_at
    seqs = [e["seq"] for e in tape.events if e["event"] == "probe"]
    assert seqs == sorted(set(seqs))
    await tape.until(lambda e: e.get("state") == "success" and e["seq"] > acted["seq"])
    await host.close()


async def test_an_older_shim_is_replaced_in_place(
    host: Host, address: HostAddress, settings: RemoteSettings
) -> None:
    pid = (await host.shim.call("hello", {"protocol": 1}))["pid"]
    pid_file = Path(settings.runtime_dir, "shim.pid")
    pid_file.write_text(f'{{"pid": {pid}, "hash": "older"}}')
    newer = await SshHostConnector(settings).connect(address)
    assert (await newer.shim.call("hello", {"protocol": 1}))["pid"] != pid
    assert not Path(f"/proc/{pid}").exists()
    async with asyncio.timeout(DEADLINE_S):
        assert "shim" in await host.wait_lost()
    await newer.close()


async def test_a_lost_connection_is_told_at_once(sshd: Sshd, host: Host) -> None:
    children = Path(f"/proc/{sshd.process.pid}/task/{sshd.process.pid}/children").read_text()
    for pid in children.split():
        os.kill(int(pid), signal.SIGKILL)
    async with asyncio.timeout(3.0):
        assert await host.wait_lost()
    with pytest.raises(ChannelLost):
        await host.engine.ping()
    with pytest.raises(ChannelLost):
        await host.shim.call("ping", {})


async def test_a_host_that_falls_silent_is_lost_in_time(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    with own_runtime_dir() as settings, running_sshd(tmp_path) as sshd:
        host = await SshHostConnector(settings).connect(address_of(sshd))
        children = Path(f"/proc/{sshd.process.pid}/task/{sshd.process.pid}/children")
        stopped = [int(child) for child in children.read_text().split()] + [sshd.process.pid]
        for each in stopped:
            os.kill(each, signal.SIGSTOP)
        began_s = loop.time()
        async with asyncio.timeout(DEADLINE_S):
            reason = await host.wait_lost()
        assert "no heartbeat" in reason
        assert 2.0 < loop.time() - began_s < 5.0
        for each in stopped:
            os.kill(each, signal.SIGCONT)
        await host.close()


async def test_a_changed_host_key_is_told_with_both_fingerprints(
    address: HostAddress, settings: RemoteSettings, tmp_path: Path
) -> None:
    other = make_key(tmp_path / "other")
    known_hosts = tmp_path / "known_hosts"
    known_hosts.write_text(f"[127.0.0.1]:{address.port} {other}")
    changed = dataclasses.replace(address, known_hosts=str(known_hosts))
    with pytest.raises(HostKeyMismatch, match="has changed") as caught:
        await SshHostConnector(settings).connect(changed)
    assert caught.value.message.count("SHA256:") == 2
    assert not caught.value.retryable
    unknown = dataclasses.replace(address, known_hosts=str(tmp_path / "none"))
    with pytest.raises(HostKeyMismatch, match="is unknown") as caught:
        await SshHostConnector(settings).connect(unknown)
    assert caught.value.message.count("SHA256:") == 1
    aliased = f"web-1 {' '.join(Path(address.known_hosts).read_text().split()[1:])}\n"
    known_hosts.write_text(aliased)
    host = await SshHostConnector(settings).connect(
        dataclasses.replace(changed, host_key_alias="web-1")
    )
    await host.shim.call("shutdown", {"clean": True})
    await host.close()


async def test_reasons_in_words(
    address: HostAddress, settings: RemoteSettings, tmp_path: Path
) -> None:
    connector = SshHostConnector(settings)
    wrong = tmp_path / "wrong"
    make_key(wrong)
    with pytest.raises(AuthFailed, match=r"refused to log in user root with .*wrong"):
        await connector.connect(dataclasses.replace(address, identity_file=str(wrong)))
    with pytest.raises(ConfigError, match="identity_file /no/key cannot be used"):
        await connector.connect(dataclasses.replace(address, identity_file="/no/key"))
    with pytest.raises(Unreachable, match=r"Connect call failed|Connection refused"):
        await connector.connect(dataclasses.replace(address, port=free_port()))
    with pytest.raises(Unreachable, match=r"/no/docker\.sock does not exist"):
        await connector.connect(dataclasses.replace(address, docker_socket="/no/docker.sock"))
    nobody = SshHostConnector(dataclasses.replace(settings, python="python-none"))
    with pytest.raises(ShimError, match=r"needs Python 3\.8"):
        await nobody.connect(address)


async def test_through_a_jump_host(
    address: HostAddress, settings: RemoteSettings, tmp_path: Path
) -> None:
    with running_sshd(tmp_path) as bastion:
        keys = bastion.known_hosts.read_text() + Path(address.known_hosts).read_text()
        (tmp_path / "both").write_text(keys)
        authorized = bastion.directory / "authorized"
        authorized.write_text(Path(address.identity_file + ".pub").read_text())
        host = await SshHostConnector(settings).connect(
            dataclasses.replace(
                address, jump=f"root@127.0.0.1:{bastion.port}", known_hosts=str(tmp_path / "both")
            )
        )
        await host.engine.ping()
        await host.shim.call("shutdown", {"clean": True})
        await host.close()


async def test_where_sshd_forwards_no_sockets_sessions_carry_the_streams(
    tmp_path: Path, settings: RemoteSettings
) -> None:
    with running_sshd(tmp_path, "AllowStreamLocalForwarding no") as sshd:
        handshakes = Handshakes(settings, random.Random(1))
        transport = await login(address_of(sshd), settings, handshakes)
        with pytest.raises(Unreachable, match="AllowStreamLocalForwarding"):
            await transport.open_unix("/var/run/docker.sock")
        await transport.close()

        host = await SshHostConnector(settings).connect(address_of(sshd))
        async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
            for _ in range(20):
                group.create_task(host.engine.ping())
        assert (await host.transport.run(["echo", "still"])).stdout == "still\n"
        await host.shim.call("shutdown", {"clean": True})
        await host.close()


async def test_commands_and_files_take_any_word(host: Host, tmp_path: Path) -> None:
    words = ["a b", "$HOME", "`id`", "x'y\"z", "new\nline", "*", ";", "-n", "ü"]
    done = await host.transport.run(["printf", "%s|", *words])
    assert done.stdout == "".join(f"{word}|" for word in words)
    assert (await host.transport.run(["sh", "-c", "echo no >&2; exit 4"])).status == 4
    path = tmp_path / "it's $HOME"
    await host.transport.put_file(str(path), b"\0binary", mode=0o640)
    assert path.read_bytes() == b"\0binary"
    assert path.stat().st_mode & 0o777 == 0o640
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
