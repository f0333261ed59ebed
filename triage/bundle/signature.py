"""Signatures: a few numbers a text, by which near copies find each other without a search.

A text is sampled by min-wise hashing (Broder 1997): of its pairs of uncommon words (neighbours, and
neighbours but one), the ``SKETCH`` with the smallest hashes. Each is a key of its own, a band of
one row; two shared keys are worth a comparison. Where a fifth of the words differs, two sketches
share fewer in about 1 of 20 texts.

Hashes come from BLAKE2b and fixed multipliers: the same on every machine, in every process.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from triage.bundle.data import words as words_of
from triage.bundle.words import read

#: Changes with anything that changes signatures; keys of two versions never meet.
VERSION: Final = 2
#: Keys a text, at most.
SKETCH: Final = 8
_MANY: Final = 4
#: Texts with fewer words only meet when they are equal, and soon.
LEAST_WORDS: Final = 5

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
    def shared(self) -> int:
        """How many keys a copy must share, unless it is equal: of many, one is mostly chance."""
        return 1 if len(self.near) < _MANY else 2

    @property
    def keys(self) -> tuple[str, ...]:
        """All keys under which the text is found."""
        return (self.exact, *self.near)


@lru_cache(maxsize=4096)
def sign(text: str) -> Signature | None:
    """Give the signature of a text; None where it has no words.

    Those of the last few thousand texts are remembered: in a storm they come again and again.
    """
    words = read(text)
    if not words.tokens:
        return None
    exact = hashlib.blake2b(words.line.encode("utf-8", "replace"), digest_size=8).hexdigest()
    near = _sketch(words.tokens) if len(words.tokens) >= LEAST_WORDS else ()
    return Signature(exact=f"{VERSION}e{exact}", near=near)


def _sketch(tokens: tuple[str, ...]) -> tuple[str, ...]:
    hashes = list(map(_hash, tokens))
    uncommon = [value for value in hashes if value > 1]
    # Of common words alone: then they have to do.
    values = np.array(uncommon if len(uncommon) > 1 else hashes, np.uint64)
    # Unsigned integers wrap around, as they should here.
    first, second = values * _FIRST, values * _SECOND
    pairs = np.concatenate((first[:-1] + second[1:], first[:-2] + second[2:]))
    pairs ^= pairs >> _SHIFT
    pairs *= _MIX
    pairs ^= pairs >> _SHIFT
    # Some may be equal: a text that repeats itself.
    smallest = sorted(set(pairs.tolist()))[:SKETCH]
    return tuple([f"{VERSION}{key:x}" for key in smallest])


@lru_cache(maxsize=65_536)
def _hash(token: str) -> int:
    if token in _COMMON:
        return 1
    digest = hashlib.blake2b(token.encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big") | 2


_COMMON: Final = frozenset(words_of("common.txt"))
