"""Safety rules: phrases that mean danger to life now, whatever the model thinks.

They may raise the urgency to ``kritiek`` and never lower it, they see all of a text however long,
and they need no model and no language step, so a post that could not be read still passes them.
The phrases are data (``data/safety.*.txt``, ``data/scope.nl.txt``); each raise names its rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Final

from triage.ticket import Urgency

LANGUAGES: Final = ("nl", "en", "de", "fr", "pl", "tr", "uk", "ar")
#: How many words ``~`` may stand for.
_GAP: Final = 4
#: How many words around a phrase a cue may stand away, within its sentence.
_REACH: Final = 14
#: How many occurrences of one phrase are looked at: a text that repeats one ends there.
_MOST: Final = 200

_WORD: Final = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_ENDS: Final = re.compile(r"[.!?\n;]")
_GAP_MARK: Final = "~"
#: A letter that is drawn out ("heeelp", "gaaaslucht").
_RUN: Final = re.compile(r"([^\W\d_])\1{2,}")
#: The longest beginning of a word that a phrase may name, and how many words are remembered.
_LONGEST_PREFIX: Final = 24
_REMEMBERED: Final = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class _Phrase:
    rule: str
    words: tuple[str, ...]
    #: The word (or beginning of one) without which the phrase cannot stand: long, and not common.
    telling: str

    def at(self, words: Sequence[str], start: int) -> int:
        """Give the end of the phrase where it stands at ``start``; -1 where it does not."""
        at = start
        gap = 0
        for part in self.words:
            if part == _GAP_MARK:
                gap = _GAP
                continue
            for step in range(gap + 1):
                if at + step < len(words) and _fits(part, words[at + step]):
                    at += step + 1
                    break
            else:
                return -1
            gap = 0
        return at


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cue:
    words: tuple[str, ...]
    before_only: bool


def _fits(part: str, word: str) -> bool:
    return word.startswith(part[:-1]) if part.endswith("*") else word == part


def check(text: str) -> tuple[Urgency, str] | None:
    """Give the urgency that a text is raised to and the rule that says so; None where none does.

    >>> check("Er is een gaslucht in de kelder")
    (<Urgency.KRITIEK: 'kritiek'>, 'nl/gas')
    >>> check("Vorig jaar was er een gaslucht in de kelder")
    """
    folded = _folded(text)
    if not any(map(_told, _WORD.findall(folded))):
        return None  # nearly every post ends here
    for sentence in _ENDS.split(folded):
        rule = _check([_RUN.sub(r"\1", word) for word in _WORD.findall(sentence)])
        if rule is not None:
            return Urgency.KRITIEK, rule
    return None


def _folded(text: str) -> str:
    folded = text.lower()
    if folded.isascii():
        return folded
    return folded.replace("’", "'").replace("‘", "'").replace("\u200d", "").replace("\u200c", "")


def _check(words: list[str]) -> str | None:
    told = frozenset(telling for word in words for telling in _told(word))
    if not told:
        return None
    looked: dict[_Phrase, int] = {}
    for start, word in enumerate(words):
        for phrase in _phrases_of(word):
            if phrase.telling not in told or looked.get(phrase, 0) > _MOST:
                continue
            end = phrase.at(words, start)
            if end < 0:
                continue
            looked[phrase] = looked.get(phrase, 0) + 1
            if not _switched_off(words, start, end):
                return phrase.rule
    return None


def _switched_off(words: Sequence[str], start: int, end: int) -> bool:
    low, high = max(0, start - _REACH), min(len(words), end + _REACH)
    for at in range(low, high):
        for cue in _cues_of(words[at]):
            if cue.before_only and not start - _NEAR <= at < start:
                continue
            if all(
                at + step < len(words) and _fits(part, words[at + step])
                for step, part in enumerate(cue.words)
            ):
                return True
    return False


#: A negation counts only when it stands close before the phrase, in words.
_NEAR: Final = 3


def _text(name: str) -> str:
    return files(__package__).joinpath("data", name).read_text(encoding="utf-8")


def _lines(name: str) -> Iterable[tuple[str, list[str]]]:
    for line in _text(name).splitlines():
        if line and not line.startswith("#"):
            rule, _, phrases = line.partition(":")
            yield rule, [phrase.strip() for phrase in phrases.split("|")]


def _words_of(phrase: str) -> tuple[str, ...]:
    return tuple(
        part
        for piece in phrase.lower().split()
        for part in ([piece] if piece == _GAP_MARK or piece.endswith("*") else _WORD.findall(piece))
    )


@lru_cache(maxsize=_REMEMBERED)
def _phrases_of(word: str) -> tuple[_Phrase, ...]:
    """Give the phrases that may begin with a word."""
    return tuple(phrase for prefix in _prefixes(word) for phrase in _PHRASES.get(prefix, ()))


@lru_cache(maxsize=_REMEMBERED)
def _cues_of(word: str) -> tuple[_Cue, ...]:
    """Give the cues that may begin with a word."""
    return tuple(cue for prefix in _prefixes(word) for cue in _CUES.get(prefix, ()))


@lru_cache(maxsize=_REMEMBERED)
def _told(word: str) -> tuple[str, ...]:
    """Give the telling words of phrases that a word is, or begins with."""
    return tuple(prefix for prefix in _prefixes(_RUN.sub(r"\1", word)) if prefix in _TELLING)


def _prefixes(word: str) -> Iterable[str]:
    yield word
    for end in range(2, min(len(word), _LONGEST_PREFIX) + 1):
        yield f"{word[:end]}*"


def _load_phrases() -> dict[str, list[_Phrase]]:
    found: dict[str, list[_Phrase]] = {}
    for language in LANGUAGES:
        for rule, phrases in _lines(f"safety.{language}.txt"):
            for text in phrases:
                words = _words_of(text)
                telling = max(words, key=lambda word: (word not in _COMMON, len(word)))
                phrase = _Phrase(rule=f"{language}/{rule}", words=words, telling=telling)
                found.setdefault(phrase.words[0], []).append(phrase)
    return found


def _load_cues() -> dict[str, list[_Cue]]:
    cues: dict[str, list[_Cue]] = {}
    for _, phrases in _lines("scope.nl.txt"):
        for text in phrases:
            cue = _Cue(words=_words_of(text.removeprefix("!")), before_only=text.startswith("!"))
            cues.setdefault(cue.words[0], []).append(cue)
    return cues


#: Words that stand in every other text and so tell nothing.
_COMMON: Final = frozenset(_text("common.txt").split())
_PHRASES: Final = _load_phrases()
_CUES: Final = _load_cues()
_TELLING: Final = frozenset(phrase.telling for phrases in _PHRASES.values() for phrase in phrases)
