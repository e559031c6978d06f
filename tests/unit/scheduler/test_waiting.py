"""Whose turn it is, and who is woken by what."""

import pytest

from orchestrator.kit.ids import ObjectKey, Uid
from orchestrator.scheduler.cycle import Pending, Unschedulable
from orchestrator.scheduler.templates import Template
from orchestrator.scheduler.waiting import Waiting

ONE, TWO = Template("a", {}), Template("a", {"app": "x"}, priority=5)


def pod(name: str, template: Template = ONE, **more: object) -> Pending:
    return Pending(ObjectKey("pods", "a", name), Uid(name), template, **more)  # type: ignore[arg-type]


def taken(waiting: Waiting, most: int = 100) -> list[str]:
    return [one.key.name for one in waiting.take(most)]


def park(waiting: Waiting, one: Pending, *plugins: str) -> None:
    waiting.park(one, Unschedulable(one.key, one.uid, "no", frozenset(plugins)))


def test_the_important_and_then_the_old_come_first():
    waiting = Waiting()
    for one in (pod("c", created="2"), pod("a", created="3"), pod("b", TWO, created="9")):
        waiting.add(one)
    assert (len(waiting), taken(waiting, 2), taken(waiting), len(waiting)) == (
        3, ["b", "c"], ["a"], 0,
    )  # fmt: skip


def test_what_is_forgotten_has_no_turn():
    waiting = Waiting()
    waiting.add(pod("a"))
    waiting.add(pod("a"))
    waiting.add(pod("b"))
    waiting.forget(pod("b").key)
    assert taken(waiting) == ["a"]


@pytest.mark.parametrize(
    ("plugin", "change", "helps"),
    [
        ("fit", "left", True),
        ("fit", "host", True),
        ("fit", "placed", False),
        ("taints", "left", False),
        ("taints", "host", True),
        ("neighbours", "placed", True),
        ("spread", "placed", True),
        ("group", "host", False),
    ],
)
def test_a_change_wakes_those_whom_it_can_help(plugin, change, helps):
    waiting = Waiting()
    park(waiting, pod("a"), plugin)
    assert waiting.changed(change) is helps
    assert taken(waiting) == (["a"] if helps else [])
    assert waiting.parked == 1


def test_no_hosts_at_all_is_helped_by_a_host():
    waiting = Waiting()
    park(waiting, pod("a"))
    assert waiting.changed("left") is False
    assert waiting.changed("host") is True


def test_of_a_long_row_one_is_tried_and_the_others_when_it_was_placed():
    waiting = Waiting()
    for number in range(100):
        park(waiting, pod(f"p{number:03}", created=f"{number:03}"), "fit")
    waiting.changed("left")
    assert taken(waiting) == ["p000"]
    park(waiting, pod("p000", created="000"), "fit")
    assert taken(waiting) == []
    waiting.changed("left")
    (first,) = waiting.take(10)
    waiting.forget(first.key)  # it was placed
    assert len(taken(waiting)) == 99


def test_a_group_comes_together():
    waiting = Waiting()
    first, second = (pod(name, group="g", members=2) for name in "ab")
    waiting.add(first)
    assert taken(waiting) == ["a"]
    park(waiting, first, "group")
    waiting.add(second)
    assert sorted(taken(waiting, 1)) == ["a", "b"]


def test_waking_one_of_a_group_wakes_all():
    waiting = Waiting()
    first, second = pod("a", group="g", members=2), pod("b", TWO, group="g", members=2)
    for one in (first, second):
        waiting.add(one)
    waiting.take(1)
    park(waiting, first, "group")
    park(waiting, second, "fit")
    waiting.changed("left")
    assert sorted(taken(waiting, 1)) == ["a", "b"]
