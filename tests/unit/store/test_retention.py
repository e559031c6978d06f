"""Which rows of the log leave, and when."""

from orchestrator.kit.ids import ObjectKey, Revision
from orchestrator.store.objects import StoredObject, StoreEvent
from orchestrator.store.retention import Retention


def state(revision: int) -> StoredObject:
    return StoredObject(ObjectKey("pods", "default", "a"), Revision(revision), b"{}")


def event(revision: int, previous: int | None = None) -> StoreEvent:
    before = None if previous is None else state(previous)
    return StoreEvent("MODIFIED", state(revision), before)


def revisions(first: int, last: int) -> list[Revision]:
    return [Revision(n) for n in range(first, last + 1)]


def test_a_row_leaves_with_its_event_or_with_that_of_what_replaced_it() -> None:
    retention = Retention()
    retention.replaced(Revision(1))
    retention.forgot(event(1))
    assert retention.take(1) == []
    retention.forgot(event(2))
    assert retention.take(1) == [2]
    retention.forgot(event(3, previous=1))
    assert retention.take(1) == [1, 3]


def test_few_leave_at_a_time() -> None:
    retention = Retention()
    retention.unneeded(revisions(1, 200))
    assert [len(retention.take(10)) for _ in range(4)] == [84, 84, 32, 0]


def test_what_waits_to_leave_and_is_needed_again_stays() -> None:
    retention = Retention()
    retention.unneeded(revisions(1, 100))
    retention.replaced(Revision(2))
    retention.replaced(Revision(90))
    left = [*retention.take(1), *retention.take(1)]
    assert left == [n for n in range(1, 101) if n not in {2, 90}]
    retention.forgot(event(101, previous=90))
    assert retention.take(1) == [90, 101]


def test_what_a_failed_commit_took_leaves_with_the_next() -> None:
    retention = Retention()
    retention.unneeded(revisions(1, 3))
    retention.replaced(Revision(5))
    taken = retention.take(1)
    retention.give_back(taken, [Revision(5)])
    assert retention.waiting == 3
    retention.forgot(event(5))
    assert retention.take(1) == [1, 2, 3, 5]
