"""Cron schedules: when is the next time (pure).

Five fields (minute, hour, day of month, month, day of week), with lists, ranges, steps and names;
"?" is "*"; the usual nicknames. A day fits when both day fields do, or, when neither is "*", when
one does. A local time that the clocks skip does not come; one that they repeat comes twice.

Source: crontab(5); Kubernetes concepts, "CronJob", "Schedule syntax".
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov",
                  "dec")  # fmt: skip
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_NICKNAMES: Final = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0", "@daily": "0 0 * * *", "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}  # fmt: skip
_FIELDS: Final = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of week", 0, 6, _DAYS),
)
_EVERY: Final = re.compile(r"@every (?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_FARTHEST_DAYS: Final = 366 * 8


@dataclass(frozen=True, slots=True)
class Schedule:
    """A parsed schedule.

    Attributes:
        minutes: sorted.
        hours: sorted.
        days: of the month.
        months: 1 is January.
        weekdays: 0 is Sunday.
        any_day: the day of the month is "*".
        any_weekday: the day of the week is "*".
        every: for "@every", in place of all that.
    """

    minutes: tuple[int, ...] = ()
    hours: tuple[int, ...] = ()
    days: frozenset[int] = frozenset()
    months: frozenset[int] = frozenset()
    weekdays: frozenset[int] = frozenset()
    any_day: bool = True
    any_weekday: bool = True
    every: timedelta | None = None

    @classmethod
    def parse(cls, text: str) -> "Schedule":
        """Reads a schedule.

        Raises:
            ValueError: says which field is wrong, and what would be right.
        """
        found = _EVERY.fullmatch(text)
        if found and any(found.groups()):
            hours, minutes, seconds = (int(part or 0) for part in found.groups())
            every = timedelta(hours=hours, minutes=minutes, seconds=seconds)
            return cls(every=max(every, timedelta(seconds=1)))
        if text.startswith("@"):
            if text not in _NICKNAMES:
                raise ValueError(f"unrecognized descriptor: {text}")
            text = _NICKNAMES[text]
        parts = text.split()
        if len(parts) != len(_FIELDS):
            raise ValueError(f"expected exactly 5 fields, found {len(parts)}: [{' '.join(parts)}]")
        sets = [_field(part, *spec) for part, spec in zip(parts, _FIELDS, strict=True)]
        return cls(
            minutes=tuple(sorted(sets[0])),
            hours=tuple(sorted(sets[1])),
            days=frozenset(sets[2]),
            months=frozenset(sets[3]),
            weekdays=frozenset(sets[4]),
            any_day=parts[2][0] in "*?",
            any_weekday=parts[4][0] in "*?",
        )

    def next_after(self, after_s: float, zone: tzinfo = UTC) -> float | None:
        """The first time after a time, both in wall seconds; None when it never comes."""
        if self.every is not None:
            return float(int(after_s)) + self.every.total_seconds()
        after = datetime.fromtimestamp(after_s, UTC)
        day = after.astimezone(zone).date() - timedelta(days=1)
        for _ in range(_FARTHEST_DAYS):
            if self._fits(day):
                found = [at for at in self._times(day, zone) if at > after]
                if found:
                    return min(found).timestamp()
            day += timedelta(days=1)
        return None

    def _fits(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        by_day = day.day in self.days
        by_weekday = day.isoweekday() % 7 in self.weekdays
        if self.any_day or self.any_weekday:
            return by_day and by_weekday
        return by_day or by_weekday

    def _times(self, day: date, zone: tzinfo) -> Iterator[datetime]:
        for hour in self.hours:
            for minute in self.minutes:
                local = datetime(day.year, day.month, day.day, hour, minute)  # noqa: DTZ001
                seen: set[datetime] = set()
                for fold in (0, 1):
                    at = local.replace(tzinfo=zone, fold=fold).astimezone(UTC)
                    there = at.astimezone(zone).replace(tzinfo=None, fold=0)
                    if there == local and at not in seen:  # else the clocks skip it
                        seen.add(at)
                        yield at


def _field(text: str, name: str, least: int, most: int, names: tuple[str, ...]) -> set[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, slash, step_text = part.partition("/")
        step = _number(step_text, name, part) if slash else 1
        if step == 0:
            raise ValueError(f"step of range should be a positive number: {part} in {name}")
        if span in {"*", "?"}:
            first, last = least, most
        else:
            low, dash, high = span.partition("-")
            first = _value(low, name, part, least, names)
            last = _value(high, name, part, least, names) if dash else first
            if slash and not dash:
                last = most
        if first < least or last > most:
            wrong, end, where = (
                (first, least, "below minimum") if first < least else (last, most, "above maximum")
            )
            raise ValueError(f"end of range ({wrong}) {where} ({end}): {part} in {name}")
        if first > last:
            raise ValueError(
                f"beginning of range ({first}) beyond end of range ({last}): {part} in {name}"
            )
        found.update(range(first, last + 1, step))
    return found


def _value(text: str, name: str, part: str, least: int, names: tuple[str, ...]) -> int:
    if text.lower() in names:
        return names.index(text.lower()) + least
    return _number(text, name, part)


def _number(text: str, name: str, part: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"failed to parse int from {text!r}: {part} in {name}".replace("'", '"'))
    return int(text)
