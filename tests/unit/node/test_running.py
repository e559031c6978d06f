"""Which container a command is for, and what is said when it does not run."""

import dataclasses

import pytest

from orchestrator.kit.errors import BadRequest
from orchestrator.node.observed import NEVER, Memory, Seen, Waiting
from orchestrator.node.running import port_targets, running_container, stdin_once
from orchestrator.remote.seams import ContainerInfo
from tests.unit.node.objects import one, pod

INFO = ContainerInfo(
    id="one", name="n", labels={}, image="i", image_id="i", state="running", exit_code=0,
    oom_killed=False, error="", started_at="2026-01-01T00:00:00Z", finished_at="", created_at="",
    restart_count=0, pid=1, ip="",
)  # fmt: skip


def there(attempt=0, **changes):
    return Seen(dataclasses.replace(INFO, **changes), "c", "app", attempt, "")


def test_the_newest_that_runs():
    old, new = there(0, id="old"), there(1, id="new")
    assert running_container([new, old], Memory(), "c") is new


@pytest.mark.parametrize(
    ("containers", "waiting", "why"),
    [
        ([], {}, "it is waiting to start: ContainerCreating"),
        ([], {"c": Waiting("ErrImagePull", "", 0, 1)}, "it is waiting to start: ErrImagePull"),
        ([], {"": Waiting("FailedMount", "", 0, 1)}, "it is waiting to start: FailedMount"),
        ([there(state="created", started_at=NEVER)], {}, "waiting to start: ContainerCreating"),
        ([there(state="restarting")], {}, "it is waiting to start: CrashLoopBackOff"),
        ([there(state="exited", exit_code=3)], {}, "it has ended with exit code 3"),
        ([there(state="paused")], {}, "it is paused"),
    ],
)
def test_what_does_not_run(containers, waiting, why):
    with pytest.raises(BadRequest) as caught:
        running_container(containers, Memory(waiting=waiting), "c")
    assert caught.value.message.startswith('container not found ("c"): ')
    assert why in caught.value.message


def test_whose_input_ends_with_the_first_clients():
    once = {"name": "a", "stdinOnce": True}
    document = {"spec": {"containers": [once, {"name": "b"}], "ephemeralContainers": [
        {"name": "c", "stdinOnce": True}, {"name": "d", "stdin": True}]}}  # fmt: skip
    assert [name for name in "abcde" if stdin_once(document, name)] == ["a", "c"]


def a_pod(**spec):
    return pod(one("c"), status={"phase": "Running"}, **spec)


def sandbox(**changes):
    return dataclasses.replace(there(**changes), name="sandbox", role="sandbox")


@pytest.mark.parametrize(
    ("spec", "containers", "targets"),
    [
        ({}, [there(ip="10.0.0.9")], [("10.0.0.9", 80)]),
        ({}, [there(ip="10.0.0.9", ports={"80/tcp": 20001})],
         [("10.0.0.9", 80), ("127.0.0.1", 20001)]),
        ({}, [there(ports={"80/tcp": 20001, "80/udp": 1})], [("127.0.0.1", 20001)]),
        ({}, [there(), sandbox(id="s", ip="10.0.0.8")], [("10.0.0.8", 80)]),
        ({"hostNetwork": True}, [there()], [("127.0.0.1", 80)]),
    ],
    ids=["its own address", "published too", "published only", "sandbox", "host network"],
)  # fmt: skip
def test_where_a_port_is(spec, containers, targets):
    assert port_targets(a_pod(**spec), containers, 80) == targets


@pytest.mark.parametrize(
    ("containers", "words"),
    [
        ([], "unable to forward port because pod is not running. Current status=Running"),
        ([sandbox(ip="10.0.0.8")], "pod is not running"),
        ([there(state="exited", ip="10.0.0.9")], "pod is not running"),
        ([there()], "pod web has no address"),
    ],
)
def test_ports_that_are_nowhere(containers, words):
    with pytest.raises(BadRequest) as caught:
        port_targets(a_pod(), containers, 80)
    assert words in caught.value.message
