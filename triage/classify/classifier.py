"""The classifier: posts and readings in, assessments out, a batch at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from triage.classify import safety
from triage.classify.explain import Explanation, Span, Text, account
from triage.classify.features import cues, words
from triage.classify.files import ModelFiles
from triage.classify.table import TOKEN_LIMIT, Hits, Ints, Rows, Table
from triage.post import Post
from triage.reading import Reading
from triage.ticket import URGENCIES, Assessment, Reason, Urgency

#: How many topics and how many reasons an assessment names.
TOPICS: Final = 3
REASONS: Final = 5
_DIGITS: Final = 4
#: What weighs less is no reason.
_SMALLEST: Final = 0.02
_CRITICAL: Final = 0
#: The first urgency, by rank, that is not explained unasked: ``explain`` tells of any.
_CAN_WAIT: Final = Urgency.NORMAAL.rank
#: Shares of the first topic, and how often it is right there: one line of knots each.
AS_IT_IS: Final = ((0.0, 1.0), (0.0, 1.0))
_F = TypeVar("_F", bound=np.floating[Any])


class Classifier:
    """Judges posts by one model. Not thread-safe: one classifier a thread."""

    def __init__(self, model: ModelFiles, *, token_limit: int = TOKEN_LIMIT) -> None:
        self.version = model.version
        #: The words that the model has weights for.
        self.words: Sequence[str] = model.tokens[2 : len(model.arrays["words"])]
        self._table = Table(model, token_limit=token_limit)
        self._bias = model.arrays["bias"]
        self._cues = model.arrays["cues"]
        self._cue_ids = {cue: number for number, cue in enumerate(model.meta["cues"])}
        labels = model.meta["labels"]
        self._topics: list[str] = labels["topics"]
        self._intents: list[str] = labels["intents"]
        first, second = len(self._topics), len(self._topics) + len(URGENCIES)
        self._heads = (slice(0, first), slice(first, second), slice(second, None))
        calibration = model.meta["calibration"]
        self._temperatures: list[float] = calibration["temperatures"]
        self._prior_shift = np.asarray(calibration["urgency_prior_shift"], np.float32)
        self._critical_at: float = calibration["critical_at"]
        self._abstain_below: float = calibration["abstain_below"]
        #: Older models take the first topic's share as it is.
        self._confidence = np.asarray(calibration.get("confidence", AS_IT_IS), np.float32)

    @classmethod
    def load(cls, folder: Path) -> Classifier:
        """Load a model from its folder. Raises InvalidModel."""
        return cls(ModelFiles.load(folder))

    def assess(self, posts: Sequence[Post], readings: Sequence[Reading]) -> list[Assessment]:
        """Judge a batch: one assessment a post, in order."""
        if not posts:
            return []
        texts = _texts(posts, readings)
        hits = self._table.find(texts)
        topic_p, urgency_p, intent_p = self._probabilities(self._scores(posts, hits))
        ranks = self._ranks(urgency_p)
        best = np.argsort(-topic_p, axis=1, kind="stable")[:, :TOPICS]
        best_p = _rounded(np.take_along_axis(topic_p, best, axis=1))
        judged = zip(
            best.tolist(),
            best_p,
            [URGENCIES[rank] for rank in ranks.tolist()],
            _rounded(urgency_p),
            intent_p.argmax(axis=1).tolist(),
            _rounded(intent_p.max(axis=1)),
            (hits.known > 0).tolist(),
            *self._reasons(hits, best[:, 0], ranks, texts),
            strict=True,
        )
        return [
            self._assessment(row, _raised(post, row[2]))
            for post, row in zip(posts, judged, strict=True)
        ]

    def explain(
        self, post: Post, reading: Reading, assessment: Assessment, spans: Sequence[Span]
    ) -> Explanation:
        """Account for the first topic and the urgency of a post that this model assessed.

        ``spans`` are those of ``triage.language.spans`` for its text.
        """
        (tokens,) = _texts([post], [reading])
        hits = self._table.find([tokens])
        text = Text.of(post.text, spans, len(tokens))
        norm = float(_norm(hits.counts)[0])
        found = [cue for cue in cues(post, len(tokens)) if cue in self._cue_ids]

        def told(column: int) -> list[tuple[str, float]]:
            weights = self._cues[[self._cue_ids[cue] for cue in found], column].astype(float)
            return [
                ("(basis)", float(self._bias[column])),
                *zip(found, weights.tolist(), strict=True),
            ]

        topic = self._topics.index(assessment.topic)
        urgency = self._heads[1].start + assessment.urgency.rank
        return Explanation(
            topic=account(assessment.topic, topic, hits, norm, told(topic), text),
            urgency=account(assessment.urgency.value, urgency, hits, norm, told(urgency), text),
        )

    def scores(self, posts: Sequence[Post], readings: Sequence[Reading]) -> Rows:
        """Give the raw scores: (posts, classes), topics, then urgencies, then intents."""
        return self._scores(posts, self._table.find(_texts(posts, readings)))

    def _scores(self, posts: Sequence[Post], hits: Hits) -> Rows:
        scores = hits.summed() / _norm(hits.counts)[:, None]
        owner, ids = [], []
        known = self._cue_ids
        for number, (post, count) in enumerate(zip(posts, hits.counts.tolist(), strict=True)):
            for cue in cues(post, count):
                if (found := known.get(cue)) is not None:
                    owner.append(number)
                    ids.append(found)
        np.add.at(scores, np.asarray(owner, np.int64), self._cues[np.asarray(ids, np.int64)])
        summed: Rows = np.add(scores, self._bias, dtype=np.float32)
        return summed

    def _probabilities(self, scores: Rows) -> tuple[Rows, Rows, Rows]:
        none = np.float32(0)
        shift: tuple[Any, ...] = (none, self._prior_shift, none)
        topic, urgency, intent = (
            softmax(scores[:, head] * temperature + move)
            for head, temperature, move in zip(self._heads, self._temperatures, shift, strict=True)
        )
        return confident(topic, self._confidence), urgency, intent

    def _ranks(self, urgency_p: Rows) -> NDArray[np.intp]:
        """Choose the likeliest, but ``kritiek`` from its own, lower, bar on."""
        ranks: NDArray[np.intp] = urgency_p.argmax(axis=1)
        ranks[urgency_p[:, _CRITICAL] >= self._critical_at] = _CRITICAL
        return ranks

    def _reasons(
        self, hits: Hits, topics: Ints, ranks: Ints, texts: Sequence[Sequence[str]]
    ) -> tuple[list[tuple[Reason, ...]], list[tuple[Reason, ...]]]:
        """Name what weighed most for topic and urgency, each with its exact part of the score.

        Per text: for its topic, and for its urgency where that is one that cannot wait.
        """
        count = len(texts)
        urgent = ranks < _CAN_WAIT
        norm = _norm(hits.counts)
        column = self._heads[1].start + ranks
        owners, tokens, lengths, weights = [], [], [], []
        for part in hits.parts:
            weight = part.scores[part.row, topics[part.text]] / norm[part.text]
            # The mark of the beginning alone is no reason; what weighs little, or against, neither.
            named = part.token + part.length > 0
            speaks = np.flatnonzero((weight > _SMALLEST) & named)
            hot = np.flatnonzero(urgent[part.text] & named)
            hot_text = part.text[hot]
            hot_weight = part.scores[part.row[hot], column[hot_text]] / norm[hot_text]
            strong = hot_weight > _SMALLEST
            hot = hot[strong]
            owners += [part.text[speaks], part.text[hot] + count]
            tokens += [part.token[speaks], part.token[hot]]
            lengths.append(np.full(len(speaks) + len(hot), part.length))
            weights += [weight[speaks], hot_weight[strong]]
        owner, weight = np.concatenate(owners), np.concatenate(weights)
        order = _by_owner(owner, weight)
        owner = owner[order]
        first_of = np.searchsorted(owner, np.arange(2 * count))
        top = order[np.arange(len(order)) - first_of[owner] < REASONS]
        reasons: list[list[Reason]] = [[] for _ in range(2 * count)]
        for number, first, size, weighs in zip(
            np.concatenate(owners)[top].tolist(),
            np.concatenate(tokens)[top].tolist(),
            np.concatenate(lengths)[top].tolist(),
            weight[top].astype(np.float64).round(_DIGITS).tolist(),
            strict=True,
        ):
            text = texts[number % count]
            name = text[first] if size == 1 else _named(text, first, size)
            reasons[number].append(Reason(token=name, weight=weighs))
        named_all = list(map(tuple, reasons))
        return named_all[:count], named_all[count:]

    def _assessment(self, judged: _Judged, raised: tuple[Urgency, str] | None) -> Assessment:
        best, best_p, urgency, urgency_p, intent, intent_p, known, reasons, urgency_reasons = judged
        return Assessment(
            topics=tuple((self._topics[at], p) for at, p in zip(best, best_p, strict=True)),
            urgency=raised[0] if raised else urgency,
            urgency_p=(urgency_p[0], urgency_p[1], urgency_p[2], urgency_p[3]),
            intent=self._intents[intent],
            intent_p=intent_p,
            confidence=best_p[0],
            abstained=best_p[0] < self._abstain_below or not known,
            reasons=reasons,
            urgency_reasons=urgency_reasons,
            safety_rule=raised[1] if raised else None,
            model=self.version,
        )


#: One row of a batch: topics and their p, urgency and its p, intent and its p, whether the model
#: knows any of it, reasons for the topic and for the urgency.
_Reasons = tuple[Reason, ...]
_Judged = tuple[list[int], list[float], Urgency, list[float], int, float, bool, _Reasons, _Reasons]


def _raised(post: Post, urgency: Urgency) -> tuple[Urgency, str] | None:
    """Ask the safety rules where they could still raise the urgency."""
    return None if urgency is Urgency.KRITIEK else safety.check(post.text)


def _texts(posts: Sequence[Post], readings: Sequence[Reading]) -> list[Sequence[str]]:
    """Give the tokens that count; only a text beyond ASCII can hold pictures."""
    return [
        reading.tokens if post.text.isascii() else words(reading.tokens)
        for post, reading in zip(posts, readings, strict=True)
    ]


def _rounded(values: Rows) -> list[Any]:
    """Give values as Python's numbers, short enough to read."""
    rounded: list[Any] = values.astype(np.float64).round(_DIGITS).tolist()
    return rounded


