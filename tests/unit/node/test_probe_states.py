"""What is known of a probe is what was told last, whichever way it came."""

from typing import Any, cast

from orchestrator.node.context import HostContext
from orchestrator.node.settings import NodeSettings

CONTAINER = ("c1", "readiness")


def told(state: str) -> dict[str, Any]:
    return {"event": "probe", "container_id": "c1", "probe": "readiness", "state": state}


def context() -> HostContext:
    missing = cast("Any", None)
    return HostContext(
        name="node-1", cluster="", address="", architecture="", roots=missing, host=missing,
        registry=missing, snapshot=missing, settings=NodeSettings(), clock=missing, ports=missing,
        probe_states={},
    )  # fmt: skip


def test_an_answer_that_is_read_late_does_not_undo_what_was_pushed_after_it():
    made = context()
    made.note_probe(told("success"))
    made.note_probe(told("unknown"), answer=True)
    assert made.probe_states == {CONTAINER: "success"}


def test_an_answer_tells_what_nobody_has_pushed():
    made = context()
    made.note_probe(told("success"), answer=True)
    assert made.probe_states == {CONTAINER: "success"}


def test_what_is_pushed_counts_always():
    made = context()
    made.note_probe(told("success"))
    made.note_probe(told("failure"))
    assert made.probe_states == {CONTAINER: "failure"}
