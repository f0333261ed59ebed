"""The additive table: tokens, pairs and phrases as rows of class scores.

A token's row is made when it is first seen (its word, its character n-grams, its lexicon entry) and
kept; pairs of tokens and lexicon phrases are found by look-ups over a whole batch at once. All of
it adds up, so the same numbers that judge also explain.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from triage.classify.features import END, PHRASE_LENGTH, START, grams
from triage.classify.files import ModelFiles

Rows = NDArray[np.float32]
Ints = NDArray[np.int64]

#: How many tokens are kept; when there are more, all are forgotten and made again as they come.
TOKEN_LIMIT: Final = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Hits of one length in a batch of texts, in order: each a row of scores.

    Per hit: the text, the first token in it (-1: the mark of the beginning), and the row.
    """

    length: int
    text: Ints
    token: Ints
    row: Ints
    #: Scores (rows, classes).
    scores: Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits:
    """What was found in a batch of texts."""

    #: Tokens, pairs, and longer phrases.
    parts: Sequence[Part]
    #: Per text: how many tokens it has, and how many of those the model knows in some way.
    counts: Ints
    known: Ints

    def summed(self) -> Rows:
        """Sum the scores of each text: (texts, classes)."""
        texts = len(self.counts)
        total: Rows = np.zeros((texts, self.parts[0].scores.shape[1]), np.float32)
        for part in self.parts:
            if len(part.text):
                starts = np.searchsorted(part.text, np.arange(texts))
                some = starts < np.append(starts[1:], len(part.text))
                total[some] += np.add.reduceat(part.scores[part.row], starts[some], axis=0)
        return total


#: The marks of a text's beginning and end, which count as tokens in pairs alone.
_ENDS: Final = 2
#: How many rows are made at a time: what that takes beside them would be a peak of memory.
_SLICE: Final = 1_000


