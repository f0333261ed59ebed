"""Drift: how far what comes in, and what it is judged to be, is from what was learnt from.

Per day, each distribution is compared with that of the training posts by the Jensen-Shannon
divergence (0: the same, 1: nothing in common). Labels are what the model says of either side, so
that its own leanings cancel out.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from itertools import islice
from typing import Final, Protocol

from triage.models.tally import Counts, Tally
from triage.post import Post
from triage.reading import Reading
from triage.ticket import Assessment

#: What is compared; the last three only on a part of the posts.
DISTRIBUTIONS: Final = ("topic", "urgency", "intent", "channel", "length", "lang", "known", "words")
#: Days with fewer posts say nothing: chance alone would look like drift.
LEAST_POSTS: Final = 300
#: From here on a distribution has moved so far that somebody should look.
MOVED: Final = 0.1
#: One in so many posts is looked at word by word.
_EVERY: Final = 8
_BUCKETS: Final = 256
#: Upper bounds of the classes of length, in tokens.
_LENGTHS: Final = (5, 10, 15, 25, 40, 60, 100, 200)
_TENTHS: Final = 10


class Judged(Protocol):
    """What we need of ``triage.queue.Entry``."""

    @property
    def post(self) -> Post:
        """The post."""
        ...

    @property
    def assessment(self) -> Assessment:
        """What the model said."""
        ...


#: Posts as they were judged, each with its reading.
Pairs = Sequence[tuple[Judged, Reading]]


def seen(pairs: Pairs, known: frozenset[str], *, every: int = 1) -> Iterator[tuple[str, list[str]]]:
    """Give per distribution what a batch shows; words of one post in ``every``."""
    yield "topic", [judged.assessment.topic for judged, _ in pairs]
    yield "urgency", [judged.assessment.urgency.value for judged, _ in pairs]
    yield "intent", [judged.assessment.intent for judged, _ in pairs]
    yield "channel", [judged.post.channel for judged, _ in pairs]
    yield "length", [_length(len(reading.tokens)) for _, reading in pairs]
    yield "lang", [reading.lang for _, reading in pairs]
    some = [reading.tokens for _, reading in islice(pairs, 0, None, every) if reading.tokens]
    yield "known", [_share(tokens, known) for tokens in some]
    yield "words", [_bucket(token) for tokens in some for token in tokens]


def _length(tokens: int) -> str:
    for bound in _LENGTHS:
        if tokens <= bound:
            return f"<={bound}"
    return f">{_LENGTHS[-1]}"


def _share(tokens: Sequence[str], known: frozenset[str]) -> str:
    """Give the tenth in which the share of words that the model knows lies."""
    return str(sum(token in known for token in tokens) * _TENTHS // len(tokens))


def _bucket(token: str) -> str:
    # A number for some words together: what people write does not end in a file of counts.
    return str(zlib.crc32(token.encode("utf-8", "replace")) % _BUCKETS)


def divergence(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """Give the Jensen-Shannon divergence of two counts, in bits.

    >>> divergence({"a": 1, "b": 1}, {"a": 5, "b": 5})
    0.0
    >>> divergence({"a": 1}, {"b": 1})
    1.0
    """
    total, others = sum(one.values()), sum(other.values())
    if not total or not others:
        return 0.0
    sum_ = 0.0
    for key in sorted(one.keys() | other.keys()):
        p, q = one.get(key, 0) / total, other.get(key, 0) / others
        middle = (p + q) / 2
        sum_ += sum(part / 2 * math.log2(part / middle) for part in (p, q) if part)
    return max(0.0, round(sum_, 6))


def divergences(counts: Counts, reference: Counts) -> dict[str, float]:
    """Compare every distribution that both sides have."""
    return {
        name: divergence(counts[name], reference[name])
        for name in DISTRIBUTIONS
        if counts.get(name) and reference.get(name)
    }


def posts_in(counts: Counts) -> int:
    """Give of how many posts counts are."""
    return sum(counts.get("topic", {}).values())


class Drift:
    """Counts what one process judges, per day, and shows how far it is from training."""

    def __init__(
        self,
        tally: Tally,
        *,
        known: frozenset[str],
        reference: Counts,
        show: Callable[[Mapping[str, float]], None],
    ) -> None:
        self._tally = tally
        self._known = known
        self._reference = reference
        self._show = show

    def see(self, pairs: Pairs, day: date) -> None:
        """Count a batch that was judged on a day."""
        for name, values in seen(pairs, self._known, every=_EVERY):
            self._tally.add(day, name, values)

    def tick(self, at: float) -> None:
        """Write the counts when due (``at``: monotonic seconds), and show the divergences."""
        if self._tally.tick(at) and posts_in(self._tally.counts) >= LEAST_POSTS:
            self._show(divergences(self._tally.counts, self._reference))
