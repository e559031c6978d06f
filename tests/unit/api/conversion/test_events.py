"""Events in core and in events.k8s.io: the same object under other field names."""

from orchestrator.api.conversion.events import from_core, to_core

META = {"name": "e", "namespace": "default"}
NEW = {
    "kind": "Event",
    "apiVersion": "events.k8s.io/v1",
    "metadata": META,
    "eventTime": "2026-01-02T03:04:05.000000Z",
    "note": "did it",
    "regarding": {"kind": "Pod", "name": "p"},
    "related": {"kind": "Node", "name": "n"},
    "reportingController": "example.com/robot",
    "reportingInstance": "robot-1",
    "action": "Doing",
    "reason": "Done",
    "type": "Normal",
    "series": {"count": 2, "lastObservedTime": "2026-01-02T03:04:05.000000Z"},
}
OLD = {
    "kind": "Event",
    "apiVersion": "v1",
    "metadata": META,
    "message": "did it",
    "involvedObject": {"kind": "Pod", "name": "p"},
    "source": {"component": "c"},
    "firstTimestamp": "2026-01-02T03:04:05Z",
    "lastTimestamp": "2026-01-02T03:04:06Z",
    "count": 3,
    "reason": "Done",
    "type": "Normal",
}


def test_new_names_become_core_ones_and_back():
    core = to_core(NEW)
    assert core["apiVersion"] == "v1"
    assert core["involvedObject"] == NEW["regarding"]
    assert core["message"] == "did it"
    assert core["reportingComponent"] == "example.com/robot"
    assert not {"note", "regarding", "reportingController"} & core.keys()
    assert from_core(core) == NEW


def test_what_only_core_says_is_deprecated_there():
    new = from_core(OLD)
    assert new["deprecatedSource"] == {"component": "c"}
    assert new["deprecatedCount"] == 3
    assert new["deprecatedFirstTimestamp"] == OLD["firstTimestamp"]
    assert new["deprecatedLastTimestamp"] == OLD["lastTimestamp"]
    assert new["eventTime"] is None
    back = to_core(new)
    assert back.pop("eventTime") is None
    assert back == OLD
