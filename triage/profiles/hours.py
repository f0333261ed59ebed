"""Opening hours: when a team is there, and when so many of its minutes have passed.

Hours are wall-clock times in a time zone; minutes are counted as they pass, so a night in which
the clock goes back has an hour more. For every year asked for, the opening times are laid out
once as a sorted list of POSIX seconds; questions are answered by bisection.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

#: Minutes in a day of 24 hours.
DAY: Final = 24 * 60
#: Years laid out at most at a time; routing asks for one or two.
_YEARS_KEPT: Final = 8
#: Years looked ahead at most for opening minutes.
_YEARS_AHEAD: Final = 40


@dataclass(frozen=True, slots=True)
class _Times:
    """Opening times of one year and the days around it, in POSIX seconds."""

    starts: list[float]
    ends: list[float]
    #: Seconds open before each start, and, last, of all.
    before: list[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """When a team works.

    >>> office = Hours(zone=ZoneInfo("Europe/Amsterdam"), week=(((510, 1020),),) * 5 + ((),) * 2)
    >>> friday = datetime(2026, 3, 27, 15, 30, tzinfo=UTC)  # half past four there
    >>> office.after(friday, 60).isoformat()  # the clock goes forward in that week-end
    '2026-03-30T07:00:00+00:00'
    """

    zone: ZoneInfo
    #: Per day, Monday first: (from, to) in minutes after midnight; to may lie past 24 hours.
    week: tuple[tuple[tuple[int, int], ...], ...] = ()
    #: Names of days in ``HOLIDAYS`` on which the team is closed.
    holidays: frozenset[str] = frozenset()
    #: Other dates on which the team is closed.
    closed: frozenset[date] = frozenset()
    #: Open day and night, whatever the calendar says.
    always: bool = False
    _years: dict[int, _Times] = field(default_factory=dict, repr=False, compare=False)

    def is_open(self, at: datetime) -> bool:
        """Say whether someone is there."""
        if self.always:
            return True
        seconds = at.timestamp()
        times = self._times(at.year)
        index = bisect_right(times.starts, seconds) - 1
        return index >= 0 and seconds < times.ends[index]

    def after(self, at: datetime, minutes: float) -> datetime:
        """Give the moment (in UTC) at which so many opening minutes have passed since ``at``."""
        if self.always or not self.week:
            return at.astimezone(UTC) + timedelta(minutes=minutes)
        seconds, left = at.timestamp(), minutes * 60
        for year in range(at.year, at.year + _YEARS_AHEAD, 2):
            times = self._times(year)
            target = _opened(times, seconds) + left
            if times.starts and target <= times.before[-1]:
                index = max(bisect_left(times.before, target) - 1, 0)
                start = max(times.starts[index] + target - times.before[index], seconds)
                return datetime.fromtimestamp(start, UTC)
            left = target - times.before[-1]
            seconds = max(seconds, times.ends[-1]) if times.ends else seconds
        return at.astimezone(UTC) + timedelta(minutes=minutes)

    def _times(self, year: int) -> _Times:
        times = self._years.get(year)
        if times is None:
            if len(self._years) >= _YEARS_KEPT:
                self._years.clear()
            times = self._years[year] = self._lay_out(year)
        return times

    def _lay_out(self, year: int) -> _Times:
        """Lay out two years and a few days before (time zones, work past midnight)."""
        days = (date(year + 2, 1, 1) - date(year, 1, 1)).days + 3
        first = date(year, 1, 1) - timedelta(days=3)
        free = self.closed.union(*(self.days_off(y) for y in range(year - 1, year + 2)))
        starts: list[float] = []
        ends: list[float] = []
        for day in (first + timedelta(days=n) for n in range(days)):
            for begin, end in () if day in free else self.week[day.weekday()]:
                start, stop = self._moment(day, begin, fold=0), self._moment(day, end, fold=1)
                if ends and start <= ends[-1]:
                    ends[-1] = max(ends[-1], stop)
                elif start < stop:
                    starts.append(start)
                    ends.append(stop)
        before = [0.0]
        for start, stop in zip(starts, ends, strict=True):
            before.append(before[-1] + stop - start)
        return _Times(starts, ends, before)

    def _moment(self, day: date, minute: int, *, fold: int) -> float:
        """Give the POSIX second of a wall-clock time; an hour that comes twice is in full."""
        day += timedelta(days=minute // DAY)
        at = time(minute % DAY // 60, minute % 60, fold=fold)
        return datetime.combine(day, at, self.zone).timestamp()

    def days_off(self, year: int) -> frozenset[date]:
        """Give the holidays of a year on which the team is closed."""
        days = (HOLIDAYS[name](year) for name in self.holidays)
        return frozenset(day for day in days if day is not None)


def _opened(times: _Times, seconds: float) -> float:
    """Give the seconds open between the start of the lay-out and a moment."""
    index = bisect_right(times.starts, seconds) - 1
    if index < 0:
        return 0.0
    return times.before[index] + min(seconds, times.ends[index]) - times.starts[index]


# -- holidays ------------------------------------------------------------------------------------


def easter(year: int) -> date:
    """Give Easter Sunday (the anonymous Gregorian algorithm).

    >>> easter(2026)
    datetime.date(2026, 4, 5)
    """
    century = year // 100
    golden = year % 19
    skipped = century - century // 4 - (8 * century + 13) // 25
    epact = (skipped + 19 * golden + 15) % 30
    epact -= (epact // 28) * (1 - (epact // 28) * (29 // (epact + 1)) * ((21 - golden) // 11))
    weekday = (year + year // 4 + epact + 2 - century + century // 4) % 7
    offset = epact - weekday
    month = 3 + (offset + 40) // 44
    return date(year, month, offset + 28 - 31 * (month // 4))


def _after_easter(days: int) -> Callable[[int], date | None]:
    return lambda year: easter(year) + timedelta(days=days)


def _each_year(month: int, day: int) -> Callable[[int], date | None]:
    return lambda year: date(year, month, day)


def _not_on_sunday(month: int, day: int, *, move: int) -> Callable[[int], date | None]:
    def on(year: int) -> date:
        fixed = date(year, month, day)
        return fixed + timedelta(days=move) if fixed.isoweekday() == 7 else fixed  # noqa: PLR2004

    return on


def _lustrum(year: int) -> date | None:
    return date(year, 5, 5) if year % 5 == 0 else None


#: Day of the year by name; None in years without it.
HOLIDAYS: Final[Mapping[str, Callable[[int], date | None]]] = {
    "nieuwjaarsdag": _each_year(1, 1),
    "goede-vrijdag": _after_easter(-2),
    "eerste-paasdag": _after_easter(0),
    "tweede-paasdag": _after_easter(1),
    "koningsdag": _not_on_sunday(4, 27, move=-1),
    "bevrijdingsdag": _each_year(5, 5),
    "bevrijdingsdag-lustrum": _lustrum,
    "hemelvaartsdag": _after_easter(39),
    "dag-na-hemelvaart": _after_easter(40),
    "eerste-pinksterdag": _after_easter(49),
    "tweede-pinksterdag": _after_easter(50),
    "leidens-ontzet": _not_on_sunday(10, 3, move=1),
    "eerste-kerstdag": _each_year(12, 25),
    "tweede-kerstdag": _each_year(12, 26),
    "oudejaarsdag": _each_year(12, 31),
}
#: The days on which a Dutch public office is closed where a profile names none.
PUBLIC_HOLIDAYS: Final = frozenset(
    [
        "nieuwjaarsdag",
        "eerste-paasdag",
        "tweede-paasdag",
        "koningsdag",
        "bevrijdingsdag-lustrum",
        "hemelvaartsdag",
        "eerste-pinksterdag",
        "tweede-pinksterdag",
        "eerste-kerstdag",
        "tweede-kerstdag",
    ]
)
