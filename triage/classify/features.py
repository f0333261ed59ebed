"""What the model sees of a text: the rules by which tokens become features, in one place.

Training counts these with scikit-learn; at run time the same rules fill the table.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import log2
from typing import Final

from triage.post import Post

#: The token that stands before the first one of a text.
START: Final = "<s>"
#: The token that stands behind the last one.
END: Final = "</s>"
#: The lengths of character n-grams, in characters, ends marked.
GRAM_LENGTHS: Final = (3, 4, 5)
#: The longest lexicon phrase, in tokens.
PHRASE_LENGTH: Final = 4
#: Class tokens and marks have no n-grams: their letters are ours.
_CLASS_MARK: Final = "<"
_FIRST_PICTURE: Final = "\u2000"
#: Lengths in tokens, by half powers of two, up to where they are all long.
_LENGTHS: Final = tuple(f"length={int(2 * log2(1 + count))}" for count in range(128))
_LETTER: Final = re.compile(r"[^\W\d_]")
_SHOUTED: Final = re.compile(r"\b[A-Z]{4,}\b")
#: More marks than this tell nothing more.
_MARKS: Final = 3


def is_picture(token: str) -> bool:
    """Tell whether a token is an emoji or another sign: those weigh nothing."""
    return token[0] >= _FIRST_PICTURE and not token[0].isalnum()


def grams(token: str) -> list[str]:
    """Give the character n-grams of a token, its ends marked.

    >>> grams("gas")
    ['<ga', 'gas', 'as>', '<gas', 'gas>', '<gas>']
    """
    if token.startswith(_CLASS_MARK):
        return []
    marked = f"<{token}>"
    return [
        marked[start : start + length]
        for length in GRAM_LENGTHS
        for start in range(len(marked) - length + 1)
    ]


def cues(post: Post, count: int) -> list[str]:
    """Give what is told by everything but the words; ``count`` is the number of tokens.

    Who received it and where, how long it is, its marks and its manners. Pictures tell nothing.
    """
    text, org, channel = post.text, post.org, post.channel
    found = [
        f"org={org}",
        f"channel={channel}",
        f"org={org} channel={channel}",
        _LENGTHS[min(count, len(_LENGTHS) - 1)],
        "?" * min(_MARKS, text.count("?")) or "no ?",
        "!" * min(_MARKS, text.count("!")) or "no !",
    ]
    if "..." in text or "…" in text:
        found.append("dots")
    if "\n" in text:
        found.append("blank line" if "\n\n" in text else "lines")
    if '"' in text or "“" in text or "”" in text or "„" in text:
        found.append("quotes")
    first = _LETTER.search(text)
    if first and first[0].islower():
        found.append("small first letter")
    if _SHOUTED.search(text):
        found.append("capitals" if text.isupper() else "word in capitals")
    return found


def words(tokens: Sequence[str]) -> list[str]:
    """Give the tokens that count: all but pictures."""
    return [token for token in tokens if not is_picture(token)]
