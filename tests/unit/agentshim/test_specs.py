from typing import Any

import pytest

from agentshim.specs import ProbeSpec, Tally, read_container
from agentshim.wire import Failure

CONTAINER = "0123456789ab"


def payload(**probe: Any) -> dict[str, Any]:
    return {"container_id": CONTAINER, "probes": {"liveness": probe}}


def test_defaults_are_those_of_kubernetes() -> None:
    spec = read_container(payload(http_get={"port": 80}))
    ((kind, probe),) = spec.probes
    assert (kind, spec.on_failure, spec.grace_s, spec.address_of) == (
        "liveness",
        "restart",
        30,
        CONTAINER,
    )
    assert (probe.path, probe.scheme, probe.period_s, probe.timeout_s) == ("/", "HTTP", 10, 1.0)
    assert (probe.success_threshold, probe.failure_threshold, probe.grace_s) == (1, 3, None)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "the payload must be an object"),
        ({}, "container_id is missing"),
        ({"container_id": "../../x", "probes": {}}, "container_id must be a container's id"),
        ({"container_id": CONTAINER, "probes": {}}, "probes: must have"),
        ({"container_id": CONTAINER, "probes": {"life": {}}}, "probes.life: unknown field"),
        (payload(), "probes.liveness must have one of"),
        (payload(exec={"argv": ["x"]}, tcp_socket={"port": 1}), "must have one of"),
        (payload(exec={"argv": []}), "probes.liveness.exec.argv must be"),
        (payload(exec={"argv": [1]}), "argv must be a list of strings"),
        (payload(tcp_socket={"port": 0}), "port must be a whole number from 1 to 65535"),
        (payload(tcp_socket={"port": True}), "port must be a whole number"),
        (payload(tcp_socket={"port": 1}, period_s=0), "period_s must be"),
        (payload(tcp_socket={"port": 1}, perod_s=1), "probes.liveness.perod_s: unknown field"),
        (payload(http_get={"port": 1, "path": "/\r\nX: y"}), "control characters"),
        (payload(http_get={"port": 1, "headers": [["a", "b\nc"]]}), "control characters"),
        (payload(http_get={"port": 1, "headers": [["a"]]}), "list of [name, value]"),
        (payload(http_get={"port": 1, "scheme": "FTP"}), "one of HTTP, HTTPS"),
        ({**payload(tcp_socket={"port": 1}), "on_failure": "x"}, "one of restart, stop"),
    ],
)
def test_what_is_wrong_is_named(document: Any, words: str) -> None:
    with pytest.raises(Failure) as caught:
        read_container(document)
    assert caught.value.code == "bad_request"
    assert words in caught.value.message


def spec_of(success: int, failure: int) -> ProbeSpec:
    given = payload(tcp_socket={"port": 1}, success_threshold=success, failure_threshold=failure)
    return read_container(given).probes[0][1]


@pytest.mark.parametrize(
    ("thresholds", "attempts", "states"),
    [
        ((1, 3), "++", "SS"),
        ((1, 3), "---", "??F"),
        ((1, 3), "+---+", "SSSFS"),
        ((1, 3), "+--+--+", "SSSSSSS"),
        ((2, 1), "+++-++", "?SSFFS"),
        ((2, 2), "+-+-", "????"),
    ],
)
def test_thresholds_count_attempts_in_a_row(
    thresholds: tuple[int, int], attempts: str, states: str
) -> None:
    tally, spec = Tally(), spec_of(*thresholds)
    words = {"unknown": "?", "success": "S", "failure": "F"}
    before, seen = "unknown", ""
    for attempt in attempts:
        changed = tally.note(attempt == "+", spec)
        assert changed == (tally.state != before)
        before = tally.state
        seen += words[before]
    assert seen == states
