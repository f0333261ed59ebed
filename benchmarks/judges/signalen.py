"""Amsterdam's recipe, as Signalen has it: word counts, no IDF, L1 logistic regression (liblinear).

Quicker than the original where we had the choice: no stemmer, no word pairs, one matrix product
for all classes.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline

from benchmarks.judges.base import CRITICAL, HEADS, Row, Verdict, labels_of, texts_of

#: The best of the grid in Signalen's training script on our corpus.
_COST: Final = 10.0


def fit(texts: Sequence[str], labels: Sequence[str]) -> Pipeline:
    """Train one head."""
    counter = CountVectorizer()
    separate = OneVsRestClassifier(LogisticRegression(solver="liblinear", l1_ratio=1.0, C=_COST))
    pipeline = make_pipeline(counter, TfidfTransformer(use_idf=False), separate)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # liblinear says that it could go on
        pipeline.fit(texts, labels)
    return _joint(
        counter.vocabulary_,
        separate.classes_,
        np.vstack([model.coef_ for model in separate.estimators_]),
        np.concatenate([model.intercept_ for model in separate.estimators_]),
    )


def _joint(
    vocabulary: dict[str, int],
    classes: Any,  # noqa: ANN401 - an array of texts
    weights: Any,  # noqa: ANN401 - (classes, words)
    bias: Any,  # noqa: ANN401 - (classes,)
) -> Pipeline:
    """Give the pipeline with one matrix product for all classes, as scikit-learn once did it."""
    joint = LogisticRegression()
    joint.classes_, joint.coef_, joint.intercept_ = classes, weights, bias
    joint.n_features_in_ = weights.shape[1]
    # Without IDF there is nothing to learn, but it wants to have been asked.
    frequency = TfidfTransformer(use_idf=False).fit(sp.csr_matrix((1, weights.shape[1])))
    return make_pipeline(CountVectorizer(vocabulary=vocabulary), frequency, joint)


class Signalen:
    """A pipeline a head."""

    def __init__(self, heads: dict[str, Pipeline]) -> None:
        self._heads = heads

    def prepare(self, rows: Sequence[Row]) -> list[str]:
        """Give the texts."""
        return texts_of(rows)

    def judge(self, posts: Sequence[str]) -> list[Verdict]:
        """Judge topic and urgency."""
        topic, urgency = (self._heads[head].predict_proba(posts) for head in HEADS)
        topics, urgencies = (self._heads[head].classes_.tolist() for head in HEADS)
        critical = urgency[:, urgencies.index(CRITICAL)].tolist()
        chosen = zip(topic.argmax(axis=1), urgency.argmax(axis=1), critical, strict=True)
        return [Verdict(topics[first], urgencies[second], p) for first, second, p in chosen]


def train(rows: Sequence[Row], folder: Path, *, quick: bool) -> None:  # noqa: ARG001 - is quick
    """Train both heads; they are kept without pickle, which Signalen uses."""
    for head in HEADS:
        pipeline = fit(texts_of(rows), labels_of(rows, head))
        counter, model = pipeline[0], pipeline[-1]
        words = {word: int(at) for word, at in counter.vocabulary.items()}
        (folder / f"{head}.json").write_text(
            json.dumps({"words": words, "classes": list(model.classes_)})
        )
        np.savez_compressed(folder / f"{head}.npz", weights=model.coef_, bias=model.intercept_)


def load(folder: Path) -> Signalen:
    """Load both heads."""
    heads = {}
    for head in HEADS:
        names = json.loads((folder / f"{head}.json").read_text())
        with np.load(folder / f"{head}.npz") as arrays:
            weights, bias = arrays["weights"], arrays["bias"]
        heads[head] = _joint(names["words"], np.array(names["classes"]), weights, bias)
    return Signalen(heads)
