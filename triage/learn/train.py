"""Training: one linear judge a class, compiled to the additive table.

The lexicon teaches twice: as features (how much speaks for each key) and as short texts of their
own, so that the n-grams of words that no post holds are known too. Urgency is ordinal: two more
judges learn "hoog or worse" and "normaal or worse" and their scores go to the urgencies they mean;
all of it adds up, so no more than a sum is left of it at run time.

The same corpus gives the same bytes: everything is sorted, nothing is dated, and descent is
seeded. The version is a digest of what was learnt.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from triage import __version__
from triage.classify.features import END, START
from triage.classify.files import FORMAT, ModelFiles
from triage.language import Reader
from triage.learn.calibrate import Calibration, calibrate
from triage.learn.corpus import Example, load_examples, load_terms
from triage.learn.descent import descend
from triage.learn.vectors import GROUPS, Phrases, Text, Vectoriser, idf, phrases_of, texts_of
from triage.ticket import URGENCIES

#: What a phrase of the lexicon weighs as a text, beside a post.
PHRASE_WEIGHT: Final = 0.3
#: What a post of an urgency weighs to that urgency's judge, beside a post of another: the bar asks
#: for nearly all of the critical ones, so the order matters most where they are hardest to find.
OWN_WEIGHT: Final = 3.0
#: Weights smaller than this are dropped: they change no decision and cost space.
SMALLEST: Final = 1e-3

Weights = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What judges learn from; 0 leaves a part out."""

    #: What a group of features is multiplied by before training: its share of the regularisation.
    words: float = 1.0
    grams: float = 0.5
    pairs: float = 1.0
    lexicon: float = 0.2
    cues: float = 0.3
    #: What the scores of "this urgent or worse" weigh beside those of each urgency.
    ordinal: float = 0.5

    def scale(self, group: str) -> float:
        """Give what a group of features is multiplied by."""
        scale: float = getattr(self, group)
        return scale


SHIPPED: Final = Recipe()


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

    @property
    def heads(self) -> tuple[slice, slice, slice]:
        """Where the columns of topics, urgencies and intents stand."""
        first = len(self.topics)
        second = first + len(self.urgencies)
        return slice(0, first), slice(first, second), slice(second, second + len(self.intents))

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Lexicon:
    """The lexicon as features and as texts: ``targets`` and ``weight`` are (texts, classes)."""

    phrases: Phrases
    texts: list[Text]
    targets: NDArray[np.int8]
    weight: NDArray[np.float32]

    @classmethod
    def of(cls, phrases: Phrases, labels: Labels) -> Lexicon:
        """Give each phrase as a text; it says nothing of a head that it has no key for."""
        ordered = sorted(phrases)
        texts = [Text(tokens=phrase, cues=(), whole=False) for phrase in ordered]
        columns = [
            *labels.topics,
            *(f"urgency:{key}" for key in labels.urgencies),
            *(f"intent:{key}" for key in labels.intents),
        ]
        targets = np.array([[key in phrases[p] for key in columns] for p in ordered], np.int8)
        targets = targets.reshape(len(ordered), len(columns))
        says = [
            np.repeat(targets[:, head].any(axis=1, keepdims=True), head.stop - head.start, axis=1)
            for head in labels.heads
        ]
        weight = (PHRASE_WEIGHT * np.concatenate(says, axis=1)).astype(np.float32)
        return cls(phrases=phrases, texts=texts, targets=targets, weight=weight)


def learn(
    texts: Sequence[Text],
    targets: NDArray[np.int8],
    lexicon: Lexicon,
    labels: Labels,
    *,
    seed: int,
    recipe: Recipe = SHIPPED,
) -> Learnt:
    """Fit all judges on the same features."""
    vectoriser = Vectoriser(lexicon.phrases)
    vectoriser.fit(texts)
    counts = vectoriser.counts(texts)
    scales = {
        group: recipe.scale(group)
        * (idf(counts[group]) if group in _RARE else np.ones(counts[group].shape[1]))
        for group in GROUPS
    }
    rows = [counts, vectoriser.counts(lexicon.texts)] if lexicon.texts else [counts]
    scaled = [sp.hstack([c[group] @ sp.diags(scales[group]) for group in GROUPS]) for c in rows]
    features = sp.vstack(scaled).tocsr().astype(np.float32)
    features.eliminate_zeros()  # what a recipe leaves out costs nothing
    urgency = labels.heads[1]
    posts = np.ones(targets.shape, np.float32)
    posts[:, urgency][targets[:, urgency] > 0] = OWN_WEIGHT
    ordinal = np.ones((len(targets), len(_ORDINAL)), np.float32)
    judges = descend(
        features,
        _with_ordinal(np.concatenate([targets, lexicon.targets]), urgency),
        np.concatenate(
            [np.column_stack([posts, ordinal]), _with_ordinal_weight(lexicon.weight, urgency)]
        ),
        seed=seed,
    )
    weights = _summed(judges.weights.astype(np.float64), urgency, recipe.ordinal)
    ends = np.cumsum([len(scales[group]) for group in GROUPS])[:-1]
    parts = dict(zip(GROUPS, np.split(weights, ends), strict=True))
    return Learnt(
        vectoriser=vectoriser,
        weights={group: parts[group] * scales[group][:, None] for group in GROUPS},
        bias=_summed(judges.bias[None].astype(np.float64), urgency, recipe.ordinal)[0],
    )


