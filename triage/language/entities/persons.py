"""Names of people: after cues, by initials, and from lists of first and family names.

A word is a name for more than one reason or for one good one; what looks like a person and is a
street, an organisation, a place or somebody in public life stays out.
"""

from __future__ import annotations

import re
from typing import Final

from triage.language.data import any_of, words
from triage.language.entities.found import Found
from triage.language.entities.names import (
    CAPITAL,
    FIRST,
    FUNCTION,
    LAST,
    LEADS,
    ORDINARY,
    ORGANISATIONS,
    PARTICLE,
    PARTICLES,
    RARE_FIRST,
    RARE_LAST,
    SETS,
    add,
    after_leads,
    at_start,
    does_personal,
    gap,
    is_known,
    is_organisation,
    known_place,
    name_end,
    telling,
    word_at,
)
from triage.language.entities.places import named_place
from triage.language.entities.signatures import (
    INITIALS,
    beside_numbers,
    last_lines,
    paired,
    signed,
)
from triage.language.entities.stays import BEFORE_ORGANISATION, is_part, protect
from triage.language.entities.streets import is_street
from triage.language.entities.view import View, Word

_TITLES: Final = words("nl.titles.txt") | words("nl.titles.strong.txt")
_STRONG: Final = words("nl.titles.strong.txt")
_SPACED_INITIALS: Final = re.compile(
    rf"(?<![\w.@/-])(?:[A-Z] ){{1,3}}(?P<name>(?:{PARTICLE} ){{0,3}}{CAPITAL})(?!\w)"
)
_INITIALS_BEHIND: Final = re.compile(
    rf"(?<![\w.@/-])(?P<name>(?:{PARTICLE} ){{0,3}}{CAPITAL}), ?(?:[A-Z]\. ?){{1,5}}(?!\w)"
)
_OWN_INTRO: Final = re.compile(rf"(?<!\w)(?:{any_of(SETS['own_intros'])}) ?")
_INTRO: Final = re.compile(
    rf"(?<!\w)(?:(?P<sure>{any_of(SETS['sure_intros'])})|{any_of(SETS['intros'])})[ :] ?"
)
_OWN_WORDS: Final = telling(SETS["own_intros"])
_INTRO_WORDS: Final = telling(SETS["sure_intros"] | SETS["intros"]) | frozenset(
    ["tnv", "tav", "n", "v", "t", "a"]
)
_WEAK_CUE: Final = re.compile(rf"(?:^|[^\w])(?:{any_of(SETS['weak_cues'])}) $")
_ROLES: Final = tuple(sorted(SETS["role_ends"]))
#: What every name with initials holds, and every one with spaced initials.
_DOTTED: Final = re.compile(r"[A-Z][A-Za-z]{0,2}\.")
_SPACED: Final = re.compile(r"[A-Z] ")
_ARTICLE: Final = re.compile(r"(?:^|[^\w])(?:de|het|een|'t) $")
_NO_INITIALS: Final = ("L.S", "R.I.P", "N.B", "P.S")
_SHORTEST: Final = 3
#: How much of a text before a name is looked at for a cue.
_CUE_WIDTH: Final = 14
_ABBREVIATION: Final = 4


def is_name(word: str) -> bool:
    """Say whether a word may be, or start, the name of a person, or is a cue for one."""
    lower = word.lower()
    if lower in SETS["cues"] or lower in _STRONG or (lower in FIRST and lower not in ORDINARY):
        return True
    return word[0].isupper() and is_known(lower)


def persons(view: View, found: Found) -> None:
    """Find names of people in a text where something hints at one."""
    protect(view, found)
    _initialled(view, found)
    _introduced(view, found)
    _titled(view, found)
    signed(view, found)
    _listed(view, found)
    last_lines(view, found)
    beside_numbers(view, found)
    paired(view, found)


