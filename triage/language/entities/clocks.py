"""Times of the day, and how long ago or from now, resolved against the moment of the post."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import date, datetime, timedelta
from typing import Final

from triage.language.entities.found import Found
from triage.language.entities.sought import AtDigits, Cued
from triage.language.entities.view import View

_HOURS: Final = {
    name: number
    for number, names in enumerate(
        [
            "een,één,1",
            "twee,2",
            "drie,3",
            "vier,4",
            "vijf,5",
            "zes,6",
            "zeven,7",
            "acht,8",
            "negen,9",
            "tien,10",
            "elf,11",
            "twaalf,12",
        ],
        1,
    )
    for name in names.split(",")
}
_HOUR: Final = "|".join(sorted(_HOURS, key=len, reverse=True))
_COUNTS: Final = {**_HOURS, "eén": 1, "half": 0, "paar": 3, "kwartier": 15, "anderhalf": 1}
_COUNT: Final = "|".join(
    [r"\d{1,3}", *sorted((name for name in _HOURS if not name.isdecimal()), key=len, reverse=True)]
)
UNITS: Final = {
    "minuut": 1, "minuten": 1, "min": 1, "uur": 60, "uren": 60, "dag": 1440, "dagen": 1440,
    "week": 10080, "weken": 10080, "maand": 43200, "maanden": 43200, "kwartier": 15,
}  # fmt: skip
_UNIT: Final = "|".join(sorted(UNITS, key=len, reverse=True))
_AGO: Final = Cued(
    rf"(?<!\w)(?:(?:(?:zo'n|ongeveer|ruim|bijna|ca\.?) )?(?P<half>half |anderhalf )?(?"
    rf"P<n>{_COUNT}|paar|een paar)?(?<=[\w ]) ?(?P<u>{_UNIT}) (?P<ago>geleden|terug)"
    rf"|(?P<over>over|binnen) (?:(?:zo'n|ongeveer|ruim|bijna|ca\.?) )?(?P<half2>half |anderhalf )?"
    rf"(?P<n2>{_COUNT}|een paar)? ?(?P<u2>{_UNIT}))(?!\w)",
    *("geleden", "terug", "over ", "binnen "),
)
_CLOCK: Final = AtDigits(
    r"(?<![\w.,:/€+-])(?:(?P<h>[01]?\d|2[0-4])(?P<mark>[:.])(?P<m>[0-5]\d)(?P<unit> ?(?:uur|u|h|"
    r"hr)(?!\w))?"
    r"|(?P<h2>[01]?\d|2[0-4])[uh](?P<m2>[0-5]\d)|(?P<h3>[01]?\d|2[0-4]) ?(?:uur|u|oere|hr)(?!\w))"
    r"(?![\w%]|[.:,/-]\d| ?(?:euro|€|km|meter|m)\b)"
)
_CLOCK_CUE: Final = re.compile(
    r"\b(?:om|tot|vanaf|tussen|rond|van|na|voor|sinds|en|t/m|oer|om half|ochtends|avonds|middags|"
    r"circa|ca\.?)[: ]{1,2}$|-$"
)
_DURATION: Final = re.compile(
    r"\b(?:al|binnen|gedurende|elke|elk|ieder|per|ruim|bijna|minstens|maximaal|duurt|duurde|wacht|"
    r"wachten|"
    r"zeker|hele|ongeveer|zo'n|dik|nog|om de|iedere|nu|meer dan|minimaal|mag|max\.?|de|een)\s$"
)
_SPOKEN: Final = Cued(
    rf"(?<!\w)(?:(?P<q>kwart|tien|vijf|10|5|20|twintig|\d{{1,2}} min(?:uten)?) (?P<side>over|voor)"
    rf" (?P<half>half )?(?P<h>{_HOUR})|half (?P<h2>{_HOUR})"
    rf"|(?:om|tot|vanaf|tegen|rond) (?P<h3>{_HOUR})(?: uur)?(?= '?s (?:ochtends|morgens|middags|"
    rf"avonds|nachts))|(?P<h4>een|één|twee|drie|vier|vijf|zes|zeven|acht|negen|tien|elf|twaalf)"
    rf" uur)"
    r"(?: uur)?(?!\w| (?:euro|jaar|mensen))",
    *("kwart ", "tien ", "vijf ", "10 ", "5 ", "20 ", "twintig ", " min", "half ", " uur"),
    *("s ochtends", "s morgens", "s middags", "s avonds", "s nachts"),
)
_PART_NEAR: Final = re.compile(
    r"(?:'?s ?(?P<a>ochtends|morgens|middags|avonds|nachts)|(?P<b>vanavond|vanmiddag|vannacht|"
    r"gisteravond|gistermiddag|morgenavond|morgenmiddag))"
)


def agos(view: View, found: Found, moment: datetime | None) -> None:
    """Find how long ago or from now something is."""
    for match in _AGO.among_lower(view):
        unit = match["u"] or match["u2"]
        count = match["n"] or match["n2"]
        half = match["half"] or match["half2"] or ""
        if count is None and not half and unit != "kwartier":
            continue
        kind = (
            "tijd" if unit in {"minuut", "minuten", "min", "uur", "uren", "kwartier"} else "datum"
        )
        number = (
            int(count)
            if count and count.isdecimal()
            else _COUNTS.get((count or "een").removeprefix("een ") or "een", 1)
        )
        minutes = UNITS[unit] * number + (UNITS[unit] // 2 if "anderhalf" in half else 0)
        if half.strip() == "half":
            minutes = UNITS[unit] // 2
        value = ""
        if moment:
            value = _shifted(moment, minutes if match["over"] else -minutes, unit, number, kind)
        found.add(kind, *match.span(), value)


def _shifted(moment: datetime, minutes: int, unit: str, number: int, kind: str) -> str:
    if unit.startswith("maand"):
        months = moment.year * 12 + moment.month - 1 + (number if minutes > 0 else -number)
        year, month = months // 12, months % 12 + 1
        return date(year, month, min(moment.day, monthrange(year, month)[1])).isoformat()
    then = moment + timedelta(minutes=minutes)
    return then.isoformat(timespec="minutes") if kind == "tijd" else then.date().isoformat()


def clocks(view: View, found: Found) -> None:
    """Find times of the day, in figures and in words."""
    lower = view.lower
    for match in _CLOCK.among_lower(view):
        before = lower[max(0, match.start() - 14) : match.start()]
        hour = match["h"] or match["h2"] or match["h3"]
        minute = match["m"] or match["m2"] or "0"
        if match["h3"] and (_DURATION.search(before) or hour == "0"):
            continue
        if match["mark"] == "." and not match["unit"] and not _CLOCK_CUE.search(before):
            continue
        found.add("tijd", *match.span(), _clock(view, match, int(hour), int(minute)))
    for match in _SPOKEN.among_lower(view):
        before = lower[max(0, match.start() - 14) : match.start()]
        if match["h4"] and (_DURATION.search(before) or match["h4"] == "een"):
            continue
        hour_name = match["h"] or match["h2"] or match["h3"] or match["h4"]
        minutes = _HOURS[hour_name] * 60
        if match["h2"] or match["half"]:
            minutes -= 30
        if match["q"]:
            said = match["q"].split()[0]
            some = {"kwart": 15, "tien": 10, "vijf": 5, "twintig": 20}.get(said) or int(said)
            minutes += some if match["side"] == "over" else -some
        minutes %= 24 * 60
        start = match.start("h3") if match["h3"] else match.start()
        found.add("tijd", start, match.end(), _clock(view, match, minutes // 60, minutes % 60))


_NOON: Final = 12
#: An hour in the afternoon is before this, one in the night that is yet to begin after that.
_EVENING: Final = 7
_LATE: Final = 9


def _clock(view: View, match: re.Match[str], hour: int, minute: int) -> str:
    """Give the time of day; in the afternoon where a word beside it says so."""
    around = view.lower[max(0, match.start() - 24) : match.end() + 14]
    near = _PART_NEAR.search(around)
    if near and 0 < hour < _NOON:
        part = near["a"] or near["b"] or ""
        late = (
            "avond" in part
            or ("middag" in part and hour < _EVENING)
            or ("nacht" in part and hour > _LATE)
        )
        hour += 12 * late
    return f"{hour % 24:02}:{minute:02}"