class Table:
    """Looks up the scores of tokens. Not thread-safe: one table a thread."""

    def __init__(self, model: ModelFiles, *, token_limit: int = TOKEN_LIMIT) -> None:
        arrays = model.arrays
        self._ids = {token: number for number, token in enumerate(model.tokens)}
        self._size = len(self._ids)
        self._grams = arrays["grams"].astype(np.float32)
        self._gram_ids = {gram: number for number, gram in enumerate(model.meta["grams"])}
        self.classes = arrays["words"].shape[1]
        self._singles, self._levels = _trie(arrays, self._size)
        self._singles[: len(arrays["words"])] += arrays["words"]
        self._limit = token_limit
        self._common = model.tokens[: min(len(arrays["words"]), token_limit // 2)]
        self._forget()

    def _forget(self) -> None:
        self._slots: dict[str, int] = {}
        self._rows = np.zeros((self._limit, self.classes), np.float32)
        self._slot_ids = np.full(self._limit, -1, np.int64)
        self._is_known = np.zeros(self._limit, np.bool_)
        for start in range(0, len(self._common), _SLICE):  # the two marks are the first
            self._add(self._common[start : start + _SLICE])

    def find(self, texts: Sequence[Sequence[str]]) -> Hits:
        """Look up a batch of texts, given as tokens."""
        slots, lengths = self._slots_of(texts)
        text = np.repeat(np.arange(len(texts)), lengths)
        starts = np.cumsum(lengths) - lengths
        position = np.arange(len(slots)) - starts[text] - 1  # the mark of the beginning is at -1
        known = np.add.reduceat(self._is_known[slots].astype(np.int64), starts) - _ENDS
        tokens = Part(length=1, text=text, token=position, row=slots, scores=self._rows)
        return Hits(
            parts=[tokens, *self._phrases(self._slot_ids[slots], text, position)],
            counts=lengths - _ENDS,
            known=known,
        )

    def _slots_of(self, texts: Sequence[Sequence[str]]) -> tuple[Ints, Ints]:
        flat: list[str] = []
        for tokens in texts:
            flat.append(START)
            flat.extend(tokens)
            flat.append(END)
        if len(self._slots) + len(flat) > self._limit:
            self._make_room(flat)
        found = list(map(self._slots.get, flat))
        if None in found:
            self._add({flat[at] for at, slot in enumerate(found) if slot is None})
            found = list(map(self._slots.__getitem__, flat))
        lengths = np.fromiter((len(tokens) + _ENDS for tokens in texts), np.int64, len(texts))
        return np.fromiter(found, np.int64, len(found)), lengths

    def _make_room(self, flat: Sequence[str]) -> None:
        new = len(set(flat) - self._slots.keys())
        if len(self._slots) + new > self._limit:
            self._limit = max(self._limit, new + 1)
            self._forget()

    def _add(self, tokens: Iterable[str]) -> None:
        """Make the rows of new tokens: their words, their n-grams, their lexicon entries."""
        first = len(self._slots)
        gram_ids: list[int] = []
        ends: list[int] = []
        gram_id = self._gram_ids.get
        for slot, token in enumerate(tokens, first):
            self._slots[token] = slot
            self._slot_ids[slot] = self._ids.get(token, -1)
            gram_ids.extend(found for found in map(gram_id, grams(token)) if found is not None)
            ends.append(len(gram_ids))
        slots = slice(first, first + len(ends))
        counts = np.diff(ends, prepend=0)
        has_grams = np.flatnonzero(counts)
        if len(has_grams):
            starts = (np.asarray(ends) - counts)[has_grams]
            summed = np.add.reduceat(self._grams[gram_ids], starts, axis=0)
            self._rows[slots][has_grams] += summed
        ids = self._slot_ids[slots]
        named = ids >= 0
        self._rows[slots][named] += self._singles[ids[named]]
        self._is_known[slots] = named | (counts > 0)

    def _phrases(self, ids: Ints, text: Ints, position: Ints) -> list[Part]:
        """Find pairs and phrases: a node of one level and the next token lead to the next level."""
        parts = []
        node, last = ids, np.arange(len(ids))
        for length, level in enumerate(self._levels, start=2):
            inside = last < len(ids) - 1
            node, last = node[inside], last[inside] + 1
            same = text[last] == text[last - length + 1]
            node, last = node[same], last[same]
            node, found = level.follow(node, ids[last], self._size)
            last = last[found]
            first = last - length + 1
            parts.append(
                Part(
                    length=length,
                    text=text[first],
                    token=position[first],
                    row=node,
                    scores=level.scores,
                )
            )
        return parts


@dataclass(frozen=True, slots=True, kw_only=True)
class _Level:
    """The nodes of one depth: sorted keys (parent node, token) and scores each."""

    keys: Ints
    scores: Rows

    def follow(self, node: Ints, token: Ints, size: int) -> tuple[Ints, NDArray[np.bool_]]:
        """Give the nodes that are there, and a mask of the ones that led to them."""
        wanted = np.where((node < 0) | (token < 0), -1, node * size + token)
        at = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        found = self.keys[at] == wanted
        return at[found], found


def _trie(arrays: Mapping[str, NDArray[Any]], size: int) -> tuple[Rows, list[_Level]]:
    """Build the levels of pairs and phrases, and the lexicon rows of single tokens."""
    tokens = arrays["phrase_tokens"].astype(np.int64)
    rows = np.zeros((len(tokens), arrays["lexicon"].shape[1]), np.float32)
    phrase, key = arrays["phrase_keys"].T
    np.add.at(rows, phrase, arrays["phrase_weights"][:, None] * arrays["lexicon"][key])
    lengths = (tokens >= 0).sum(axis=1)
    singles = np.zeros((size, rows.shape[1]), np.float32)
    np.add.at(singles, tokens[lengths == 1, 0], rows[lengths == 1])
    levels: list[_Level] = []
    node = tokens[:, 0]
    for length in range(2, PHRASE_LENGTH + 1):
        reaches = lengths >= length
        tokens, rows, lengths, node = (
            tokens[reaches],
            rows[reaches],
            lengths[reaches],
            node[reaches],
        )
        key_of = node * size + tokens[:, length - 1]
        pair_keys = np.empty(0, np.int64)
        if length == 2:  # noqa: PLR2004 - pairs stand at the second level
            left, right = arrays["pair_tokens"].astype(np.int64).T
            pair_keys = left * size + right
        keys = np.unique(np.concatenate([key_of, pair_keys, [-2]]))
        level = np.zeros((len(keys), rows.shape[1]), np.float32)
        ends = lengths == length
        np.add.at(level, np.searchsorted(keys, key_of[ends]), rows[ends])
        if len(pair_keys):
            np.add.at(level, np.searchsorted(keys, pair_keys), arrays["pairs"].astype(np.float32))
        levels.append(_Level(keys=keys, scores=level))
        node = np.searchsorted(keys, key_of)
    return singles, levels
