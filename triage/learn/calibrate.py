"""How sure is sure: temperatures, bars and figures, on folds grouped by author.

No author stands on both sides, so the figures are those of posts by people not seen before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import cohen_kappa_score, f1_score
from sklearn.model_selection import GroupKFold

from triage.classify.classifier import AS_IT_IS, confident, softmax
from triage.learn.corpus import Example
from triage.learn.figures import interval
from triage.learn.steps import Arrays, once
from triage.learn.vectors import Text

if TYPE_CHECKING:
    from triage.learn.train import Labels, Lexicon, Recipe

Floats = NDArray[np.float64]
Places = NDArray[np.intp]

#: How urgencies are spread in life, in the order of URGENCIES; the corpus has more critical ones.
LIFE: Final = (0.05, 0.13, 0.58, 0.24)
#: What part of the critical posts of unseen authors must be found by the model alone.
CRITICAL_RECALL: Final = 0.95
#: What part of the posts may be routed by topic.
COVERAGE: Final = 0.8
#: In how many groups of posts, by the share of their first topic, that share is compared with what
#: it is worth; fewer where they would be smaller than ``_LEAST``.
_GROUPS: Final = 20
_LEAST: Final = 50
#: What the first topic is worth at least.
_WORTH: Final = 0.01
_TEMPERATURES: Final = np.arange(0.3, 8.01, 0.05)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Settings of the model, and the figures that stand in its card."""

    settings: dict[str, Any]
    metrics: dict[str, Any]
    examples: int


def calibrate(
    examples: Sequence[Example],
    texts: Sequence[Text],
    labels: Labels,
    targets: NDArray[np.int8],
    lexicon: Lexicon,
    *,
    seed: int,
    folds: int,
) -> Calibration:
    """Choose temperatures and bars on held-out scores, and measure."""
    if not folds:
        settings = _settings([1.0, 1.0, 1.0], [0.0] * len(LIFE), 0.5, 0.0, np.array(AS_IT_IS))
        return Calibration(settings=settings, metrics={}, examples=len(examples))
    scores = held_out(examples, texts, labels, targets, lexicon, seed=seed, folds=folds)
    first, second = len(labels.topics), len(labels.topics) + len(labels.urgencies)
    topics, urgencies, intents = np.split(scores, [first, second], axis=1)
    truth = {
        "topics": targets[:, :first].astype(bool),
        "urgency": targets[:, first:second].argmax(axis=1),
        "intent": targets[:, second:].argmax(axis=1),
    }
    shares = np.bincount(truth["urgency"], minlength=len(LIFE)) / len(examples)
    shift = np.log(np.array(LIFE) / shares)
    temperatures = [
        temperature_of(topics, truth["topics"]),
        temperature_of(urgencies, _one_hot(truth["urgency"], len(LIFE))),
        temperature_of(intents, _one_hot(truth["intent"], len(labels.intents))),
    ]
    shares_p = softmax(topics * temperatures[0])
    knots = confidence_of(shares_p, truth["topics"])
    topic_p = confident(shares_p, knots)
    urgency_p = softmax(urgencies * temperatures[1] + shift)
    critical_at = _bar(urgency_p[truth["urgency"] == 0, 0], CRITICAL_RECALL)
    abstain_below = float(np.quantile(topic_p.max(axis=1), 1 - COVERAGE))
    settings = _settings(temperatures, shift.tolist(), critical_at, abstain_below, knots)
    # What a share is worth is measured on posts by others than those whom the knots come from.
    apart = [
        (unseen, confident(shares_p[unseen], confidence_of(shares_p[seen], truth["topics"][seen])))
        for seen, unseen in splits(examples, folds)
    ]
    for unseen, told in apart:
        topic_p[unseen] = told
    metrics = _measure(truth, topic_p, urgency_p, intents, settings)
    return Calibration(settings=settings, metrics=metrics, examples=len(examples))


def _settings(
    temperatures: list[float],
    shift: list[float],
    critical_at: float,
    abstain_below: float,
    confidence: Floats,
) -> dict[str, Any]:
    return {
        "temperatures": [round(value, 4) for value in temperatures],
        "urgency_prior_shift": [round(value, 6) for value in shift],
        "critical_at": round(critical_at, 6),
        "abstain_below": round(abstain_below, 6),
        "confidence": confidence.round(4).tolist(),
    }


