"""The log in a SQLite file, for one machine: any number of processes append and read."""

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Final

from triage.closing import Closing
from triage.errors import InvalidPost
from triage.log import (
    ERASED,
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
from triage.log.dead_letter import dead_letter
from triage.log.sqlite_channel import SQL, Channel, prepare, scrub
from triage.log.sqlite_leases import Leases, Place
from triage.log.sqlite_retention import DEFAULT_RETENTION, Retention, drop_old

#: How long a reader that is not heard of keeps its partitions, in seconds.
LEASE_SECONDS: Final = 10.0
#: Partitions of a new file; a file that is there keeps its own.
PARTITIONS: Final = 8
#: How often a reader looks for new records, in seconds.
_LOOK_SECONDS: Final = 0.005
#: How often a reader that waits for others to give back partitions looks again.
_WAITING_MILLISECONDS: Final = 250
#: How often old records are dropped, in seconds.
_RETENTION_SECONDS: Final = 60.0
_SCAN_ROWS: Final = 500
_END: Final = 2**62


class SqliteLog(Closing):
    """A :class:`triage.log.Log` in one file, the same one as the embedded queue's.

    ``poll``, ``seek`` and ``commit`` belong to one thread; the rest may be called from any.
    ``now`` gives the time (aware), the same for all processes on the file.
    """

    def __init__(
        self,
        path: Path,
        *,
        group: str = "triage",
        partitions: int = PARTITIONS,
        lease_seconds: float = LEASE_SECONDS,
        retention: Retention = DEFAULT_RETENTION,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._path = path
        self._partitions = partitions
        self._retention = retention
        self._now = now
        term = int(lease_seconds * 1000)
        self._leases = Leases(group=group, reader=secrets.token_hex(8), term=term)
        self._appends = Channel(path, durable=True)
        self._reads = Channel(path, durable=False)
        self._prepare_lock = threading.Lock()
        self._counts: dict[Topic, int] = {}
        self._spread = count(secrets.randbelow(1 << 16))
        self._owned: frozenset[Place] = frozenset()
        self._positions: dict[Place, int] = {}
        self._renew_at = 0
        self._retain_at = 0
        self._joined = False

    def append(self, topic: Topic, records: Sequence[NewRecord]) -> None:
        """Append records, in order, and return when they are on disk; all of them or none."""
        if not checked(records):
            return
        self._prepare()
        at = self._milliseconds()
        groups: dict[int, list[NewRecord]] = {}
        for record in records:
            groups.setdefault(self._partition(topic, record.key), []).append(record)

        def work(db: sqlite3.Connection) -> None:
            for partition, group in groups.items():
                weight = sum(len(record.value or b"") for record in group)
                place = (len(group), weight, topic, partition)
                # All rows are fetched: an open statement would hold the transaction.
                ((end,),) = db.execute(SQL["take_offsets"], place).fetchall()
                rows = (
                    (
                        topic,
                        partition,
                        offset,
                        at,
                        record.key,
                        record.value,
                        _headers_text(record.headers),
                    )
                    for offset, record in enumerate(group, end - len(group))
                )
                db.executemany(SQL["add_record"], rows)

        self._appends.write(work)

    def poll(self, *, timeout: float, limit: int) -> Polled:
        """Give posts of our partitions, urgent ones first; wait up to ``timeout`` seconds."""
        self._prepare()
        deadline = time.monotonic() + timeout
        while True:
            seen = self._reads.version()
            self._keep_leases()
            records = self._next_records(limit)
            fresh = self._owned - self._positions.keys()
            if records or fresh or time.monotonic() >= deadline:
                return Polled(records=records, fresh=frozenset(_name(*place) for place in fresh))
            self._wait(seen, deadline)

    def seek(self, partition: str, offset: int | None) -> Gap | None:
        """Go on at ``offset``; None: at the oldest record. Leaves alone what is not ours."""
        place = _place(partition)
        if place not in self._owned:
            return None
        low, end = self._reads.read(lambda db: db.execute(SQL["partition"], place).fetchone())
        if offset is None or low <= offset <= end:
            self._positions[place] = low if offset is None else offset
            return None
        self._positions[place] = low
        return Gap(partition=partition, start=offset, resume=low, count=max(0, low - offset))

    def commit(self, positions: Mapping[str, int]) -> None:
        """Note the next offset to read, per partition: for lag, and for what may be dropped."""
        group, reader = self._leases.group, self._leases.reader
        rows = [(offset, group, *_place(name), reader) for name, offset in positions.items()]
        self._reads.write(lambda db: db.executemany(SQL["commit"], rows))

    def reject(self, rejected: Sequence[tuple[Record, InvalidPost]]) -> None:
        """Append undecodable records to the dead letter, bounded, with reason and origin."""
        self.append(Topic.DEAD_LETTER, [dead_letter(record, error) for record, error in rejected])

    def lag(self) -> Sequence[PartitionLag]:
        """Give the lag of every partition of the posts' streams."""
        self._prepare()
        now = self._milliseconds()

        def work(db: sqlite3.Connection) -> list[PartitionLag]:
            return [figure for topic in POST_TOPICS for figure in self._lag(db, topic, now)]

        return self._reads.read(work)

    def _lag(self, db: sqlite3.Connection, topic: Topic, now: int) -> Iterator[PartitionLag]:
        committed = dict(db.execute(SQL["committed"], (self._leases.group, topic)).fetchall())
        for partition, low, end in db.execute(SQL["partitions"], (topic,)).fetchall():
            start = max(low, committed.get(partition, low))
            first = db.execute(SQL["first_at"], (topic, partition, start)).fetchone()
            yield PartitionLag(
                partition=_name(topic, partition),
                records=max(0, end - start),
                oldest_seconds=max(0, now - first[0]) / 1000 if first else 0.0,
            )

    def scan(self, topic: Topic, *, start: Mapping[str, int] | None = None) -> Iterator[Record]:
        """Read a stream, or what comes after ``start``, to its end as it is now."""
        self._prepare()
        ends = self._reads.read(lambda db: db.execute(SQL["partitions"], (topic,)).fetchall())
        return self._scanned(
            topic,
            [
                (number, begin(start, _name(topic, number), low, end), end)
                for number, low, end in ends
            ],
        )

    def erase(self, records: Sequence[Record]) -> bool:
        """Take out what records hold, and what is left in the file of what was overwritten."""
        self._prepare()
        for start in range(0, len(records), _SCAN_ROWS):
            part = records[start : start + _SCAN_ROWS]
            self._appends.write(lambda db, part=part: _erase(db, part))  # type: ignore[misc]
        scrub(self._path)
        return True

    def ping(self) -> None:
        """Return when the file can be read; raises Unavailable."""
        self._prepare()
        self._reads.version()

    def retain(self) -> int:
        """Drop records that are old or too many, and were read; count them."""
        self._prepare()
        now = self._milliseconds()
        return self._reads.write(lambda db: drop_old(db, self._retention, now=now))

    def close(self) -> None:
        """Give the partitions back and close the file."""
        try:
            if self._joined:
                self._reads.write(self._leases.leave)
        finally:
            self._joined = False
            self._reads.close()
            self._appends.close()

    def _prepare(self) -> None:
        with self._prepare_lock:
            if not self._counts:
                prepare(self._path)
                self._counts = self._appends.write(self._make_partitions)

    def _make_partitions(self, db: sqlite3.Connection) -> dict[Topic, int]:
        counts = {}
        for topic in Topic:
            # More partitions would send the posts of an author elsewhere: a file keeps its number.
            if db.execute(SQL["partition_count"], (topic,)).fetchone()[0] == 0:
                rows = [(topic, partition) for partition in range(self._partitions)]
                db.executemany(SQL["add_partition"], rows)
            counts[topic] = db.execute(SQL["partition_count"], (topic,)).fetchone()[0]
        return counts

    def _partition(self, topic: Topic, key: bytes | None) -> int:
        if key is None:
            return next(self._spread) % self._counts[topic]
        digest = hashlib.blake2b(key, digest_size=8).digest()
        return int.from_bytes(digest, "big") % self._counts[topic]

    def _keep_leases(self) -> None:
        now = self._milliseconds()
        # A clock set back must not keep us from renewing.
        if now < self._renew_at <= now + self._leases.term:
            return
        held = frozenset(self._positions)
        share = self._reads.write(lambda db: self._leases.renew(db, now=now, keep=held))
        self._joined = True
        self._owned = share.owned
        self._positions = {
            place: position for place, position in self._positions.items() if place in share.kept
        }
        pause = self._leases.term // 5
        self._renew_at = now + (min(_WAITING_MILLISECONDS, pause) if share.waiting else pause)
        if now >= self._retain_at:
            self._retain_at = now + int(_RETENTION_SECONDS * 1000)
            self._reads.write(lambda db: drop_old(db, self._retention, now=now))

    def _next_records(self, limit: int) -> list[Record]:
        now = self._milliseconds()

        def work(db: sqlite3.Connection) -> tuple[dict[Place, int], list[Record]]:
            positions: dict[Place, int] = {}
            records: list[Record] = []
            for topic in POST_TOPICS:
                # One more at most, so that a flood of urgent posts does not stop the others.
                some = limit - len(records) or 1
                owned, batch = self._next_of(db, topic, some, now)
                positions |= owned
                records += batch
            return positions, records

        positions, records = self._reads.read(work)
        # Those served come last next time.
        served = {_place(record.partition) for record in records}
        self._positions = {
            place: positions[place]
            for place in sorted(positions, key=lambda place: place in served)
        }
        return records

    def _next_of(
        self, db: sqlite3.Connection, topic: Topic, limit: int, now: int
    ) -> tuple[dict[Place, int], list[Record]]:
        """Read on in our partitions of one stream; give where that brings us."""
        who = (topic, self._leases.group, self._leases.reader, now)
        ends = dict(db.execute(SQL["owned_ends"], who).fetchall())
        positions = {
            (of, number): at
            for (of, number), at in self._positions.items()
            if of is topic and number in ends
        }
        due = [place for place, at in positions.items() if at < ends[place[1]]]
        records: list[Record] = []
        for left, place in zip(range(len(due), 0, -1), due, strict=True):
            # An even part for each, so that no partition waits for another's backlog.
            rows = max(1, (limit - len(records)) // left)
            if len(records) >= limit:
                break
            start = positions[place]
            batch = _rows(db, place=place, start=start, end=_END, limit=rows)
            records += batch
            positions[place] += len(batch)
        return positions, records

    def _wait(self, seen: int, deadline: float) -> None:
        """Sleep until another connection has written, a lease is due, or the time is up."""
        renew = time.monotonic() + max(0, self._renew_at - self._milliseconds()) / 1000
        until = min(deadline, renew)
        while time.monotonic() < until and self._reads.version() == seen:
            time.sleep(_LOOK_SECONDS)

    def _scanned(self, topic: Topic, ends: Sequence[tuple[int, int, int]]) -> Iterator[Record]:
        for partition, low, end in ends:
            start = low
            while start < end:
                place = topic, partition
                query = partial(_rows, place=place, start=start, end=end, limit=_SCAN_ROWS)
                rows = self._reads.read(query)
                if not rows:
                    break
                yield from rows
                start = rows[-1].offset + 1

    def _milliseconds(self) -> int:
        return int(self._now().timestamp() * 1000)


def _rows(
    db: sqlite3.Connection, *, place: Place, start: int, end: int, limit: int
) -> list[Record]:
    name = _name(*place)
    found = db.execute(SQL["records"], (*place, start, end, limit)).fetchall()
    return [
        Record(
            partition=name,
            offset=offset,
            value=value,
            key=key,
            at=datetime.fromtimestamp(at / 1000, UTC),
            headers=_headers(headers),
        )
        for offset, value, key, at, headers in found
    ]


def _erase(db: sqlite3.Connection, records: Sequence[Record]) -> None:
    for record in records:
        place = _place(record.partition)
        if db.execute(SQL["erase_record"], (_ERASED, *place, record.offset)).rowcount:
            db.execute(SQL["lighten"], (len(record.value or b""), *place))


def _headers_text(headers: Sequence[tuple[str, bytes]]) -> str | None:
    if not headers:
        return None
    return json.dumps([(name, value.hex()) for name, value in headers])


_ERASED: Final = _headers_text([ERASED])


def _headers(text: str | None) -> tuple[tuple[str, bytes], ...]:
    if text is None:
        return ()
    found: list[Any] = json.loads(text)
    return tuple((name, bytes.fromhex(value)) for name, value in found)


def _name(topic: Topic, partition: int) -> str:
    return f"{topic.value}-{partition}"


def _place(partition: str) -> Place:
    topic, _, number = partition.rpartition("-")
    return Topic(topic), int(number)
