"""What is known of names of people: lists, the shape of a name, and where one ends."""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import Final

from triage.language.data import any_of, lines, sections, words
from triage.language.entities.found import Found
from triage.language.entities.places import named_place
from triage.language.entities.streets import is_street, may_be_family
from triage.language.entities.view import FILLER, View, Word

FIRST: Final = words("names.first.txt")
LAST: Final = words("names.last.txt")
RARE_FIRST: Final = words("names.first.rare.txt")
RARE_LAST: Final = words("names.last.rare.txt")
ORDINARY: Final = words("language.nl.txt") | words("names.words.txt")
FUNCTION: Final = words("nl.function.txt")
ORGANISATIONS: Final = frozenset(lines("nl.organisations.txt"))
ORGANISATION_WORDS: Final = words("nl.orgwords.txt")
PUBLIC: Final = frozenset(lines("nl.public.txt"))
SETS: Final = sections("nl.names.txt")
_NO_FAMILY: Final = FUNCTION - LAST
PARTICLES: Final = SETS["particles"]
LEADS: Final = SETS["leads"]
_MIDDLE: Final = SETS["middle"]
_STOPS: Final = SETS["stops"]

_LOWER_PARTICLE: Final = (
    r"van|de|den|der|het|'t|ter|ten|te|op|aan|in|'s|el|al|ben|bin|a[iï]t|da|dos|di|du|la|le|von|"
    r"vd|v\.d\.|v/d|tot"
)
_UPPER_PARTICLE: Final = (
    r"Van|De|Den|Der|'T|Ter|Ten|Te|El|Al|Ben|Bin|A[iï]t|Da|Dos|Di|Du|La|Le|Von|Op|In|Oude|Vd"
)
PARTICLE: Final = f"(?:{_LOWER_PARTICLE}|{_UPPER_PARTICLE})"
_UPPER: Final = "".join(char for char in map(chr, range(0x41, 0x530)) if char.isupper())
CAPITAL: Final = rf"[{_UPPER}][^\W\d_]*(?:['-](?!(?:van|de|den|der|ter|ten)\b)[^\W\d_]+)*"
FAMILY: Final = rf"(?:{PARTICLE} ){{0,3}}{CAPITAL}"
#: How family names end in many countries; a capitalised unknown word that does is one.
SHAPED: Final = re.compile(rf"\w(?:{any_of(SETS['family_ends'])})$|^(?:o'|mc|mac|fitz|d')\w{{4}}")
_ORGANISATION_ENDS: Final = tuple(sorted(SETS["organisation_ends"]))
_PERSONAL: Final = re.compile(
    rf" (?:{any_of(SETS['personal'])}|van (?:de \w+|het \w+|hiernaast|nr|nummer|beneden|boven|"
    rf"burgerzaken))\b"
)
#: "Ridvan K." as newspapers write.
_LAST_INITIAL: Final = re.compile(rf" [{_UPPER}]\.(?!\w)")
_ABBREVIATED: Final = frozenset({"dr", "ir", "drs", "mr", "ing", "prof", "chr", "joh", "th"})
_POSSESSIVE: Final = "'s"
#: The most words of a name.
_LONGEST: Final = 7
_LONGEST_LEAD: Final = 3
_SHORTEST: Final = 3


def telling(phrases: frozenset[str]) -> frozenset[str]:
    """Give the longest word of each phrase: without one of these, none of them is in a text."""
    parts = (
        re.findall(r"[^\W\d_]+(?:['-][^\W\d_]+)*", phrase.replace("_", " ")) for phrase in phrases
    )
    return frozenset(max(words_of, key=len) for words_of in parts if words_of)


def add(view: View, found: Found, start: int, end: int) -> bool:
    """Keep a name, without the mark of possession at its end."""
    while end > start and not view.text[end - 1].isalnum():
        end -= 1
    if view.lower[:end].endswith(_POSSESSIVE) and end - start > _SHORTEST:
        end -= len(_POSSESSIVE)
    if behind := _LAST_INITIAL.match(view.text, end):
        end = behind.end()
    value = " ".join(view.lower[start:end].split())
    return found.add("persoon", start, end, value)


def is_known(lower: str) -> bool:
    """Say whether a word is in one of the lists of names."""
    return lower in FIRST or lower in LAST or lower in RARE_FIRST or lower in RARE_LAST


def is_family(lower: str) -> bool:
    """Say whether a word is a family name, by the lists or by its shape."""
    return lower in LAST or lower in RARE_LAST or bool(SHAPED.search(lower))


def known_place(lower: str) -> bool:
    """Say whether a word is the name of a place, and of nothing else."""
    return named_place(Word(lower, lower, 0, len(lower), capital=False))


