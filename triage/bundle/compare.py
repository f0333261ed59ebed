"""Whether two texts say the same, and if not, why not.

A copy may differ from the first text in a fifth of the words. Among those that differ there may be
no other fact: no other place, name, number or time, no negation or turn, no question for an answer.
What a copy only adds is told (``adds``); it does not make it another message.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Final

from triage.bundle.data import lines
from triage.bundle.data import words as words_of
from triage.bundle.signature import LEAST_WORDS
from triage.bundle.words import LIGHT, Words

#: One word in so many may differ.
ONE_IN: Final = 5
#: A copy that was cut off has at least this share of the words.
CUT_SHARE: Final = 0.5
#: Words this long may hold a typing error; from the second length on two.
_TYPO_LENGTH: Final = 4
_LONG: Final = 9
_MOST_TYPOS: Final = 3

_NEGATIONS: Final = frozenset(words_of("negations.txt"))
_TURNS: Final = frozenset(words_of("turns.txt"))
_COMMON: Final = frozenset(words_of("common.txt"))
_ORDINARY: Final = frozenset(words_of("ordinary.txt")) | _COMMON
#: Words that exclude each other: the line that they stand on, and which of them say the same.
_CONTRASTS: Final[Mapping[str, tuple[int, str]]] = {
    word: (group, same)
    for group, line in enumerate(lines("contrasts.txt"))
    for same in line
    for word in same.split("=")
}
_FILLERS: Final = frozenset(words_of("fillers.txt")) - _CONTRASTS.keys()
#: Words that tell facts apart, by their first letter.
_FACT_WORDS: Final[Mapping[str, list[str]]] = {
    first: list(words)
    for first, words in groupby(sorted(_NEGATIONS | _TURNS | _CONTRASTS.keys()), itemgetter(0))
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How a text relates to the first text of a bundle."""

    #: They may stand in one ticket.
    same: bool
    #: They are equal after normalisation.
    equal: bool = False
    #: Why not, in Dutch; empty where they are the same.
    reason: str = ""
    #: What the text has that the first lacks, by kind: ``getal``, ``naam``, ``link``.
    adds: Mapping[str, frozenset[str]] = field(default_factory=dict)
    #: It has other words than fillers, common ones and typing errors.
    news: bool = False


def compare(first: Words, other: Words) -> Comparison:
    """Compare a text with the first text of a bundle.

    >>> from triage.bundle.words import read
    >>> compare(
    ...     read("De hele weg bij de brug is vandaag dicht"),
    ...     read("De hele weg bij de brug is vandaag niet dicht"),
    ... ).reason
    'ontkenning verschilt: niet'
    """
    added_links = other.links - first.links
    links = {"link": added_links} if added_links else {}
    if first.tokens == other.tokens and first.question == other.question:
        return Comparison(same=True, equal=True, adds=links)
    if min(len(first.tokens), len(other.tokens)) < LEAST_WORDS:
        return _apart(f"korter dan {LEAST_WORDS} woorden en niet gelijk")
    gone, new = _differing(first, other) if _may_be_near(first, other) else (None, None)
    if gone is None or new is None or not _near(first, other, _weight(gone), _weight(new)):
        return _apart(_TOO_FAR)
    if first.question != other.question:
        return _apart("de een is een vraag, de ander niet")
    if _is_shortened(first, other):
        return Comparison(same=True, adds=links)
    was, now = set(gone) - _FILLERS - _warning(first), set(new) - _FILLERS - _warning(other)
    was, now = _without_spelling(was, now, first, other)
    was, now = _without_typos(*_without_synonyms(was, now), first, other)
    reason, adds = _facts(first, other, was, now)
    together = Comparison(same=True, adds={**adds, **links}, news=not now <= _COMMON)
    return _apart(reason) if reason else together


