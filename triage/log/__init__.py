"""The log: an append-only stream of posts, and how a worker reads it.

One protocol and two backends: Kafka (``triage.log.kafka``) and SQLite (``triage.log.sqlite``).
Both promise the same, and ``tests/contract/test_log.py`` holds both to it:

- ``append`` returns when the records are on disk (Kafka: acknowledged by all in-sync replicas).
- Records of one key stay in order; a record without a key goes to any partition.
- A partition belongs to one reader of a group at a time. A reader that dies loses its partitions
  after a lease (SQLite) or session time-out (Kafka); ownership hangs on a random incarnation.
- Posts stand in two streams: what our own door found urgent in one of its own, which every poll
  reads first, however much waits in the other.
- A partition newly assigned to a reader comes up in ``Polled.fresh`` and delivers nothing until
  ``seek`` was called for it: the queue store, not the log, knows where to go on.
- ``commit`` only serves the figures of lag; reading never starts from it.
- Every call may raise :class:`triage.errors.Unavailable`; the caller waits and does it again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import TracebackType
from typing import Final, Protocol, Self

from triage.errors import InvalidPost

#: The largest record that ``append`` takes: value, key and headers, in bytes.
RECORD_LIMIT: Final = 1_000_000


class Topic(StrEnum):
    """The streams; the values are the names in Kafka."""

    POSTS = "triage.posts"
    URGENT = "triage.posts.urgent"
    ASSESSED = "triage.assessed"
    DEAD_LETTER = "triage.dead-letter"
    OUTCOMES = "triage.outcomes"


#: The streams of posts, in the order in which they are read.
POST_TOPICS: Final = (Topic.URGENT, Topic.POSTS)


#: What a record that was taken out has in place of its headers.
ERASED: Final = ("erased", b"")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRecord:
    """A record to append. ``key`` None: any partition; ``value`` None: a tombstone of its key."""

    value: bytes | None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A record as read. ``value`` None is a tombstone."""

    #: ``"triage.posts-3"``: the stream and its partition; the name of a position in the store.
    partition: str
    offset: int
    value: bytes | None
    key: bytes | None
    #: When it was appended (aware).
    at: datetime
    headers: tuple[tuple[str, bytes], ...] = ()

    @property
    def erased(self) -> bool:
        """Whether what stood here was taken out (``Log.erase``); only the offset is left."""
        return self.value is None and ERASED in self.headers


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Offsets that can't be read any more: retention overtook them, or the topic is a new one.

    ``start`` is the first offset wanted, ``resume`` where reading goes on, ``count`` how many
    records are missing (0 where a topic made anew has offsets below ``start``).
    """

    partition: str
    start: int
    resume: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Polled:
    """What one poll gave: records in order per partition, and partitions that wait for a seek."""

    records: Sequence[Record] = ()
    fresh: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionLag:
    """How far a partition's reader is behind its end."""

    partition: str
    #: Records after the committed position.
    records: int
    #: Age of the oldest unread record in seconds; 0.0 where all is read.
    oldest_seconds: float


class Log(Protocol):
    """An append-only stream; see the module's docstring for what every backend promises."""

    def append(self, topic: Topic, records: Sequence[NewRecord]) -> None:
        """Append records, in order, and return when they are on disk.

        After Unavailable some of them may be there: append all of them again. Raises InvalidPost
        for a record that never fits (see ``RECORD_LIMIT``); then none is there. Safe to call from
        several threads.
        """
        ...

    def poll(self, *, timeout: float, limit: int) -> Polled:
        """Give posts of our partitions, urgent ones first; wait up to ``timeout`` seconds for one.

        At most ``limit``, and one more where all of those are urgent.
        """
        ...

    def seek(self, partition: str, offset: int | None) -> Gap | None:
        """Go on at ``offset`` (None: at the oldest record, the stated reset policy).

        An offset that can't be read is not moved in silence: the gap is returned, and reading
        goes on at ``gap.resume`` (the oldest record that is left).
        """
        ...

    def commit(self, positions: Mapping[str, int]) -> None:
        """Note the next offset to read, per partition, for the figures of lag."""
        ...

    def reject(self, rejected: Sequence[tuple[Record, InvalidPost]]) -> None:
        """Append undecodable records to the dead letter, bounded, with reason and origin."""
        ...

    def lag(self) -> Sequence[PartitionLag]:
        """Give the lag of every partition of the posts' streams."""
        ...

    def scan(self, topic: Topic, *, start: Mapping[str, int] | None = None) -> Iterator[Record]:
        """Read a stream from its oldest record to its end as it is now, outside any group.

        ``start`` names the offset at which to begin, per partition; one that is not in the stream
        any more, or not yet, counts for nothing: then it begins at the oldest.
        """
        ...

    def erase(self, records: Sequence[Record]) -> bool:
        """Take out what records hold, for good, and keep their offsets; False: the log can't.

        Also nothing is left of what was overwritten before, in this file, by whomever. Kafka can't:
        there retention takes them.
        """
        ...

    def ping(self) -> None:
        """Return when the log answers; raise Unavailable within 2 seconds when it does not."""
        ...

    def close(self) -> None:
        """Leave the group and let go of everything; a closed log can't be used again."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def scan_posts(log: Log) -> Iterator[Record]:
    """Read all posts that the log still has, the urgent ones first."""
    for topic in POST_TOPICS:
        yield from log.scan(topic)


def post_record(raw: bytes, author: str | None) -> NewRecord:
    """Give the record of a post: the posts of one author stay in order, the others spread."""
    return NewRecord(value=raw, key=author.encode("utf-8", "replace") if author else None)


def begin(start: Mapping[str, int] | None, partition: str, low: int, end: int) -> int:
    """Give where a scan of a partition begins that holds the offsets from ``low`` up to ``end``.

    >>> [begin(start, "p", 3, 9) for start in (None, {"p": 5}, {"p": 9}, {"p": 1}, {"p": 10})]
    [3, 5, 9, 3, 3]
    """
    wanted = (start or {}).get(partition, low)
    return wanted if low <= wanted <= end else low


def checked(records: Sequence[NewRecord]) -> Sequence[NewRecord]:
    """Give the records back when every one of them fits a log; raises InvalidPost."""
    for record in records:
        if record.value is None and record.key is None:
            raise InvalidPost("", "leeg")
        size = len(record.value or b"") + len(record.key or b"")
        size += sum(len(name) + len(value) for name, value in record.headers)
        if size > RECORD_LIMIT:
            raise InvalidPost("", f"groter dan {RECORD_LIMIT} bytes", offset=RECORD_LIMIT)
    return records
