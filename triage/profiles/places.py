"""Words in a text, as whole words: ``Borne`` is not in ``Bornerbroek``."""

from __future__ import annotations

from collections.abc import Iterable


def mentions(text: str, words: Iterable[str]) -> bool:
    """Say whether one of the words or phrases stands in a text; both are in lower case.

    >>> mentions("file bij borne-west", ["borne"]), mentions("in bornerbroek", ["borne"])
    (True, False)
    """
    return any(word in text and _stands(text, word) for word in words)


def _stands(text: str, word: str) -> bool:
    start = text.find(word)
    while start >= 0:
        end = start + len(word)
        before, after = text[start - 1 : start], text[end : end + 1]
        if not before.isalnum() and not after.isalnum():
            return True
        start = text.find(word, start + 1)
    return False
