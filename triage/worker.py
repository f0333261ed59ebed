"""The worker: read, decode, judge, put, commit.

Nothing is committed before the queue store has it on disk, and the store itself keeps the
position, so a kill at any line loses nothing and doubles nothing. A store or broker that does not
answer means waiting and going on, never leaving and never skipping.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Event
from typing import Final, TypeVar

import structlog

from triage.backoff import Backoff
from triage.errors import InvalidPost, TooManyRejected, Unavailable
from triage.log import Log, Record
from triage.metrics import Metrics
from triage.pipeline import Pipeline, Received, decode
from triage.queue import Entry, Queue
from triage.rebuild import restore_recent
from triage.relay import Aside, Relay
from triage.stream import Stream, until_answered
from triage.suspect import Suspects

_log = structlog.get_logger()
_T = TypeVar("_T")

#: How long one poll waits for the first record, in seconds.
POLL_SECONDS: Final = 0.1
#: How often events are published, in seconds.
CHORES_SECONDS: Final = 0.5
#: How often lag is measured, in seconds: it asks the broker, and reading waits meanwhile.
LAG_SECONDS: Final = 15.0
#: A put slower than this halves the next batch, in seconds.
SLOW_SECONDS: Final = 1.0
#: How far back outcomes are applied again after the store lost its last moments.
RESTORE_SPAN: Final = timedelta(days=2)
#: How long after the start a worker that is level with the log has its partitions, in seconds.
SETTLED_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How a worker works."""

    #: Posts a batch, at most.
    batch: int = 500
    #: Undecodable posts in a row at which it stops.
    reject_limit: int = 1000


class Worker:
    """Brings posts from a log into queues until it is told to stop."""

    def __init__(
        self,
        log: Log,
        queue: Queue,
        pipeline: Pipeline,
        metrics: Metrics,
        *,
        policy: Policy | None = None,
        suspects: Suspects | None = None,
        between: Callable[[], None] = lambda: None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._log = log
        self._queue = queue
        self._pipeline = pipeline
        self._metrics = metrics
        self._policy = policy or Policy()
        self._suspects = suspects or Suspects(None)
        self._between = between
        self._clock = clock
        self._stopping = Event()
        self._backoff = Backoff(self._stopping.wait)
        self._stream = Stream(log, queue, pipeline.orgs, metrics, clock, self._patiently)
        self._relay = Aside(Relay(log, queue, pipeline.orgs), clock)
        self._limit = self._policy.batch
        self._rejected_in_a_row = 0
        self._chores_due = 0.0
        self._lag_due = 0.0
        # Nobody knows at the start whether the store has just lost its last moments.
        self._restore_due = time.monotonic() + SETTLED_SECONDS

    def stop(self) -> None:
        """Ask the loop to end after the batch in hand; callable from a signal handler."""
        self._stopping.set()

    def run(self, *, anew: bool = False) -> None:
        """Work until stopped; then say where we stand and publish what is left.

        ``anew``: the store was filled again since the last run. Raises StoreLost.
        """
        while not self._stopping.is_set():
            try:
                if anew:
                    self._stream.realign()
                    anew = False
                self.step()
            except Unavailable as error:
                self._pause(error)
            else:
                self._backoff.reset()
        for last in (partial(self._chores, idle=False), self._relay.close):
            try:
                last()
            except Unavailable:
                _log.warning("left_unpublished")  # it stays in the store's outbox
        self._suspects.close()

    def step(self) -> int:
        """Bring one batch from the log into the queues; give the number of posts put.

        ``between`` is called before each: there a model may be exchanged.
        """
        self._between()
        records = self._stream.read(timeout=POLL_SECONDS, limit=self._limit)
        posts, rejected = self._decode(records)
        entries = self._suspects.judge(self._pipeline, posts) if posts else []
        self._reject(rejected, good=len(posts))
        self._put(entries, records)
        if time.monotonic() >= self._chores_due:
            self._chores(idle=not records)
        return len(entries)

    def _decode(
        self, records: Sequence[Record]
    ) -> tuple[list[Received], list[tuple[Record, InvalidPost]]]:
        """Decode a batch, without the posts that their queues have already."""
        start = time.perf_counter()
        received, rejected = decode(records)
        posts = [
            one for one in received if not self._stream.has(self._pipeline.org_of(one.post), one)
        ]
        if records:
            self._metrics.observe_stage("decode", time.perf_counter() - start)
        return posts, rejected

    def _reject(self, rejected: Sequence[tuple[Record, InvalidPost]], *, good: int) -> None:
        """Dead-letter what can't be decoded, unless so much is wrong that it must be us."""
        self._rejected_in_a_row = len(rejected) + (0 if good else self._rejected_in_a_row)
        if not rejected:
            return
        if self._rejected_in_a_row > self._policy.reject_limit:
            message = f"{self._rejected_in_a_row} onleesbare berichten achter elkaar"
            raise TooManyRejected(message)
        self._patiently(lambda: self._log.reject(rejected))
        for _, error in rejected:
            self._metrics.rejected(error)

    def _put(self, entries: Sequence[Entry], records: Sequence[Record]) -> None:
        if not records:
            return
        start = time.perf_counter()
        self._stream.put(entries, records)
        seconds = time.perf_counter() - start
        self._metrics.observe_stage("put", seconds)
        self._metrics.observe_batch(entries, now=self._clock())
        slow = seconds > SLOW_SECONDS
        self._limit = max(1, self._limit // 2) if slow else min(self._limit * 2, self._policy.batch)

    def _chores(self, *, idle: bool) -> None:
        self._chores_due = time.monotonic() + CHORES_SECONDS
        self._stream.settle()
        self._stream.check()
        level = idle
        if time.monotonic() >= self._lag_due:
            self._lag_due = time.monotonic() + LAG_SECONDS
            lag = self._log.lag()
            self._metrics.lag(lag)
            level = level or sum(figure.records for figure in lag) <= self._policy.batch
        if self._stream.recovered() or (level and time.monotonic() >= self._restore_due):
            self._restore()
        self._relay.nudge()

    def _restore(self) -> None:
        """Set right what people did in the moments that the store lost."""
        count = restore_recent(
            self._log, self._queue, self._pipeline.orgs, now=self._clock(), since=RESTORE_SPAN
        )
        self._restore_due = math.inf
        if count:
            _log.warning("outcomes_restored", tickets=count)

    def _patiently(self, call: Callable[[], _T]) -> _T:
        return until_answered(call, pause=self._pause, stopped=self._stopping.is_set)

    def _pause(self, error: Unavailable) -> None:
        _log.warning("waiting", reason=str(error))
        self._metrics.backoff()
        if self._restore_due == math.inf:
            # A store that went away may come back without its last moments.
            self._restore_due = 0.0
        self._backoff.pause()
