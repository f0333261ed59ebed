"""How values are put into words and marks on the pages. Everything escapes: texts are a stranger's.

Templates get plain values and lists from here, never markup.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from triage.web.desk.signalen import REFUSED, SENDER, SENT, WITHDRAWN
from triage.web.desk.texts import Texts

_MINUTES_A_DAY: Final = 24 * 60
_MINUTES_AN_HOUR: Final = 60
_DAYS: Final = {
    "nl": ("ma", "di", "wo", "do", "vr", "za", "zo"),
    "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
}
_MONTHS: Final = {
    "nl": (
        *("jan", "feb", "mrt", "apr", "mei", "jun"),
        *("jul", "aug", "sep", "okt", "nov", "dec"),
    ),
    "en": (
        *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
        *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
    ),
}


def until(due: datetime, now: datetime, t: Texts) -> str:
    """Tell how long is left until a due time, or how long it is past.

    >>> from datetime import UTC, timedelta
    >>> from triage.web.desk.texts import texts
    >>> now = datetime(2026, 3, 2, 9, tzinfo=UTC)
    >>> until(now + timedelta(minutes=12), now, texts("nl"))
    'nog 12 min'
    >>> until(now - timedelta(hours=26), now, texts("nl"))
    '1 d 2 u te laat'
    """
    late = due < now
    minutes = int(abs((due - now).total_seconds()) // 60)
    return t("time.late" if late else "time.left", span=span(minutes, t))


def span(minutes: int, t: Texts) -> str:
    """Tell a number of minutes."""
    days, rest = divmod(minutes, _MINUTES_A_DAY)
    hours, left = divmod(rest, _MINUTES_AN_HOUR)
    d, h, m = t("time.d"), t("time.h"), t("time.min")
    if days:
        return f"{days} {d} {hours} {h}" if hours else f"{days} {d}"
    if hours:
        return f"{hours} {h} {left} {m}" if left else f"{hours} {h}"
    return f"{left} {m}" if left else t("time.short")


def local(at: datetime | str, zone: ZoneInfo, t: Texts) -> str:
    """Give a time as people there read it.

    >>> from datetime import UTC
    >>> from triage.web.desk.texts import texts
    >>> at = datetime(2026, 3, 2, 9, 5, tzinfo=UTC)
    >>> local(at, ZoneInfo("Europe/Amsterdam"), texts("nl"))
    'ma 2 mrt 10:05'
    """
    there = (datetime.fromisoformat(at) if isinstance(at, str) else at).astimezone(zone)
    days, months = _DAYS[t.language], _MONTHS[t.language]
    return f"{days[there.weekday()]} {there.day} {months[there.month - 1]} {there:%H:%M}"


def percent(p: float) -> str:
    """Give a probability in whole per cents.

    >>> percent(0.876)
    '88%'
    """
    return f"{round(p * 100)}%"


def marked(text: str, reasons: Sequence[Mapping[str, Any]]) -> list[tuple[str, float | None]]:
    """Cut a text into pieces, those that weighed with their weight; the pieces join to the text.

    >>> marked("Gaslucht in de flat!", [{"token": "gaslucht", "weight": 3.8}])
    [('Gaslucht', 3.8), (' in de flat!', None)]
    """
    weights: dict[str, float] = {}
    for reason in reasons:
        token = str(reason["token"]).casefold()
        if token and len(token) <= _TOKEN_LIMIT:
            weights.setdefault(token, float(reason["weight"]))
    if not weights:
        return [(text, None)]
    longest = sorted(weights, key=len, reverse=True)
    words = "|".join(r"\s+".join(map(re.escape, token.split())) for token in longest)
    pieces: list[tuple[str, float | None]] = []
    end = 0
    for found in re.finditer(rf"(?<!\w)(?:{words})(?!\w)", text, re.IGNORECASE):
        if found.start() > end:
            pieces.append((text[end : found.start()], None))
        token = " ".join(found[0].casefold().split())
        pieces.append((found[0], weights.get(token)))
        end = found.end()
    if end < len(text):
        pieces.append((text[end:], None))
    return pieces


_TOKEN_LIMIT: Final = 100


def safe_link(address: str | None) -> str:
    """Give an address that may stand in a link: of the web; empty for anything else.

    >>> safe_link("https://example.org/a"), safe_link("javascript:alert(1)")
    ('https://example.org/a', '')
    """
    if not address or any(ord(char) <= _BLANK for char in address):
        return ""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    return address if parts.scheme in {"http", "https"} and parts.netloc else ""


_BLANK: Final = 0x20


def host(address: str) -> str:
    """Name the site of an address, for a person to see where a link leads."""
    try:
        return urlsplit(address).hostname or address
    except ValueError:
        return address


def note_of(item: Mapping[str, Any], t: Texts) -> str:
    """Give the note of an item of a history: people's own words, ours in the language asked for.

    >>> from triage.web.desk.texts import texts
    >>> note_of({"by": "Signalen", "note": "melding 12"}, texts("en"))
    'signal 12'
    >>> note_of({"by": "Anna", "note": "melding 12"}, texts("en"))
    'melding 12'
    """
    said = str(item.get("note") or "")
    if item.get("by") != SENDER:
        return said
    if said in _OF_SIGNALEN:
        return t(_OF_SIGNALEN[said])
    word, _, number = said.partition(" ")
    return t("signalen.sent", number=number) if word == SENT else said


_OF_SIGNALEN: Final = {REFUSED: "signalen.refused", WITHDRAWN: "signalen.withdrawn"}


def number(value: int, t: Texts) -> str:
    """Write a number with its thousands apart.

    >>> from triage.web.desk.texts import texts
    >>> number(12345, texts("nl"))
    '12.345'
    """
    return f"{value:,}".replace(",", "." if t.language == "nl" else ",")


def decimal(value: float, t: Texts, digits: int = 2, *, sign: bool = False) -> str:
    """Write a number with its decimals.

    >>> from triage.web.desk.texts import texts
    >>> decimal(0.5, texts("nl"), sign=True), decimal(-1.25, texts("en"), 1)
    ('+0,50', '-1.2')
    """
    said = f"{value:{'+' if sign else ''}.{digits}f}"
    return said.replace(".", ",") if t.language == "nl" else said


def pairs(keys: Iterable[str], t: Texts, group: str) -> list[tuple[str, str]]:
    """Give keys with their texts."""
    return [(key, t.of(group, key)) for key in keys]


def merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Give the values of both; the second's go before."""
    return {**first, **second}


FILTERS: Final[Mapping[str, Callable[..., object]]] = {
    "until": until,
    "local": local,
    "percent": percent,
    "safe_link": safe_link,
    "host": host,
    "thousands": number,
    "decimal": decimal,
    "note_of": note_of,
    "span": span,
    "pairs": pairs,
    "merged": merged,
}
