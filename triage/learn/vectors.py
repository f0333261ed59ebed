"""Features as scikit-learn counts them: by the same rules as the table, and by other code."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer

from triage.classify.features import END, PHRASE_LENGTH, START, cues, grams, words
from triage.learn.corpus import Example, Term
from triage.reading import Reading

#: Features that fewer texts hold are left out.
LEAST_WORDS: Final = 2
LEAST_PAIRS: Final = 2
LEAST_GRAMS: Final = 4

Phrases = Mapping[tuple[str, ...], Mapping[str, float]]
#: The groups of features, in the order of their columns.
GROUPS: Final = ("words", "grams", "pairs", "lexicon", "cues")


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """What is counted of a post."""

    tokens: tuple[str, ...]
    cues: tuple[str, ...]
    #: False for a phrase of the lexicon that stands in for a text: it neither begins nor ends one,
    #: and is not told by the lexicon what it is.
    whole: bool = True


def texts_of(examples: Sequence[Example], readings: Sequence[Reading]) -> list[Text]:
    """Give what is counted of posts."""
    texts = []
    for example, reading in zip(examples, readings, strict=True):
        tokens = tuple(words(reading.tokens))
        texts.append(Text(tokens=tokens, cues=tuple(cues(example.post, len(tokens)))))
    return texts


def phrases_of(terms: Sequence[Term]) -> Phrases:
    """Give each phrase of the lexicon with the heaviest weight that it has for each key."""
    phrases: dict[tuple[str, ...], dict[str, float]] = {}
    for term in terms:
        tokens = tuple(words(term.tokens))
        if 0 < len(tokens) <= PHRASE_LENGTH:
            keys = phrases.setdefault(tokens, {})
            keys[term.key] = max(keys.get(term.key, 0.0), term.weight)
    return phrases


def pair_name(left: str, right: str) -> str:
    """Name a pair; no token holds a space."""
    return f"{left} {right}"


class Vectoriser:
    """Counts features; ``fit`` chooses them."""

    def __init__(self, phrases: Phrases) -> None:
        self._phrases = phrases
        self.keys = sorted({key for keys in phrases.values() for key in keys})
        self._key_ids = {key: number for number, key in enumerate(self.keys)}
        self._counters = {
            "words": _counter(lambda text: text.tokens, LEAST_WORDS),
            "grams": _counter(_grams_of, LEAST_GRAMS),
            "pairs": _counter(_pairs_of, LEAST_PAIRS),
            "cues": _counter(lambda text: text.cues, 1),
        }

    def fit(self, texts: Sequence[Text]) -> None:
        """Choose the features that enough texts hold."""
        for counter in self._counters.values():
            counter.fit(texts)

    def use(self, group: str, names: Sequence[str]) -> None:
        """Take the features of a model as they are, instead of choosing them by ``fit``."""
        self._counters[group].set_params(vocabulary={n: at for at, n in enumerate(names)})

    def names(self, group: str) -> list[str]:
        """Give the names of a group's features, by column."""
        if group == "lexicon":
            return self.keys
        return [str(name) for name in self._counters[group].get_feature_names_out()]

    def counts(self, texts: Sequence[Text]) -> dict[str, Any]:
        """Count every group: a sparse (texts, features) matrix each, divided by the norm."""
        norm = sp.diags(1 / np.sqrt([max(1, len(text.tokens)) for text in texts]))
        counted = {
            group: counter.transform(texts).astype(np.float64)
            for group, counter in self._counters.items()
        }
        counted["lexicon"] = self._lexicon(texts)
        return {
            group: counted[group] if group == "cues" else norm @ counted[group] for group in GROUPS
        }

    def _lexicon(self, texts: Sequence[Text]) -> Any:  # noqa: ANN401 - a sparse matrix
        rows: list[int] = []
        columns: list[int] = []
        values: list[float] = []
        for row, text in enumerate(texts):
            if not text.whole:
                continue
            for phrase in _phrases_in(text.tokens):
                for key, weight in self._phrases.get(phrase, {}).items():
                    rows.append(row)
                    columns.append(self._key_ids[key])
                    values.append(weight)
        return sp.csr_matrix((values, (rows, columns)), shape=(len(texts), len(self.keys)))


def _counter(analyzer: Callable[[Text], Any], least: int) -> Any:  # noqa: ANN401 - scikit-learn is untyped
    return CountVectorizer(analyzer=analyzer, min_df=least, dtype=np.int64)


def _grams_of(text: Text) -> Iterator[str]:
    for token in text.tokens:
        yield from grams(token)


def _pairs_of(text: Text) -> list[str]:
    if not text.tokens:
        return []
    line = (START, *text.tokens, END) if text.whole else text.tokens
    return [pair_name(left, right) for left, right in pairwise(line)]


def _phrases_in(tokens: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for start in range(len(tokens)):
        for length in range(1, min(PHRASE_LENGTH, len(tokens) - start) + 1):
            yield tokens[start : start + length]


def idf(counts: Any) -> NDArray[np.float64]:  # noqa: ANN401 - a sparse matrix
    """Weigh rare features up: log((1 + texts) / (1 + texts that hold it)), scaled to about 1."""
    texts = counts.shape[0]
    holding = np.asarray((counts > 0).sum(axis=0)).ravel()
    weights: NDArray[np.float64] = np.log((1 + texts) / (1 + holding)) / 4
    return weights
