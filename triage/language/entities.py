"""What a text names: places to go to, and numbers and addresses that must be masked.

Every pattern is bounded, so that finding is linear in the text. Which patterns run at all is told
by flags of the chunks: most posts hold no digit, no at-sign and no street.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Final

from triage.language.data import lines, words
from triage.reading import Entity

#: What a chunk may be the start or a part of: bits of a hint, which is 0 for most chunks.
NUMBER: Final = 1
LINK: Final = 2
STREET: Final = 4
PLACE: Final = 8
#: The most entities of a text that are kept.
ENTITY_LIMIT: Final = 100


_STREET_ENDS: Final = "|".join(sorted(words("streets.txt")))
_IS_STREET: Final = re.compile(rf"[\W_]*(?=[^\W\d_a-z])[\w'.-]*(?i:{_STREET_ENDS})\b")
_NO_STREET: Final = re.compile(
    r"(?:[Oo]nder|[Tt]erug|[Ss]nel|[Rr]ijks|[Hh]eel|[Uu]it|[Rr]uim|[Aa]uto|[Vv]aar|[Ff]iets|"
    r"[Vv]oet|[Ss]peel|[Ww]oon|[Ii]nhaal|[Ww]inkel|[Pp]arkeer)(?:weg|straat|plein|dijk|pad|tunnel)"
)

_NUMBERS: Final = re.compile(
    r"(?=[A-Z\d€+])(?<!\w)(?:"  # most characters end here, before the alternatives are tried
    r"(?P<iban>[A-Z]{2}\d\d(?:\ ?[A-Z0-9]{4}){2,7}(?:\ ?[A-Z0-9]{1,3})?)"
    r"|(?P<telefoon>(?:\+\d\d|00\d\d|0)[\ .-]?(?:\(0\))?\d(?:[\ .-]{0,2}\d){7,9})"
    r"|(?P<bedrag>€\ ?\d{1,9}(?:[.,]\d{1,3}){0,3}(?:,-)?|\d{1,9}(?:[.,]\d{1,3}){0,3}\ ?euro)"
    r"|(?P<postcode>[1-9]\d{3}\ ?[A-Z]{2})"
    r"|(?P<kenteken>(?=[A-Z0-9-]{0,8}\d)(?=[A-Z0-9-]{0,8}[A-Z])"
    r"(?:[A-Z]{1,3}|\d{1,3})-(?:[A-Z]{1,3}|\d{1,3})-(?:[A-Z]{1,3}|\d{1,3}))"
    r"|(?P<datum>\d{1,2}[-/]\d{1,2}[-/](?:\d{4}|\d\d)|\d{4}-\d\d-\d\d|\d{1,2}\ (?:januari|februari"
    r"|maart|april|mei|juni|juli|augustus|september|oktober|november|december)(?:\ \d{4})?)"
    r"|(?P<tijd>[0-2]?\d[:.][0-5]\d(?:\ ?uur|\ ?u)?|[0-2]?\d\ ?(?:uur|u))"
    r"|(?P<weg>[AN]\ ?\d{1,3}(?:\ (?:hmp|hm|km|hectometerpaal)\.?\ \d{1,3}(?:[.,]\d)?)?)"
    r"|(?P<bsn>\d{9}|\d{4}\.\d\d\.\d{3})"
    r")(?!\w)"
)
_LINKS: Final = re.compile(
    r"(?P<url>(?:https?://|www\.)[^\s\"'<>]{1,2048})"
    r"|(?P<mail>[\w.+-]{1,64}+@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4})"
    r"|(?P<vermelding>@\w{1,64}(?:@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4})?)"
    r"|(?P<hashtag>\#[^\W_]\w{0,99})",
    re.IGNORECASE,
)
_STREETS: Final = re.compile(
    rf"\b[A-Z][\w'-]{{2,30}}(?:{_STREET_ENDS})\b(?:\ \d{{1,4}}(?:\ ?-?[A-Za-z]\b|-\d{{1,3}}\b)?)?"
    rf"|\b[A-Z][\w'-]{{1,30}}\ (?:van\ |de\ |der\ |den\ )?(?:[A-Z][\w'-]{{1,20}}\ )?"
    rf"(?i:{_STREET_ENDS})\b\ \d{{1,4}}(?:\ ?-?[A-Za-z]\b)?"
)
_PLACES: Final[dict[str, list[str]]] = defaultdict(list)
for _line in lines("places.txt"):
    for _place in _line.split(", "):
        _PLACES[_place.split()[0]].append(_place)
_MARKS: Final = ".,;:!?()\"'#"
_LONGEST_WORD: Final = 64
_BSN_WEIGHTS: Final = (9, 8, 7, 6, 5, 4, 3, 2, -1)
_ELEVEN: Final = 11


def hint(chunk: str) -> int:
    """Say what a chunk (no whitespace) may be a part of; as bits."""
    found = 0
    if any(map(str.isdecimal, chunk)) or "€" in chunk:
        found |= NUMBER
    if "@" in chunk or "#" in chunk or "://" in chunk or "www." in chunk.lower():
        found |= LINK
    if len(chunk) <= _LONGEST_WORD:
        if _IS_STREET.match(chunk):
            found |= STREET
        if chunk.strip(_MARKS).lower() in _PLACES:
            found |= PLACE
    return found


def find(text: str, hints: int) -> tuple[Entity, ...]:
    """Give the entities of a text, in order of their start, for the kinds that are hinted at."""
    found: list[Entity] = []
    if hints & NUMBER:
        found.extend(_numbers(text))
    if hints & LINK:
        found.extend(
            Entity(kind="e-mail" if kind == "mail" else kind, start=m.start(), end=m.end())
            for m in _LINKS.finditer(text)
            if (kind := m.lastgroup)
        )
    if hints & STREET:
        found.extend(
            Entity(kind="straat", start=m.start(), end=m.end())
            for m in _STREETS.finditer(text)
            if not _NO_STREET.match(m[0])
        )
    if hints & PLACE:
        found.extend(_places(text))
    found.sort(key=lambda entity: (entity.start, entity.end, entity.kind))
    return tuple(found[:ENTITY_LIMIT])


def _numbers(text: str) -> list[Entity]:
    return [
        Entity(kind=kind, start=m.start(), end=m.end())
        for m in _NUMBERS.finditer(text)
        if (kind := m.lastgroup) and (kind != "bsn" or is_bsn(m[0]))
    ]


def is_bsn(number: str) -> bool:
    """Say whether nine digits pass the eleven-test of a citizen service number.

    >>> is_bsn("111222333"), is_bsn("111222334")
    (True, False)
    """
    digits = [int(char) for char in number if char.isdecimal()]
    total = sum(w * d for w, d in zip(_BSN_WEIGHTS, digits, strict=True))
    return any(digits) and total % _ELEVEN == 0


def _places(text: str) -> list[Entity]:
    lower = text.lower()
    if len(lower) != len(text):
        return []
    found: list[Entity] = []
    for first in {chunk.strip(_MARKS) for chunk in lower.split()}:
        for place in _PLACES.get(first, ()):
            start = lower.find(place)
            while start >= 0:
                end = start + len(place)
                whole = not (text[start - 1 : start].isalnum() or text[end : end + 1].isalnum())
                if whole and text[start].isupper():
                    found.append(Entity(kind="plaats", start=start, end=end))
                start = lower.find(place, end)
    return found
