"""What bundling compares of a text: its words, without what differs from copy to copy.

Off go case, diacritics, mentions, links, emoji, quote marks and the prefixes of sharing ("RT @x:",
"Fwd:"); hashtags are split where their capitals and digits say so. Numbers and times get one form.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import chain
from typing import Final

from triage.bundle.data import words as words_of
from triage.memo import Memo

#: Characters that are read; what comes after them tells no copy from another.
TEXT_LIMIT: Final = 8_000

_PREFIX: Final = re.compile(
    r"\s*(?:[\"'“”‘’«»>]\s*)*(?:(?:rt|mt|via)\s+@[\w.@-]+\s*:?"
    r"|(?:fw|fwd|re|doorst|doorgestuurd(?: bericht)?|gedeeld|forwarded(?: message)?)\s*:)",
    re.IGNORECASE,
)
_OFF: Final = re.compile(
    r"(?:https?://|www\.)\S+|(?<![\w.-])(?:[\w-]+\.)+[a-z]{2,}/\S*"
    r"|\(?\bvia\s+@[\w.@-]+\)?|(?<![\w.])@[\w.]+(?:@[\w.-]+)?",
    re.IGNORECASE,
)
_LINK: Final = re.compile(r"(?:https?://|www\.)[^\s<>\"]+", re.IGNORECASE)
_TAG: Final = re.compile(r"#(\w+)")
_CAMEL: Final = re.compile(r"(?<=[a-zà-ÿ])(?=[A-ZÀ-Þ])|(?<=[^\W\d_])(?=\d)")
_TOKEN: Final = re.compile(r"\d+(?:[.,:/-]\d+)*(?:[^\W\d_]{1,2}(?!\w))?|[^\W_]+(?:'[^\W\d_]+)?")
_RUN: Final = re.compile(r"([^\W\d_])\1{2,}")
_TIME: Final = re.compile(r"(\d{1,2})[.:u](\d{2})(?:u|uur)?")
_THOUSANDS: Final = re.compile(r"(?<=\d)\.(?=\d{3}(?!\d))")
#: What stands around words.
_EDGES: Final = ".,:;!?()\"'"
_APOSTROPHES: Final = str.maketrans("‘’`´ʼ", "'''''")
_SENTENCE_END: Final = re.compile(r"[.!?:…\n\"“”(]\s*$")
_CUT: Final = re.compile(r"(?:…|\.\.\.)\s*$")
#: Words that come and go with the style of who copies; they are not counted as differing.
LIGHT: Final = frozenset({"de", "het", "een", "er", "is"})
#: How far back the end of the sentence before is looked for.
_BEFORE: Final = 8


@dataclass(frozen=True)
class Words:
    """A text as bundling sees it."""

    text: str
    #: In order of appearance.
    tokens: tuple[str, ...]
    question: bool

    @property
    def line(self) -> str:
        """All that must be the same for two texts to count as equal."""
        return " ".join((*self.tokens, "?")) if self.question else " ".join(self.tokens)

    @cached_property
    def distinct(self) -> frozenset[str]:
        """The words, each once, without light ones."""
        return frozenset(self.tokens) - LIGHT

    @cached_property
    def cut_off(self) -> bool:
        """Whether the text ends in an ellipsis, as shortened copies do."""
        if "…" not in self.text and "..." not in self.text:
            return False
        return _CUT.search(_OFF.sub("", self.text)) is not None

    @cached_property
    def links(self) -> frozenset[str]:
        """The addresses in the text."""
        return frozenset(match[0].rstrip(".,;:!?)") for match in _LINK.finditer(self.text))

    @cached_property
    def capitals(self) -> frozenset[str]:
        """Words written with a capital where no sentence begins, and hashtags."""
        found: set[str] = set()
        text = _shared(self.text)
        if text.isupper():
            return frozenset()
        for match in _TOKEN.finditer(text):
            word = match[0]
            if word[0].isupper():
                before = text[max(0, match.start() - _BEFORE) : match.start()]
                if before.strip() and not _SENTENCE_END.search(before):
                    found.add(plain(word))
        return frozenset(found)


@lru_cache(maxsize=2048)
def read(text: str) -> Words:
    """Read the words of a text; those of the last few thousand are remembered.

    >>> read('RT @jan: "Brand in de #OudeKerkstraat 5!" https://t.example/x').tokens
    ('brand', 'in', 'de', 'oude', 'kerkstraat', '5')
    """
    shared = _shared(text)
    # No word reaches over whitespace, so what is between it is cut once.
    chunks = map(_CHUNKS.__getitem__, shared.split())
    return Words(text=text, tokens=tuple(chain.from_iterable(chunks)), question="?" in shared)


def _cut(chunk: str) -> tuple[str, ...]:
    word = chunk.strip(_EDGES).lower()
    if word.isascii() and word.isalpha():  # nearly all of them
        return (_number(_RUN.sub(r"\1\1", word)),)
    return tuple(map(_number, _TOKEN.findall(plain(chunk))))


def plain(text: str) -> str:
    """Take case, diacritics, curly apostrophes and long runs of a letter off."""
    text = text.translate(_APOSTROPHES).lower()
    if not text.isascii():
        text = "".join(
            char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char)
        )
    return _RUN.sub(r"\1\1", text)


def _shared(text: str) -> str:
    """Give the text that was shared, without who shared it and how."""
    text = text[:TEXT_LIMIT]
    while match := _PREFIX.match(text):
        text = text[match.end() :]
    if "@" in text or "/" in text or "www." in text.lower():
        text = _OFF.sub(" ", text)
    if "#" in text:
        text = _TAG.sub(lambda match: _CAMEL.sub(" ", match[1]), text)
    return text


_NUMBER_WORDS: Final = {
    word: str(number) for number, word in enumerate(words_of("numbers.txt"), start=2)
}


def _number(token: str) -> str:
    """Give numbers and times one form; other words as they are."""
    if not token[0].isdigit():
        return _NUMBER_WORDS.get(token, token)
    if match := _TIME.fullmatch(token):
        return f"{int(match[1])}:{match[2]}"
    return _THOUSANDS.sub("", token)


_CHUNKS: Final = Memo(_cut, limit=50_000)
