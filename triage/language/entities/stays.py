"""What looks like a person and stays: organisations, buildings, and people in public life."""

from __future__ import annotations

import re
from typing import Final

from triage.language.entities.found import STAYS, Found
from triage.language.entities.names import (
    FIRST,
    LAST,
    ORGANISATION_WORDS,
    ORGANISATIONS,
    PARTICLES,
    PUBLIC,
    SETS,
    gap,
    is_organisation,
)
from triage.language.entities.view import View, Word, look

#: How the known names start.
_FIRST_WORDS: Final = frozenset(
    words[0].lower for name in ORGANISATIONS | PUBLIC if (words := look(name).words)
)
BEFORE_ORGANISATION: Final = SETS["before_organisation"]
_LONGEST: Final = 5


def protect(view: View, found: Found) -> None:
    """Claim the names of organisations and of people in public life; they are no entities."""
    seen = view.words
    for index, word in enumerate(seen):
        if word.lower in BEFORE_ORGANISATION and (end := _capitals(view, index + 1)):
            found.add(STAYS, word.end + 1, end)
        if word.capital and (end := _listed(view, index) or _organisation(view, index)):
            found.add(STAYS, word.start, end)


def _listed(view: View, index: int) -> int:
    """Give where the known name ends that starts at a word, 0 where none does."""
    seen = view.words
    if seen[index].lower not in _FIRST_WORDS:
        return 0
    for length in range(min(_LONGEST, len(seen) - index), 0, -1):
        end = seen[index + length - 1].end
        said = view.lower[seen[index].start : end]
        if said in ORGANISATIONS:
            return end
        if said in PUBLIC and (length > 1 or not _has_first_name(view, index)):
            return end
    return 0


def _capitals(view: View, index: int) -> int:
    """Give where the capitalised words end that start at a word right behind another, or 0."""
    end = 0
    while index < len(view.words) and gap(view, index) in {" ", " '"}:
        word = view.words[index]
        if not word.capital and not (end and word.lower in PARTICLES):
            break
        end = word.end if word.capital else end
        index += 1
    return end


def _has_first_name(view: View, index: int) -> bool:
    """Say whether a first name stands before a word: then it is another than the known one."""
    if gap(view, index) != " ":
        return False
    before = view.words[index - 1]
    return before.capital and (before.lower in FIRST or before.lower in PARTICLES)


def _organisation(view: View, index: int) -> int:
    """Give where an organisation ends that is named after a person and starts at a word, or 0.

    "Van Gerwen Installatie", "Bakker Transport", "Willem de Zwijger College".
    """
    seen = view.words
    for at in range(index + 1, min(index + 1 + _LONGEST, len(seen))):
        following, between = seen[at], gap(view, at)
        if between == " & " and following.capital:
            firsts = following.lower in FIRST or seen[index].lower in FIRST
            return 0 if firsts else following.end
        if between not in {" ", "-"}:
            return 0
        if following.capital and _makes_organisation(following.lower):
            return following.end
        if not following.capital and following.lower not in PARTICLES:
            return 0
    return 0


def _makes_organisation(lower: str) -> bool:
    return is_organisation(lower) or (lower in ORGANISATION_WORDS and lower not in LAST)


_GLUED: Final = frozenset("-/_@#&")


def is_part(view: View, word: Word) -> bool:
    """Say whether a word is a part of something longer: a hyphen, a file, an organisation."""
    around = view.text[max(0, word.start - 1) : word.start] + view.text[word.end : word.end + 1]
    if not _GLUED.isdisjoint(around):
        return True
    end = word.end - 2 * view.lower[: word.end].endswith("'s")
    following = re.match(r"(?:'s)? ([^\W\d_]+)", view.text[end : word.end + 24])
    if following and following[1].lower() in ORGANISATION_WORDS:
        return following[1][0].isupper() or "'s" in following[0]
    before = re.search(r"([^\W\d_]+) '?$", view.text[max(0, word.start - 24) : word.start])
    return before is not None and before[1].lower() in BEFORE_ORGANISATION
