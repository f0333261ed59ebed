"""Training: one logistic regression a class, compiled to the additive table.

The same corpus gives the same bytes: everything is sorted, nothing is dated, and liblinear is
seeded. The version is a digest of what was learnt.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from triage import __version__
from triage.classify.features import START
from triage.classify.files import FORMAT, ModelFiles
from triage.language import Reader
from triage.learn.calibrate import Calibration, calibrate
from triage.learn.corpus import Example, load_examples, load_terms
from triage.learn.vectors import GROUPS, Phrases, Text, Vectoriser, idf, phrases_of, texts_of
from triage.ticket import URGENCIES

#: What each group of features is multiplied by before training: its share of the regularisation.
SCALES: Final = {"words": 1.0, "grams": 0.5, "pairs": 1.0, "lexicon": 0.2, "cues": 0.3}
#: Inverse strength of the L2 regularisation.
STRENGTH: Final = 4.0
#: Weights smaller than this are dropped: they change no decision and cost space.
SMALLEST: Final = 1e-3

Weights = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """The classes, in the order of the columns."""

    topics: list[str]
    urgencies: list[str]
    intents: list[str]

    @classmethod
    def of(cls, examples: Sequence[Example]) -> Labels:
        """Collect the labels of a corpus."""
        return cls(
            topics=sorted({topic for example in examples for topic in example.topics}),
            urgencies=[urgency.value for urgency in URGENCIES],
            intents=sorted({example.intent for example in examples}),
        )

    def targets(self, examples: Sequence[Example]) -> NDArray[np.int8]:
        """Give what each example is: (examples, classes), 0 or 1; topics may be several."""
        columns = [[topic in example.topics for example in examples] for topic in self.topics]
        columns += [[key == example.urgency for example in examples] for key in self.urgencies]
        columns += [[key == example.intent for example in examples] for key in self.intents]
        return np.array(columns, dtype=np.int8).T


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """Weights a plain count or cue, per group (features, classes), and the bias (classes,)."""

    vectoriser: Vectoriser
    weights: dict[str, Weights]
    bias: Weights

    def scores(self, texts: Sequence[Text]) -> Weights:
        """Score texts: (texts, classes)."""
        counts = self.vectoriser.counts(texts)
        summed: Weights = sum(counts[group] @ self.weights[group] for group in GROUPS) + self.bias
        return summed


def learn(
    texts: Sequence[Text], targets: NDArray[np.int8], phrases: Phrases, *, seed: int
) -> Learnt:
    """Fit one logistic regression a class on the same features."""
    vectoriser = Vectoriser(phrases)
    vectoriser.fit(texts)
    counts = vectoriser.counts(texts)
    scales = {
        group: SCALES[group]
        * (idf(counts[group]) if group in _RARE else np.ones(counts[group].shape[1]))
        for group in GROUPS
    }
    scaled = sp.hstack([counts[group] @ sp.diags(scales[group]) for group in GROUPS]).tocsr()
    fitted = [_fit(scaled, targets[:, column], seed) for column in range(targets.shape[1])]
    weights = np.array([coefficients for coefficients, _ in fitted]).T
    ends = np.cumsum([len(scales[group]) for group in GROUPS])[:-1]
    parts = dict(zip(GROUPS, np.split(weights, ends), strict=True))
    return Learnt(
        vectoriser=vectoriser,
        weights={group: parts[group] * scales[group][:, None] for group in GROUPS},
        bias=np.array([intercept for _, intercept in fitted]),
    )


#: The score of a class without a single example.
_NEVER: Final = -10.0
_RARE: Final = frozenset({"words", "grams", "pairs"})


def _fit(features: Any, target: NDArray[np.int8], seed: int) -> tuple[Weights, float]:  # noqa: ANN401 - untyped library
    if not target.any():  # all of its posts are by authors held out: nothing speaks for it
        return np.zeros(features.shape[1]), _NEVER
    model = LogisticRegression(
        C=STRENGTH, solver="liblinear", dual=True, tol=0.05, random_state=seed, max_iter=200
    )
    model.fit(features, target)
    return model.coef_[0], float(model.intercept_[0])


def train(corpus: Path, out: Path, *, seed: int = 0, folds: int = 5) -> str:
    """Train on a corpus, write the model into ``out`` and give its version.

    ``folds`` 0 leaves out calibration on folds grouped by author (for tests).
    """
    reader = Reader()
    examples = load_examples(corpus)
    texts = texts_of(examples, reader.read([example.post for example in examples]))
    phrases = phrases_of(load_terms(corpus, reader))
    labels = Labels.of(examples)
    targets = labels.targets(examples)
    calibration = calibrate(examples, texts, labels, targets, phrases, seed=seed, folds=folds)
    model = compiled(learn(texts, targets, phrases, seed=seed), labels, phrases, calibration)
    folder = out / model.version
    if not folder.exists():  # the same corpus trained again is the same version
        model.save(folder)
    return model.version


def compiled(
    learnt: Learnt, labels: Labels, phrases: Phrases, calibration: Calibration
) -> ModelFiles:
    """Give the model as it is shipped: rounded to half precision, small weights dropped."""
    rounded = {group: _rounded(learnt.weights[group]) for group in ("words", "grams", "pairs")}
    vectoriser = learnt.vectoriser
    kept = {group: np.flatnonzero(np.any(rows != 0, axis=1)) for group, rows in rounded.items()}
    every = {group: vectoriser.names(group) for group in rounded}
    names = {group: [every[group][at] for at in kept[group]] for group in rounded}
    pairs = [tuple(name.split(" ")) for name in names["pairs"]]
    ordered = sorted(phrases)
    others = {token for pair in pairs for token in pair} | {t for phrase in ordered for t in phrase}
    # The mark of the beginning has a row like any word, so that indices and rows agree.
    tokens = [START, *names["words"], *sorted(others - set(names["words"]) - {START})]
    ids = {token: number for number, token in enumerate(tokens)}
    key_ids = {key: number for number, key in enumerate(vectoriser.keys)}
    entries = [
        (number, key_ids[key], weight)
        for number, phrase in enumerate(ordered)
        for key, weight in sorted(phrases[phrase].items())
    ]
    beginning = np.zeros((1, rounded["words"].shape[1]), np.float16)
    arrays = {
        "bias": learnt.bias.astype(np.float32),
        "words": np.concatenate([beginning, rounded["words"][kept["words"]]]),
        "grams": rounded["grams"][kept["grams"]],
        "pairs": rounded["pairs"][kept["pairs"]],
        "pair_tokens": np.array([[ids[a], ids[b]] for a, b in pairs], np.int32).reshape(-1, 2),
        "lexicon": learnt.weights["lexicon"].astype(np.float32),
        "phrase_tokens": np.array(
            [[*(ids[t] for t in phrase), -1, -1, -1, -1][:4] for phrase in ordered], np.int32
        ).reshape(-1, 4),
        "phrase_keys": np.array([[a, b] for a, b, _ in entries], np.int32).reshape(-1, 2),
        "phrase_weights": np.array([weight for _, _, weight in entries], np.float32),
        "cues": learnt.weights["cues"].astype(np.float32),
    }
    meta = {
        "format": FORMAT,
        "labels": {
            "topics": labels.topics,
            "urgencies": labels.urgencies,
            "intents": labels.intents,
        },
        "tokens": tokens,
        "grams": names["grams"],
        "lexicon_keys": vectoriser.keys,
        "cues": vectoriser.names("cues"),
        "calibration": calibration.settings,
        "metrics": calibration.metrics,
        "card": {
            "corpus": "models/corpus",
            "examples": calibration.examples,
            "method": "one-vs-rest logistic regression on token counts, compiled to a table",
            "trained_with": f"triage {__version__}",
        },
    }
    return ModelFiles(version=_version(arrays), meta=meta, arrays=arrays)


def _rounded(weights: Weights) -> NDArray[np.float16]:
    return np.where(np.abs(weights) < SMALLEST, 0, weights).astype(np.float16)


def _version(arrays: dict[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return f"nl-{digest.hexdigest()[:12]}"