def _initialled(view: View, found: Found) -> None:
    dotted, spaced = _DOTTED.search(view.text), _SPACED.search(view.text)
    for match in INITIALS.finditer(view.text) if dotted else ():
        name = match["name"].rsplit(maxsplit=1)[-1].lower()
        no_name = match["name"].lower() in FUNCTION - LAST or match[0].lower() in ORGANISATIONS
        if not is_street(name) and not no_name and not match[0].startswith(_NO_INITIALS):
            add(view, found, *match.span())
    for match in _SPACED_INITIALS.finditer(view.text) if spaced else ():
        last = match["name"].rsplit(maxsplit=1)[-1].lower()
        if (last in LAST or last in RARE_LAST) and not view.text.isupper():
            add(view, found, *match.span())
    for match in _INITIALS_BEHIND.finditer(view.text) if dotted and "," in view.text else ():
        last = match["name"].rsplit(maxsplit=1)[-1].lower()
        if last in LAST or last in RARE_LAST or (last not in ORDINARY and not known_place(last)):
            add(view, found, *match.span())


def _introduced(view: View, found: Found) -> None:
    own = not _OWN_WORDS.isdisjoint(view.lowers)
    for match in _OWN_INTRO.finditer(view.lower) if own else ():
        index = word_at(view, match.end())
        if index is None or view.words[index].start > match.end() + 1:
            continue
        word = view.words[index]
        if end := name_end(view, index, sure=True):
            add(view, found, word.start, end)
        elif not word.capital and _may_be_lower(word):
            add(view, found, word.start, _lower_end(view, index))
    other = not _INTRO_WORDS.isdisjoint(view.lowers)
    for match in _INTRO.finditer(view.lower) if other else ():
        index = word_at(view, match.end())
        if index is None or view.words[index].start > match.end() + 1:
            continue
        word = view.words[index]
        told = match["sure"] is not None or _are_strange(view, index)
        sure = told and word.lower not in ORDINARY - LAST - FIRST
        if end := name_end(view, index, sure=sure):
            add(view, found, word.start, end)
        elif sure and not word.capital and word.lower in FIRST - ORDINARY:
            add(view, found, word.start, _lower_end(view, index))


def _are_strange(view: View, index: int) -> bool:
    """Say whether a word and the next are capitalised and neither words nor places."""
    pair = view.words[index : index + 2]
    if len(pair) <= 1 or gap(view, index + 1) != " ":
        return False
    return all(w.capital and w.lower not in ORDINARY and not named_place(w) for w in pair)


def _may_be_lower(word: Word) -> bool:
    if word.lower in FUNCTION or len(word.text) <= 1:
        return False
    return word.lower not in ORDINARY or word.lower in FIRST


def _lower_end(view: View, index: int) -> int:
    """Give where a name in lower case ends: the family name after it, if that is one."""
    seen = view.words
    if index + 1 >= len(seen) or gap(view, index + 1) != " ":
        return seen[index].end
    at = after_leads(view, index + 1)
    word, led = seen[at], at > index + 1
    if word.lower in FUNCTION or word.lower in LEADS or named_place(word):
        return seen[index].end
    if led:
        family = word.lower in LAST or word.lower not in ORDINARY
    else:
        family = word.lower not in ORDINARY and (is_known(word.lower) or len(word.text) > _SHORTEST)
    return word.end if family else seen[index].end


def _titled(view: View, found: Found) -> None:
    seen = view.words
    for index in range(len(seen) - 1):
        title, following = seen[index], seen[index + 1]
        if title.lower not in _TITLES or following.lower.endswith(_ROLES):
            continue
        between = gap(view, index + 1)
        short = between in {". ", "."} and len(title.text) <= _ABBREVIATION
        if between not in {" ", "  "} and not short:
            continue
        strong = title.lower in _STRONG
        if not strong and following.text in PARTICLES:
            continue  # "de moeder van Jayden"
        last = seen[after_leads(view, index + 1)]
        strange = last.lower not in ORDINARY and not named_place(last) and last.text[1:].islower()
        if end := name_end(view, index + 1, sure=strong or strange):
            add(view, found, following.start, end)
        elif strong and (span := _lower_titled(view, index + 1)):
            add(view, found, *span)


