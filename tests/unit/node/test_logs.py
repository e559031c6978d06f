"""Which part of which container's log is read."""

import pytest

from orchestrator.api.types.pod import StateTerminated
from orchestrator.kit.clock import parse_rfc3339
from orchestrator.kit.errors import BadRequest
from orchestrator.node.logs import EARLY_S, choose
from orchestrator.node.observed import Memory, Run, Seen, Waiting
from orchestrator.node.streams import LogQuery
from orchestrator.remote.seams import ContainerInfo

T1, T2, T3 = (f"2026-01-01T00:00:{second}.500000Z" for second in ("01", "02", "03"))


def there(state="running", started=T1, finished="", restarts=0, attempt=0, cid="one"):
    info = ContainerInfo(
        id=cid, name="c", labels={}, image="i", image_id="i", state=state, exit_code=0,
        oom_killed=False, error="", started_at=started, finished_at=finished, created_at=T1,
        restart_count=restarts, pid=1, ip="",
    )  # fmt: skip
    return Seen(info, "c", "app", attempt, "")


def remembered(last=None, cut=""):
    ended = None
    if last is not None:
        ended = StateTerminated(started_at=last, container_id="docker://one")
    return Memory(runs={"c": Run(container_id="one", last=ended, cut=cut)})


def at(text):
    return parse_rfc3339(text)


@pytest.mark.parametrize(
    ("item", "memory", "query", "since", "until"),
    [
        pytest.param(there(), Memory(), LogQuery(), None, None, id="the first run"),
        pytest.param(
            there("exited", T1, T2), Memory(), LogQuery(), None, None, id="the first run, ended"
        ),
        pytest.param(
            there(started=T3, finished=T2, restarts=1), remembered(T1), LogQuery(), at(T2), None,
            id="from where the run before ended",
        ),
        pytest.param(
            there("restarting", T2, T3, restarts=2), remembered(T1, cut=T1), LogQuery(), at(T1),
            None, id="between runs: what ended last",
        ),
        pytest.param(
            there(started=T2, restarts=1), Memory(), LogQuery(), at(T2) - EARLY_S, None,
            id="nothing known of the run before",
        ),
        pytest.param(
            there(started=T3, finished=T2, restarts=1), remembered(T1), LogQuery(previous=True),
            at(T1) - EARLY_S, at(T2), id="the run before",
        ),
        pytest.param(
            there("restarting", T2, T3, restarts=1), remembered(T1, cut=T1),
            LogQuery(previous=True), at(T1), at(T3) + EARLY_S, id="between runs: up to its end",
        ),
        pytest.param(
            there(started=T3, finished=T2, restarts=1), remembered(T1), LogQuery(since_s=at(T3)),
            at(T3), None, id="since later than its beginning",
        ),
    ],
)  # fmt: skip
def test_a_run_is_cut_out_by_time(item, memory, query, since, until):
    found, options = choose([item], memory, "pod", "c", query)
    assert found is item
    assert options.since_s == (pytest.approx(since) if since is not None else None)
    assert options.until_s == (pytest.approx(until) if until is not None else None)


def test_the_newest_container_counts_and_the_one_before_is_its_previous_run():
    old, new = there("exited", T1, T2, cid="old"), there(started=T3, attempt=1, cid="new")
    assert choose([new, old], Memory(), "pod", "c", LogQuery())[0] is new
    assert choose([new, old], Memory(), "pod", "c", LogQuery(previous=True))[0] is old


def test_what_is_asked_for_is_passed_on():
    query = LogQuery(follow=True, tail=3, timestamps=True)
    _, options = choose([there()], Memory(), "pod", "c", query)
    assert (options.follow, options.tail, options.timestamps) == (True, 3, True)
    again = there(started=T3, finished=T2, restarts=1)
    _, options = choose([again], remembered(T1), "pod", "c", LogQuery(follow=True, previous=True))
    assert not options.follow


def test_a_run_that_is_not_there_is_told():
    with pytest.raises(
        BadRequest, match='container "c" in pod "pod" is waiting to start: Container'
    ):
        choose([], Memory(), "pod", "c", LogQuery())
    memory = Memory(waiting={"c": Waiting("ErrImagePull", "no", 0.0, 1)})
    with pytest.raises(BadRequest, match="waiting to start: ErrImagePull"):
        choose([there("created", "")], memory, "pod", "c", LogQuery())
    with pytest.raises(BadRequest, match='previous terminated container "c" in pod "pod" not fou'):
        choose([there()], Memory(), "pod", "c", LogQuery(previous=True))
