"""What was worked out once is looked up after that: a bounded dictionary, at the price of one.

``functools.lru_cache`` keeps its entries in order of use; that costs several times the look-up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

_T = TypeVar("_T")


class Memo(dict[str, _T], Generic[_T]):
    """Values of a pure function of a word; when there are too many, all are forgotten.

    >>> Memo(len, limit=2)["boom"]
    4
    """

    def __init__(self, make: Callable[[str], _T], *, limit: int, longest: int = 40) -> None:
        """Remember so many words of at most ``longest`` characters."""
        super().__init__()
        self._make = make
        self._limit = limit
        self._longest = longest

    def __missing__(self, word: str) -> _T:
        value = self._make(word)
        if len(word) <= self._longest:
            if len(self) >= self._limit:
                self.clear()
            self[word] = value
        return value
