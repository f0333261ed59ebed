"""Dates and times, the relative ones resolved against the moment of the post (Dutch time)."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from triage.language.data import lines
from triage.language.entities.clocks import UNITS, agos, clocks
from triage.language.entities.found import Found
from triage.language.entities.sought import AtDigits, Cued
from triage.language.entities.view import View

#: The clock that people in the Netherlands mean.
ZONE: Final = ZoneInfo("Europe/Amsterdam")

_MONTHS: Final = {
    name: number
    for number, names in enumerate(
        (
            "januari jan jannewaris", "februari feb febr febrewaris", "maart mrt", "april apr",
            "mei maaie", "juni jun juny", "juli jul july", "augustus aug",
            "september sep sept septimber",
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
            "maandag ma moandei",
            "dinsdag di tiisdei",
            "woensdag wo woansdei woensdei",
            "donderdag do tongersdei",
            "vrijdag vr freed freedei", "zaterdag za sneon", "zondag zo snein",
        )
    )
    for name in names.split()
}  # fmt: skip
#: Days are shortened to two letters, which are words too.
_SHORT_DAY: Final = 2
_DAY: Final = "|".join(
    name for name in sorted(_DAYS, key=len, reverse=True) if len(name) > _SHORT_DAY
)
_PARTS: Final = "ochtend|morgen|middag|avond|nacht"

_WORDS: Final[dict[str, tuple[int, str]]] = {}
for _line in lines("nl.when.txt"):
    _word, _offset, *_part = _line.split()
    _WORDS[_word] = (
        -int(_offset[:-1]) if _offset[-1] == "-" else int(_offset),
        _part[0] if _part else "",
    )

_NUMERIC: Final = AtDigits(
    r"(?<![\w.,/-])(?:(?P<d>[0-3]?\d)(?P<s>[-/.])(?P<m>[01]?\d)(?P=s)(?P<y>(?:19|20)\d\d|'?\d\d)|"
    r"(?P<Y>(?:19|20)\d\d)-(?P<M>[01]\d)-(?P<D>[0-3]\d))"
    r"(?![\w]|[/-]\d|[.,]\d)"
)
_SHORT: Final = AtDigits(r"(?<![\w.,/-])(?P<d>[0-3]?\d)[-/](?P<m>1[0-2]|0?[1-9])(?![\w/%-]|[.,]\d)")
_SHORT_CUE: Final = re.compile(
    r"(?:\b(?:op|van|vanaf|sinds|tot|datum|d\.d\.|dd\.?|ma|di|wo|do|vr|za|zo|\w+dag|voor|per|t/m|"
    r"en|is)[: ]{1,2})$"
)
_LONG: Final = AtDigits(
    rf"(?<![\w.,/-])(?P<d>[0-3]?\d)(?:e|ste|de)?[ -](?P<m>{_MONTH})(?!\w)\.?(?:[ -]?'?(?P<y>(?:19|"
    rf"20)\d\d|(?<=')\d\d)(?![\d]))?"
)
_MONTH_YEAR: Final = re.compile(rf"(?<!\w)(?P<m>{_MONTH}) (?P<y>(?:19|20)\d\d)(?!\d)")
_RELATIVE: Final = Cued(
    rf"(?<!\w)(?:(?P<lead>afgelopen|vorige|volgende|komende|aanstaande|aankomende|deze|dit|ôfrûne|"
    rf"foarige|kommende) (?:week )?)?"
    rf"(?P<day>{_DAY})(?:s?(?: )?(?P<part>{_PARTS}))?(?: (?P<week>over een week|vorige week|"
    rf"volgende week|jl\.?|a\.s\.?|as))?(?!\w)",
    *_DAY.split("|"),
)
_PERIOD: Final = Cued(
    r"(?<!\w)(?:(?P<lead>vorige|afgelopen|volgende|komende|aankomende|deze|dit|verleden) (?"
    r"P<unit>week|maand|jaar|weekend|weekeinde))(?!\w)",
    *("week", "maand", "jaar"),
)
_BIRTH: Final = re.compile(
    r"(?:\bgeboren|\bgeb\.?|\bgeboortedatum|\bgeb(?:oorte)?dat\.?|\bd\.?o\.?b\.?|\bborn|"
    r"\bgeboortedag|\bgeborene?|\bgeboren am|\bné|\bdoğum|\burodz\w*|\bberne|\bjarig|\bverjaardag)"
    r"\W{0,3}(?:\b(?:kind|zoon|dochter|moeder|vader|man|vrouw|partner|cliënt|patiënt|aanvrager|"
    r"mijn|van|op|is|op de|datum|on|le|te [a-z]+(?: op)?|in [a-z]+ op|ben ik|ik ben)\b\W{0,3})"
    r"{0,3}$"
)
_BIRTH_WIDTH: Final = 48


def is_time_word(lower: str) -> bool:
    """Say whether a word may be, or start, a date or time."""
    return lower in _WORDS or lower in _TIME_WORDS


_TIME_DAYS: Final = frozenset(
    [name for name in _DAYS if len(name) > _SHORT_DAY]
    + [
        f"{day}{join}{part}"
        for day in _DAYS
        if len(day) > _SHORT_DAY
        for join in ("", "s")
        for part in _PARTS.split("|")
    ]
)
_TIME_WORDS: Final = _TIME_DAYS | frozenset(
    [
        "geleden",
        "half",
        "kwart",
        "uur",
        "weekend",
        "weekeinde",
        "vorige",
        "volgende",
        "afgelopen",
        "komende",
        "aankomende",
        "dagen",
        "weken",
        "minuten",
        "maanden",
    ]
)


def times(view: View, found: Found, at: datetime | None) -> None:
    """Find dates and times; ``at`` (aware) is when the post was written."""
    moment = at.astimezone(ZONE) if at else None
    known = {_CLASSES[word] for word in _CLASSES.keys() & view.lowers}
    digits = bool(view.rows)
    if digits:
        _dates(view, found, moment, named="month" in known)
    if "day" in known or "lead" in known or "word" in known:
        _words(view, found, moment, alone="word" in known)
    if "unit" in known:
        agos(view, found, moment)
    if digits or "hour" in known or "unit" in known:
        clocks(view, found)


#: What a word may be a part of.
_CLASSES: Final[dict[str, str]] = {
    **dict.fromkeys(["half", "kwart", "over", "voor"], "hour"),
    **dict.fromkeys(UNITS, "unit"),
    **dict.fromkeys(
        ["vorige", "afgelopen", "volgende", "komende", "aankomende", "deze", "dit", "verleden"],
        "lead",
    ),
    **dict.fromkeys(_WORDS, "word"),
    **dict.fromkeys(_TIME_DAYS, "day"),
    **dict.fromkeys(_MONTHS, "month"),
}


def _dates(view: View, found: Found, moment: datetime | None, *, named: bool) -> None:
    lower = view.lower
    for match in _NUMERIC.among_lower(view):
        if match["Y"]:
            value = _iso(int(match["Y"]), int(match["M"]), int(match["D"]))
        else:
            value = _iso(_year(match["y"]), int(match["m"]), int(match["d"]))
        if value:
            _add_date(view, found, match.span(), value)
    for match in _LONG.among_lower(view) if named else ():
        month, day = _MONTHS[match["m"]], int(match["d"])
        year = _year(match["y"]) if match["y"] else _nearest_year(moment, month, day)
        value = _iso(year, month, day) if year else f"--{month:02}-{day:02}"
        if value:
            end = match.end() - (
                lower[match.end() - 1] == "."
                and match["m"] not in lower[match.end() - 6 : match.end() - 1]
            )
            _add_date(view, found, (match.start(), end), value)
    for match in _MONTH_YEAR.finditer(lower) if named else ():
        found.add("datum", *match.span(), f"{match['y']}-{_MONTHS[match['m']]:02}")
    for match in _SHORT.among_lower(view):
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


#: Two digits of a year above this are of the last century: they are those of a birth.
_THIS_CENTURY: Final = 40
_CENTURY: Final = 100


def _year(said: str) -> int:
    year = int(said.lstrip("'"))
    if year >= _CENTURY:
        return year
    return year + (1900 if year > _THIS_CENTURY else 2000)


def _nearest_year(moment: datetime | None, month: int, day: int) -> int:
    """Give the year in which a day without a year is nearest to the post; 0 without a post."""
    if moment is None:
        return 0
    today = moment.date()
    years = [y for y in (today.year - 1, today.year, today.year + 1) if _iso(y, month, day)]
    if not years:
        return 0
    return min(years, key=lambda y: abs((date(y, month, day) - today).days))


def _words(view: View, found: Found, moment: datetime | None, *, alone: bool) -> None:
    for match in _RELATIVE.among_lower(view):
        value = _weekday(match, moment) if moment else ""
        found.add("datum", *match.span(), value + _suffix(match["part"] or ""))
    for match in _PERIOD.among_lower(view):
        found.add(
            "datum", *match.span(), _period(match["lead"], match["unit"], moment) if moment else ""
        )
    for word in view.words if alone else ():
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
    if lead == "deze":
        return (today + timedelta(days=day - today.weekday())).isoformat()
    if lead and not ahead:
        ahead = 7
    return (today + timedelta(days=ahead)).isoformat()


_SUNDAY: Final = 6


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
        saturday = today + timedelta(
            days=(5 - today.weekday()) % 7 if today.weekday() != _SUNDAY else -1
        )
        step = step if lead in {"vorige", "afgelopen", "verleden", "volgende"} else 0
        return f"{(saturday + timedelta(weeks=step)).isoformat()}"
    year, number, _ = (today + timedelta(weeks=step)).isocalendar()
    return f"{year}-W{number:02}"
