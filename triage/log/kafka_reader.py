"""One member of the group that reads the posts from Kafka.

The client joins, heartbeats and rebalances on an I/O thread of its own. Its listener runs there
and only sets flags; everything else happens on the thread that calls ``poll``.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import (
    KafkaError,
    LogTruncationError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)
from kafka.structs import MemberState, OffsetAndMetadata

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
    opened,
    unavailable,
)
from triage.log.watchdog import PauseMeter, Watchdog

#: The longest single wait in the client: a partition newly assigned comes up at least this soon.
_SLICE_SECONDS: Final = 0.25
#: How much longer than its time-out a poll may take to see a rebalance through, in seconds.
_JOIN_SECONDS: Final = 3.0
#: Not polled for so long: whoever reads was held up, and no partition could move.
_REST_SECONDS: Final = 5.0


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc, unused-ignore]
    """Hands what the I/O thread says to the reader."""

    def __init__(
        self,
        assigned: Callable[[Iterable[TopicPartition]], None],
        revoked: Callable[[Iterable[TopicPartition]], None],
    ) -> None:
        self._assigned = assigned
        self._revoked = revoked

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self._assigned(assigned)

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self._revoked(revoked)


class KafkaReader:
    """Reads the posts of the partitions that the group gives us, from where ``seek`` says."""

    def __init__(
        self,
        settings: KafkaSettings,
        admin: KafkaAdmin,
        *,
        clock: Callable[[], float],
        also: Callable[[str], bool] = lambda _partition: False,
        on_rejoin: Callable[[], None] | None = None,
        on_pause: Callable[[float], None] | None = None,
    ) -> None:
        """``also`` says of which other partitions the group is to know how far we are."""
        #: How often the watchdog made us join again.
        self.rejoins = 0
        self._also = also
        self._on_rejoin = on_rejoin
        self._on_pause = on_pause
        self._pause = PauseMeter()
        self._settings = settings
        self._admin = admin
        self._clock = clock
        self._topic = settings.topic(Topic.POSTS)
        self._identity = TopicIdentity(self._topic)
        self._consumer: Client = None
        self._dog = Watchdog(seconds=settings.watchdog_seconds)
        self._polled_at = clock()
        self._owned_at = clock()
        # Shared with the I/O thread.
        self._lock = threading.RLock()
        self._fresh: set[str] = set()
        self._reading: dict[str, int] = {}
        self._anew: set[str] = set()
        self._uncommitted: dict[str, int] = {}

    def poll(self, *, timeout: float, limit: int) -> Polled:
        """Give records and the partitions that wait for a seek."""
        started = self._clock()
        if started - self._polled_at > _REST_SECONDS:
            self._dog.rest(now=started)
        try:
            self._watch()
            return self._poll_until(started + timeout, limit)
        finally:
            self._polled_at = self._clock()

    def _poll_until(self, deadline: float, limit: int) -> Polled:
        consumer = self._joined()
        settled_by = max(deadline, self._clock() + _JOIN_SECONDS)
        settled = True
        while True:
            started = self._clock()
            left = 0.0 if self._fresh else max(0.0, deadline - started)
            wait = min(left, _SLICE_SECONDS) if settled else _SLICE_SECONDS
            batches = self._fetch(consumer, wait, limit)
            self._notice_new_topic(consumer)
            settled = self._is_settled(consumer, started)
            records = self._accept(batches)
            with self._lock:
                fresh = frozenset(self._fresh)
            now = self._clock()
            # An answer to a join that comes between two polls is thrown away by the client, and
            # the whole group joins once more; so a rebalance is waited for in here.
            if records or ((fresh or now >= deadline) and (settled or now >= settled_by)):
                return Polled(records=records, fresh=fresh)

    def seek(self, partition: str, offset: int | None) -> Gap | None:
        """Go on at ``offset``; a partition that is not ours (any more) is left alone."""
        if not self._owns(partition):
            return None
        tp = named(partition)
        with unavailable("seek"):
            resume, gap = self._admin.resume(tp, offset, anew=partition in self._anew)
        with self._lock, contextlib.suppress(ValueError, KeyError):
            if self._owns(partition):
                self._consumer.seek(tp, resume)
                self._consumer.resume(tp)
                self._fresh.discard(partition)
                self._anew.discard(partition)
                self._reading[partition] = resume
                self._dog.moved(partition, resume, now=self._clock())
        return gap

    def commit(self, positions: Mapping[str, int]) -> None:
        """Note positions for the figures of lag; sent in the background, again if that failed."""
        with self._lock:
            self._uncommitted.update(positions)
            due = self._ours(self._uncommitted)
            self._uncommitted.clear()
        if not due or self._consumer is None:
            return
        offsets = {named(name): OffsetAndMetadata(at, "", -1) for name, at in due.items()}
        try:
            sent = self._consumer.commit_async(offsets)
        except CLIENT_ERRORS:
            self._keep(due)
        else:
            sent.add_errback(lambda _: self._keep(due))

    def _ours(self, positions: Mapping[str, int]) -> dict[str, int]:
        return {
            name: at for name, at in positions.items() if name in self._reading or self._also(name)
        }

    def _keep(self, positions: Mapping[str, int]) -> None:
        with self._lock:
            self._uncommitted = {**positions, **self._uncommitted}

    def leave(self) -> None:
        """Leave the group; the next poll joins again and every partition comes up fresh."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            close(consumer)
        with self._lock:
            self._dog.forget(list(self._reading))
            self._anew.clear()
            self._fresh.clear()
            self._reading.clear()

    def close(self) -> None:
        """Leave the group, with the positions told to it."""
        with self._lock:
            due = self._ours(self._uncommitted)
        if due and self._consumer is not None:
            offsets = {named(name): OffsetAndMetadata(at, "", -1) for name, at in due.items()}
            with contextlib.suppress(*CLIENT_ERRORS):
                self._consumer.commit(offsets, timeout_ms=2000)
        self.leave()

    def _joined(self) -> Client:
        if self._consumer is None:
            with unavailable("join"):
                self._admin.ensure(Topic)
                self._consumer = self._open()
            self._owned_at = self._clock()
        return self._consumer

    def _open(self) -> Client:
        session = int(self._settings.session_seconds * 1000)
        consumer = opened(
            KafkaConsumer,
            self._settings.client(),
            group_id=self._settings.group,
            partition_assignment_strategy=[CooperativeStickyAssignor],
            enable_auto_commit=False,
            # The reset policy is ours, in `seek`: the client must never move by itself.
            auto_offset_reset="none",
            allow_auto_create_topics=False,
            session_timeout_ms=session,
            heartbeat_interval_ms=max(300, min(3000, session // 3)),
            # Held up for longer: others take over, and on our return all is fresh.
            max_poll_interval_ms=60_000,
            # A partition resumed waits for the fetch that is under way.
            fetch_max_wait_ms=250,
            metrics_enabled=False,
        )
        listener = _Listener(
            lambda partitions: self._hold(consumer, partitions),
            lambda partitions: self._lose(consumer, partitions),
        )
        consumer.subscribe([self._topic], listener=listener)
        return consumer

    def _hold(self, consumer: Client, partitions: Iterable[TopicPartition]) -> None:
        """Keep partitions still until they are sought; runs on the I/O thread as well."""
        with self._lock:
            for tp in partitions:
                name = name_of(tp)
                self._fresh.add(name)
                self._reading.pop(name, None)
                self._dog.forget([name])
                with contextlib.suppress(ValueError, KeyError):
                    # Any position will do while it is paused: without one the client would look
                    # for a committed offset and start there.
                    consumer.pause(tp)
                    consumer.seek(tp, 0)

    def _lose(self, consumer: Client, partitions: Iterable[TopicPartition]) -> None:
        if consumer is not self._consumer:
            return
        with self._lock:
            for name in map(name_of, partitions):
                self._fresh.discard(name)
                self._anew.discard(name)
                self._reading.pop(name, None)
                self._dog.forget([name])

    def _fetch(
        self, consumer: Client, wait: float, limit: int
    ) -> Mapping[TopicPartition, list[Any]]:
        batches: Mapping[TopicPartition, list[Any]] = {}
        _go_on_joining(consumer)
        try:
            batches = consumer.poll(timeout_ms=int(wait * 1000), max_records=limit)
        except OffsetOutOfRangeError as error:
            self._hold(consumer, error.args[0])
        except LogTruncationError as error:
            self._hold(consumer, error.divergent_offsets)
        except NoOffsetForPartitionError:
            # Assigned this instant, and the listener has not run yet.
            pass
        except CLIENT_ERRORS as error:
            if isinstance(error, KafkaError) and error.retriable:
                self._rewind(consumer)
            else:
                self.leave()
            raise Unavailable(f"Kafka: poll: {type(error).__name__}") from None
        return batches

    def _rewind(self, consumer: Client) -> None:
        """Go back to what was delivered: records taken by a poll that failed were not."""
        with self._lock:
            for name, offset in self._reading.items():
                with contextlib.suppress(*CLIENT_ERRORS, ValueError):
                    consumer.seek(named(name), offset)

    def _accept(self, batches: Mapping[TopicPartition, list[Any]]) -> list[Record]:
        records: list[Record] = []
        now = self._clock()
        with self._lock:
            for tp, batch in batches.items():
                name = name_of(tp)
                # Given away, or fresh again, while the client held these.
                if name not in self._reading or batch[0].offset < self._reading[name]:
                    continue
                self._reading[name] = batch[-1].offset + 1
                self._dog.moved(name, self._reading[name], now=now)
                records += [record_of(name, raw) for raw in batch]
        return records

    def _notice_new_topic(self, consumer: Client) -> None:
        if self._identity.changed(consumer):
            with self._lock:
                self._anew |= self._fresh | self._reading.keys()
                self._hold(consumer, [named(name) for name in list(self._reading)])

    def _watch(self) -> None:
        """Join again when a partition has records and gives none; look for a topic that is gone."""
        now = self._clock()
        with self._lock:
            due = self._dog.due(now=now)
            owned = bool(self._fresh or self._reading)
        if due:
            # An unavailable cluster is no stuck partition.
            with contextlib.suppress(*CLIENT_ERRORS):
                ends = self._admin.offsets(map(named, due), NEXT)
                if self._dog.ends({name_of(tp): end for tp, end in ends.items()}, now=now):
                    self.leave()
                    self.rejoins += 1
                    if self._on_rejoin:
                        self._on_rejoin()
        if owned:
            self._owned_at = now
        elif now - self._owned_at > self._settings.watchdog_seconds:
            # Perhaps the topic was deleted; or there are more readers than partitions: no harm.
            self._owned_at = now
            with unavailable("topics"):
                self._admin.forget()
                self._admin.ensure(Topic)

    def _is_settled(self, consumer: Client, started: float) -> bool:
        """Tell whether no rebalance is under way; measure how long one stopped us."""
        group = consumer.group_metadata()
        settled = bool(group.state == MemberState.STABLE)
        seconds = self._pause.see(
            generation=group.generation_id,
            owns=bool(self._fresh or self._reading),
            flows=settled and not self._fresh,
            started=started,
            now=self._clock(),
        )
        if seconds is not None and self._on_pause:
            self._on_pause(seconds)
        return settled

    @property
    def owned(self) -> frozenset[str]:
        """The partitions that the group gives us now."""
        with self._lock:
            return frozenset(self._fresh) | self._reading.keys()

    def _owns(self, partition: str) -> bool:
        return partition in self.owned


def record_of(name: str, raw: Client) -> Record:
    """Give a record of the client's as one of ours."""
    return Record(
        partition=name,
        offset=raw.offset,
        value=raw.value,
        key=raw.key,
        at=datetime.fromtimestamp(max(0, raw.timestamp) / 1000, UTC),
        headers=tuple((key, value or b"") for key, value in raw.headers),
    )


def close(client: Client) -> None:
    """Close a consumer within seconds, whatever the cluster does."""
    with contextlib.suppress(*CLIENT_ERRORS):
        client.close(autocommit=False, timeout_ms=3000)


def _go_on_joining(consumer: Client) -> None:
    """Let the client end a join that it has forgotten.

    kafka-python 3.0.12: where new metadata made it join and our poll ended before the join did,
    the leader's assignment makes it believe that all is done. It would get nothing, without a
    heartbeat, for ever.
    """
    coordinator = consumer._coordinator  # noqa: SLF001 - the client tells nobody
    if coordinator.rejoining and not coordinator.need_rejoin():
        coordinator.request_rejoin()
