"""Safety rules: phrases that mean danger to life now, whatever the model thinks.

They may raise the urgency to ``kritiek`` and never lower it, they see all of a text however long,
and they need no model and no language step, so a post that could not be read still passes them.
The phrases are data (``data/safety.*.txt``, ``data/scope.*.txt``; words that stand for each other
in them: ``data/words.nl.txt``); each raise names its rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import chain
from typing import Final, TypeVar

from triage.memo import Memo
from triage.ticket import Urgency

LANGUAGES: Final = ("nl", "en", "de", "fr", "pl", "tr", "uk", "ar")
#: How many words ``~`` may stand for.
_GAP: Final = 4
#: How many words around a phrase a cue may stand away, within its sentence.
_REACH: Final = 14
#: How many words are looked at together, and how many beginnings of one phrase among them.
_WINDOW: Final = 200
_MOST: Final = 20

_WORD: Final = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_ENDS: Final = re.compile(r"[.!?\n;]")
_GAP_MARK: Final = "~"
_KIND_MARK: Final = "@"
#: A letter that is drawn out ("heeelp", "gaaaslucht").
_RUN: Final = re.compile(r"([^\W\d_])\1{2,}")
_V = TypeVar("_V")
#: The shortest beginning of a word that a phrase may name, in characters.
_SHORTEST: Final = 2
#: How many words are remembered.
_REMEMBERED: Final = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class _Phrase:
    rule: str
    words: tuple[str, ...]
    #: Those of its words that must stand as they are, and sets of which one word must.
    whole_words: frozenset[str]
    kinds: tuple[frozenset[str], ...]

    def possible(self, present: frozenset[str]) -> bool:
        """Tell whether the words that the phrase needs are there at all."""
        return self.whole_words <= present and not any(map(present.isdisjoint, self.kinds))

    def starts(self, words: Sequence[str]) -> list[int]:
        """Give where the first word of the phrase stands."""
        first = self.words[0]
        if first[0] == _KIND_MARK:
            return [at for at, word in enumerate(words) if word in _KINDS[first]]
        if first.endswith("*"):
            return [at for at, word in enumerate(words) if word.startswith(first[:-1])]
        if first not in words:
            return []
        return [at for at, word in enumerate(words) if word == first]

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
    if part[0] == _KIND_MARK:
        return word in _KINDS[part]
    return word.startswith(part[:-1]) if part.endswith("*") else word == part


def check(text: str) -> tuple[Urgency, str] | None:
    """Give the urgency that a text is raised to and the rule that says so; None where none does.

    >>> check("Er is een gaslucht in de kelder")
    (<Urgency.KRITIEK: 'kritiek'>, 'nl/gas')
    >>> check("Vorig jaar was er een gaslucht in de kelder")
    """
    for sentence in _ENDS.split(_folded(text)):
        words = _WORD.findall(sentence)
        told = list(filter(None, map(_TOLD.__getitem__, words)))
        if told and (rule := _check(sentence, words, frozenset(chain.from_iterable(told)))):
            return Urgency.KRITIEK, rule
    return None


def _folded(text: str) -> str:
    folded = text.lower()
    if folded.isascii():
        return folded
    return folded.replace("’", "'").replace("‘", "'").replace("\u200d", "").replace("\u200c", "")


def _check(sentence: str, words: list[str], told: frozenset[str]) -> str | None:
    """Give the rule of a phrase that stands in a sentence in earnest; ``told``: what it may be."""
    if _RUN.search(sentence):
        words = [_RUN.sub(r"\1", word) for word in words]
    present = frozenset(words)
    phrases = [
        phrase
        for telling in sorted(told)
        for phrase in _BY_TELLING[telling]
        if phrase.possible(present)
    ]
    if not phrases:
        return None
    for since in range(0, len(words), _WINDOW):
        # A window begins before it counts: the cues of its first phrase stand there.
        window = words[max(0, since - _REACH) : since + _WINDOW + _REACH]
        for phrase in phrases:
            for start in phrase.starts(window)[:_MOST]:
                end = phrase.at(window, start)
                if end >= 0 and not _switched_off(window, start, end):
                    return phrase.rule
    return None


def _switched_off(words: Sequence[str], start: int, end: int) -> bool:
    low, high = max(0, start - _REACH), min(len(words), end + _REACH)
    for at in range(low, high):
        for cue in _CUES.of(words[at]):
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
        for part in ([piece] if _is_special(piece) else _WORD.findall(piece))
    )


def _is_special(piece: str) -> bool:
    return piece == _GAP_MARK or piece[0] == _KIND_MARK or piece[-1] == "*"


class _Words(dict[str, tuple[_V, ...]]):
    """What hangs on a word, or on its beginning (``word*``): found by look-ups alone."""

    def __init__(self, found: Mapping[str, Sequence[_V]]) -> None:
        super().__init__({word: tuple(values) for word, values in found.items()})
        self._beginnings: dict[str, list[str]] = {}
        for word in self:
            if word.endswith("*"):
                self._beginnings.setdefault(word[:_SHORTEST], []).append(word)

    def of(self, word: str) -> tuple[_V, ...]:
        """Give what hangs on a word."""
        found = self.get(word, ())
        for beginning in self._beginnings.get(word[:_SHORTEST], ()):
            if word.startswith(beginning[:-1]):
                found += self[beginning]
        return found


def _told(word: str) -> tuple[str, ...]:
    """Give the telling words of phrases that a word is, or begins with."""
    return _TELLING.of(_RUN.sub(r"\1", word))


def _load_phrases() -> dict[str, list[_Phrase]]:
    found: dict[str, list[_Phrase]] = {}
    for language in LANGUAGES:
        for rule, phrases in _lines(f"safety.{language}.txt"):
            for text in phrases:
                words = _words_of(text)
                phrase = _Phrase(
                    rule=f"{language}/{rule}",
                    words=words,
                    whole_words=frozenset(word for word in words if not _is_special(word)),
                    kinds=tuple(_KINDS[word] for word in words if word[0] == _KIND_MARK),
                )
                for telling in _telling(words):
                    found.setdefault(telling, []).append(phrase)
    return found


def _telling(words: Sequence[str]) -> Iterable[str]:
    """Choose the word without which a phrase cannot stand: long, not common; else a small kind."""
    telling = max(words, key=lambda word: (_is_telling(word), len(word)))
    if _is_telling(telling):
        return [telling]
    kinds = [_KINDS[word] for word in words if word[0] == _KIND_MARK]
    if not kinds:
        return [telling]
    smallest: frozenset[str] = min(kinds, key=len)
    return sorted(smallest)


def _is_telling(word: str) -> bool:
    return word not in _COMMON and word[0] != _KIND_MARK


def _load_kinds() -> dict[str, frozenset[str]]:
    """Read the kinds of words; a kind may name others, and holds its own name."""
    kinds: dict[str, frozenset[str]] = {}
    for name, words in _lines("words.nl.txt"):
        kinds[f"@{name}"] = frozenset(
            chain([name], *(kinds[word] if word[0] == _KIND_MARK else [word] for word in words))
        )
    return kinds


def _load_cues() -> dict[str, list[_Cue]]:
    cues: dict[str, list[_Cue]] = {}
    for name in ("scope.nl.txt", "scope.other.txt"):
        for text in chain.from_iterable(phrases for _, phrases in _lines(name)):
            cue = _Cue(words=_words_of(text.removeprefix("!")), before_only=text.startswith("!"))
            cues.setdefault(cue.words[0], []).append(cue)
    return cues


#: Words that stand in every other text and so tell nothing.
_COMMON: Final = frozenset(_text("common.txt").split())
_KINDS: Final = _load_kinds()
_BY_TELLING: Final = _load_phrases()
_CUES: Final = _Words(_load_cues())
_TELLING: Final = _Words({telling: [telling] for telling in _BY_TELLING})
_TOLD: Final = Memo(_told, limit=_REMEMBERED)