def conflict(known: Mapping[str, frozenset[str]], adds: Mapping[str, frozenset[str]]) -> str:
    """Say why a copy that adds these may not stand beside copies that added ``known``; or "".

    >>> conflict({"getal": frozenset({"5"})}, {"getal": frozenset({"7"})})
    'ander getal dan een eerdere kopie: 7'
    """
    for kind in ("getal", "naam"):
        had, has = known.get(kind, frozenset()), adds.get(kind, frozenset())
        if had and has and not (had <= has or has <= had):
            return f"{_OTHER[kind]} dan een eerdere kopie: {_shown(has - had)}"
    return ""


_OTHER: Final = {"getal": "ander getal", "naam": "andere naam of plaats"}


_TOO_FAR: Final = "meer dan een vijfde van de woorden verschilt"


def _may_be_near(first: Words, other: Words) -> bool:
    """Look at the distinct words only, which is quick; shortened copies may be any."""
    fewer = max(len(first.distinct), len(other.distinct)) - len(first.distinct & other.distinct)
    longest = max(len(first.tokens), len(other.tokens))
    return fewer * ONE_IN <= longest or first.cut_off or other.cut_off


def _differing(first: Words, other: Words) -> tuple[Counter[str], Counter[str]]:
    before, after = Counter(first.tokens), Counter(other.tokens)
    return before - after, after - before


def _weight(words: Counter[str]) -> int:
    return sum(count for word, count in words.items() if word not in LIGHT)


def _near(first: Words, other: Words, gone: int, new: int) -> bool:
    longest = max(len(first.tokens), len(other.tokens))
    return max(gone, new) * ONE_IN <= longest or _is_shortened(first, other)


def _is_shortened(first: Words, other: Words) -> bool:
    """Whether one is the other, cut off with an ellipsis (the last word may be cut as well)."""
    for short, long in ((other, first), (first, other)):
        kept = len(short.tokens) - 1
        if (
            short.cut_off
            and CUT_SHARE * len(long.tokens) <= len(short.tokens) <= len(long.tokens)
            and short.tokens[:kept] == long.tokens[:kept]
            and long.tokens[kept].startswith(short.tokens[kept])
        ):
            return True
    return False


def _facts(
    first: Words, other: Words, was: set[str], now: set[str]
) -> tuple[str, dict[str, frozenset[str]]]:
    """Give why the words that differ are another fact (or ""), and what they only add."""
    either = was | now
    if negations := either & _NEGATIONS:
        return f"ontkenning verschilt: {_shown(negations)}", {}
    if turns := either & _TURNS:
        return f"wending verschilt: {_shown(turns)}", {}
    groups = {_CONTRASTS[word][0]: word for word in was if word in _CONTRASTS}
    for word in now & _CONTRASTS.keys():
        if (group := _CONTRASTS[word][0]) in groups:
            return f"tegenstelling: {groups[group]} en {word}", {}
    numbers_was, numbers_now = _numbers(was), _numbers(now)
    if numbers_was and numbers_now:
        return f"ander getal: {_shown(numbers_was)} en {_shown(numbers_now)}", {}
    names_was, names_now = _names(was, first), _names(now, other)
    if names_was and names_now:
        return f"andere naam of plaats: {_shown(names_was)} en {_shown(names_now)}", {}
    # Which words have a capital is not looked up for who has none to ask about.
    adds = {"getal": numbers_now, "naam": names_now and names_now & other.capitals}
    return "", {kind: found for kind, found in adds.items() if found}


def _numbers(words: Iterable[str]) -> frozenset[str]:
    return frozenset(word for word in words if any(map(str.isdigit, word)))


def _names(words: Iterable[str], text: Words) -> frozenset[str]:
    """Give the words that may name something: capitals in a sentence, or out of the ordinary."""
    return frozenset(
        word
        for word in words
        if not word[0].isdigit()
        and word not in _COMMON
        and (word not in _ORDINARY or word in text.capitals)
    )


# -- words that differ and say the same -----------------------------------------------------------