def _lower_titled(view: View, index: int) -> tuple[int, int] | None:
    """Give the family name in lower case that stands after a title: mevrouw de groot."""
    at = after_leads(view, index)
    word = view.words[at]
    if word.capital or word.lower in FUNCTION:
        return None
    sure = at > index or word.lower not in ORDINARY or word.lower in SETS["ordinary_families"]
    named = word.lower in LAST or word.lower in FIRST
    return (view.words[index].start, word.end) if named and sure else None


def _listed(view: View, found: Found) -> None:
    """Find first names from the list, with what follows, and known pairs of names."""
    shouting = view.text.isupper()
    for index, word in enumerate(view.words):
        lower = word.lower
        in_lower = not word.capital or shouting
        if in_lower and lower not in FIRST:
            continue
        if lower in BEFORE_ORGANISATION or not found.free(word.start, word.end):
            continue
        if in_lower:
            _lower_first(view, found, index)
        elif _is_first(lower):
            _capital_first(view, found, index)
        elif lower in LEADS:
            _family_alone(view, found, index)
        elif lower not in ORDINARY and lower not in FUNCTION and not named_place(word):
            _unknown_first(view, found, index)


def _is_first(lower: str) -> bool:
    if lower.split("-", maxsplit=1)[0] in FIRST or lower in RARE_FIRST:
        return True
    return lower.removesuffix("s").removesuffix("'") in FIRST and lower not in ORDINARY


def _capital_first(view: View, found: Found, index: int) -> None:
    word = view.words[index]
    ordinary = word.lower in ORDINARY
    if "-" in word.text and any(part not in FIRST for part in word.lower.split("-")):
        return
    end = name_end(view, index, sure=not ordinary, unknown=ordinary)
    if end > word.end + 2:
        add(view, found, word.start, end)
    elif _stands_alone(view, word):
        add(view, found, word.start, word.end)


def _stands_alone(view: View, word: Word) -> bool:
    """Say whether a capitalised first name alone is that of a person here."""
    before = view.lower[max(0, word.start - _CUE_WIDTH) : word.start]
    if named_place(word) or is_part(view, word) or _ARTICLE.search(before):
        return False
    if word.lower in ORDINARY:
        if word.lower in SETS["never_alone"]:
            return False
        if at_start(view, word.start) and not does_personal(view, word.end):
            return False
    listed = word.lower in FIRST or word.lower.removesuffix("s").removesuffix("'") in FIRST
    return listed or bool(_WEAK_CUE.search(before))


def _unknown_first(view: View, found: Found, index: int) -> None:
    """Keep an unknown capitalised word with a family name behind it: Siebrigje de Vries."""
    word = view.words[index]
    if len(word.text) < _SHORTEST or word.text[:2].isupper():
        return
    if is_part(view, word) or is_street(word.lower) or is_organisation(word.lower):
        return
    if end := name_end(view, index, sure=False, unknown=True):
        add(view, found, word.start, end)


def _family_alone(view: View, found: Found, index: int) -> None:
    """Keep "De Vries", "Van den Berg" in the middle of a sentence, where the name is sure."""
    at = after_leads(view, index)
    word = view.words[at]
    if at == index or not word.capital or word.lower not in LAST or named_place(word):
        return
    if word.lower in ORDINARY and not does_personal(view, word.end):
        return
    start = view.words[index].start
    if not at_start(view, start) and word.lower not in SETS["place_families"]:
        add(view, found, start, word.end)


def _lower_first(view: View, found: Found, index: int) -> None:
    """Keep a first name in lower case with a family name, or alone where it is no word."""
    word = view.words[index]
    if end := _lower_full(view, index):
        add(view, found, word.start, end)
        return
    if word.lower in ORDINARY or len(word.text) < _SHORTEST:
        return
    if not is_part(view, word) and not named_place(word):
        add(view, found, word.start, word.end)


def _lower_full(view: View, index: int) -> int:
    """Give where a full name in lower case ends that starts at a first name; 0 where none does."""
    seen = view.words
    if index + 1 >= len(seen) or gap(view, index + 1) != " ":
        return 0
    at = after_leads(view, index + 1)
    family, led = seen[at].lower, at > index + 1
    if family not in LAST or (family in ORDINARY and not led):
        return 0
    if seen[index].lower in ORDINARY and (not led or family in ORDINARY):
        return 0
    return seen[at].end
