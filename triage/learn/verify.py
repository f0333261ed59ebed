"""Does the compiled table say what scikit-learn says? On every post, to 1e-5."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from triage.classify.classifier import Classifier
from triage.classify.files import ModelFiles
from triage.language import Reader
from triage.learn.corpus import Example
from triage.learn.vectors import GROUPS, Vectoriser, pair_name, texts_of


def verify(model: ModelFiles, examples: Sequence[Example]) -> float:
    """Give the largest difference between our scores and scikit-learn's decision functions.

    The estimators get the weights as shipped; their features are counted by scikit-learn.
    """
    readings = Reader().read([example.post for example in examples])
    posts = [example.post for example in examples]
    batches = range(0, len(posts), 500)
    classifier = Classifier(model)
    ours = np.concatenate(
        [classifier.scores(posts[at : at + 500], readings[at : at + 500]) for at in batches]
    )
    vectoriser = Vectoriser(_phrases(model))
    for group, names in _names(model).items():
        vectoriser.use(group, names)
    counts = vectoriser.counts(texts_of(examples, readings))
    features = sp.hstack([counts[group] for group in GROUPS]).tocsr()
    weights = np.concatenate([_weights(model, group) for group in GROUPS])
    theirs = np.stack(
        [
            _estimator(weights[:, column], model.arrays["bias"][column]).decision_function(features)
            for column in range(weights.shape[1])
        ],
        axis=1,
    )
    return float(np.abs(ours - theirs).max())


def _names(model: ModelFiles) -> dict[str, list[str]]:
    tokens = model.tokens
    pairs = [pair_name(tokens[a], tokens[b]) for a, b in model.arrays["pair_tokens"].tolist()]
    # The first two are the marks of beginning and end, which no text holds as words.
    return {
        "words": tokens[: len(model.arrays["words"])],
        "grams": model.meta["grams"],
        "pairs": pairs,
        "cues": model.meta["cues"],
    }


def _phrases(model: ModelFiles) -> dict[tuple[str, ...], dict[str, float]]:
    tokens, keys = model.tokens, model.meta["lexicon_keys"]
    named = [
        tuple(tokens[at] for at in row if at >= 0) for row in model.arrays["phrase_tokens"].tolist()
    ]
    phrases: dict[tuple[str, ...], dict[str, float]] = {}
    for (phrase, key), weight in zip(
        model.arrays["phrase_keys"].tolist(), model.arrays["phrase_weights"].tolist(), strict=True
    ):
        phrases.setdefault(named[phrase], {})[keys[key]] = weight
    return phrases


def _weights(model: ModelFiles, group: str) -> NDArray[np.float64]:
    weights: NDArray[np.float64] = model.arrays[group].astype(np.float64)
    return weights


def _estimator(weights: NDArray[np.float64], bias: float) -> Any:  # noqa: ANN401 - untyped library
    estimator = LogisticRegression()
    estimator.classes_ = np.array([0, 1])
    estimator.coef_ = weights[None, :]
    estimator.intercept_ = np.array([float(bias)])
    estimator.n_features_in_ = weights.size
    return estimator
