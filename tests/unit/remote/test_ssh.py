"""The SSH side against a server in this process."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import asyncssh
import pytest

from orchestrator.kit.errors import (
    AuthFailed,
    ChannelLost,
    ConfigError,
    ExecFailed,
    HostKeyMismatch,
    Unreachable,
)
from orchestrator.remote.seams import HostAddress
from orchestrator.remote.settings import RemoteSettings
from orchestrator.remote.ssh.connection import SshTransport
from orchestrator.remote.ssh.login import Hop, hops_of, login
from orchestrator.remote.ssh.pool import Handshakes
from tests.unit.remote.sshserver import SshServer, ssh_server

SETTINGS = RemoteSettings(ssh_config="", handshake_jitter_s=0.0, connect_timeout_s=5.0)


def handshakes(settings: RemoteSettings = SETTINGS) -> Handshakes:
    return Handshakes(settings, random.Random(1))


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[SshServer]:
    async with ssh_server(tmp_path / "host") as server:
        yield server


@pytest.fixture
async def transport(server: SshServer) -> AsyncIterator[SshTransport]:
    transport = await login(server.address(become=False), SETTINGS, handshakes())
    yield transport
    await transport.close()


async def test_words_arrive_unchanged(transport: SshTransport) -> None:
    words = ["a b", "$HOME", "`id`", "x'y\"z", "new\nline", "*", "; exit 9", "-n", "ü", ""]
    done = await transport.run(["printf", "%s|", *words])
    assert (done.status, done.stdout) == (0, "".join(f"{word}|" for word in words))


async def test_status_input_and_both_outputs(transport: SshTransport) -> None:
    done = await transport.run(["sh", "-c", "cat; echo no >&2; exit 4"], stdin=b"given")
    assert (done.status, done.stdout, done.stderr) == (4, "given", "no\n")


async def test_sudo_only_where_it_may_and_must(server: SshServer) -> None:
    for user, become, wanted in (
        ("ops", True, "sudo -n -- true"),
        ("ops", False, "true"),
        ("root", True, "true"),
    ):
        transport = await login(server.address(user=user, become=become), SETTINGS, handshakes())
        await transport.run(["true"], privileged=True)
        assert server.commands[-1] == wanted
        await transport.run(["true"])
        assert server.commands[-1] == "true"
        await transport.close()


async def test_files_are_whole_and_private(transport: SshTransport, tmp_path: Path) -> None:
    path = tmp_path / "it's $HOME"
    path.write_text("before")
    await transport.put_file(str(path), b"\0" * 100_000, mode=0o640)
    assert path.read_bytes() == b"\0" * 100_000
    assert path.stat().st_mode & 0o777 == 0o640
    with pytest.raises(ExecFailed, match="cannot write /no/such"):
        await transport.put_file("/no/such", b"x")


async def test_a_stream_goes_both_ways_and_ends(transport: SshTransport, tmp_path: Path) -> None:
    async def upper(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.read()).upper())
        await writer.drain()
        writer.close()

    path = str(tmp_path / "up.sock")
    listener = await asyncio.start_unix_server(upper, path)
    stream = await transport.open_unix(path)
    sent = bytes(random.Random(2).choices(b"abc", k=3_000_000))
    await stream.write(sent)
    await stream.write_eof()
    got = b""
    while piece := await stream.read():
        got += piece
    assert got == sent.upper()
    await stream.close()
    await stream.close()
    listener.close()


async def test_a_slow_reader_holds_up_the_writer(transport: SshTransport, tmp_path: Path) -> None:
    total, sent = 12 << 20, 0

    async def pour(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        while sent < total:
            writer.write(bytes(64 << 10))
            sent += 64 << 10
            await writer.drain()
        writer.close()

    path = str(tmp_path / "pour.sock")
    listener = await asyncio.start_unix_server(pour, path)
    stream = await transport.open_unix(path)
    read, most = 0, 0
    while piece := await stream.read():
        read += len(piece)
        most = max(most, sent - read)
        for _ in range(20):  # the writer's and the channel's turns, for each of the reader's
            await asyncio.sleep(0)
    assert read == total
    assert most < 4 << 20
    await stream.close()
    listener.close()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        ("nothing", "does not exist on the host"),
        ("file", "is not a socket"),
        ("stale", "nobody listens on"),
    ],
)
async def test_why_a_socket_cannot_be_opened(
    transport: SshTransport, tmp_path: Path, make: str, words: str
) -> None:
    path = tmp_path / "x.sock"
    if make == "file":
        path.write_text("")
    if make == "stale":
        listener = await asyncio.start_unix_server(lambda _r, _w: None, str(path))
        listener.close()
    with pytest.raises(Unreachable, match=words) as caught:
        await transport.open_unix(str(path))
    assert caught.value.node == "web-1"


async def test_a_lost_connection_ends_everything(
    server: SshServer, transport: SshTransport, tmp_path: Path
) -> None:
    path = str(tmp_path / "quiet.sock")
    writers = []
    listener = await asyncio.start_unix_server(lambda _r, w: writers.append(w), path)
    stream = await transport.open_unix(path)
    for connection in server.connections:
        connection.abort()
    async with asyncio.timeout(5):
        assert await transport.wait_closed()
        with pytest.raises(ChannelLost):
            await stream.read()
        with pytest.raises(ChannelLost):
            await transport.run(["true"])
        with pytest.raises(ChannelLost):
            await transport.open_unix(path)
    for writer in writers:
        writer.close()
    listener.close()


async def test_aes_gcm_is_asked_for_first(server: SshServer, transport: SshTransport) -> None:
    await transport.run(["true"])
    assert server.ciphers == {"aes128-gcm@openssh.com"}


# ---- host keys


async def test_an_unknown_host_key_is_refused(server: SshServer, tmp_path: Path) -> None:
    address = server.address(known_hosts=str(tmp_path / "none"))
    with pytest.raises(HostKeyMismatch, match="is unknown") as caught:
        await login(address, SETTINGS, handshakes())
    shown = server.host_key.get_fingerprint()
    assert shown in caught.value.message
    assert not caught.value.retryable


@pytest.mark.parametrize("kind", ["ssh-ed25519", "ecdsa-sha2-nistp256"])
async def test_a_changed_host_key_is_told_apart(server: SshServer, kind: str) -> None:
    pinned = asyncssh.generate_private_key(kind)
    line = pinned.export_public_key().decode()
    server.known_hosts.write_text(f"[127.0.0.1]:{server.port} {line}")
    with pytest.raises(HostKeyMismatch, match="has changed") as caught:
        await login(server.address(), SETTINGS, handshakes())
    assert pinned.get_fingerprint() in caught.value.message
    assert server.host_key.get_fingerprint() in caught.value.message


async def test_an_alias_is_the_only_name_that_counts(server: SshServer) -> None:
    with pytest.raises(HostKeyMismatch, match="web-1 is unknown"):
        await login(server.address(host_key_alias="web-1"), SETTINGS, handshakes())
    public = server.host_key.export_public_key().decode()
    server.known_hosts.write_text(f"web-1 {public}")
    transport = await login(server.address(host_key_alias="web-1"), SETTINGS, handshakes())
    await transport.close()


async def test_a_revoked_key_is_refused(server: SshServer) -> None:
    text = server.known_hosts.read_text()
    server.known_hosts.write_text(f"{text}\n@revoked {text}")
    with pytest.raises(HostKeyMismatch, match="marks as revoked"):
        await login(server.address(), SETTINGS, handshakes())


# ---- logging in


async def test_a_key_that_is_not_authorized(server: SshServer, tmp_path: Path) -> None:
    other = tmp_path / "other"
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(other)
    with pytest.raises(AuthFailed, match=r"refused to log in user ops with .*/other"):
        await login(server.address(identity_file=str(other)), SETTINGS, handshakes())


async def test_a_certificate_beside_the_key_is_used(tmp_path: Path) -> None:
    authority = asyncssh.generate_private_key("ssh-ed25519")
    trusted = "cert-authority " + authority.export_public_key().decode()
    async with ssh_server(tmp_path, authorized=trusted) as server:
        with pytest.raises(AuthFailed):
            await login(server.address(), SETTINGS, handshakes())
        key = asyncssh.read_private_key(server.directory / "identity")
        certificate = authority.generate_user_certificate(key, "ops", principals=["ops"])
        certificate.write_certificate(server.directory / "identity-cert.pub")
        transport = await login(server.address(), SETTINGS, handshakes())
        await transport.close()


async def test_a_host_certificate_is_verified(tmp_path: Path) -> None:
    authority = asyncssh.generate_private_key("ssh-ed25519")
    async with ssh_server(tmp_path, host_authority=authority) as server:
        line = authority.export_public_key().decode()
        server.known_hosts.write_text(f"@cert-authority web-1 {line}")
        transport = await login(server.address(host_key_alias="web-1"), SETTINGS, handshakes())
        await transport.close()
        other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
        server.known_hosts.write_text(f"@cert-authority web-1 {other}")
        with pytest.raises(HostKeyMismatch):
            await login(server.address(host_key_alias="web-1"), SETTINGS, handshakes())


async def test_nobody_there(server: SshServer, unused_port: int) -> None:
    with pytest.raises(Unreachable, match=rf"cannot connect to 127\.0\.0\.1:{unused_port}"):
        await login(server.address(port=unused_port), SETTINGS, handshakes())


async def test_an_sshd_that_says_nothing(server: SshServer) -> None:
    writers = []
    silent = await asyncio.start_server(lambda _r, w: writers.append(w), "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    settings = RemoteSettings(ssh_config="", connect_timeout_s=0.1)
    server.known_hosts.write_text(
        server.known_hosts.read_text().replace(str(server.port), str(port))
    )
    with pytest.raises(Unreachable, match=r"no answer from .* within 0\.1 s"):
        await login(server.address(port=port), settings, handshakes(settings))
    for writer in writers:
        writer.close()
    silent.close()


async def test_through_two_jump_hosts(server: SshServer, tmp_path: Path) -> None:
    async with ssh_server(tmp_path / "one") as one, ssh_server(tmp_path / "two") as two:
        identity = (server.directory / "identity").read_text()
        public = (server.directory / "authorized").read_text()
        assert identity
        known = server.known_hosts.read_text()
        for hop in (one, two):
            (hop.directory / "authorized").write_text(public)
            known += "\n" + hop.known_hosts.read_text()
        server.known_hosts.write_text(known)
        jump = f"ops@127.0.0.1:{one.port},127.0.0.1:{two.port}"
        transport = await login(server.address(jump=jump), SETTINGS, handshakes())
        assert (await transport.run(["echo", "there"])).stdout == "there\n"
        assert server.commands == ["echo there"]
        assert one.commands == two.commands == []
        await transport.close()


@pytest.mark.parametrize(
    ("jump", "hops"),
    [
        ("", []),
        ("a@b", [Hop("a", "b", 22)]),
        ("b:2222", [Hop("ops", "b", 2222)]),
        ("a@[::1]:22, c", [Hop("a", "::1", 22), Hop("ops", "c", 22)]),
    ],
    ids=["none", "user", "port", "two"],
)
def test_jump_hosts_are_read(jump: str, hops: list[Hop]) -> None:
    address = HostAddress(node="n", host="h", port=22, user="ops", jump=jump)
    assert hops_of(address) == (*hops, Hop("ops", "h", 22))


@pytest.mark.parametrize("jump", ["a@", "b:x", "b:0", "b:70000"])
def test_jump_hosts_that_are_wrong(jump: str) -> None:
    with pytest.raises(ConfigError, match="must be user@host:port"):
        hops_of(HostAddress(node="n", host="h", port=22, user="ops", jump=jump))


async def test_handshakes_are_capped_per_hop(server: SshServer) -> None:
    settings = RemoteSettings(ssh_config="", handshakes_per_hop=3, handshake_jitter_s=0.0)
    shared = handshakes(settings)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(login(server.address(), settings, shared)) for _ in range(12)]
    for task in tasks:
        await task.result().close()
    assert server.logins == 12
    assert server.most_at_once <= 3
