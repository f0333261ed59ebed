"""What a text names: places to go to, moments, and numbers and names that must be masked.

Which patterns run at all is told by hints of the chunks between blanks, which are remembered: most
posts hold no digit, no at-sign and no name, and cost nearly nothing.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from triage.language.entities.found import ENTITY_LIMIT, Found
from triage.language.entities.links import hidden_mail, links
from triage.language.entities.numbers import long_numbers, numbers, postcodes, spoken
from triage.language.entities.persons import is_name, persons
from triage.language.entities.places import is_place, long_places, places
from triage.language.entities.roads import roads, stations
from triage.language.entities.streets import addresses, is_street, streets
from triage.language.entities.times import is_time_word, times
from triage.language.entities.view import look
from triage.reading import Entity

__all__ = ["ALL", "ENTITY_LIMIT", "find", "find_places", "hint"]

#: What a chunk may be the start or a part of: bits of a hint, which is 0 for most chunks.
NUMBER: Final = 1
LINK: Final = 2
STREET: Final = 4
PLACE: Final = 8
NAME: Final = 16
TIME: Final = 32
SPOKEN: Final = 64
STATION: Final = 128
HIDDEN_MAIL: Final = 256
#: Every kind of entity.
ALL: Final = 511

_DIGIT: Final = re.compile("[\\d€\u00b2\u00b3\u00b9\u2070-\u2089\u2460-\u24ff\u2776-\u2793]")
_LINK: Final = re.compile(r"[@#]|://|www\.|\.(?:com|me)/", re.IGNORECASE)
_EDGES: Final = ".,;:!?()[]\"'’‘“”#*…-"
_INITIAL: Final = re.compile(r"[^\w]*(?:[A-Z]|Th|Ch|Joh|Chr)\.")
_LONGEST_WORD: Final = 64
_STATION_WORDS: Final = frozenset(
    [
        "station",
        "halte",
        "bushalte",
        "tramhalte",
        "metrohalte",
        "metrostation",
        "busstation",
        "cs",
        "centraal",
    ]
)
_MAIL_WORDS: Final = ("apenstaart", "(at)", "[at]", "{at}", "punt", "dot")
#: What is looked for on which hint; what is found first has its place.
_FINDERS: Final = (
    (LINK, links),
    (HIDDEN_MAIL, hidden_mail),
    (NUMBER, roads),
    (NUMBER, numbers),
    (SPOKEN, spoken),
    (STREET, streets),
    (NUMBER, addresses),
    (STATION, stations),
)
_LATE_FINDERS: Final = (
    (NUMBER, long_numbers),
    (PLACE, long_places),
    (NAME, persons),
    (PLACE, places),
)
#: Of them, what finds places, and what looks like one and is none.
_PLACE_FINDERS: Final = (
    (LINK, links),
    (NUMBER, roads),
    (NUMBER, postcodes),
    (STREET, streets),
    (NUMBER, addresses),
    (STATION, stations),
    (PLACE, long_places),
    (PLACE, places),
)
#: Longer texts are read up to here.
TEXT_LIMIT: Final = 65_536


def hint(chunk: str) -> int:
    """Say what a chunk (no whitespace) may be a part of; as bits."""
    found = 0
    if _DIGIT.search(chunk):
        found |= NUMBER | TIME
    if _LINK.search(chunk):
        found |= LINK
    if len(chunk) > _LONGEST_WORD:
        return found
    word = chunk.strip(_EDGES)
    lower = word.lower()
    if not lower:
        return found
    if not lower.isascii():
        lower = lower.replace("’", "'").replace("i̇", "i")
    found |= _hint_of_word(word, lower)
    if "/" in lower or "-" in lower or "." in lower or "'" in lower:
        for part in re.split(r"[/.'-]", word):
            if part:
                found |= _hint_of_word(part, part.lower())
    if _INITIAL.match(chunk):
        found |= NAME
    return found


def _hint_of_word(word: str, lower: str) -> int:
    found = 0
    if is_street(word):
        found |= STREET
    if is_place(word, lower):
        found |= PLACE
    if is_name(word):
        found |= NAME
    if is_time_word(lower):
        found |= TIME
    if lower == "nul":
        found |= SPOKEN
    if lower in _STATION_WORDS:
        found |= STATION
    if lower.startswith(_MAIL_WORDS) or word == "@":
        found |= HIDDEN_MAIL
    return found


def find(text: str, hints: int = ALL, *, at: datetime | None = None) -> tuple[Entity, ...]:
    """Give the entities of a text, in order of their start, for the kinds that are hinted at.

    Spans refer to ``text`` as given. ``at`` (aware) is when it was written: what relative dates and
    times are resolved against.

    >>> [(e.kind, e.value) for e in find("Bel 06-12 34 56 78, A28 hmp 12,3")]
    [('telefoon', '+31612345678'), ('weg', 'A28 12.3')]
    """
    if not hints:
        return ()
    view = look(text[:TEXT_LIMIT])
    found = Found(view)
    for bits, look_for in _FINDERS:
        if hints & bits:
            look_for(view, found)
    if hints & TIME:
        times(view, found, at)
    for bits, look_for in _LATE_FINDERS:
        if hints & bits:
            look_for(view, found)
    return found.entities()


def find_places(text: str, hints: int = ALL) -> tuple[Entity, ...]:
    """Give the streets, roads, postcodes and places of a text, and what stands between them.

    Persons and numbers are not told apart from them, at a third of the price: 1 in 200 texts that
    name a place gives another one than ``find`` would.

    >>> [e.kind for e in find_places("Glad op de A28 bij Zwolle en in de Kerkstraat, bel mij")]
    ['weg', 'plaats', 'straat']
    """
    if not hints:
        return ()
    view = look(text[:TEXT_LIMIT])
    found = Found(view)
    for bits, look_for in _PLACE_FINDERS:
        if hints & bits:
            look_for(view, found)
    return found.entities()
