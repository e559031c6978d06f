"""Which container a command is for, and what is said when it does not run."""

import dataclasses

import pytest

from orchestrator.kit.errors import BadRequest
from orchestrator.node.observed import NEVER, Memory, Seen, Waiting
from orchestrator.node.running import running_container
from orchestrator.remote.seams import ContainerInfo

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
