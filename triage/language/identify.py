"""Which language a short post is in: by its script, its words, and the letters of unknown words.

Dutch is the default and the favourite: a post is another language's only where its words say so
clearly. Frisian is told apart; dialects of Dutch and the language of the street are Dutch.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from math import log
from typing import Final

import numpy as np
from numpy.typing import NDArray

from triage.language.data import ranked
from triage.memo import Memo

Row = NDArray[np.float64]

DEFAULT: Final = "nl"
FRISIAN: Final = "fy"
_LATIN: Final = (
    "nl", "fy", "en", "de", "fr", "es", "pl", "tr", "ro", "pt", "it", "cs", "hu", "sv", "da", "hr",
    "sq", "so", "pap",
)  # fmt: skip
_CYRILLIC: Final = ("uk", "ru", "bg")
_ARABIC: Final = ("ar", "fa")
#: The languages that are told apart by their words; others by their script alone.
LANGUAGES: Final = (*_LATIN, *_CYRILLIC, *_ARABIC)

_SCRIPTS: Final = (
    (_CYRILLIC, re.compile("[\u0400-\u04ff]")),
    (_ARABIC, re.compile("[\u0600-\u06ff\u0750-\u077f]")),
    (("el",), re.compile("[\u0370-\u03ff\u1f00-\u1fff]")),
    (("he",), re.compile("[\u0590-\u05ff]")),
    (("ti",), re.compile("[\u1200-\u137f]")),
    (("hy",), re.compile("[\u0530-\u058f]")),
    (("ka",), re.compile("[\u10a0-\u10ff]")),
    (("hi",), re.compile("[\u0900-\u097f]")),
    (("ta",), re.compile("[\u0b80-\u0bff]")),
    (("th",), re.compile("[\u0e00-\u0e7f]")),
    (("ja",), re.compile("[\u3040-\u30ff]")),
    (("ko",), re.compile("[\uac00-\ud7af]")),
    (("zh",), re.compile("[\u4e00-\u9fff]")),
)
_OTHER_SCRIPT: Final = re.compile("[\u0370-\u1fff\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af]")
_UKRAINIAN: Final = "іїєґ"
#: Letters that of the Cyrillic languages only Ukrainian has, or only Russian.
_TELLING: Final = re.compile(f"[{_UKRAINIAN}ыэё]", re.IGNORECASE)
#: Letters of scripts and languages that no Dutch word has.
_STRANGE: Final = re.compile(
    "[ąćęłńśźżğışăâșțţãõåæøñßčřžšđőűůýěĄĆĘŁŃŚŹŻĞİŞĂÂȘȚŢÃÕÅÆØÑČŘŽŠĐŐŰŮÝĚ\u0370-\u1fff\u3040-\ud7af¿¡]"
)
_SCRIPT_SHARE: Final = 0.3
#: Where more of the words are unknown to Dutch, the letters are asked.
_KNOWN_SHARE: Final = 0.4
#: How much better another language must be than Dutch, in nats a text.
_MARGIN: Final = 3.0
_FRISIAN_MARGIN: Final = 3.0
_FEW: Final = 2
#: How many tokens of a text tell its language.
_ENOUGH: Final = 200
#: Ranks of a word list flatten off after this many.
_FLAT: Final = 20
#: How probable a word outside the list is.
_UNKNOWN: Final = 0.3
_GRAM: Final = 3
#: How many letters of a word tell how it is spelt.
_SPELT: Final = 20
_LEAST: Final = log(1e-7)


class _Words(dict[str, float]):
    """The log probability of each word of a language."""


def _learn(lang: str) -> _Words:
    names = ranked(f"language.{lang}.txt")
    weights = [1 / (rank + _FLAT) for rank in range(len(names))]
    total = sum(weights) / (1 - _UNKNOWN)
    return _Words((word, log(w / total)) for word, w in zip(names, weights, strict=True))


_WORDS: Final[dict[str, _Words]] = {lang: _learn(lang) for lang in LANGUAGES}
_DUTCH: Final = frozenset(_WORDS[DEFAULT])
#: Dutch words so common that in another language they mean little, whatever they mean there.
_SHARED: Final = 2.0
_LANGS_OF: Final[dict[str, list[str]]] = defaultdict(list)
for _lang in _LATIN[1:]:
    for _word, _found in _WORDS[_lang].items():
        if len(_word) > 1 and _found > _WORDS[DEFAULT].get(_word, _LEAST) + _SHARED:
            _LANGS_OF[_word].append(_lang)
_FOREIGN: Final = frozenset(_LANGS_OF)
#: A text with this many Dutch words for each foreign one is Dutch without a closer look.
_DUTCH_ENOUGH: Final = 2
#: How many languages are looked at closely, besides Dutch.
_CANDIDATES: Final = 3


def identify(text: str, tokens: Sequence[str]) -> str:
    """Give the ISO 639 code of the language of a text, of which ``tokens`` are the words.

    >>> identify("There is smoke in the hallway", "there is smoke in the hallway".split())
    'en'
    """
    strange = not text.isascii() and _STRANGE.search(text)
    foreign: frozenset[str] = frozenset()
    if not strange:
        foreign = _FOREIGN.intersection(tokens)
        known = len(_DUTCH.intersection(tokens))
        if foreign:
            if known >= _DUTCH_ENOUGH * len(foreign):
                return DEFAULT
        elif known >= _KNOWN_SHARE * len(tokens) or len(tokens) <= _FEW:
            return DEFAULT
    if strange and _OTHER_SCRIPT.search(text) and (languages := _by_script(text)):
        if languages is _CYRILLIC and (telling := _TELLING.search(text)):
            return "uk" if telling[0].lower() in _UKRAINIAN else "ru"
        return languages[0] if len(languages) == 1 else _best(languages, _plain(tokens))
    words = _plain(tokens)
    if not words or (len(words) == 1 and not strange):
        return DEFAULT
    return _latin(words, foreign)


def _plain(tokens: Sequence[str]) -> list[str]:
    """Give the tokens that are words: no classes, tags, pictures or numbers."""
    return [token for token in tokens[:_ENOUGH] if token[0].isalpha() and token not in _COMMON]


#: What every language writes alike.
_COMMON: Final = frozenset(
    [
        "ok",
        "bus",
        "tram",
        "metro",
        "park",
        "test",
        "info",
        "website",
        "online",
        "app",
        "internet",
        "gsm",
        "sms",
        "wifi",
    ]
)


def _by_script(text: str) -> tuple[str, ...]:
    letters = sum(map(str.isalpha, text))
    for languages, pattern in _SCRIPTS:
        if len(pattern.findall(text)) > _SCRIPT_SHARE * letters:
            return languages
    return ()


def _latin(words: Sequence[str], foreign: frozenset[str]) -> str:
    languages: Sequence[str] = _LATIN
    if foreign:
        votes = Counter(lang for word in foreign for lang in _LANGS_OF[word])
        languages = (DEFAULT, *(lang for lang, _ in votes.most_common(_CANDIDATES)))
    scores = _scores(languages, words)
    best = max(languages, key=lambda lang: scores[lang])
    if best == DEFAULT:
        return DEFAULT
    margin = _FRISIAN_MARGIN if best == FRISIAN else _MARGIN
    if scores[best] < scores[DEFAULT] + margin:
        return DEFAULT
    own = sum(word in _WORDS[best] and word not in _DUTCH for word in words)
    if (
        own < min(_FEW, len(words))
        and len(words) > 1
        and scores[best] < scores[DEFAULT] + 3 * margin
    ):
        return DEFAULT
    return best


def _best(languages: Sequence[str], words: Sequence[str]) -> str:
    if not words:
        return languages[0]
    scores = _scores(languages, words)
    scores[languages[0]] += _MARGIN  # the language of most people here who write so
    return max(languages, key=lambda lang: scores[lang])


def _scores(languages: Sequence[str], words: Sequence[str]) -> dict[str, float]:
    """Give how probable the words are in each language: the sum of their log probabilities."""
    summed = np.add.reduce([_ROWS[word] for word in words])
    return {lang: float(summed[_PLACES[lang]]) for lang in languages}


def _row(word: str) -> Row:
    """Give the log probability of a word in every language: by its list, or else by its letters."""
    marked = f"^^{word[:_SPELT]}$"
    letters = [_LETTERS_ROWS[marked[at : at + _GRAM]] for at in range(len(marked) - _GRAM + 1)]
    row: Row = np.add.reduce(letters) + log(_UNKNOWN)
    for place, lang in enumerate(LANGUAGES):
        if (found := _WORDS[lang].get(word)) is not None:
            row[place] = found
    return row


def _letters_row(letters: str) -> Row:
    """Give the log probability in every language of the last of three letters after the others."""
    return np.array([_after(*_grams(lang), letters) for lang in LANGUAGES])


def _after(known: Mapping[str, float], other: Mapping[str, float], letters: str) -> float:
    found = known.get(letters)
    return other.get(letters[:2], _UNSEEN) if found is None else found


@cache
def _grams(lang: str) -> tuple[Mapping[str, float], Mapping[str, float]]:
    """Give how probable three letters are in a language, from its word list; and two and any."""
    counts: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for rank, word in enumerate(_WORDS[lang]):
        weight = 1 / (rank + _FLAT) ** 0.5
        marked = f"^^{word}$"
        for at in range(len(marked) - 2):
            counts[marked[at : at + 2]][marked[at + 2]] += weight
    return (
        {
            pair + letter: log(n / (sum(after.values()) + _SMOOTH))
            for pair, after in counts.items()
            for letter, n in after.items()
        },
        {
            pair: log(_SMOOTH / (sum(after.values()) + _SMOOTH) / _LETTERS)
            for pair, after in counts.items()
        },
    )


_SMOOTH: Final = 0.3
_LETTERS: Final = 30
#: The log probability of a letter after two that the word list does not have.
_UNSEEN: Final = -log(_LETTERS)

#: Rows of log probabilities, one number a language: of words and of three letters in a row.
_ROWS: Final = Memo(_row, limit=20_000)
_LETTERS_ROWS: Final = Memo(_letters_row, limit=20_000)
_PLACES: Final = {lang: place for place, lang in enumerate(LANGUAGES)}
