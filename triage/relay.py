"""The relay: what stands in the queue store's outbox is published to the log.

At least once: an event counts as published only after its log has it on disk, so a kill in between
publishes it again, and readers drop it by its ``id``. Any number of relays may run at the same
time, one in each worker and server; a lock keeps those of one process from doing the same twice.

- ``triage.outcomes``: one record an outcome, its value the event as a JSON object, its key the
  ticket's id.
- ``triage.assessed``: every event; the value is a JSON array. New tickets stand many in one
  record without a key, since a record of its own costs more than all the rest of a post; any
  other change is an array of one under the ticket's id. Across partitions the order of a ticket's
  events is told by ``version``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Final

import orjson
import structlog

from triage.errors import TriageError, Unavailable
from triage.log import Log, NewRecord, Topic
from triage.metrics import Metrics
from triage.queue import OUTCOMES, Action, Event, Queue

_log = structlog.get_logger()

#: Events read from the outbox at once.
BATCH: Final = 1000
#: The largest record that holds several events, in bytes; Kafka's own limit is 1 MiB.
RECORD_BYTES: Final = 256 * 1024
#: How long a step waits for another one of this process, in seconds.
LOCK_SECONDS: Final = 5.0


class Relay:
    """Publishes the events of some organisations; safe to share among threads."""

    def __init__(
        self, log: Log, queue: Queue, orgs: Sequence[str], *, metrics: Metrics | None = None
    ) -> None:
        self._log = log
        self._queue = queue
        self._orgs = tuple(orgs)
        self._metrics = metrics
        self._lock = threading.Lock()

    def step(self, now: datetime) -> int:
        """Publish all that waits; give the number of events. Raises Unavailable."""
        if not self._lock.acquire(timeout=LOCK_SECONDS):
            raise Unavailable("een andere ronde van het doorgeven is nog bezig")
        try:
            return sum(self._publish(org, now) for org in self._orgs)
        finally:
            self._lock.release()

    def _publish(self, org: str, now: datetime) -> int:
        count = 0
        while events := self._queue.unpublished(org, limit=BATCH):
            outcomes = list(_outcomes(events))
            if outcomes:
                self._log.append(Topic.OUTCOMES, outcomes)
            self._log.append(Topic.ASSESSED, list(_changes(events)))
            self._queue.published(org, events[-1].cursor, now=now)
            if self._metrics is not None and outcomes:
                self._metrics.outcomes_published(len(outcomes))
            count += len(events)
            if len(events) < BATCH:
                break
        return count


class Aside:
    """Runs a relay on a thread of its own, so that a worker's loop does not wait for the log.

    What could not be published stays in the store's outbox for the next time.
    """

    def __init__(self, relay: Relay, clock: Callable[[], datetime]) -> None:
        self._relay = relay
        self._clock = clock
        self._wanted = threading.Event()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def nudge(self) -> None:
        """Ask for a round; return at once."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="relay", daemon=True)
            self._thread.start()
        self._wanted.set()

    def close(self) -> None:
        """End the thread and publish what is left. Raises Unavailable."""
        self._ended.set()
        self._wanted.set()
        if self._thread is not None:
            self._thread.join()
        self._relay.step(self._clock())

    def _run(self) -> None:
        while self._wanted.wait() and not self._ended.is_set():
            self._wanted.clear()
            try:
                self._relay.step(self._clock())
            except TriageError as error:
                _log.warning("events_wait", kind=type(error).__name__)


def _outcomes(events: Sequence[Event]) -> Iterator[NewRecord]:
    for event in events:
        if event.data["type"] in OUTCOMES:
            yield NewRecord(value=orjson.dumps(event.data), key=event.data["ticket"].encode())


_NEW: Final = frozenset({Action.CREATED, Action.JOINED})


def _changes(events: Sequence[Event]) -> Iterator[NewRecord]:
    """Give the events as records: runs of new tickets together, the rest one by one, in order."""
    run: list[bytes] = []
    size = 0
    for event in events:
        raw = orjson.dumps(event.data)
        new = event.data["type"] in _NEW
        if run and (not new or size + len(raw) > RECORD_BYTES):
            yield NewRecord(value=b"[" + b",".join(run) + b"]")
            run, size = [], 0
        if new:
            run.append(raw)
            size += len(raw) + 1
        else:
            yield NewRecord(value=b"[" + raw + b"]", key=event.data["ticket"].encode())
    if run:
        yield NewRecord(value=b"[" + b",".join(run) + b"]")