_RARE: Final = frozenset({"words", "grams", "pairs"})
#: "hoog or worse" and "normaal or worse": how many urgencies each means.
_ORDINAL: Final = (2, 3)


def _with_ordinal(targets: NDArray[np.int8], urgency: slice) -> NDArray[np.int8]:
    """Add a column for each "this urgent or worse"."""
    told = [targets[:, urgency][:, :most].any(axis=1) for most in _ORDINAL]
    return np.column_stack([targets, *told]).astype(np.int8)


def _with_ordinal_weight(weight: NDArray[np.float32], urgency: slice) -> NDArray[np.float32]:
    return np.column_stack([weight, *(weight[:, urgency.start] for _ in _ORDINAL)])


def _summed(weights: Weights, urgency: slice, ordinal: float) -> Weights:
    """Give the ordinal columns, the last ones, to the urgencies that they mean."""
    summed = weights[:, : -len(_ORDINAL)].copy()
    for most, column in zip(_ORDINAL, weights[:, -len(_ORDINAL) :].T, strict=True):
        summed[:, urgency.start : urgency.start + most] += ordinal * column[:, None]
    return summed


#: On how many groups of authors a model is calibrated.
FOLDS: Final = 5


def train(corpus: Path, out: Path, *, seed: int = 0, folds: int = FOLDS) -> str:
    """Train on a corpus, write the model into ``out`` and give its version.

    ``folds`` 0 leaves out calibration on folds grouped by author (for tests).
    """
    reader = Reader()
    examples = load_examples(corpus)
    texts = texts_of(examples, reader.read([example.post for example in examples]))
    phrases = phrases_of(load_terms(corpus, reader))
    labels = Labels.of(examples)
    targets = labels.targets(examples)
    lexicon = Lexicon.of(phrases, labels)
    calibration = calibrate(examples, texts, labels, targets, lexicon, seed=seed, folds=folds)
    learnt = learn(texts, targets, lexicon, labels, seed=seed)
    model = compiled(learnt, labels, phrases, calibration)
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
    # The marks of beginning and end have a row like any word, so that indices and rows agree.
    marks = [START, END]
    tokens = [*marks, *names["words"], *sorted(others - set(names["words"]) - set(marks))]
    ids = {token: number for number, token in enumerate(tokens)}
    key_ids = {key: number for number, key in enumerate(vectoriser.keys)}
    entries = [
        (number, key_ids[key], weight)
        for number, phrase in enumerate(ordered)
        for key, weight in sorted(phrases[phrase].items())
    ]
    nothing = np.zeros((len(marks), rounded["words"].shape[1]), np.float16)
    arrays = {
        "bias": learnt.bias.astype(np.float32),
        "words": np.concatenate([nothing, rounded["words"][kept["words"]]]),
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
            "method": "linear judges (squared hinge, ordinal urgency) on token counts, in a table",
            "trained_with": f"triage {__version__}",
        },
    }
    return ModelFiles(version=_version(arrays, calibration), meta=meta, arrays=arrays)


def _rounded(weights: Weights) -> NDArray[np.float16]:
    return np.where(np.abs(weights) < SMALLEST, 0, weights).astype(np.float16)


def _version(arrays: dict[str, NDArray[Any]], calibration: Calibration) -> str:
    """Name what was learnt, and the bars that it is judged by."""
    digest = hashlib.sha256(json.dumps(calibration.settings, sort_keys=True).encode())
    for name in sorted(arrays):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return f"nl-{digest.hexdigest()[:12]}"
