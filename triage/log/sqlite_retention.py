"""How long the embedded log keeps what it holds."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from triage.log import POST_TOPICS, Topic
from triage.log.sqlite_channel import SQL

_DAY: Final = 24 * 3600.0
#: How many records of a partition are dropped in one step: writers wait for it.
_STEP: Final = 5000
#: How many at a time while a topic is too large.
_FEW: Final = 100
_END: Final = 2**62


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """What is kept. A post that a group has not read is never dropped, unless told to."""

    #: Seconds per topic; a topic that is not named is kept for ever.
    seconds: Mapping[Topic, float] = field(
        default_factory=lambda: {
            Topic.POSTS: 14 * _DAY,
            Topic.URGENT: 14 * _DAY,
            Topic.ASSESSED: 7 * _DAY,
            Topic.DEAD_LETTER: 30 * _DAY,
        }
    )
    #: Bytes of values per topic; a topic that is not named may grow.
    size: Mapping[Topic, int] = field(default_factory=dict)
    drop_unread: bool = False


DEFAULT_RETENTION: Final = Retention()


def drop_old(db: sqlite3.Connection, retention: Retention, *, now: int) -> int:
    """Drop one step of what is too old or too much; count the records. ``now`` in milliseconds."""
    dropped = 0
    for topic in Topic:
        seconds, size = retention.seconds.get(topic), retention.size.get(topic)
        if seconds is None and size is None:
            continue
        partitions = db.execute(SQL["partitions"], (topic,)).fetchall()
        for partition, _, _ in partitions:
            read = _read_up_to(db, topic, partition, retention)
            if seconds is not None:
                place = (topic, partition, read, now - int(seconds * 1000), _STEP)
                dropped += _drop(db, topic, partition, db.execute(SQL["old_records"], place))
            if size is not None:
                dropped += _shrink(db, topic, partition, read, size)
    return dropped


def _shrink(db: sqlite3.Connection, topic: Topic, partition: int, read: int, size: int) -> int:
    dropped = 0
    while dropped < _STEP and db.execute(SQL["topic_bytes"], (topic,)).fetchone()[0] > size:
        found = db.execute(SQL["first_records"], (topic, partition, read, _FEW))
        gone = _drop(db, topic, partition, found)
        dropped += gone
        if not gone:
            break
    return dropped


def _read_up_to(db: sqlite3.Connection, topic: Topic, partition: int, retention: Retention) -> int:
    if topic not in POST_TOPICS or retention.drop_unread:
        return _END
    return db.execute(SQL["read_by_all"], (topic, partition)).fetchone()[0] or 0


def _drop(db: sqlite3.Connection, topic: Topic, partition: int, found: sqlite3.Cursor) -> int:
    low, records, weight = found.fetchone()
    if not records:
        return 0
    db.execute(SQL["drop_records"], (topic, partition, low))
    db.execute(SQL["raise_low"], (low, weight or 0, topic, partition))
    return int(records)
