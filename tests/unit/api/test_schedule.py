"""Cron schedules: what is read, what is refused, when the next time comes."""

import zoneinfo
from datetime import UTC, datetime

import pytest

from orchestrator.api import intervals
from orchestrator.api.schedule import Schedule


def at(text, zone=UTC):
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


@pytest.mark.parametrize(
    ("schedule", "after", "expected"),
    [
        ("* * * * *", "2026-01-01T00:00:30", "2026-01-01T00:01:00"),
        ("* * * * *", "2026-01-01T00:01:00", "2026-01-01T00:02:00"),
        ("*/15 * * * *", "2026-01-01T00:50:00", "2026-01-01T01:00:00"),
        ("5-10/5 3,4 * * *", "2026-01-01T03:06:00", "2026-01-01T03:10:00"),
        ("30 6 * * mon-fri", "2026-01-02T06:30:00", "2026-01-05T06:30:00"),
        ("0 0 29 feb *", "2026-01-01T00:00:00", "2028-02-29T00:00:00"),
        ("0 0 13 * fri", "2026-01-01T00:00:00", "2026-01-02T00:00:00"),
        ("0 0 ? * ?", "2026-01-01T00:00:00", "2026-01-02T00:00:00"),
        ("@yearly", "2026-05-01T00:00:00", "2027-01-01T00:00:00"),
        ("@hourly", "2026-05-01T00:00:00", "2026-05-01T01:00:00"),
        ("10/20 * * * *", "2026-01-01T00:31:00", "2026-01-01T00:50:00"),
        ("@every 1h30m", "2026-01-01T00:00:00", "2026-01-01T01:30:00"),
    ],
)
def test_next_times(schedule, after, expected):
    assert Schedule.parse(schedule).next_after(at(after)) == at(expected)


def test_a_day_that_never_comes():
    assert Schedule.parse("0 0 31 feb *").next_after(at("2026-01-01T00:00:00")) is None


def test_time_zones_and_the_days_when_clocks_change():
    berlin = zoneinfo.ZoneInfo("Europe/Berlin")
    nightly = Schedule.parse("30 2 * * *")
    # 2026-03-29: 02:00 becomes 03:00, so there is no 02:30 on that day
    after = at("2026-03-28T12:00:00", berlin)
    assert nightly.next_after(after, berlin) == at("2026-03-30T02:30:00", berlin)
    # 2026-10-25: 03:00 becomes 02:00, so 02:30 comes twice
    first = nightly.next_after(at("2026-10-24T12:00:00", berlin), berlin)
    second = nightly.next_after(first, berlin)
    assert second - first == 3600
    assert nightly.next_after(second, berlin) - second == 24 * 3600


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        ("* * * *", "expected exactly 5 fields, found 4"),
        ("60 * * * *", "end of range (60) above maximum (59)"),
        ("* * 0 * *", "end of range (0) below minimum (1)"),
        ("* * * * 7", "above maximum (6)"),
        ("5-1 * * * *", "beginning of range (5) beyond end of range (1)"),
        ("*/0 * * * *", "step of range should be a positive number"),
        ("x * * * *", 'failed to parse int from "x"'),
        ("@often", "unrecognized descriptor: @often"),
        ("", "expected exactly 5 fields, found 0"),
    ],
)
def test_what_is_refused(schedule, words):
    with pytest.raises(ValueError) as caught:
        Schedule.parse(schedule)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "indexes"),
    [("", set()), ("0", {0}), ("1,3-5,7", {1, 3, 4, 5, 7}), ("0,1", {0, 1}), ("0-2", {0, 1, 2})],
)
def test_intervals(text, indexes):
    assert intervals.parse(text) == indexes
    assert intervals.shown(indexes) == text


@pytest.mark.parametrize("wrong", ["a", "3-1", "2,1", "-1", "1,,2", "0-1,1"])
def test_wrong_intervals(wrong):
    with pytest.raises(ValueError):
        intervals.parse(wrong)
