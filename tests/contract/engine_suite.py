"""What every `seams.Engine` must do: a real Docker Engine and the fakes pass the same suite.

A test module makes a subclass whose name begins with `Test` and gives the fixture `rig`:

    class TestDockerEngine(EngineSuite):
        @pytest.fixture
        async def rig(self) -> AsyncIterator[EngineRig]:
            ...
            yield EngineRig(engine=engine, image="orch-test/busybox:1")

Every container is made through `rig.create`, carries the label `orch-test=<token of the rig>`, and
is removed by `rig.clean` at the end. Only shell commands out of `EngineRig.SCRIPTS` are used, so
that a fake can recognise them by the argument list.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest

from orchestrator.kit.errors import EngineError
from orchestrator.remote.seams import SUBSCRIBED, Engine, EngineEvent, LogOptions

DEADLINE_S = 20.0


@dataclass
class EngineRig:
    """An engine to test and what the suite made on it.

    Attributes:
        engine: the engine under test.
        image: a tag that it has; its containers understand `SCRIPTS`.
        token: value of the label on everything made here.
    """

    SLEEP: ClassVar[list[str]] = ["sleep", "1000"]
    """Runs until it is killed; ignores nothing (but as process 1 it does not end on TERM)."""
    POLITE: ClassVar[list[str]] = [
        "sh", "-c", "trap 'exit 3' TERM; echo ready; while :; do sleep 0.05; done"
    ]  # fmt: skip
    """Runs until TERM, then exits with 3."""
    TALK: ClassVar[list[str]] = ["sh", "-c", "echo one; echo two >&2; echo three"]
    """Writes three lines, the second to standard error, and exits with 0."""
    FAIL: ClassVar[list[str]] = ["sh", "-c", "exit 7"]
    """Exits with 7."""
    HELLO: ClassVar[list[str]] = ["sh", "-c", "echo hello; echo oops >&2; exit 5"]
    """For exec: a line on each stream, exits with 5."""
    CAT: ClassVar[list[str]] = ["cat"]
    """For exec: gives its input back."""

    engine: Engine
    image: str
    token: str = field(default_factory=lambda: secrets.token_hex(4))
    made: list[str] = field(default_factory=list)

    @property
    def labels(self) -> dict[str, str]:
        """The label on everything made here."""
        return {"orch-test": self.token}

    async def create(self, argv: list[str], **body: Any) -> str:
        """Makes a container that runs `argv`; returns its id."""
        labels = {**self.labels, **body.pop("Labels", {})}
        document = {"Image": self.image, "Cmd": argv, "Labels": labels, **body}
        name = f"remote-test-{self.token}-{len(self.made)}"
        self.made.append(await self.engine.create_container(name, document))
        return self.made[-1]

    async def run(self, argv: list[str], **body: Any) -> str:
        """Makes and starts a container; returns its id."""
        made = await self.create(argv, **body)
        await self.engine.start_container(made)
        return made

    async def listens(self, container_id: str) -> None:
        """Waits until a POLITE container heeds TERM."""
        async with asyncio.timeout(DEADLINE_S):
            while b"ready" not in (await log_text(self.engine, container_id))["stdout"]:
                await asyncio.sleep(0.02)

    async def ended(self, container_id: str) -> int:
        """Waits until the container has ended; returns its exit code."""
        async with asyncio.timeout(DEADLINE_S):
            while (info := await self.engine.inspect_container(container_id)).state != "exited":
                await asyncio.sleep(0.02)
        return info.exit_code

    async def clean(self) -> None:
        """Removes what was made."""
        for container_id in self.made:
            await self.engine.remove_container(container_id)


@asynccontextmanager
async def watching(engine: Engine, labels: dict[str, str]) -> AsyncIterator["EventTape"]:
    """Records events from the moment on that the engine has subscribed."""
    tape = EventTape(engine, labels)
    await tape.begin()
    try:
        yield tape
    finally:
        await tape.end()


class EventTape:
    """Events seen so far."""

    def __init__(self, engine: Engine, labels: dict[str, str]) -> None:
        self._stream = engine.events(labels)
        self.seen: list[EngineEvent] = []

    async def begin(self) -> None:
        async with asyncio.timeout(DEADLINE_S):
            assert await anext(self._stream) == SUBSCRIBED

    async def until(self, action: str) -> EngineEvent:
        """Reads on until an event with that action comes; returns it."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                event = await anext(self._stream)
                self.seen.append(event)
                if event.action == action:
                    return event

    async def end(self) -> None:
        close = getattr(self._stream, "aclose", None)
        if close is not None:
            await close()


