"""The urgent lane: what comes in by our own door is looked at there, and a critical post overtakes.

The look sees how urgent posts are and no more, in a bounded time: what it does not reach goes the
ordinary way, where the worker reads it in turn. A post stands in one of the two streams, so the
worker's own judgement is the only one that counts; a look that was wrong costs no more than time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Final

from triage.classify.safety import check
from triage.log import Log, NewRecord, Topic
from triage.post import Post
from triage.ticket import Urgency

if TYPE_CHECKING:  # who looks by the rules alone starts without the language step
    from triage.classify import Classifier
    from triage.pipeline import Pipeline

#: How long the posts of one request are looked at, at most, in seconds.
LOOK_SECONDS: Final = 0.5
#: How many posts, and characters of text, are looked at between two looks at the clock.
_CHUNK_POSTS: Final = 50
_CHUNK_TEXT: Final = 16_384


class Look:
    """Finds the critical ones among posts; safe to call from several threads.

    By the model and the safety rules, as a worker does; without a ``pipeline``, or while others
    keep it, by the safety rules alone. ``between`` is called first, with the pipeline in hand.
    """

    def __init__(
        self,
        pipeline: Pipeline | None = None,
        *,
        between: Callable[[], None] = lambda: None,
        seconds: float = LOOK_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pipeline = pipeline
        self._between = between
        self._seconds = seconds
        self._clock = clock
        self._turn = Lock()

    def at(self, posts: Sequence[Post]) -> list[bool]:
        """Tell which posts are critical, in order; where time ran out the list is shorter."""
        deadline = self._clock() + self._seconds
        if self._pipeline is None or not self._turn.acquire(timeout=self._seconds / 2):
            return self._seen(posts, deadline, _by_rules)
        try:
            self._between()
            return self._seen(posts, deadline, self._pipeline.urgencies)
        finally:
            self._turn.release()

    @contextmanager
    def model(self) -> Iterator[Classifier | None]:
        """Lend the model that looks, to one at a time; None where the rules alone look."""
        if self._pipeline is None:
            yield None
            return
        with self._turn:
            self._between()
            yield self._pipeline.classifier

    def _seen(
        self,
        posts: Sequence[Post],
        deadline: float,
        judge: Callable[[Sequence[Post]], Sequence[Urgency]],
    ) -> list[bool]:
        critical: list[bool] = []
        for chunk in _chunks(posts):
            if self._clock() >= deadline:
                break
            critical += [urgency is Urgency.KRITIEK for urgency in judge(chunk)]
        return critical


def _by_rules(posts: Sequence[Post]) -> list[Urgency]:
    raised = [check(post.text) for post in posts]
    return [found[0] if found else Urgency.NORMAAL for found in raised]


def _chunks(posts: Sequence[Post]) -> Iterator[Sequence[Post]]:
    start = size = 0
    for at, post in enumerate(posts, start=1):
        size += len(post.text)
        if at - start == _CHUNK_POSTS or size > _CHUNK_TEXT or at == len(posts):
            yield posts[start:at]
            start, size = at, 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """Which way the posts of one request went."""

    urgent: int
    ordinary: int
    #: Those of the ordinary ones for which there was no time to look.
    unseen: int


class Lane:
    """Our own door to the log: critical posts go by their own stream, the others by the usual."""

    def __init__(self, log: Log, look: Look) -> None:
        self._log = log
        self._look = look

    def append(self, posts: Sequence[Post], records: Sequence[NewRecord]) -> Appended:
        """Append posts, each with its record, and return when they are on disk.

        Raises as :meth:`triage.log.Log.append`: then append all of them again.
        """
        critical = self._look.at(posts)
        unseen = len(posts) - len(critical)
        ways: dict[Topic, list[NewRecord]] = {Topic.URGENT: [], Topic.POSTS: []}
        for record, first in zip(records, [*critical, *[False] * unseen], strict=True):
            ways[Topic.URGENT if first else Topic.POSTS].append(record)
        for topic, own in ways.items():
            if own:
                self._log.append(topic, own)
        urgent = len(ways[Topic.URGENT])
        return Appended(urgent=urgent, ordinary=len(posts) - urgent, unseen=unseen)