def held_out(
    examples: Sequence[Example],
    texts: Sequence[Text],
    labels: Labels,
    targets: NDArray[np.int8],
    lexicon: Lexicon,
    *,
    seed: int,
    folds: int,
    recipe: Recipe | None = None,
) -> Floats:
    """Score each post by judges that saw none of its author's: (posts, classes).

    ``recipe``: another one than the shipped one.
    """
    from triage.learn.train import SHIPPED, learn  # noqa: PLC0415 - they use each other

    scores = np.zeros(targets.shape)
    for number, (seen, unseen) in enumerate(splits(examples, folds), 1):

        def fold(seen: Places = seen, unseen: Places = unseen) -> Arrays:
            some = [texts[at] for at in seen]
            learnt = learn(
                some, targets[seen], lexicon, labels, seed=seed, recipe=recipe or SHIPPED
            )
            return {"scores": learnt.scores([texts[at] for at in unseen])}

        scores[unseen] = once(f"vouw-{number}", fold)["scores"]
    return scores


def splits(examples: Sequence[Example], folds: int) -> Iterator[tuple[Places, Places]]:
    """Give where the posts to learn from and the posts to judge stand, fold by fold."""
    authors = [example.author for example in examples]
    yield from GroupKFold(n_splits=folds).split(authors, groups=authors)


def confidence_of(shares: Floats, right: NDArray[np.bool_]) -> Floats:
    """Compare the share of the first topic with how often it is right.

    Knots: shares, and what they are worth; a larger one is never worth less.
    """
    order = np.argsort(shares.max(axis=1), kind="stable")
    said = shares.max(axis=1)[order]
    found = right[order, shares[order].argmax(axis=1)]
    count = max(1, min(_GROUPS, len(order) // _LEAST))
    groups = np.array_split(np.arange(len(order)), count)
    x = [float(said[group].mean()) for group in groups]
    y = np.maximum.accumulate([max(_WORTH, float(found[group].mean())) for group in groups])
    return np.array([[0.0, *x, 1.0], [_WORTH, *y, y[-1]]])


def temperature_of(scores: Floats, right: NDArray[np.bool_]) -> float:
    """Choose what scores are multiplied by so that probabilities are what they say."""

    def loss(value: float) -> float:
        return float(-np.log((softmax(scores * value) * right).sum(axis=1) + 1e-12).mean())

    return min(map(float, _TEMPERATURES), key=loss)


def _bar(critical: Floats, recall: float) -> float:
    """Give the bar that this part of the critical posts reaches."""
    return float(np.quantile(critical, 1 - recall))


def _measure(
    truth: dict[str, Any],
    topic_p: Floats,
    urgency_p: Floats,
    intents: Floats,
    settings: dict[str, Any],
) -> dict[str, Any]:
    rows = np.arange(len(topic_p))
    first = topic_p.argmax(axis=1)
    right = truth["topics"][rows, first]
    three = np.argsort(-topic_p, axis=1)[:, :3]
    sure = topic_p.max(axis=1) >= settings["abstain_below"]
    urgency = urgency_p.argmax(axis=1)
    likeliest = urgency == truth["urgency"]
    urgency[urgency_p[:, 0] >= settings["critical_at"]] = 0
    said, is_critical = urgency == 0, truth["urgency"] == 0
    recall = float(said[is_critical].mean())
    low, high = interval(recall, int(is_critical.sum()))
    figures = {
        "topic_first": right.mean(),
        "topic_in_three": truth["topics"][rows[:, None], three].any(axis=1).mean(),
        "topic_macro_f1": f1_score(truth["topics"].argmax(axis=1), first, average="macro"),
        "coverage": sure.mean(),
        "topic_first_when_sure": right[sure].mean(),
        "topic_calibration_error": _calibration_error(topic_p.max(axis=1), right),
        "urgency_kappa": cohen_kappa_score(truth["urgency"], urgency, weights="quadratic"),
        "urgency_calibration_error": _calibration_error(urgency_p.max(axis=1), likeliest),
        "critical_recall": recall,
        "critical_recall_low": low,
        "critical_recall_high": high,
        "critical_precision": is_critical[said].mean(),
        "intent": (intents.argmax(axis=1) == truth["intent"]).mean(),
    }
    return {name: round(float(value), 4) for name, value in figures.items()}


def _calibration_error(confidence: Floats, right: NDArray[np.bool_], bins: int = 15) -> float:
    """Give the expected calibration error over bins of equal width."""
    at = np.minimum((confidence * bins).astype(int), bins - 1)
    return float(
        sum(
            abs(confidence[at == number].mean() - right[at == number].mean())
            * (at == number).mean()
            for number in range(bins)
            if (at == number).any()
        )
    )


def _one_hot(labels: NDArray[np.intp], count: int) -> NDArray[np.bool_]:
    return np.eye(count, dtype=bool)[labels]