async def log_text(engine: Engine, container_id: str, **options: Any) -> dict[str, bytes]:
    """A container's log so far, by stream."""
    text = {"stdout": b"", "stderr": b""}
    async with asyncio.timeout(DEADLINE_S):
        async for frame in engine.logs(container_id, LogOptions(**options)):
            text[frame.stream] += frame.data
    return text


class EngineSuite:
    """Tests of one engine; see the module's docstring."""

    async def test_answers_and_knows_itself(self, rig: EngineRig) -> None:
        await rig.engine.ping()
        info = await rig.engine.info()
        assert info.cpus >= 1
        assert info.memory_bytes > 1 << 20
        assert info.server_version
        assert info.api_version
        assert info.cgroup_version in {"1", "2"}

    async def test_finds_an_image_it_has_and_none_it_has_not(self, rig: EngineRig) -> None:
        found = await rig.engine.image(rig.image)
        assert found is not None
        assert rig.image in found.repo_tags
        assert found.id in {image.id for image in await rig.engine.images()}
        assert await rig.engine.image("orch-test/no-such-image:1") is None

    async def test_pull_of_an_image_that_is_no_reference(self, rig: EngineRig) -> None:
        with pytest.raises(EngineError) as caught:
            await rig.engine.pull("UPPER CASE//")
        assert caught.value.status == 400
        assert not caught.value.retryable

    async def test_a_containers_life(self, rig: EngineRig) -> None:
        made = await rig.create(rig.POLITE)
        before = await rig.engine.inspect_container(made)
        assert (before.id, before.state, before.started_at) == (made, "created", "")
        assert before.image == rig.image
        assert before.labels["orch-test"] == rig.token

        await rig.engine.start_container(made)
        running = await rig.engine.inspect_container(made)
        assert running.state == "running"
        assert running.pid > 0
        assert running.started_at
        assert running.ip

        await rig.listens(made)
        await rig.engine.stop_container(made, 10)
        ended = await rig.engine.inspect_container(made)
        assert (ended.state, ended.exit_code, ended.pid) == ("exited", 3, 0)
        assert ended.finished_at

        await rig.engine.remove_container(made)
        with pytest.raises(EngineError) as caught:
            await rig.engine.inspect_container(made)
        assert caught.value.status == 404

    async def test_repeating_a_call_is_no_error(self, rig: EngineRig) -> None:
        made = await rig.run(rig.SLEEP)
        await rig.engine.start_container(made)
        await rig.engine.kill_container(made)
        assert await rig.ended(made) == 137
        await rig.engine.kill_container(made)
        await rig.engine.stop_container(made, 1)
        await rig.engine.remove_container(made)
        await rig.engine.remove_container(made)

    async def test_stop_kills_after_the_grace(self, rig: EngineRig) -> None:
        made = await rig.run(rig.SLEEP)
        await rig.engine.stop_container(made, 0)
        assert (await rig.engine.inspect_container(made)).exit_code == 137

    async def test_restart_starts_the_same_container_anew(self, rig: EngineRig) -> None:
        made = await rig.run(rig.POLITE)
        await rig.listens(made)
        first = await rig.engine.inspect_container(made)
        await rig.engine.restart_container(made, 5)
        second = await rig.engine.inspect_container(made)
        assert (second.id, second.state) == (made, "running")
        assert second.started_at > first.started_at

    async def test_exit_code_of_a_command_that_fails(self, rig: EngineRig) -> None:
        assert await rig.ended(await rig.run(rig.FAIL)) == 7

    async def test_a_taken_name_is_a_conflict(self, rig: EngineRig) -> None:
        made = await rig.create(rig.SLEEP)
        name = (await rig.engine.inspect_container(made)).name
        with pytest.raises(EngineError) as caught:
            await rig.engine.create_container(name, {"Image": rig.image, "Cmd": rig.SLEEP})
        assert caught.value.status == 409
        assert not caught.value.retryable

    async def test_a_container_needs_an_image(self, rig: EngineRig) -> None:
        with pytest.raises(EngineError) as caught:
            await rig.engine.create_container("", {"Image": "orch-test/no-such-image:1"})
        assert caught.value.status == 404

    async def test_what_is_not_there_is_a_404(self, rig: EngineRig) -> None:
        for call in (
            rig.engine.start_container("remote-test-none"),
            rig.engine.stop_container("remote-test-none", 1),
            rig.engine.kill_container("remote-test-none"),
            rig.engine.restart_container("remote-test-none", 1),
            rig.engine.rename_container("remote-test-none", "remote-test-other"),
            rig.engine.exec("remote-test-none", ["true"]),
            rig.engine.attach("remote-test-none", stdin=False, tty=False),
            log_text(rig.engine, "remote-test-none"),
        ):
            with pytest.raises(EngineError) as caught:
                await call
            assert caught.value.status == 404

    async def test_rename(self, rig: EngineRig) -> None:
        made = await rig.create(rig.SLEEP)
        await rig.engine.rename_container(made, f"remote-test-{rig.token}-renamed")
        found = await rig.engine.inspect_container(f"remote-test-{rig.token}-renamed")
        assert found.id == made

    async def test_lists_by_labels(self, rig: EngineRig) -> None:
        one = await rig.create(rig.SLEEP, Labels={"kind": "a"})
        two = await rig.run(rig.FAIL, Labels={"kind": "b"})
        await rig.ended(two)
        everything = await rig.engine.containers(rig.labels)
        assert {(info.id, info.state) for info in everything} == {(one, "created"), (two, "exited")}
        assert {i.id for i in await rig.engine.containers({**rig.labels, "kind": "b"})} == {two}
        assert {i.id for i in await rig.engine.containers({**rig.labels, "kind": ""})} == {one, two}
        assert await rig.engine.containers({**rig.labels, "kind": "c"}) == ()

    async def test_published_ports_are_read_back(self, rig: EngineRig) -> None:
        made = await rig.run(
            rig.SLEEP,
            ExposedPorts={"8080/tcp": {}},
            HostConfig={"PortBindings": {"8080/tcp": [{"HostPort": "28491"}]}},
        )
        assert (await rig.engine.inspect_container(made)).ports == {"8080/tcp": 28491}

    async def test_log_keeps_the_streams_apart(self, rig: EngineRig) -> None:
        made = await rig.run(rig.TALK)
        await rig.ended(made)
        assert await log_text(rig.engine, made) == {"stdout": b"one\nthree\n", "stderr": b"two\n"}
        assert await log_text(rig.engine, made, stderr=False) == {
            "stdout": b"one\nthree\n",
            "stderr": b"",
        }
        assert await log_text(rig.engine, made, tail=0) == {"stdout": b"", "stderr": b""}
        stamped = await log_text(rig.engine, made, timestamps=True)
        assert stamped["stderr"].split(b" ", 1)[0].endswith(b"Z")
        assert stamped["stderr"].split(b" ", 1)[1] == b"two\n"

    async def test_a_followed_log_ends_with_the_container(self, rig: EngineRig) -> None:
        made = await rig.create(rig.TALK)
        await rig.engine.start_container(made)
        assert (await log_text(rig.engine, made, follow=True))["stdout"] == b"one\nthree\n"

    async def test_log_since_the_future_is_empty(self, rig: EngineRig) -> None:
        made = await rig.run(rig.TALK)
        await rig.ended(made)
        text = await log_text(rig.engine, made, since_s=4102444800.0)
        assert text == {"stdout": b"", "stderr": b""}

    async def test_exec_gives_both_streams_and_the_exit_code(self, rig: EngineRig) -> None:
        made = await rig.run(rig.SLEEP)
        async with asyncio.timeout(DEADLINE_S):
            session = await rig.engine.exec(made, rig.HELLO)
            text = {"stdout": b"", "stderr": b""}
            async for frame in session.output():
                text[frame.stream] += frame.data
            assert text == {"stdout": b"hello\n", "stderr": b"oops\n"}
            assert await session.exit_code() == 5
            await session.close()
            await session.close()

    async def test_exec_takes_input(self, rig: EngineRig) -> None:
        made = await rig.run(rig.SLEEP)
        async with asyncio.timeout(DEADLINE_S):
            session = await rig.engine.exec(made, rig.CAT, stdin=True)
            await session.write(b"abc\n")
            await session.write_eof()
            text = b"".join([frame.data async for frame in session.output()])
            assert text == b"abc\n"
            assert await session.exit_code() == 0
            await session.close()

    async def test_exec_with_a_terminal_passes_every_key_on(self, rig: EngineRig) -> None:
        made = await rig.run(rig.SLEEP)
        async with asyncio.timeout(DEADLINE_S):
            argv = ["sh", "-c", "stty raw -echo; echo ready; dd bs=1 count=4 2>/dev/null"]
            session = await rig.engine.exec(made, argv, stdin=True, tty=True, size=(81, 25))
            await session.resize(80, 24)
            text = b""
            sent = False
            async for frame in session.output():
                assert frame.stream == "stdout"
                text += frame.data
                if b"ready" in text and not sent:
                    sent = True
                    await session.write(b"\x10\x11ab")  # ctrl-p ctrl-q
            assert text.endswith(b"\x10\x11ab")
            assert await session.exit_code() == 0
            await session.close()

    async def test_the_end_of_a_clients_input_is_not_always_the_containers(
        self, rig: EngineRig
    ) -> None:
        made = await rig.run(rig.CAT, OpenStdin=True)
        async with asyncio.timeout(DEADLINE_S):
            for _ in range(2):
                session = await rig.engine.attach(made, stdin=True, tty=False)
                await session.write(b"abc\n")
                await session.write_eof()
                text = b""
                async for frame in session.output():
                    text += frame.data
                    if text == b"abc\n":
                        break
                await session.close()
        assert (await rig.engine.inspect_container(made)).state == "running"

    async def test_attaching_with_what_was_written_before(self, rig: EngineRig) -> None:
        made = await rig.run(rig.POLITE)
        await rig.listens(made)
        async with asyncio.timeout(DEADLINE_S):
            session = await rig.engine.attach(made, stdin=False, tty=False, earlier=True)
            await rig.engine.stop_container(made, 5)
            assert b"".join([frame.data async for frame in session.output()]) == b"ready\n"
            await session.close()

    async def test_exec_in_a_container_that_does_not_run(self, rig: EngineRig) -> None:
        made = await rig.create(rig.SLEEP)
        with pytest.raises(EngineError) as caught:
            await rig.engine.exec(made, rig.HELLO)
        assert caught.value.status == 409

    async def test_a_named_volume_comes_with_its_container_and_goes_by_name(
        self, rig: EngineRig
    ) -> None:
        name = f"remote-test-{rig.token}"
        mount = {
            "Type": "volume",
            "Source": name,
            "Target": "/work",
            "VolumeOptions": {"NoCopy": True, "Labels": rig.labels},
        }
        made = await rig.create(rig.SLEEP, HostConfig={"Mounts": [mount]})
        assert [v.name for v in await rig.engine.volumes(rig.labels)] == [name]
        assert (await rig.engine.volumes({"orch-test": ""}))[0].labels == rig.labels
        with pytest.raises(EngineError) as caught:
            await rig.engine.remove_volume(name)
        assert caught.value.status == 409
        await rig.engine.remove_container(made)
        assert [v.name for v in await rig.engine.volumes(rig.labels)] == [name]
        await rig.engine.remove_volume(name)
        await rig.engine.remove_volume(name)
        assert await rig.engine.volumes(rig.labels) == ()

    async def test_files_for_a_container_that_is_not_there(self, rig: EngineRig) -> None:
        with pytest.raises(EngineError) as caught:
            await rig.engine.put_archive("nobody", "/", b"\0" * 1024)
        assert caught.value.status == 404

    async def test_events_of_a_life_in_order(self, rig: EngineRig) -> None:
        async with watching(rig.engine, rig.labels) as tape:
            made = await rig.run(rig.FAIL)
            died = await tape.until("die")
            await rig.engine.remove_container(made)
            await tape.until("destroy")
        actions = [event.action for event in tape.seen if event.id == made]
        wanted = [a for a in actions if a in {"create", "start", "die", "destroy"}]
        assert wanted == ["create", "start", "die", "destroy"]
        assert died.attributes["exitCode"] == "7"
        assert died.attributes["orch-test"] == rig.token
        times = [event.time_ns for event in tape.seen]
        assert times == sorted(times)

    async def test_events_of_others_are_not_told(self, rig: EngineRig) -> None:
        async with watching(rig.engine, {**rig.labels, "kind": "mine"}) as tape:
            await rig.run(rig.FAIL, Labels={"kind": "yours"})
            mine = await rig.run(rig.FAIL, Labels={"kind": "mine"})
            await tape.until("die")
        assert {event.id for event in tape.seen} == {mine}
