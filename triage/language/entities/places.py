"""Places: names from a gazetteer, of which ordinary words need a cue."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Final

from triage.language.data import lines
from triage.language.entities.found import Found
from triage.language.entities.view import View, Word

_PARTS: Final = re.compile(r"'[stnk](?![^\W\d_])|[^\W\d_]+(?:['-][^\W\d_]+)*")
#: By its longest word: where in the name that stands, the name in lower case, and as it is written;
#: and whether it is an ordinary word too.
_PLACES: Final[dict[str, list[tuple[int, str, str, bool]]]] = defaultdict(list)
for _line in lines("nl.places.txt"):
    _name = _line.removeprefix("?")
    _part = max(_PARTS.finditer(_name.lower()), key=lambda match: (len(match[0]), match.start()))
    _PLACES[_part[0]].append((_part.start(), _name.lower(), _name, _line[0] == "?"))
for _list in _PLACES.values():
    _list.sort(key=lambda place: -len(place[1]))
#: The longest words of those that are several words.
_LONG: Final = frozenset(
    part for part, named in _PLACES.items() if any(" " in lower for _, lower, _, _ in named)
)
_CUE: Final = re.compile(
    r"(?:^|[^\w])(?:in|te|uit|naar|gemeente|gem\.?|station|richting|rond|nabij|vanuit|omgeving|"
    r"dorp|stad|regio|"
    r"wijk|buurt|tussen|hart je|hartje|centrum|binnenstad|bij|afrit|knooppunt|nei|út|woonplaats:?|"
    r"a?thv|t\.h\.v\.?|ter hoogte van|politie|brandweer|"
    r"\d{4} ?[a-z]{2},?) $"
)
_STRONG_CUE: Final = re.compile(
    r"(?:^|[^\w])(?:gemeente|gem\.?|station|woonplaats:?|dorp|\d{4} ?[a-z]{2},?) $"
)
_PREPOSITION: Final = re.compile(r"(?:^|[^\w])(?:in|te|uit|naar|richting) $")
_BREAK: Final = re.compile(r"[ ]?(?:[.,;:!?)\n\x00]|$| en | is | was | heeft | staat | waar )")
#: Words that no cue makes a place of in lower case.
_NEVER: Final = frozenset(
    [
        "een",
        "hem",
        "heel",
        "echt",
        "over",
        "best",
        "brand",
        "ens",
        "goor",
        "waarde",
        "enter",
        "winkel",
        "huizen",
        "hoek",
        "buren",
        "dieren",
        "sluis",
        "leest",
        "sloten",
        "houten",
        "hoeven",
        "duiven",
        "noord",
        "oost",
        "zuid",
        "west",
        "veen",
        "velden",
        "berg",
        "son",
        "raam",
        "zetten",
        "groet",
        "heer",
        "monster",
        "dalen",
        "balk",
        "well",
        "made",
        "born",
    ]
)
_NAMED_AFTER: Final = re.compile(
    r"(?:^|[^\w])(?:van|de|der|den|ter|ten|mevrouw|meneer|dhr\.?|mw\.?|fam\.?|familie) $"
)
_SENTENCE: Final = re.compile(r"(?:^|[.!?\n:]['\") ]{0,3})$")


def is_place_word(lower: str) -> bool:
    """Say whether a word in lower case is the telling part of the name of a place."""
    return lower in _PLACES


def is_place(word: str, lower: str) -> bool:
    """Say whether a word may be the name of a place, or the telling part of one."""
    return lower in _PLACES and (word[0].isupper() or lower not in _NEVER)


def named_place(word: Word) -> bool:
    """Say whether a single word is the name of a place, and of nothing else."""
    return any(
        name == word.lower and not unsure for _, name, _, unsure in _PLACES.get(word.lower, ())
    )


def places(view: View, found: Found) -> None:
    """Find places by name; an ordinary word counts only with a cue."""
    _find(view, found, only_long=False)


def long_places(view: View, found: Found) -> None:
    """Find places of several words, which could be taken for a person (Bergen op Zoom)."""
    if not _LONG.isdisjoint(view.lowers):
        _find(view, found, only_long=True)


def _find(view: View, found: Found, *, only_long: bool) -> None:
    for word in view.words:
        if word.lower not in _PLACES:
            continue
        for before, lower, name, unsure in _PLACES[word.lower]:
            if only_long and " " not in lower:
                continue
            start = word.start - before
            end = start + len(lower)
            if start < 0 or view.lower[start:end] != lower or view.text[end : end + 1].isalnum():
                continue
            if view.text[max(0, start - 1) : start].isalnum():
                continue
            if _counts(view, start, end, unsure=unsure, lower=lower):
                found.add("plaats", start, end, name)
            break


def at_start(view: View, start: int) -> bool:
    """Say whether a sentence starts at an offset of the view."""
    return bool(_SENTENCE.search(view.text[max(0, start - 5) : start]))


#: Names this short are other words too, in lower case.
_SHORT_NAME: Final = 3


def _counts(  # noqa: PLR0911 - one reason a line
    view: View, start: int, end: int, *, unsure: bool, lower: str
) -> bool:
    before = view.lower[max(0, start - 18) : start]
    capital = view.text[start].isupper()
    if not unsure:
        return capital or len(lower) > _SHORT_NAME or bool(_CUE.search(before))
    if view.text[max(0, start - 1) : start] in {"-", "'"}:
        return False
    if not capital:
        if _STRONG_CUE.search(before):
            return True
        return (
            lower not in _NEVER
            and bool(_PREPOSITION.search(before))
            and bool(_BREAK.match(view.lower, end))
        )
    if _NAMED_AFTER.search(before):
        return bool(
            re.search(
                r"(?:gemeente|stad|dorp|centrum|station|inwoners|burgemeester|raad) van $", before
            )
        )
    if _CUE.search(before):
        return True
    if at_start(view, start):
        return bool(re.match(r"[:,/] ", view.text[end : end + 2])) and lower not in _NEVER
    return lower not in _NEVER and not _after_capital(view, start)


def _after_capital(view: View, start: int) -> bool:
    """Say whether a capitalised word stands right before: then it is rather a family name."""
    before = re.search(r"([^\W\d_][\w'.-]*) $", view.text[max(0, start - 30) : start])
    return bool(before) and before[1][0].isupper()  # type: ignore[index]
