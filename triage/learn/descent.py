"""One linear judge a class, all learnt together: squared hinge loss by stochastic descent.

A judge takes larger steps on features that lean its way, or away from it, in the labels (the log
ratio of naive Bayes): they are learnt before what merely stood beside them by chance.

Seeded and single-threaded, so the same input gives the same bytes; a pass over the corpus and the
lexicon takes half a second, where a solver for each class takes half a minute.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_EPOCHS: Final = 7
_BATCH: Final = 256
#: Step for the weights; the bias takes smaller ones, since every row moves it.
_STEP: Final = 10.0
_BIAS_STEP: Final = 0.5
#: What is left of a step at the end.
_LAST: Final = 0.02
#: Texts that each side of a class is given for every feature, so that rare ones lean less.
_GIVEN: Final = 2.0
#: The least and the most that a feature counts as leaning.
_LEANS: Final = (0.3, 3.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judges:
    """Weights (features, classes) and bias (classes,)."""

    weights: Floats
    bias: Floats


def descend(features: Any, targets: NDArray[np.int8], weight: Floats, *, seed: int) -> Judges:  # noqa: ANN401 - a sparse matrix
    """Fit judges to ``targets`` (rows, classes: 0 or 1), errors weighed by ``weight`` (the same).

    ``features`` is a sparse (rows, features) matrix. A class that a row says nothing about has
    weight 0 there.
    """
    rows, classes = targets.shape
    random = np.random.default_rng(seed)
    weights = np.zeros((features.shape[1], classes), np.float32)
    bias = np.zeros(classes, np.float32)
    sides = np.where(targets > 0, 1, -1).astype(np.float32)
    stride = np.float32(_STEP) * _leanings(features, targets, weight)
    steps = _EPOCHS * -(-rows // _BATCH)
    step = 0
    for _ in range(_EPOCHS):
        order = random.permutation(rows)
        for start in range(0, rows, _BATCH):
            batch = order[start : start + _BATCH]
            size = np.float32(max(_LAST, 1 - step / steps) / len(batch))
            step += 1
            seen = features[batch]
            side = sides[batch]
            missed = np.maximum(0, 1 - side * (seen @ weights + bias))
            slope = side * missed * weight[batch] * size
            turned = seen.T.tocsr()
            touched = np.flatnonzero(np.diff(turned.indptr))
            weights[touched] += stride[touched] * (turned[touched] @ slope)
            bias += np.float32(_BIAS_STEP) * slope.sum(axis=0)
    return Judges(weights=weights, bias=bias)


def _leanings(features: Any, targets: NDArray[np.int8], weight: Floats) -> Floats:  # noqa: ANN401 - a sparse matrix
    """Give how far each feature leans to or from each class (features, classes), 1 on average."""
    holds = features.copy()
    holds.data = (holds.data != 0).astype(np.float32)
    shares = []
    for side in (targets > 0, targets <= 0):
        told = side * weight
        count = holds.T @ told + np.float32(_GIVEN) * told.mean(axis=0)
        shares.append(count / np.maximum(told.sum(axis=0), 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        leans = np.nan_to_num(np.abs(np.log(shares[0] / shares[1])))
    leans = np.clip(leans, *_LEANS)
    leanings: Floats = leans / np.sqrt(np.square(leans).mean(axis=0))
    return leanings.astype(np.float32)
