"""Characters before cutting: what is folded, what is dropped, what stands alone.

Folding keeps, for each character that is left, where it stood in the chunk, so that spans stay
exact however much was dropped.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

_QUOTES: Final = str.maketrans("‘’‚‛`´ʼ＇“”„‟«»–—‐‑‒−…", "''''''''" + '""""""' + "------" + ".")
#: Latin text that folding leaves as it is, and the typographic marks that ``_QUOTES`` folds.
_PLAIN_CHARS: Final = "".join(
    char
    for char in map(chr, [*range(0x21, 0x7F), *range(0xA1, 0x250), *_QUOTES, 0x20AC])
    if ord(char) in _QUOTES or unicodedata.normalize("NFKC", char) == char != "\xad"
)
_PLAIN: Final = re.compile(f"[{re.escape(_PLAIN_CHARS)}]+")
_RUN: Final = re.compile(r"(.)\1{3,}", re.DOTALL)
_RUN_KEPT: Final = 3
# Joiners, variation selectors, skin tones, keycaps and tags of flags: part of an emoji, no text.
_DROPPED: Final = frozenset(
    [0x200C, 0x200D, 0x20E3, *range(0xFE00, 0xFE10), *range(0x1F3FB, 0x1F400)]
)
_EMPTY: Final = ""
#: Signs below this are marks of Latin text (°, ©), not pictures.
_FIRST_PICTURE: Final = 0x2000
_EMOJI_BLOCKS: Final = range(0x1F000, 0x1FC00)


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a chunk: text to be cut, or one emoji.

    ``at`` holds the offset of each character in the chunk; ``end`` the offset after the last.
    """

    text: str
    at: range | list[int]
    end: int
    is_emoji: bool = False

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Translate offsets in ``text`` to offsets in the chunk."""
        return self.at[start], (self.end if end == len(self.text) else self.at[end - 1] + 1)


def fold(chunk: str) -> list[Part]:
    """Give the parts of a chunk, in order, with runs of one character cut to three."""
    if _PLAIN.fullmatch(chunk):
        text = chunk.translate(_QUOTES)
        if not _RUN.search(text):
            return [Part(text, range(len(text)), len(text))]
        return [_bounded(text, range(len(text)))]
    return list(_parts(chunk))


def _parts(chunk: str) -> Iterator[Part]:
    text: list[str] = []
    at: list[int] = []
    emoji = ""
    since = until = 0
    for offset, char in enumerate(chunk):
        kind, said = _of(char)
        if kind == "emoji":
            if text:
                yield _bounded("".join(text), at)
                text, at = [], []
            if emoji and emoji != char:
                yield Part(emoji, [since], until, is_emoji=True)
            if emoji != char:
                since = offset
            emoji, until = char, offset + 1
        elif said:
            if emoji:
                yield Part(emoji, [since], until, is_emoji=True)
                emoji = ""
            text.extend(said)
            at.extend([offset] * len(said))
    if emoji:
        yield Part(emoji, [since], until, is_emoji=True)
    if text:
        yield _bounded("".join(text), at)


@lru_cache(maxsize=4096)
def _of(char: str) -> tuple[str, str]:
    """Say whether a character is an emoji or text, and what it folds to (nothing: dropped)."""
    code = ord(char)
    if code in _DROPPED or code > 0xE0000:  # noqa: PLR2004 - planes of tags and private use
        return "text", _EMPTY
    category = unicodedata.category(char)
    if category in {"Mn", "Me", "Cf", "Cc", "Cs", "Co", "Cn"}:
        return "text", _EMPTY
    if code >= _FIRST_PICTURE and (category == "So" or code in _EMOJI_BLOCKS):
        return "emoji", char
    folded = unicodedata.normalize("NFKC", char.translate(_QUOTES))
    said = "".join(part for part in folded if not part.isspace())
    return "text", said


def _bounded(text: str, at: range | list[int]) -> Part:
    """Make a part of which no run of one character is longer than three."""
    end = at[-1] + 1
    if not _RUN.search(text):
        return Part(text, at, end)
    kept: list[str] = []
    offsets: list[int] = []
    since = 0
    for run in _RUN.finditer(text):
        stop = run.start() + _RUN_KEPT
        kept.append(text[since:stop])
        offsets.extend(at[since:stop])
        since = run.end()
    kept.append(text[since:])
    offsets.extend(at[since:])
    return Part("".join(kept), offsets, end)
