"""The reader: posts in, readings out, at the price of a few look-ups a word.

A chunk between whitespace is cut once and remembered, in two generations: what is asked for again
moves to the young one, and when that is full the old one is forgotten. So memory stays flat over
any number of new words.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import reduce
from itertools import chain
from operator import or_
from typing import Final

from triage.language.cut import WORDS_A_BUILD, Cutter, Span
from triage.language.entities import find, find_places, hint
from triage.language.identify import identify
from triage.post import Post
from triage.reading import Entity, Reading

#: Tokens that are read in full; the safety rules see what comes after them in the text itself.
TOKEN_LIMIT: Final = 2_000
#: Characters that are read in full.
TEXT_LIMIT: Final = 16_384
#: Chunks in one generation of the cache.
CACHE_LIMIT: Final = 40_000
#: Longer chunks are cut each time, not remembered.
_CHUNK_LIMIT: Final = 80
_NONE: Final[tuple[Entity, ...]] = ()


class Reader:
    """Reads posts. Not thread-safe: one reader a thread."""

    def __init__(
        self,
        *,
        entities: bool = True,
        places: bool = False,
        cache_limit: int = CACHE_LIMIT,
        words_a_build: int = WORDS_A_BUILD,
    ) -> None:
        """Make a reader; without ``entities`` none are sought (they cost more than the rest).

        With ``places`` those that name a place are sought even so.
        """
        self._entities = entities
        self._hinted = entities or places
        self._limit = cache_limit
        self._cutter = Cutter(words_a_build=words_a_build)
        self._tokens: dict[str, tuple[str, ...]] = {}
        self._hints: dict[str, int] = {}
        self._old_tokens: dict[str, tuple[str, ...]] = {}
        self._old_hints: dict[str, int] = {}

    def read(self, posts: Sequence[Post]) -> list[Reading]:
        """Give one reading a post, in order."""
        readings = [self._read(post.text, post.created_at) for post in posts]
        if len(self._tokens) > self._limit:
            self._old_tokens, self._old_hints = self._tokens, self._hints
            self._tokens, self._hints = {}, {}
        return readings

    def learn(self, words: Iterable[str]) -> None:
        """Cut these words now, so that the first posts find them known."""
        for word in words:
            self._look_up(word)

    @property
    def cached(self) -> int:
        """How many chunks are remembered, in both generations."""
        return len(self._tokens) + len(self._old_tokens)

    @property
    def builds(self) -> int:
        """How often spaCy's tokenizer was built."""
        return self._cutter.builds

    def _read(self, text: str, at: datetime) -> Reading:
        head, complete = text, True
        if len(text) > TEXT_LIMIT:
            head, complete = _head(text), False
        chunks = head.split()
        if len(chunks) > TOKEN_LIMIT:
            del chunks[TOKEN_LIMIT:]
            complete = False
        known = list(map(self._tokens.get, chunks))
        if None in known:
            tokens = tuple(chain.from_iterable(self._fill(chunks, known)))
        else:
            tokens = tuple(chain.from_iterable(known))  # type: ignore[arg-type]
        hints = set(filter(None, map(self._hints.get, chunks))) if self._hints else None
        if len(tokens) > TOKEN_LIMIT:
            tokens = tokens[:TOKEN_LIMIT]
            complete = False
        return Reading(
            tokens=tokens,
            lang=identify(head, tokens),
            entities=self._found(head, reduce(or_, hints), at) if hints else _NONE,
            complete=complete,
        )

    def _found(self, text: str, hints: int, at: datetime) -> tuple[Entity, ...]:
        return find(text, hints, at=at) if self._entities else find_places(text, hints)

    def _fill(
        self, chunks: Sequence[str], known: list[tuple[str, ...] | None]
    ) -> list[tuple[str, ...]]:
        """Cut the chunks that the young generation does not know."""
        filled: list[tuple[str, ...]] = []
        for chunk, tokens in zip(chunks, known, strict=True):
            filled.append(self._look_up(chunk) if tokens is None else tokens)
        return filled

    def _look_up(self, chunk: str) -> tuple[str, ...]:
        tokens = self._tokens.get(chunk) or self._old_tokens.get(chunk)
        if tokens is None:
            tokens = tuple(span[0] for span in self._cutter.cut(chunk))
            seen = hint(chunk) if self._hinted else 0
        else:
            seen = self._old_hints.get(chunk, 0)
        if len(chunk) <= _CHUNK_LIMIT:
            self._tokens[chunk] = tokens
            if seen:
                self._hints[chunk] = seen
        return tokens


def spans(text: str) -> list[Span]:
    """Give the tokens of a text with their start and end in it, in characters.

    They are the tokens of ``Reader.read``, without its limits of length. A hashtag and the words
    of which it is made overlap.
    """
    cutter = _explaining_cutter()
    found: list[Span] = []
    at = 0
    for chunk in text.split():
        at = text.index(chunk, at)
        found.extend((token, at + start, at + end) for token, start, end in cutter.cut(chunk))
        at += len(chunk)
    return found


_cutters: list[Cutter] = []


def _explaining_cutter() -> Cutter:
    """Give a cutter for explanations: one a process, built when it is first asked for."""
    if not _cutters:
        _cutters.append(Cutter())
    return _cutters[0]


def _head(text: str) -> str:
    """Give what is read of a long text: up to the last whitespace before the limit."""
    head = text[:TEXT_LIMIT]
    if not text[TEXT_LIMIT].isspace():
        whole = head.rsplit(None, 1)
        head = whole[0] if len(whole) > 1 else head
    return head