def _warning(text: Words) -> set[str]:
    """Give the word that turns what is said, unless it warns: "pas op"."""
    after = {after for word, after in pairwise((*text.tokens, "")) if word == "pas"}
    return {"pas"} if after == {"op"} else set()


def _without_spelling(
    gone: set[str], new: set[str], first: Words, other: Words
) -> tuple[set[str], set[str]]:
    """Take out what one side only writes apart: "al weer" and "alweer"."""
    gone, new = set(gone), set(new)
    for parts, whole, text in ((gone, new, first), (new, gone, other)):
        for left, right in pairwise(text.tokens):
            if left + right in whole and (left + right).isalpha():
                whole.discard(left + right)
                parts -= {left, right}
    return gone, new


def _without_synonyms(gone: set[str], new: set[str]) -> tuple[set[str], set[str]]:
    """Take out words for which the other side has another that says the same."""
    was = {_CONTRASTS.get(word, word) for word in gone}
    now = {_CONTRASTS.get(word, word) for word in new}
    return (
        {word for word in gone if _CONTRASTS.get(word, word) not in now},
        {word for word in new if _CONTRASTS.get(word, word) not in was},
    )


# -- typing errors -------------------------------------------------------------------------------


def _without_typos(
    gone: set[str], new: set[str], first: Words, other: Words
) -> tuple[set[str], set[str]]:
    """Take out words that are the other side's with a typing error; mend those of fact words.

    Names that are written with a capital on both sides must be spelled the same: streets differ
    by a letter.
    """
    gone, new = set(map(_mended, gone)), set(map(_mended, new))
    gone, new = gone - new, new - gone
    left = sorted(filter(_may_hold_typos, new))
    for word in sorted(filter(_may_hold_typos, gone)) if left else ():
        for one in left:
            both_known = word in _ORDINARY and one in _ORDINARY
            if both_known or abs(len(word) - len(one)) > _MOST_TYPOS or not _is_typo(word, one):
                continue
            if word not in first.capitals or one not in other.capitals:
                gone.discard(word)
                new.discard(one)
                left.remove(one)
                break
    return gone, new


def _may_hold_typos(word: str) -> bool:
    return len(word) >= _TYPO_LENGTH and not any(map(str.isdigit, word))


@lru_cache(maxsize=8192)
def _mended(word: str) -> str:
    """Give the fact word that an unknown word is meant to be; else the word itself."""
    if word in _ORDINARY or not _may_hold_typos(word):
        return word
    alike = _FACT_WORDS.get(word[0], ())
    return next((fact for fact in alike if _is_typo.__wrapped__(fact, word)), word)


@lru_cache(maxsize=8192)
def _is_typo(one: str, other: str) -> bool:
    """Whether two words differ by typing errors: one, or two in a long word.

    >>> _is_typo("donderdag", "donderadg"), _is_typo("niemand", "nimeand"), _is_typo("weg", "wet")
    (True, True, False)
    """
    length = max(len(one), len(other))
    if not (_may_hold_typos(one) and _may_hold_typos(other)):
        return False
    limit = 1 + (length >= _LONG) + (length >= 2 * _LONG)
    if abs(len(one) - len(other)) > limit or len(set(one) ^ set(other)) > 2 * limit:
        return False
    return _distance(one, other) <= limit


def _distance(one: str, other: str) -> int:
    """Count wrong, missing, additional and swapped letters (optimal string alignment)."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, start=1):
        older, before, row = before, row, [i]
        for j, right in enumerate(other, start=1):
            best = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (left != right))
            if i > 1 and j > 1 and left == other[j - 2] and one[i - 2] == right:
                best = min(best, older[j - 2] + 1)
            row.append(best)
    return row[-1]


def _apart(reason: str) -> Comparison:
    return Comparison(same=False, reason=reason)


def _shown(words: Iterable[str]) -> str:
    return ", ".join(sorted(words))
