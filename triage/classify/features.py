"""What the model sees of a text: the rules by which tokens become features, in one place.

Training counts these with scikit-learn; at run time the same rules fill the table.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from triage.post import Post

#: The token that stands before the first one of a text.
START: Final = "<s>"
#: The lengths of character n-grams, in characters, ends marked.
GRAM_LENGTHS: Final = (3, 4, 5)
#: The longest lexicon phrase, in tokens.
PHRASE_LENGTH: Final = 4
#: Class tokens and marks have no n-grams: their letters are ours.
_CLASS_MARK: Final = "<"
_FIRST_PICTURE: Final = "\u2000"
_LENGTH_STEPS: Final = 7


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
    """Give what is told by everything but the words; ``count`` is the number of tokens."""
    text = post.text
    found = [f"org={post.org}", f"channel={post.channel}"]
    found.append(f"length={min(_LENGTH_STEPS, count.bit_length())}")
    if "?" in text:
        found.append("?")
    if "!" in text:
        found.append("!")
    if text.isupper():
        found.append("capitals")
    return found


def words(tokens: Sequence[str]) -> list[str]:
    """Give the tokens that count: all but pictures."""
    return [token for token in tokens if not is_picture(token)]
