from typing import Any

from agentshim.journal import KEPT, Journal


def event(container: str = "c", probe: str = "liveness", **more: Any) -> dict[str, Any]:
    return {"event": "probe", "container_id": container, "probe": probe, **more}


def seqs(events: list[dict[str, Any]]) -> list[int]:
    assert all(each["replayed"] for each in events)
    return [each["seq"] for each in events]


def test_who_was_here_gets_exactly_the_rest() -> None:
    journal = Journal()
    for _ in range(5):
        journal.publish(event())
    assert seqs(journal.missed(journal.epoch, 3)) == [4, 5]
    assert seqs(journal.missed(journal.epoch, 5)) == []
    assert seqs(journal.missed(journal.epoch, 0)) == [1, 2, 3, 4, 5]


def test_a_stranger_gets_the_last_of_every_probe() -> None:
    journal = Journal()
    for probe in ("liveness", "readiness", "liveness"):
        journal.publish(event(probe=probe))
    assert seqs(journal.missed("", 0)) == [2, 3]
    assert seqs(journal.missed("other", 2)) == [2, 3]
    assert seqs(journal.missed(journal.epoch, 99)) == [2, 3]


def test_who_was_away_too_long_is_a_stranger() -> None:
    journal = Journal()
    for _ in range(KEPT + 5):
        journal.publish(event())
    assert seqs(journal.missed(journal.epoch, 4)) == [KEPT + 5]
    assert seqs(journal.missed(journal.epoch, 5)) == list(range(6, KEPT + 6))


def test_what_is_forgotten_is_not_told_to_strangers() -> None:
    journal = Journal()
    journal.publish(event("gone"))
    journal.publish(event("here"))
    journal.forget("gone")
    assert seqs(journal.missed("", 0)) == [2]
