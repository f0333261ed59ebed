"""Signatures: a few numbers a text, by which near copies find each other without a search.

A text is sampled by min-wise hashing (Broder 1997): of its pairs of uncommon words (neighbours, and
neighbours but one), the ``SKETCH`` with the smallest hashes. Each is a key of its own, a band of
one row; two shared keys are worth a comparison. Where a fifth of the words differs, two sketches
share fewer in about 1 of 20 texts.

Hashes come from BLAKE2b and fixed multipliers: the same on every machine, in every process. A batch
is sampled as a whole, since numbers in arrays cost next to nothing and calls do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Final

import numpy as np
from numpy.typing import NDArray

from triage.bundle.data import words as words_of
from triage.bundle.words import LIGHT, Words, read
from triage.memo import Memo

#: Changes with anything that changes sketches; keys of two versions never meet.
VERSION: Final = 2
#: Stands before what names a whole text; tickets hold it, so it changes only with a migration.
_EXACT: Final = "1e"
#: Keys a text, at most; with six or fewer too many copies get a ticket of their own.
SKETCH: Final = 7
_MANY: Final = 4
#: The length of a text that was cut off.
ANY_LENGTH: Final = "0/0"
#: Texts with fewer words only meet when they are equal, and soon.
LEAST_WORDS: Final = 5

_FIRST: Final = np.uint64(0x9E3779B97F4A7C15)
_SECOND: Final = np.uint64(0xC2B2AE3D27D4EB4F)
_MIX: Final = np.uint64(0xFF51AFD7ED558CCD)
_SHIFT: Final = np.uint64(33)
#: A key is this many bits of a hash; above them stands its text's place in the batch.
_BITS: Final = np.uint64(48)
_KEY: Final = np.uint64((1 << 48) - 1)
_BATCH: Final = 1 << 16
#: A key as written: bytes, hexadecimal digits.
_BYTES: Final = 7
_DIGITS: Final = 2 * _BYTES

Hashes = NDArray[np.uint64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """By what a text finds its copies."""

    #: Names texts that are equal after normalisation.
    exact: str
    #: Names what near copies share; empty for short texts.
    near: tuple[str, ...]
    #: How many words the text has without light ones, and with; "0/0": it was cut off, so that its
    #: copies may have any number.
    length: str

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

    Those of the last few thousand texts are remembered.
    """
    return sign_all([text])[0]


def sign_all(texts: Sequence[str]) -> list[Signature | None]:
    """Give the signatures of a batch of texts, in order: a few times cheaper than one by one."""
    signatures: list[Signature | None] = []
    for start in range(0, len(texts), _BATCH):
        words = list(map(read, texts[start : start + _BATCH]))
        signatures += map(_signature, words, _sketches(words))
    return signatures


def exact(words: Words) -> str:
    """Name the words of a text: two texts have one name if they are equal after normalisation."""
    digest = hashlib.blake2b(words.line.encode("utf-8", "replace"), digest_size=8)
    return _EXACT + digest.hexdigest()


def _signature(words: Words, near: tuple[str, ...]) -> Signature | None:
    if not words.tokens:
        return None
    return Signature(exact=exact(words), near=near, length=length(words))


def length(words: Words) -> str:
    """Give how many words a text has, as a signature tells it."""
    if words.cut_off:
        return ANY_LENGTH
    total = len(words.tokens)
    return f"{total - sum(map(words.tokens.count, LIGHT))}/{total}"


def _sketches(texts: Sequence[Words]) -> list[tuple[str, ...]]:
    """Sample each text; short ones have no sketch."""
    long = [place for place, words in enumerate(texts) if len(words.tokens) >= LEAST_WORDS]
    sketches: list[tuple[str, ...]] = [()] * len(texts)
    if not long:
        return sketches
    keys = _smallest(*_pairs([texts[place].tokens for place in long]))
    named = _named(keys & _KEY)
    ends = np.cumsum(np.bincount((keys >> _BITS).astype(np.int64), minlength=len(long)))
    start = 0
    for place, end in zip(long, ends.tolist(), strict=True):
        sketches[place] = tuple(named[start:end])
        start = end
    return sketches


def _pairs(texts: Sequence[Sequence[str]]) -> tuple[Hashes, Hashes]:
    """Give the hashes of all pairs of uncommon words, and for each pair in which text it is."""
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    hashes = np.fromiter(
        map(_HASHES.__getitem__, chain.from_iterable(texts)), np.uint64, int(lengths.sum())
    )
    owner = np.repeat(np.arange(len(texts), dtype=np.uint64), lengths)
    uncommon = hashes > 1
    # Of common words alone: then they have to do.
    few = np.add.reduceat(uncommon, lengths.cumsum() - lengths, dtype=np.int64) <= 1
    kept = uncommon | np.repeat(few, lengths)
    hashes, owner = hashes[kept], owner[kept]
    # Unsigned integers wrap around, as they should here.
    first, second = hashes * _FIRST, hashes * _SECOND
    pairs, owners = [], []
    for step in (1, 2):
        together = owner[:-step] == owner[step:]
        pairs.append((first[:-step] + second[step:])[together])
        owners.append(owner[step:][together])
    return np.concatenate(pairs), np.concatenate(owners)


def _smallest(pairs: Hashes, owner: Hashes) -> Hashes:
    """Give each text's smallest keys in order, without equal ones: a text may repeat itself."""
    pairs ^= pairs >> _SHIFT
    pairs *= _MIX
    pairs ^= pairs >> _SHIFT
    keys = np.sort((owner << _BITS) | (pairs & _KEY))
    keys = keys[np.diff(keys, prepend=keys[0] ^ _KEY) > 0]
    owner = keys >> _BITS
    rank = np.arange(len(keys)) - np.searchsorted(owner, owner)
    smallest: Hashes = keys[rank < SKETCH]
    return smallest


def _named(keys: Hashes) -> list[str]:
    """Write keys down, the version before each."""
    marked = (keys | (np.uint64(VERSION) << _BITS)).astype(">u8")
    digits = marked.view(np.uint8).reshape(-1, 8)[:, -_BYTES:].tobytes().hex()
    return [digits[at : at + _DIGITS] for at in range(0, len(digits), _DIGITS)]


def _hash(token: str) -> int:
    if token in _COMMON:
        return 1
    digest = hashlib.blake2b(token.encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big") | 2


_COMMON: Final = frozenset(words_of("common.txt"))
_HASHES: Final = Memo(_hash, limit=50_000)
