"""The urgent posts in Kafka: read by a consumer of their own, so that no backlog is before them.

It is in no group. Whoever reads a partition of the posts reads the urgent ones of the same number,
so there is one assignment to follow and no second rebalance to wait for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Final

from kafka.errors import KafkaError, LogTruncationError, OffsetOutOfRangeError

from triage.errors import Unavailable
from triage.log import Gap, Polled, Record, Topic
from triage.log.kafka_client import (
    CLIENT_ERRORS,
    NEXT,
    Client,
    KafkaAdmin,
    KafkaSettings,
    TopicIdentity,
    name_of,
    named,
    outside_group,
    unavailable,
)
from triage.log.kafka_reader import close, record_of
from triage.log.watchdog import Watchdog

#: How often we look how many partitions the topics have, in seconds.
_COUNT_SECONDS: Final = 60.0


class KafkaLane:
    """Reads the urgent posts of the partitions that are ours. All calls belong to one thread."""

    def __init__(
        self, settings: KafkaSettings, admin: KafkaAdmin, *, clock: Callable[[], float]
    ) -> None:
        self._settings = settings
        self._admin = admin
        self._clock = clock
        self._identity = TopicIdentity(settings.topic(Topic.URGENT))
        self._consumer: Client = None
        self._dog = Watchdog(seconds=settings.watchdog_seconds)
        #: The numbers of our partitions of the posts.
        self._numbers: frozenset[int] = frozenset()
        self._count_due = 0.0
        self._fresh: set[str] = set()
        self._reading: dict[str, int] = {}
        #: Partitions of a topic that was made anew under us.
        self._anew: set[str] = set()

    def reads(self, partition: str) -> bool:
        """Tell whether a partition is one of those that we read now."""
        return partition in self._reading

    def owns(self, partition: str) -> bool:
        """Tell whether a partition is ours, read or waiting for a seek."""
        return partition in self._reading or partition in self._fresh

    def poll(self, posts: Iterable[str], *, limit: int) -> Polled:
        """Give what is there, without waiting; ``posts`` are our partitions of the posts."""
        self._follow(frozenset(named(name).partition for name in posts))
        records: list[Record] = []
        if self._reading:
            self._watch()
            records = self._fetch(limit)
        return Polled(records=records, fresh=frozenset(self._fresh))

    def seek(self, partition: str, offset: int | None) -> Gap | None:
        """Go on at ``offset``; None: at the oldest record."""
        tp = named(partition)
        with unavailable("seek"):
            resume, gap = self._admin.resume(tp, offset, anew=partition in self._anew)
            if self._consumer is None:
                self._consumer = outside_group(self._settings, fetch_max_wait_ms=250)
            self._reading[partition] = resume
            self._assign()
            self._consumer.seek(tp, resume)
        self._fresh.discard(partition)
        self._anew.discard(partition)
        self._dog.moved(partition, resume, now=self._clock())
        return gap

    def leave(self) -> None:
        """Let go of everything; what is ours comes up fresh in the next poll."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            close(consumer)
        self._hold(list(self._reading))

    def close(self) -> None:
        """Let go of everything, for good."""
        self.leave()
        self._fresh.clear()

    def _assign(self) -> None:
        self._consumer.assign([named(name) for name in self._reading])

    def _follow(self, numbers: frozenset[int]) -> None:
        """Own the partitions whose number is among those of the posts that are ours."""
        now = self._clock()
        if numbers == self._numbers and now < self._count_due:
            return
        ours = self._paired(numbers) if numbers else set()
        lost = self._reading.keys() - ours
        for name in lost:
            del self._reading[name]
        self._dog.forget(lost)
        if lost and self._consumer is not None:
            self._assign()
        self._fresh = ours - self._reading.keys()
        self._anew &= self._fresh
        self._numbers, self._count_due = numbers, now + _COUNT_SECONDS

    def _paired(self, numbers: Collection[int]) -> set[str]:
        """Name the urgent partitions that go with these of the posts."""
        with unavailable("topics"):
            self._admin.ensure([Topic.POSTS, Topic.URGENT])
            posts, urgent = map(self._admin.partitions, (Topic.POSTS, Topic.URGENT))
        if not posts or not urgent:
            # We can't tell now: what is ours stays ours until we can.
            self._admin.forget()
            raise Unavailable("Kafka: topics: geen antwoord")
        # Where the urgent ones have more partitions, they go round.
        return {name_of(tp) for tp in urgent if tp.partition % len(posts) in numbers}

    def _hold(self, partitions: Collection[str]) -> None:
        """Keep partitions still until they are sought."""
        for name in partitions:
            if self._reading.pop(name, None) is not None:
                self._fresh.add(name)
        self._dog.forget(partitions)
        if self._consumer is not None:
            self._assign()

    def _fetch(self, limit: int) -> list[Record]:
        consumer = self._consumer
        try:
            batches = consumer.poll(timeout_ms=0, max_records=limit)
            if self._identity.changed(consumer):
                self._anew |= self._fresh | self._reading.keys()
                self._hold(list(self._reading))
        except OffsetOutOfRangeError as error:
            self._hold([name_of(tp) for tp in error.args[0]])
            return []
        except LogTruncationError as error:
            self._hold([name_of(tp) for tp in error.divergent_offsets])
            return []
        except CLIENT_ERRORS as error:
            # Records taken by a poll that failed were not delivered: they are sought again.
            self.leave()
            if not isinstance(error, KafkaError) or not error.retriable:
                self._admin.forget()
            raise Unavailable(f"Kafka: poll: {type(error).__name__}") from None
        records: list[Record] = []
        for tp, batch in batches.items():
            name = name_of(tp)
            if name in self._reading:
                self._reading[name] = batch[-1].offset + 1
                self._dog.moved(name, self._reading[name], now=self._clock())
                records += [record_of(name, raw) for raw in batch]
        return records

    def _watch(self) -> None:
        """Open the consumer anew when a partition has records and gives none."""
        now = self._clock()
        due = self._dog.due(now=now)
        if not due:
            return
        with unavailable("watch"):
            ends = self._admin.offsets(map(named, due), NEXT)
        if self._dog.ends({name_of(tp): end for tp, end in ends.items()}, now=now):
            self.leave()
