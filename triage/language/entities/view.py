"""A text as the patterns see it: plain digits, dashes and blanks, with the way back to the text.

Spans of entities refer to the text as it was given (``Post.text``, NFC). What hides in it, a
joiner between two digits, a keycap, a full-width or circled digit, is folded here first, so that
one set of patterns sees through all of it and a span still covers every character of a number.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import Final, NamedTuple

from triage.reading import PSEUDONYM

_BLANKS: Final = "\u00a0\u2000-\u200a\u202f\u205f\u3000\t"
_DIGITS: Final = re.compile(r"\d+")
_PLAIN: Final = re.compile("[\n -~\u00a1-\u00ac\u00ae-\u00b1\u00bf-\u012f\u0131-\u024f\u20ac]*")
_FOLDED: Final = str.maketrans(
    "‐‑‒–—−﹣－’‘‚‛`´ʼ＇“”„‟⁄∕．。", "--------" + "''''''''" + '""""' + "//..", "\u20e3"
)
_BLANK: Final = re.compile(f"[{_BLANKS}]")
#: What a pseudonym looks like to the patterns: no letter, no digit, no blank.
FILLER: Final = "\x00"
_DROPPED: Final = frozenset({"Mn", "Me", "Cf", "Cc", "Cs"})
_SKIN_TONES: Final = range(0x1F3FB, 0x1F400)


class Word(NamedTuple):
    """A word of a view: its letters, in lower case too, and where it stands."""

    text: str
    lower: str
    start: int
    end: int
    #: Whether it starts with a capital.
    capital: bool


@dataclass(frozen=True)
class View:
    """A folded text; ``at`` gives the offset in the given text of each of its characters."""

    text: str
    at: Sequence[int]
    length: int

    @cached_property
    def lower(self) -> str:
        """The text in lower case, character by character."""
        lower = self.text.lower()
        if len(lower) != len(self.text):
            lower = "".join(char.lower()[0] for char in self.text)
        return lower

    @cached_property
    def words(self) -> list[Word]:
        """The words: letters, with apostrophes and hyphens inside."""
        text, lower = self.text, self.lower
        pattern = _ASCII_WORD if text.isascii() else _WORD
        spans = [match.span() for match in pattern.finditer(text)]
        columns = (
            [text[start:end] for start, end in spans],
            [lower[start:end] for start, end in spans],
            [start for start, _ in spans],
            [end for _, end in spans],
            [text[start].isupper() for start, _ in spans],
        )
        return list(map(_word, zip(*columns, strict=True)))

    @cached_property
    def rows(self) -> list[tuple[int, int]]:
        """Where rows of digits start and end."""
        return [match.span() for match in _DIGITS.finditer(self.text)]

    @cached_property
    def digits(self) -> int:
        """How many digits there are."""
        return sum(end - start for start, end in self.rows)

    @cached_property
    def lowers(self) -> frozenset[str]:
        """The words in lower case, each once."""
        if self.text.isascii():  # what is lowered by itself needs no word to be made
            return frozenset(map(str.lower, _ASCII_WORD.findall(self.text)))
        return frozenset(word.lower for word in self.words)

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Translate offsets in the view to offsets in the given text."""
        after = self.at[end] if end < len(self.at) else self.length
        return self.at[start], max(after, self.at[end - 1] + 1)


_WORD: Final = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*|'[stnk](?![^\W\d_])")
#: The same for a text without other letters, at half the price.
_ASCII_WORD: Final = re.compile(r"[A-Za-z]+(?:['-][A-Za-z]+)*|'[stnk](?![A-Za-z])")
#: Makes a word of its parts; a loop over the words of a text is what costs most of all.
_word: Final = partial(tuple.__new__, Word)


def look(text: str) -> View:
    """Make the view of a text."""
    if (text.isascii() and text.replace("\n", " ").isprintable()) or _PLAIN.fullmatch(text):
        view, at = text, range(len(text))
        if "[" not in text:
            return View(view, at, len(text))
        return View(PSEUDONYM.sub(_fill, view), at, len(text))
    text_of: list[str] = []
    offsets: list[int] = []
    hidden = PSEUDONYM.sub(_fill, text) if "[" in text else text
    for offset, char in enumerate(hidden):
        said = _of(char)
        if said:
            text_of.append(said)
            offsets.extend([offset] * len(said))
    return View("".join(text_of), offsets, len(text))


def _fill(match: re.Match[str]) -> str:
    return FILLER * len(match[0])


@lru_cache(maxsize=16_384)
def _of(char: str) -> str:  # noqa: PLR0911 - one kind of character a line
    """Give what a character looks like to the patterns; nothing for what no reader sees."""
    if char in {FILLER, "\n"} or (char.isascii() and char.isprintable()):
        return char
    if _BLANK.match(char) or char.isspace():
        return " "
    if unicodedata.category(char) in _DROPPED or ord(char) in _SKIN_TONES:
        return ""
    folded = char.translate(_FOLDED)
    if folded != char:
        return folded
    digit = unicodedata.decimal(char, None)
    if digit is not None:
        return str(digit)
    compatible = unicodedata.normalize("NFKC", char)
    if compatible.isascii() and compatible.isalnum():
        return compatible
    return char