def _by_owner(owner: Ints, weight: Rows) -> NDArray[np.intp]:
    """Order by owner, then the heaviest first; in double precision no two weights become one."""
    if not len(owner):
        return np.empty(0, np.intp)
    apart = 2.0 * float(weight.max())
    key = owner * apart - weight.astype(np.float64)
    return key.argsort(kind="stable")


def _norm(counts: Ints) -> Rows:
    norm: Rows = np.sqrt(np.maximum(counts, 1)).astype(np.float32)
    return norm


def softmax(scores: NDArray[_F]) -> NDArray[_F]:
    """Turn scores into shares that sum to 1, row by row."""
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: NDArray[_F] = odds / odds.sum(axis=1, keepdims=True)
    return shares


def confident(shares: NDArray[_F], knots: NDArray[_F]) -> NDArray[_F]:
    """Let the largest share of each row say how often it is right, and the others share the rest.

    ``knots`` are (2, any): shares, rising, and what they are worth, between which lines run. The
    order of a row stays as it is.
    """
    said = shares.max(axis=1, keepdims=True)
    worth = np.interp(said, knots[0], knots[1]).astype(shares.dtype)
    left = (1 - worth) / np.maximum(1 - said, np.finfo(shares.dtype).tiny)
    told: NDArray[_F] = np.where(shares == said, worth, shares * np.minimum(left, worth / said))
    return told


def _named(tokens: Sequence[str], first: int, length: int) -> str:
    """Name the tokens of a hit; one that includes the beginning (-1) starts at the first token."""
    return " ".join(tokens[max(first, 0) : first + length])