def is_organisation(lower: str) -> bool:
    """Say whether a word is made like the name of an organisation."""
    return lower.endswith(_ORGANISATION_ENDS) and lower not in LAST


def does_personal(view: View, end: int) -> bool:
    """Say whether what follows is something that only people do."""
    return bool(_PERSONAL.match(view.lower, end))


def at_start(view: View, start: int) -> bool:
    """Say whether a sentence starts here, so that a capital says nothing."""
    before = view.text[max(0, start - 4) : start].rstrip(" '\"(-*>•")
    return not before or before[-1] in ".!?\n:…" + FILLER or before[-1] > "\u2600"


def word_at(view: View, offset: int) -> int | None:
    """Give the number of the first word at or after an offset."""
    index = bisect_left(view.words, offset, key=lambda word: word.start)
    return index if index < len(view.words) else None


def gap(view: View, index: int) -> str:
    """Give what stands before a word, after the word before it."""
    return view.text[view.words[index - 1].end : view.words[index].start] if index else ""


def after_leads(view: View, index: int) -> int:
    """Give the number of the word that follows the particles at a word: van der Berg."""
    seen = view.words
    at = index
    while at < len(seen) - 1 and seen[at].lower in LEADS and at - index < _LONGEST_LEAD:
        if gap(view, at + 1) != " ":
            break
        at += 1
    return at


def name_end(  # noqa: C901 - one reason to stop a line
    view: View, index: int, *, sure: bool, unknown: bool = False
) -> int:
    """Give where the name ends that starts at a word, 0 where none does.

    ``sure``: what stands before says that a name follows, so an unknown capitalised word is one.
    ``unknown``: the first word is no known name, so a known family name must follow.
    """
    seen = view.words
    if not _may_start(seen[index]):
        return 0
    end, named, at, led = 0, 0, index, False
    while at < len(seen) and at - index < _LONGEST:
        if at > index and not _joins(view, at, named=named):
            break
        if _leads_on(view, at, middle=bool(named) and not unknown):
            led = True
            at += 1
            continue
        word = seen[at]
        if is_street(word.lower) and not (
            word.lower in LAST or (named and may_be_family(word.lower))
        ):
            return 0
        if not named and not sure and not unknown and not is_known(word.lower):
            return 0
        if named and not _goes_on(view, at, index, led=led, unknown=unknown):
            break
        if not word.capital or word.lower in _STOPS:
            break
        named += 1
        end, led = word.end, False
        at += 1
    if unknown and named <= 1:
        return 0
    if named == 1 and not sure and at - index == 1 and not _known_alone(seen[index].lower):
        return 0
    return end


def _may_start(word: Word) -> bool:
    if word.lower in LEADS:
        return True
    return word.capital and word.lower not in FUNCTION and not is_organisation(word.lower)


def _known_alone(lower: str) -> bool:
    return lower in FIRST or lower in LAST


def _joins(view: View, at: int, *, named: int) -> bool:
    """Say whether what stands before a word may stand inside a name."""
    before, word, between = view.words[at - 1], view.words[at], gap(view, at)
    if between in {" ", "-"}:
        return True
    if between in {". ", "."}:
        return len(before.text) == 1 or before.lower in _ABBREVIATED
    return between == " - " and named > 0 and word.capital and word.lower in LAST


def _leads_on(view: View, at: int, *, middle: bool) -> bool:
    """Say whether a word is a particle that leads on to a capitalised word: van der Berg."""
    seen = view.words
    word = seen[at]
    if word.lower not in LEADS and not (middle and word.lower in _MIDDLE and not word.capital):
        return False
    for step in range(at + 1, min(at + 1 + _LONGEST_LEAD, len(seen))):
        if gap(view, step) != " ":
            return False
        following = seen[step]
        if following.capital and following.lower not in LEADS:
            return following.lower not in FUNCTION or following.lower in LAST
        if following.lower not in LEADS:
            return False
    return False


def _goes_on(view: View, at: int, index: int, *, led: bool, unknown: bool) -> bool:
    """Say whether a name goes on with a word; ``led`` by a particle before it."""
    word = view.words[at]
    lower = word.lower
    if not word.capital or lower in _NO_FAMILY:
        return False
    middle = led and view.words[at - 1].lower in _MIDDLE
    if (not led or middle) and named_place(word) and not is_family(lower):
        return False
    if not unknown:
        return led or is_known(lower) or lower not in ORDINARY
    if is_family(lower):
        return True
    strange = not named_place(word) and lower not in ORDINARY
    if led:
        return strange and not at_start(view, view.words[index].start)
    return strange and does_personal(view, word.end) and len(lower) >= _SHORTEST
