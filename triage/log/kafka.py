"""The log on Apache Kafka."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from kafka import TopicPartition

from triage.closing import Closing
from triage.errors import InvalidPost, Unavailable
from triage.log import (
    POST_TOPICS,
    Gap,
    NewRecord,
    PartitionLag,
    Polled,
    Record,
    Topic,
    begin,
    checked,
)
from triage.log.dead_letter import dead_letter, without_payload
from triage.log.kafka_client import (
    CLIENT_ERRORS,
    NEXT,
    OLDEST,
    Client,
    KafkaAdmin,
    KafkaSettings,
    name_of,
    outside_group,
    unavailable,
)
from triage.log.kafka_lane import KafkaLane
from triage.log.kafka_reader import KafkaReader, close, record_of
from triage.log.kafka_writer import KafkaWriter

#: A scan that gets nothing for so long gives up, in seconds.
_SCAN_SECONDS: Final = 30.0
#: How long `lag` looks for the times of the oldest unread records, in seconds.
_PEEK_SECONDS: Final = 1.0
#: An oldest unread record younger than this has no age worth a look.
_YOUNG_SECONDS: Final = 1.0
_PING_SECONDS: Final = 1.8
#: How long a poll that finds nothing waits before it looks for urgent posts again, in seconds.
_LANE_SECONDS: Final = 0.05


class KafkaLog(Closing):
    """A :class:`triage.log.Log` on Kafka. Opens its connections when they are first needed.

    ``poll``, ``seek``, ``commit`` and ``close`` belong to one thread; the rest may be called from
    any. ``clock`` gives monotonic seconds, ``now`` the time (aware). ``on_rejoin`` is called when
    a silent partition made us join again, ``on_pause`` with the seconds that a rebalance took.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        on_rejoin: Callable[[], None] | None = None,
        on_pause: Callable[[float], None] | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._now = now
        self._admin = KafkaAdmin(settings)
        self._writer = KafkaWriter(settings)
        self._lane = KafkaLane(settings, self._admin, clock=clock)
        self._reader = KafkaReader(
            settings,
            self._admin,
            clock=clock,
            also=self._lane.reads,
            on_rejoin=on_rejoin,
            on_pause=on_pause,
        )
        self._peek_lock = threading.Lock()
        self._peeker: Client = None
        #: Per partition: an offset, and when its record was appended.
        self._peeked: dict[TopicPartition, tuple[int, datetime]] = {}

    @property
    def rejoins(self) -> int:
        """How often a silent partition made us leave the group and join it again."""
        return self._reader.rejoins

    def append(self, topic: Topic, records: Sequence[NewRecord]) -> None:
        """Append records, in order, and return when all in-sync replicas have them."""
        checked(records)
        with unavailable("append"):
            self._admin.ensure([topic])
        try:
            self._writer.append(self._settings.topic(topic), records)
        except Unavailable:
            self._admin.forget()
            raise

    def poll(self, *, timeout: float, limit: int) -> Polled:
        """Give posts of our partitions, urgent ones first; wait up to ``timeout`` seconds."""
        deadline = self._clock() + timeout
        while True:
            urgent = self._lane.poll(self._reader.owned, limit=limit)
            # The group wants to be polled, however many urgent posts there are.
            some = max(1, limit - len(urgent.records))
            left = max(0.0, deadline - self._clock())
            wait = 0.0 if urgent.records or urgent.fresh else min(left, _LANE_SECONDS)
            try:
                others = self._reader.poll(timeout=wait, limit=some)
            except Unavailable:
                # The lane has moved past what it gave: a group in trouble must not take that along.
                if not urgent.records:
                    raise
                others = Polled()
            records = [*urgent.records, *others.records]
            fresh = urgent.fresh | others.fresh
            if records or fresh or self._clock() >= deadline:
                return Polled(records=records, fresh=fresh)

    def seek(self, partition: str, offset: int | None) -> Gap | None:
        """Go on at ``offset``; None: at the oldest record."""
        reader = self._lane if self._lane.owns(partition) else self._reader
        return reader.seek(partition, offset)

    def commit(self, positions: Mapping[str, int]) -> None:
        """Note the next offset to read, per partition, for the figures of lag."""
        self._reader.commit(positions)

    def reject(self, rejected: Sequence[tuple[Record, InvalidPost]]) -> None:
        """Append undecodable records to the dead letter, bounded, with reason and origin."""
        letters = [dead_letter(record, error) for record, error in rejected]
        try:
            self.append(Topic.DEAD_LETTER, letters)
        except InvalidPost:
            # Whoever made the topic allows less than we keep: find out for which it is too little.
            for letter in letters:
                self._reject_alone(letter)

    def _reject_alone(self, letter: NewRecord) -> None:
        try:
            self.append(Topic.DEAD_LETTER, [letter])
        except InvalidPost:
            # The origin says where to look.
            self.append(Topic.DEAD_LETTER, [without_payload(letter)])

    def lag(self) -> Sequence[PartitionLag]:
        """Give the lag of every partition of the posts' streams.

        The age of an oldest unread record that is younger than a second is given as 0.0.
        """
        with unavailable("lag"):
            partitions = [tp for topic in POST_TOPICS for tp in self._admin.partitions(topic)]
            ends = self._admin.offsets(partitions, NEXT)
            oldest = self._admin.offsets(partitions, OLDEST)
            committed = self._admin.committed(partitions)
            unread = {
                tp: start
                for tp in partitions
                if (start := max(committed.get(tp, 0), oldest[tp])) < ends[tp]
            }
            now = self._now()
            appended = self._peek(unread, now)
        return [
            PartitionLag(
                partition=name_of(tp),
                records=ends[tp] - unread.get(tp, ends[tp]),
                oldest_seconds=max(0.0, (now - appended.get(tp, now)).total_seconds()),
            )
            for tp in partitions
        ]

    def scan(self, topic: Topic, *, start: Mapping[str, int] | None = None) -> Iterator[Record]:
        """Read a stream, or what comes after ``start``, to its end as it is now."""
        with unavailable("scan"):
            partitions = self._admin.partitions(topic)
            oldest = self._admin.offsets(partitions, OLDEST)
            ends = self._admin.offsets(partitions, NEXT)
        first = {
            tp: begin(start, f"{tp.topic}-{tp.partition}", low, ends[tp])
            for tp, low in oldest.items()
        }
        return self._scanned(first, {tp: end for tp, end in ends.items() if end > first[tp]})

    def erase(self, records: Sequence[Record]) -> bool:
        """Say that records can't be taken out of Kafka: its retention does that."""
        del records
        return False

    def ping(self) -> None:
        """Return when the log answers; raise Unavailable within 2 seconds when it does not."""
        with unavailable("ping"):
            self._admin.ping(seconds=_PING_SECONDS)

    def close(self) -> None:
        """Leave the group and let go of everything."""
        self._reader.close()
        self._lane.close()
        with self._peek_lock:
            self._forget_peeker()
        self._writer.close()
        self._admin.close()

    def _scanned(
        self, first: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]
    ) -> Iterator[Record]:
        if not ends:
            return
        with unavailable("scan"):
            consumer = outside_group(self._settings)
            consumer.assign(list(ends))
            for tp in ends:
                consumer.seek(tp, first[tp])
        waiting = dict(ends)
        try:
            moved_at = self._clock()
            while waiting:
                with unavailable("scan"):
                    batches = consumer.poll(timeout_ms=250, max_records=1000)
                    done = [tp for tp, end in waiting.items() if _position(consumer, tp) >= end]
                for tp, batch in batches.items():
                    name = name_of(tp)
                    yield from (record_of(name, raw) for raw in batch if raw.offset < ends[tp])
                for tp in done:
                    consumer.pause(tp)
                    del waiting[tp]
                if batches or done:
                    moved_at = self._clock()
                elif self._clock() - moved_at > _SCAN_SECONDS:
                    raise Unavailable("Kafka: scan: geen antwoord")
        finally:
            close(consumer)

    def _peek(
        self, unread: Mapping[TopicPartition, int], now: datetime
    ) -> dict[TopicPartition, datetime]:
        """Give when the first unread record of each partition was appended.

        Asking the broker is cheap, reading is not: a partition whose oldest record is younger
        than `_YOUNG_SECONDS` is left out, and a worker that keeps up never pays for the rest.
        """
        young = int((now.timestamp() - _YOUNG_SECONDS) * 1000)
        first_young = self._admin.offsets(unread, young)
        old = {tp: at for tp, at in unread.items() if not 0 <= first_young[tp] <= at}
        with self._peek_lock:
            known = {tp: self._peeked[tp] for tp in old if tp in self._peeked}
            missing = {tp: at for tp, at in old.items() if tp not in known or known[tp][0] != at}
            self._peeked = known
            if missing:
                self._peek_at(missing)
            return {tp: time for tp, (_, time) in self._peeked.items()}

    def _peek_at(self, missing: Mapping[TopicPartition, int]) -> None:
        try:
            if self._peeker is None:
                self._peeker = outside_group(self._settings, fetch_max_wait_ms=100)
            self._peeker.assign(list(missing))
            for tp, start in missing.items():
                self._peeker.seek(tp, start)
            self._peeker.resume(*missing)
            left = set(missing)
            deadline = self._clock() + _PEEK_SECONDS
            while left and self._clock() < deadline:
                for tp, batch in self._peeker.poll(timeout_ms=100, max_records=1).items():
                    self._peeker.pause(tp)
                    left.discard(tp)
                    self._peeked[tp] = missing[tp], record_of("", batch[0]).at
        except CLIENT_ERRORS:
            self._forget_peeker()
            raise

    def _forget_peeker(self) -> None:
        consumer, self._peeker = self._peeker, None
        if consumer is not None:
            close(consumer)


def _position(consumer: Client, tp: TopicPartition) -> int:
    with contextlib.suppress(*CLIENT_ERRORS):
        return int(consumer.position(tp, timeout_ms=0) or 0)
    return 0
