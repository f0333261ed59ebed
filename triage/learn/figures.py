"""What a model is worth on labelled posts: figures, and the curves behind them.

Counted from what the classifier says in the open (``Assessment``), safety rules included, so any
model that judges can be measured.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from triage.learn.corpus import Example
from triage.ticket import URGENCIES, Assessment, Urgency

#: Classes of confidence in a reliability diagram.
BINS: Final = 10
#: The part of the posts that a model is asked to be sure of.
COVERAGE: Final = 0.8
#: The recall at which the precision of ``kritiek`` is told.
RECALL: Final = 0.95
_CRITICAL: Final = Urgency.KRITIEK.value
_Z: Final = 1.96

#: A labelled post and what a model says of it.
Pair = tuple[Example, Assessment]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """One class of confidence: how sure, how often right, how many."""

    confidence: float
    right: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicFigures:
    """How one topic fares, by the first topic on either side."""

    topic: str
    posts: int
    precision: float
    recall: float
    f1: float
    #: What part of the posts that it was said of passed the bar for abstention, and how many of
    #: those are about it, first or not.
    sure: float
    right_when_sure: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorFigures:
    """How the posts of one author group fare: how far the figures differ from hand to hand."""

    author: str
    posts: int
    topic_first: float
    urgency_kappa: float
    critical: int
    critical_recall: float
    critical_recall_low: float
    critical_recall_high: float
    intent: float


def measure(pairs: Sequence[Pair]) -> dict[str, float]:
    """Give the figures of a model; each between 0 and 1."""
    right = [said.topic in example.topics for example, said in pairs]
    truth = [example.urgency for example, _ in pairs]
    said_urgency = [said.urgency.value for _, said in pairs]
    caught = [s for t, s in zip(truth, said_urgency, strict=True) if t == _CRITICAL]
    called = [t for t, s in zip(truth, said_urgency, strict=True) if s == _CRITICAL]
    recall = _share(s == _CRITICAL for s in caught)
    low, high = interval(recall, len(caught))
    sure = [ok for ok, (_, said) in zip(right, pairs, strict=True) if not said.abstained]
    figures = {
        "topic_first": _share(right),
        "topic_in_three": _share(
            any(topic in example.topics for topic, _ in said.topics[:3]) for example, said in pairs
        ),
        "topic_macro_f1": _mean(row.f1 for row in per_topic(pairs) if row.posts),
        "coverage": len(sure) / len(pairs),
        "topic_first_when_sure": _share(sure),
        "topic_first_at_coverage_80": accuracy_at(pairs, COVERAGE),
        "topic_calibration_error": _error(topic_bins(pairs), len(pairs)),
        "urgency_kappa": kappa(truth, said_urgency),
        "urgency_calibration_error": _error(urgency_bins(pairs), len(pairs)),
        "critical_recall": recall,
        "critical_recall_low": low,
        "critical_recall_high": high,
        "critical_precision": _share(t == _CRITICAL for t in called),
        "critical_precision_at_recall_95": precision_at(pairs, RECALL),
        "critical_false_per_1000": 1000 * sum(t != _CRITICAL for t in called) / len(pairs),
        "intent": _share(said.intent == example.intent for example, said in pairs),
    }
    return {name: round(value, 4) for name, value in figures.items()}


def interval(share: float, count: int) -> tuple[float, float]:
    """Give the 95% interval of a share of ``count`` (Wilson).

    >>> [round(end, 3) for end in interval(0.95, 300)]
    [0.919, 0.969]
    """
    if not count:
        return 0.0, 1.0
    middle = share + _Z**2 / (2 * count)
    spread = _Z * math.sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2))
    scale = 1 + _Z**2 / count
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


def kappa(truth: Sequence[str], said: Sequence[str]) -> float:
    """Give Cohen's kappa of urgencies with quadratic weights.

    >>> kappa(["kritiek", "laag", "normaal"], ["kritiek", "laag", "normaal"])
    1.0
    """
    rank = {urgency.value: number for number, urgency in enumerate(URGENCIES)}
    ours, theirs = Counter(truth), Counter(said)
    seen = sum((rank[t] - rank[s]) ** 2 for t, s in zip(truth, said, strict=True))
    chance = sum(
        ours[t] * theirs[s] * (rank[t] - rank[s]) ** 2 for t in ours for s in theirs
    ) / len(truth)
    return 1.0 - seen / chance if chance else 1.0


def per_topic(pairs: Sequence[Pair]) -> list[TopicFigures]:
    """Give the figures of every topic that is meant or said, most posts first."""
    meant = Counter(example.topics[0] for example, _ in pairs)
    named = Counter(said.topic for _, said in pairs)
    passed = Counter(said.topic for _, said in pairs if not said.abstained)
    kept = Counter(
        said.topic for example, said in pairs if not said.abstained and said.topic in example.topics
    )
    both = Counter(said.topic for example, said in pairs if said.topic == example.topics[0])
    rows = []
    for topic in sorted(meant.keys() | named.keys(), key=lambda t: (-meant[t], t)):
        precision = both[topic] / named[topic] if named[topic] else 0.0
        recall = both[topic] / meant[topic] if meant[topic] else 0.0
        f1 = 2 * precision * recall / (precision + recall) if both[topic] else 0.0
        rows.append(
            TopicFigures(
                topic=topic,
                posts=meant[topic],
                precision=precision,
                recall=recall,
                f1=f1,
                sure=passed[topic] / named[topic] if named[topic] else 0.0,
                right_when_sure=kept[topic] / passed[topic] if passed[topic] else 0.0,
            )
        )
    return rows


def per_author(pairs: Sequence[Pair], *, least: int = 20) -> list[AuthorFigures]:
    """Give the figures of every author group of at least so many posts, the worst topics first."""
    groups: dict[str, list[Pair]] = {}
    for pair in pairs:
        groups.setdefault(pair[0].author, []).append(pair)
    rows = []
    for author, group in groups.items():
        if len(group) < least:
            continue
        found = measure(group)
        rows.append(
            AuthorFigures(
                author=author,
                posts=len(group),
                critical=sum(example.urgency == _CRITICAL for example, _ in group),
                **{name: found[name] for name in _OF_AUTHORS},
            )
        )
    return sorted(rows, key=lambda row: (row.topic_first, row.author))


_OF_AUTHORS: Final = (
    "topic_first",
    "urgency_kappa",
    "critical_recall",
    "critical_recall_low",
    "critical_recall_high",
    "intent",
)


def confusion(pairs: Sequence[Pair]) -> Mapping[tuple[str, str], int]:
    """Count (first topic meant, topic said); a second label that was said counts as meant."""
    return Counter(
        (said.topic if said.topic in example.topics else example.topics[0], said.topic)
        for example, said in pairs
    )


def topic_bins(pairs: Sequence[Pair]) -> list[Bin]:
    """Compare how sure the model is of the topic with how often it is right."""
    return _bins([(said.confidence, said.topic in example.topics) for example, said in pairs])


def urgency_bins(pairs: Sequence[Pair]) -> list[Bin]:
    """Compare the same for the likeliest urgency, before bars and safety rules."""
    judged = []
    for example, said in pairs:
        best = max(range(len(URGENCIES)), key=lambda at, said=said: said.urgency_p[at])  # type: ignore[misc]
        judged.append((said.urgency_p[best], URGENCIES[best].value == example.urgency))
    return _bins(judged)


def critical_curve(pairs: Sequence[Pair]) -> list[tuple[float, float, float]]:
    """Give (bar, recall, precision) of ``kritiek`` as its bar falls; safety rules come first."""
    ranked = sorted(
        ((_critical_p(said), example.urgency == _CRITICAL) for example, said in pairs),
        key=lambda item: -item[0],
    )
    total = sum(is_critical for _, is_critical in ranked)
    if not total:
        return []
    points = []
    found = 0
    for number, (p, is_critical) in enumerate(ranked, 1):
        found += is_critical
        last = number == len(ranked) or ranked[number][0] < p
        if last:
            points.append((min(p, 1.0), found / total, found / number))
    return points


def precision_at(pairs: Sequence[Pair], recall: float) -> float:
    """Give the best precision of ``kritiek`` at no less than a recall."""
    reached = [precision for _, found, precision in critical_curve(pairs) if found >= recall]
    return max(reached, default=0.0)


def coverage_curve(pairs: Sequence[Pair]) -> list[tuple[float, float]]:
    """Give (part of the posts that it is surest of, how often the topic is right there)."""
    ranked = sorted(pairs, key=lambda pair: -pair[1].confidence)
    points = []
    right = 0
    for number, (example, said) in enumerate(ranked, 1):
        right += said.topic in example.topics
        points.append((number / len(ranked), right / number))
    return points


def accuracy_at(pairs: Sequence[Pair], coverage: float) -> float:
    """Give how often the topic is right on the part that the model is surest of."""
    points = coverage_curve(pairs)
    return points[max(0, math.ceil(coverage * len(points)) - 1)][1]


def _critical_p(said: Assessment) -> float:
    """Rank what a safety rule raised before all that the model says."""
    raised = said.safety_rule is not None and said.urgency is Urgency.KRITIEK
    return 2.0 if raised else said.urgency_p[0]


def _bins(judged: Sequence[tuple[float, bool]]) -> list[Bin]:
    groups: list[list[tuple[float, bool]]] = [[] for _ in range(BINS)]
    for confidence, right in judged:
        groups[min(int(confidence * BINS), BINS - 1)].append((confidence, right))
    return [
        Bin(
            confidence=_mean(c for c, _ in group),
            right=_share(r for _, r in group),
            count=len(group),
        )
        for group in groups
        if group
    ]


def _error(bins: Sequence[Bin], count: int) -> float:
    return sum(abs(b.confidence - b.right) * b.count for b in bins) / count


def _share(values: Sequence[bool] | Iterator[bool]) -> float:
    return _mean(float(value) for value in values)


def _mean(values: Iterator[float]) -> float:
    found = list(values)
    return sum(found) / len(found) if found else 0.0
