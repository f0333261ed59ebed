"""Which language a short post is in: its script, and the small words that only one language has.

Dutch is the default and the favourite: a post is another language's only where that language's
words outnumber the Dutch ones. Frisian is told apart; dialects of Dutch are Dutch.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from triage.language.data import words

DEFAULT: Final = "nl"
LANGUAGES: Final = ("nl", "fy", "en", "de", "fr", "es", "pl", "tr", "uk", "ar")

_WORDS: Final = {lang: words(f"language.{lang}.txt") for lang in LANGUAGES}
_DUTCH: Final = _WORDS[DEFAULT]
_LANGS_OF: Final[dict[str, tuple[str, ...]]] = {
    word: tuple(lang for lang in LANGUAGES if word in _WORDS[lang])
    for word in sorted(frozenset[str]().union(*_WORDS.values()))
}
#: Words that speak for another language and not for Dutch.
_FOREIGN: Final = frozenset(word for word in _LANGS_OF if word not in _DUTCH)
_SCRIPTS: Final = (
    ("uk", re.compile("[\u0400-\u04ff]")),
    ("ar", re.compile("[\u0600-\u06ff\u0750-\u077f]")),
)
_RUSSIAN: Final = re.compile("[ыэёъЫЭЁЪ]")
_UKRAINIAN: Final = re.compile("[іїєґІЇЄҐ]")
_LETTERS_OF: Final = (
    ("pl", re.compile("[ąćęłńśźżĄĆĘŁŃŚŹŻ]")),
    ("tr", re.compile("[ğışĞİŞ]")),
    ("de", re.compile("[ß]")),
    ("es", re.compile("[ñ¿¡]")),
)
_LETTER_WEIGHT: Final = 1.5
_SCRIPT_SHARE: Final = 0.3
#: Another language must have at least this many words of its own, or all of them.
_LEAST: Final = 2


def identify(text: str, tokens: Sequence[str]) -> str:
    """Give the ISO 639-1 code of the language of a text, of which ``tokens`` are the words.

    >>> identify("There is smoke in the hallway", "there is smoke in the hallway".split())
    'en'
    """
    ascii_only = text.isascii()
    if ascii_only and _FOREIGN.isdisjoint(tokens):
        return DEFAULT
    scores: dict[str, float] = dict.fromkeys(LANGUAGES, 0.0)
    if not ascii_only:
        script = _script(text)
        if script:
            return script
        for lang, letters in _LETTERS_OF:
            scores[lang] += _LETTER_WEIGHT * len(letters.findall(text))
    dutch = 0
    for token in tokens:
        langs = _LANGS_OF.get(token)
        if not langs:
            continue
        dutch += token in _DUTCH
        for lang in langs:
            # A word that other languages share speaks for each by its share.
            scores[lang] += 1 if lang == DEFAULT else 1 / max(1, len(langs) - (DEFAULT in langs))
    best = max(LANGUAGES, key=lambda lang: (scores[lang], -LANGUAGES.index(lang)))
    if best == DEFAULT:
        return DEFAULT
    own = sum(1 for token in tokens if token in _FOREIGN and token in _WORDS[best])
    by_letters = scores[best] - own
    if own + by_letters < min(_LEAST, len(tokens)) or scores[best] <= dutch:
        return DEFAULT
    return best


def _script(text: str) -> str:
    letters = sum(map(str.isalpha, text))
    for lang, pattern in _SCRIPTS:
        if len(pattern.findall(text)) > _SCRIPT_SHARE * letters:
            if lang == "uk" and _RUSSIAN.search(text) and not _UKRAINIAN.search(text):
                return "ru"
            return lang
    return ""
