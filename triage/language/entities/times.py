"""Dates and times, the relative ones resolved against the moment of the post (Dutch time)."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from triage.language.data import lines
from triage.language.entities.found import Found
from triage.language.entities.view import View

#: The clock that people in the Netherlands mean.
ZONE: Final = ZoneInfo("Europe/Amsterdam")

_MONTHS: Final = {
    name: number
    for number, names in enumerate(
        (
            "januari jan jannewaris", "februari feb febr febrewaris", "maart mrt", "april apr",
            "mei maaie", "juni jun juny", "juli jul july", "augustus aug", "september sep sept septimber",
            "oktober okt", "november nov novimber", "december dec desimber",
        ),
        1,
    )
    for name in names.split()
}  # fmt: skip
_MONTH: Final = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DAYS: Final = {
    name: number
    for number, names in enumerate(
        (
            "maandag ma moandei", "dinsdag di tiisdei", "woensdag wo woansdei woensdei", "donderdag do tongersdei",
            "vrijdag vr freed freedei", "zaterdag za sneon", "zondag zo snein",
        )
    )
    for name in names.split()
}  # fmt: skip
_DAY: Final = "|".join(name for name in sorted(_DAYS, key=len, reverse=True) if len(name) > 2)  # noqa: PLR2004
_PARTS: Final = "ochtend|morgen|middag|avond|nacht"
_HOURS: Final = {
    name: number
    for number, names in enumerate(
        "een,één,1 twee,2 drie,3 vier,4 vijf,5 zes,6 zeven,7 acht,8 negen,9 tien,10 elf,11 twaalf,12".split(),
        1,
    )
    for name in names.split(",")
}
_HOUR: Final = "|".join(sorted(_HOURS, key=len, reverse=True))
_COUNTS: Final = {**_HOURS, "eén": 1, "half": 0, "paar": 3, "kwartier": 15, "anderhalf": 1}
_COUNT: Final = "|".join(
    [r"\d{1,3}", *sorted((name for name in _HOURS if not name.isdecimal()), key=len, reverse=True)]
)
_UNITS: Final = {
    "minuut": 1, "minuten": 1, "min": 1, "uur": 60, "uren": 60, "dag": 1440, "dagen": 1440,
    "week": 10080, "weken": 10080, "maand": 43200, "maanden": 43200, "kwartier": 15,
}  # fmt: skip
_UNIT: Final = "|".join(sorted(_UNITS, key=len, reverse=True))

_WORDS: Final[dict[str, tuple[int, str]]] = {}
for _line in lines("nl.when.txt"):
    _word, _offset, *_part = _line.split()
    _WORDS[_word] = (
        -int(_offset[:-1]) if _offset[-1] == "-" else int(_offset),
        _part[0] if _part else "",
    )

_NUMERIC: Final = re.compile(
    r"(?<![\w.,/-])(?:(?P<d>[0-3]?\d)(?P<s>[-/.])(?P<m>[01]?\d)(?P=s)(?P<y>(?:19|20)\d\d|'?\d\d)|(?P<Y>(?:19|20)\d\d)-(?P<M>[01]\d)-(?P<D>[0-3]\d))"
    r"(?![\w]|[/-]\d|[.,]\d)"
)
_SHORT: Final = re.compile(
    r"(?<![\w.,/-])(?P<d>[0-3]?\d)[-/](?P<m>1[0-2]|0?[1-9])(?![\w/%-]|[.,]\d)"
)
_SHORT_CUE: Final = re.compile(
    r"(?:\b(?:op|van|vanaf|sinds|tot|datum|d\.d\.|dd\.?|ma|di|wo|do|vr|za|zo|\w+dag|voor|per|t/m|en|is)[: ]{1,2})$"
)
_LONG: Final = re.compile(
    rf"(?<![\w.,/-])(?P<d>[0-3]?\d)(?:e|ste|de)?[ -](?P<m>{_MONTH})(?!\w)\.?(?:[ -]?'?(?P<y>(?:19|20)\d\d|(?<=')\d\d)(?![\d]))?"
)
_MONTH_YEAR: Final = re.compile(rf"(?<!\w)(?P<m>{_MONTH}) (?P<y>(?:19|20)\d\d)(?!\d)")
_RELATIVE: Final = re.compile(
    rf"(?<!\w)(?:(?P<lead>afgelopen|vorige|volgende|komende|aanstaande|aankomende|deze|dit|ôfrûne|foarige|kommende) (?:week )?)?"
    rf"(?P<day>{_DAY})(?:s?(?: )?(?P<part>{_PARTS}))?(?: (?P<week>over een week|vorige week|volgende week|jl\.?|a\.s\.?|as))?(?!\w)"
)
_PERIOD: Final = re.compile(
    r"(?<!\w)(?:(?P<lead>vorige|afgelopen|volgende|komende|aankomende|deze|dit|verleden) (?P<unit>week|maand|jaar|weekend|weekeinde))(?!\w)"
)
_AGO: Final = re.compile(
    rf"(?<!\w)(?:(?:(?:zo'n|ongeveer|ruim|bijna|ca\.?) )?(?P<half>half |anderhalf )?(?P<n>{_COUNT}|paar|een paar)?(?<=[\w ]) ?(?P<u>{_UNIT}) (?P<ago>geleden|terug)"
    rf"|(?P<over>over|binnen) (?:(?:zo'n|ongeveer|ruim|bijna|ca\.?) )?(?P<half2>half |anderhalf )?(?P<n2>{_COUNT}|een paar)? ?(?P<u2>{_UNIT}))(?!\w)"
)
_CLOCK: Final = re.compile(
    r"(?<![\w.,:/€+-])(?:(?P<h>[01]?\d|2[0-4])(?P<mark>[:.])(?P<m>[0-5]\d)(?P<unit> ?(?:uur|u|h|hr)(?!\w))?"
    r"|(?P<h2>[01]?\d|2[0-4])[uh](?P<m2>[0-5]\d)|(?P<h3>[01]?\d|2[0-4]) ?(?:uur|u|oere|hr)(?!\w))(?![\w%]|[.:,/-]\d| ?(?:euro|€|km|meter|m)\b)"
)
_CLOCK_CUE: Final = re.compile(
    r"\b(?:om|tot|vanaf|tussen|rond|van|na|voor|sinds|en|t/m|oer|om half|ochtends|avonds|middags|circa|ca\.?)[: ]{1,2}$|-$"
)
_DURATION: Final = re.compile(
    r"\b(?:al|binnen|gedurende|elke|elk|ieder|per|ruim|bijna|minstens|maximaal|duurt|duurde|wacht|wachten|"
    r"zeker|hele|ongeveer|zo'n|dik|nog|om de|iedere|nu|meer dan|minimaal|mag|max\.?|de|een)\s$"
)
_SPOKEN: Final = re.compile(
    rf"(?<!\w)(?:(?P<q>kwart|tien|vijf|10|5|20|twintig|\d{{1,2}} min(?:uten)?) (?P<side>over|voor) (?P<half>half )?(?P<h>{_HOUR})|half (?P<h2>{_HOUR})"
    rf"|(?:om|tot|vanaf|tegen|rond) (?P<h3>{_HOUR})(?: uur)?(?= '?s (?:ochtends|morgens|middags|avonds|nachts))|(?P<h4>een|één|twee|drie|vier|vijf|zes|zeven|acht|negen|tien|elf|twaalf) uur)"
    r"(?: uur)?(?!\w| (?:euro|jaar|mensen))"
)
_PART_NEAR: Final = re.compile(
    r"(?:'?s ?(?P<a>ochtends|morgens|middags|avonds|nachts)|(?P<b>vanavond|vanmiddag|vannacht|gisteravond|gistermiddag|morgenavond|morgenmiddag))"
)
_BIRTH: Final = re.compile(
    r"(?:\bgeboren|\bgeb\.?|\bgeboortedatum|\bgeb(?:oorte)?dat\.?|\bd\.?o\.?b\.?|\bborn|\bgeboortedag|\bgeborene?|\bgeboren am|\bné|\bdoğum|\burodz\w*|\bberne|\bjarig|\bverjaardag)"
    r"\W{0,3}(?:\b(?:op|is|op de|datum|on|le|te [a-z]+(?: op)?|in [a-z]+ op|ben ik|ik ben)\b\W{0,3}){0,2}$"
)
_BIRTH_WIDTH: Final = 48


def is_time_word(lower: str) -> bool:
    """Say whether a word may be, or start, a date or time."""
    return lower in _WORDS or lower in _TIME_WORDS


_TIME_DAYS: Final = frozenset(
    [name for name in _DAYS if len(name) > 2]  # noqa: PLR2004
    + [
        f"{day}{join}{part}"
        for day in _DAYS
        if len(day) > 2
        for join in ("", "s")
        for part in _PARTS.split("|")
    ]  # noqa: PLR2004
)
_TIME_WORDS: Final = _TIME_DAYS | frozenset(
    "geleden half kwart uur weekend weekeinde vorige volgende afgelopen komende aankomende dagen weken minuten maanden".split()
)


def times(view: View, found: Found, at: datetime | None) -> None:
    """Find dates and times; ``at`` (aware) is when the post was written."""
    moment = at.astimezone(ZONE) if at else None
    known = {_CLASSES[word.lower] for word in view.words if word.lower in _CLASSES}
    digits = bool(_DIGIT.search(view.text))
    if digits:
        _dates(view, found, moment, named="month" in known)
    if "day" in known or "lead" in known or "word" in known:
        _words(view, found, moment)
    if "unit" in known:
        _agos(view, found, moment)
    if digits or "hour" in known or "unit" in known:
        _clocks(view, found, digits=digits)


_DIGIT: Final = re.compile(r"\d")


#: What a word may be a part of.
_CLASSES: Final[dict[str, str]] = {
    **dict.fromkeys("half kwart over voor".split(), "hour"),
    **dict.fromkeys(_UNITS, "unit"),
    **dict.fromkeys(
        "vorige afgelopen volgende komende aankomende deze dit verleden".split(), "lead"
    ),
    **dict.fromkeys(_WORDS, "word"),
    **dict.fromkeys(_TIME_DAYS, "day"),
    **dict.fromkeys(_MONTHS, "month"),
}


def _dates(view: View, found: Found, moment: datetime | None, *, named: bool) -> None:
    lower = view.lower
    for match in _NUMERIC.finditer(lower):
        if match["Y"]:
            value = _iso(int(match["Y"]), int(match["M"]), int(match["D"]))
        else:
            value = _iso(_year(match["y"]), int(match["m"]), int(match["d"]))
        if value:
            _add_date(view, found, match.span(), value)
    for match in _LONG.finditer(lower) if named else ():
        month, day = _MONTHS[match["m"]], int(match["d"])
        year = _year(match["y"]) if match["y"] else _nearest_year(moment, month, day)
        value = _iso(year, month, day) if year else f"--{month:02}-{day:02}"
        if value:
            end = match.end() - (
                lower[match.end() - 1] == "."
                and not match["m"] in lower[match.end() - 6 : match.end() - 1]
            )
            _add_date(view, found, (match.start(), end), value)
    for match in _MONTH_YEAR.finditer(lower) if named else ():
        found.add("datum", *match.span(), f"{match['y']}-{_MONTHS[match['m']]:02}")
    for match in _SHORT.finditer(lower):
        if _SHORT_CUE.search(lower[max(0, match.start() - 12) : match.start()]) or _is_birth(
            view, match.start()
        ):
            month, day = int(match["m"]), int(match["d"])
            year = _nearest_year(moment, month, day)
            value = _iso(year, month, day) if year else f"--{month:02}-{day:02}"
            if value:
                _add_date(view, found, match.span(), value)


def _add_date(view: View, found: Found, span: tuple[int, int], value: str) -> None:
    kind = "geboortedatum" if _is_birth(view, span[0]) else "datum"
    found.add(kind, *span, value)


def _is_birth(view: View, start: int) -> bool:
    return bool(_BIRTH.search(view.lower[max(0, start - _BIRTH_WIDTH) : start]))


def _iso(year: int, month: int, day: int) -> str:
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return ""


def _year(said: str) -> int:
    year = int(said.lstrip("'"))
    if year >= 100:  # noqa: PLR2004
        return year
    return year + (1900 if year > 40 else 2000)  # noqa: PLR2004 - births before 2000, the rest after


def _nearest_year(moment: datetime | None, month: int, day: int) -> int:
    """Give the year in which a day without a year is nearest to the post; 0 without a post."""
    if moment is None:
        return 0
    today = moment.date()
    years = [y for y in (today.year - 1, today.year, today.year + 1) if _iso(y, month, day)]
    if not years:
        return 0
    return min(years, key=lambda y: abs((date(y, month, day) - today).days))


def _words(view: View, found: Found, moment: datetime | None) -> None:
    lower = view.lower
    for match in _RELATIVE.finditer(lower):
        value = _weekday(match, moment) if moment else ""
        found.add("datum", *match.span(), value + _suffix(match["part"] or ""))
    for match in _PERIOD.finditer(lower):
        found.add(
            "datum", *match.span(), _period(match["lead"], match["unit"], moment) if moment else ""
        )
    for word in view.words:
        if (entry := _WORDS.get(word.lower)) is None:
            continue
        days, part = entry
        if word.lower in {"morgen", "moarn", "mörgen"} and not _is_tomorrow(
            view, word.start, word.end
        ):
            continue
        value = (moment + timedelta(days=days)).date().isoformat() if moment else ""
        found.add("datum", word.start, word.end, value + _suffix(part))


def _suffix(part: str) -> str:
    return f" {part}" if part else ""


_GREETING: Final = re.compile(r"(?:goeden?|goeie|de|iedere|elke|'s|deze|hele) $")


def _is_tomorrow(view: View, start: int, end: int) -> bool:
    """Say whether "morgen" is a day rather than a greeting or a part of the day."""
    before = view.lower[max(0, start - 8) : start]
    if _GREETING.search(before):
        return False
    return not (before.strip("\n ") == "" and view.lower[end : end + 1] in {",", "!", "\n", ""})


def _weekday(match: re.Match[str], moment: datetime) -> str:
    today = moment.date()
    day = _DAYS[match["day"]]
    ahead = (day - today.weekday()) % 7
    lead, week = match["lead"] or "", match["week"] or ""
    said = match[0]
    if lead in {"afgelopen", "vorige", "ôfrûne", "foarige"} or week.startswith(("vorige", "jl")):
        back = (today.weekday() - day) % 7 or 7
        if "vorige week" in said:
            return (today - timedelta(days=today.weekday() + 7 - day)).isoformat()
        return (today - timedelta(days=back)).isoformat()
    if "volgende week" in said:
        return (today + timedelta(days=7 - today.weekday() + day)).isoformat()
    if week.startswith("over een week"):
        return (today + timedelta(days=ahead + 7)).isoformat()
    if lead in {"deze"}:
        return (today + timedelta(days=day - today.weekday())).isoformat()
    if lead and not ahead:
        ahead = 7
    return (today + timedelta(days=ahead)).isoformat()


def _period(lead: str, unit: str, moment: datetime) -> str:
    step = (
        -1 if lead in {"vorige", "afgelopen", "verleden"} else 0 if lead in {"deze", "dit"} else 1
    )
    today = moment.date()
    if unit == "jaar":
        return str(today.year + step)
    if unit == "maand":
        months = today.year * 12 + today.month - 1 + step
        return f"{months // 12}-{months % 12 + 1:02}"
    if unit.startswith("weeke"):
        saturday = today + timedelta(days=(5 - today.weekday()) % 7 if today.weekday() != 6 else -1)  # noqa: PLR2004
        step = step if lead in {"vorige", "afgelopen", "verleden", "volgende"} else 0
        return f"{(saturday + timedelta(weeks=step)).isoformat()}"
    year, number, _ = (today + timedelta(weeks=step)).isocalendar()
    return f"{year}-W{number:02}"


def _agos(view: View, found: Found, moment: datetime | None) -> None:
    for match in _AGO.finditer(view.lower):
        unit = match["u"] or match["u2"]
        count = match["n"] or match["n2"]
        half = match["half"] or match["half2"] or ""
        if count is None and not half and unit not in {"kwartier"}:
            continue
        kind = (
            "tijd" if unit in {"minuut", "minuten", "min", "uur", "uren", "kwartier"} else "datum"
        )
        number = (
            int(count)
            if count and count.isdecimal()
            else _COUNTS.get((count or "een").removeprefix("een ") or "een", 1)
        )
        minutes = _UNITS[unit] * number + (_UNITS[unit] // 2 if "anderhalf" in half else 0)
        if half.strip() == "half":
            minutes = _UNITS[unit] // 2
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


def _clocks(view: View, found: Found, *, digits: bool) -> None:
    lower = view.lower
    for match in _CLOCK.finditer(lower) if digits else ():
        before = lower[max(0, match.start() - 14) : match.start()]
        hour = match["h"] or match["h2"] or match["h3"]
        minute = match["m"] or match["m2"] or "0"
        if match["h3"] and (_DURATION.search(before) or hour == "0"):
            continue
        if match["mark"] == "." and not match["unit"] and not _CLOCK_CUE.search(before):
            continue
        found.add("tijd", *match.span(), _clock(view, match, int(hour), int(minute)))
    for match in _SPOKEN.finditer(lower):
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
        found.add("tijd", *match.span(), _clock(view, match, minutes // 60, minutes % 60))


def _clock(view: View, match: re.Match[str], hour: int, minute: int) -> str:
    """Give the time of day; in the afternoon where a word beside it says so."""
    around = view.lower[max(0, match.start() - 24) : match.end() + 14]
    near = _PART_NEAR.search(around)
    if near and 0 < hour < 12:  # noqa: PLR2004
        part = near["a"] or near["b"] or ""
        late = "avond" in part or ("middag" in part and hour < 7) or ("nacht" in part and hour > 9)  # noqa: PLR2004
        hour += 12 * late
    return f"{hour % 24:02}:{minute:02}"
