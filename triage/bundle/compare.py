"""Whether two texts say the same, and if not, why not.

A copy may differ from the first text in a fifth of the words. Among those that differ there may be
no other fact: no other place, name, number or time, no negation or turn, no question for an answer.
What a copy only adds is told (``adds``); it does not make it another message.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from triage.bundle.data import lines
from triage.bundle.data import words as words_of
from triage.bundle.signature import LEAST_WORDS
from triage.bundle.words import Words

#: One word in so many may differ.
ONE_IN: Final = 5
#: A copy that was cut off has at least this share of the words.
CUT_SHARE: Final = 0.5
#: A name this long may have one wrong letter.
_TYPO_LENGTH: Final = 6

_NEGATIONS: Final = frozenset(words_of("negations.txt"))
_TURNS: Final = frozenset(words_of("turns.txt"))
_ORDINARY: Final = frozenset(words_of("ordinary.txt")) | frozenset(words_of("common.txt"))
_CONTRASTS: Final[Mapping[str, int]] = {
    word: group for group, line in enumerate(lines("contrasts.txt")) for word in line
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


def compare(first: Words, other: Words) -> Comparison:
    """Compare a text with the first text of a bundle.

    >>> from triage.bundle.words import read
    >>> compare(
    ...     read("De hele weg bij de brug is vandaag dicht"),
    ...     read("De hele weg bij de brug is vandaag niet dicht"),
    ... )
    Comparison(same=False, equal=False, reason='ontkenning verschilt: niet', adds={})
    """
    added_links = other.links - first.links
    links = {"link": added_links} if added_links else {}
    if first.tokens == other.tokens and first.question == other.question:
        return Comparison(same=True, equal=True, adds=links)
    if min(len(first.tokens), len(other.tokens)) < LEAST_WORDS:
        return _apart(f"korter dan {LEAST_WORDS} woorden en niet gelijk")
    before, after = Counter(first.tokens), Counter(other.tokens)
    gone, new = before - after, after - before
    if not _near(first, other, gone.total(), new.total()):
        return _apart("meer dan een vijfde van de woorden verschilt")
    if first.question != other.question:
        return _apart("de een is een vraag, de ander niet")
    if _is_shortened(first, other):
        return Comparison(same=True, adds=links)
    reason, adds = _facts(first, other, gone, new)
    return _apart(reason) if reason else Comparison(same=True, adds={**adds, **links})


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
    first: Words, other: Words, gone: Counter[str], new: Counter[str]
) -> tuple[str, dict[str, frozenset[str]]]:
    """Give why the words that differ are another fact (or ""), and what they only add."""
    either = {*gone, *new}
    if negations := either & _NEGATIONS:
        return f"ontkenning verschilt: {_shown(negations)}", {}
    if turns := either & _TURNS:
        return f"wending verschilt: {_shown(turns)}", {}
    groups = {_CONTRASTS[word]: word for word in gone if word in _CONTRASTS}
    for word in new:
        if (group := _CONTRASTS.get(word)) in groups:
            return f"tegenstelling: {groups[group]} en {word}", {}
    numbers_gone, numbers_new = _numbers(gone), _numbers(new)
    if numbers_gone and numbers_new:
        return f"ander getal: {_shown(numbers_gone)} en {_shown(numbers_new)}", {}
    names_gone, names_new = _names(gone, first), _names(new, other)
    names_gone, names_new = _without_typos(names_gone, names_new, gone, new)
    if names_gone and names_new:
        return f"andere naam of plaats: {_shown(names_gone)} en {_shown(names_new)}", {}
    adds = {"getal": numbers_new, "naam": names_new}
    return "", {kind: found for kind, found in adds.items() if found}


def _numbers(words: Iterable[str]) -> frozenset[str]:
    return frozenset(word for word in words if any(map(str.isdigit, word)))


def _names(words: Iterable[str], text: Words) -> frozenset[str]:
    """Give the words that name something: capitals inside a sentence, or out of the ordinary."""
    return frozenset(
        word
        for word in words
        if not word[0].isdigit() and (word not in _ORDINARY or word in text.capitals)
    )


def _without_typos(
    gone: frozenset[str], new: frozenset[str], all_gone: Iterable[str], all_new: Iterable[str]
) -> tuple[frozenset[str], frozenset[str]]:
    """Leave out words that are another word of the other side with a wrong letter."""
    left = frozenset(word for word in gone if not any(_typo(word, one) for one in all_new))
    right = frozenset(word for word in new if not any(_typo(word, one) for one in all_gone))
    return left, right


def _typo(one: str, other: str) -> bool:
    """Whether two words differ in one letter (wrong, missing, too many, or two swapped)."""
    short, long = sorted((one, other), key=len)
    if len(long) < _TYPO_LENGTH or len(long) - len(short) > 1:
        return False
    start = 0
    while start < len(short) and short[start] == long[start]:
        start += 1
    left, right = short[start:], long[start:]
    if len(short) < len(long):
        return left == right[1:]
    return left[1:] == right[1:] or (left[:2] == right[1::-1] and left[2:] == right[2:])


def _apart(reason: str) -> Comparison:
    return Comparison(same=False, reason=reason)


def _shown(words: Iterable[str]) -> str:
    return ", ".join(sorted(words))
