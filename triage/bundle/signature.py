"""Signatures: a few numbers a text, by which near copies find each other without a search.

A text is sampled by min-wise hashing (Broder 1997): of its pairs of uncommon words (neighbours, and
neighbours but one), the ``SKETCH`` with the smallest hashes. Each is a key of its own, a band of
one row: pairs of words are so rare that one shared key is worth a comparison. Where a fifth of the
words differs, two sketches share none in under 1 of 100 texts.

Hashes come from BLAKE2b and fixed multipliers: the same on every machine, in every process.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

import numpy as np

from triage.bundle.data import words as words_of
from triage.bundle.words import Words, read

#: Changes with anything that changes signatures; keys of two versions never meet.
VERSION: Final = 1
#: Keys a text, at most.
SKETCH: Final = 8
#: Texts with fewer words only meet when they are equal, and soon.
LEAST_WORDS: Final = 5

_CACHE_LIMIT: Final = 100_000
_FIRST: Final = np.uint64(0x9E3779B97F4A7C15)
_SECOND: Final = np.uint64(0xC2B2AE3D27D4EB4F)
_MIX: Final = np.uint64(0xFF51AFD7ED558CCD)
_SHIFT: Final = np.uint64(33)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """By what a text finds its copies."""

    #: Names texts that are equal after normalisation.
    exact: str
    #: Names what near copies share; empty for short texts.
    near: tuple[str, ...]

    @property
    def short(self) -> bool:
        """Whether the text has so few words that only equal ones may meet."""
        return not self.near

    @property
    def keys(self) -> tuple[str, ...]:
        """All keys under which the text is found."""
        return (self.exact, *self.near)


class Signer:
    """Makes signatures; remembers the hashes of words. Not for two threads at a time."""

    def __init__(self) -> None:
        self._hashes: dict[str, int] = {}

    def sign(self, text: str) -> Signature | None:
        """Give the signature of a text; None where it has no words."""
        return self.of(read(text))

    def of(self, words: Words) -> Signature | None:
        """Give the signature of words; None where there are none."""
        if not words.tokens:
            return None
        exact = hashlib.blake2b(words.line.encode("utf-8", "replace"), digest_size=8).hexdigest()
        near = self._sketch(words.tokens) if len(words.tokens) >= LEAST_WORDS else ()
        return Signature(exact=f"{VERSION}e{exact}", near=near)

    def _sketch(self, tokens: tuple[str, ...]) -> tuple[str, ...]:
        hashes = [self._hashes.get(token) or self._hash(token) for token in tokens]
        uncommon = [value for value in hashes if value > 1]
        # Of common words alone: then they have to do.
        values = np.array(uncommon if len(uncommon) > 1 else hashes, np.uint64)
        with np.errstate(over="ignore"):
            first, second = values * _FIRST, values * _SECOND
            pairs = np.concatenate((first[:-1] + second[1:], first[:-2] + second[2:]))
            pairs ^= pairs >> _SHIFT
            pairs *= _MIX
            pairs ^= pairs >> _SHIFT
        if len(pairs) > SKETCH:
            pairs.partition(SKETCH - 1)
            # Some may be equal: a text that repeats itself.
            smallest = np.unique(pairs[:SKETCH])
        else:
            smallest = np.unique(pairs)
        return tuple(f"{VERSION}{key:x}" for key in smallest.tolist())

    def _hash(self, token: str) -> int:
        if len(self._hashes) >= _CACHE_LIMIT:
            self._hashes.clear()
        value = 1
        if token not in _COMMON:
            digest = hashlib.blake2b(token.encode("utf-8", "replace"), digest_size=8).digest()
            value = int.from_bytes(digest, "big") | 2
        self._hashes[token] = value
        return value


_COMMON: Final = frozenset(words_of("common.txt"))
