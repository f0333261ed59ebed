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
from triage.log import Gap, NewRecord, PartitionLag, Polled, Record, Topic, begin, checked
from triage.log.dead_letter import dead_letter
from triage.log.sqlite_channel import SQL, Channel, prepare
from triage.log.sqlite_leases import Leases
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
        self._owned: frozenset[int] = frozenset()
        self._positions: dict[int, int] = {}
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
                    (topic, partition, offset, at, record.key, record.value, _headers_text(record))
                    for offset, record in enumerate(group, end - len(group))
                )
                db.executemany(SQL["add_record"], rows)

        self._appends.write(work)

    def poll(self, *, timeout: float, limit: int) -> Polled:
        """Give up to ``limit`` posts of our partitions; wait up to ``timeout`` seconds for one."""
        self._prepare()
        deadline = time.monotonic() + timeout
        while True:
            seen = self._reads.version()
            self._keep_leases()
            records = self._next_records(limit)
            fresh = self._owned - self._positions.keys()
            if records or fresh or time.monotonic() >= deadline:
                return Polled(records=records, fresh=frozenset(map(_name, fresh)))
            self._wait(seen, deadline)

    def seek(self, partition: str, offset: int | None) -> Gap | None:
        """Go on at ``offset``; None: at the oldest record. Leaves alone what is not ours."""
        number = _number(partition)
        if number not in self._owned:
            return None
        place = (Topic.POSTS, number)
        low, end = self._reads.read(lambda db: db.execute(SQL["partition"], place).fetchone())
        if offset is None or low <= offset <= end:
            self._positions[number] = low if offset is None else offset
            return None
        self._positions[number] = low
        return Gap(partition=partition, start=offset, resume=low, count=max(0, low - offset))

    def commit(self, positions: Mapping[str, int]) -> None:
        """Note the next offset to read, per partition: for lag, and for what may be dropped."""
        group, reader = self._leases.group, self._leases.reader
        rows = [(offset, group, _number(name), reader) for name, offset in positions.items()]
        self._reads.write(lambda db: db.executemany(SQL["commit"], rows))

    def reject(self, rejected: Sequence[tuple[Record, InvalidPost]]) -> None:
        """Append undecodable records to the dead letter, bounded, with reason and origin."""
        self.append(Topic.DEAD_LETTER, [dead_letter(record, error) for record, error in rejected])

    def lag(self) -> Sequence[PartitionLag]:
        """Give the lag of every partition of the posts' stream."""
        self._prepare()
        now = self._milliseconds()

        def work(db: sqlite3.Connection) -> list[PartitionLag]:
            committed = dict(db.execute(SQL["committed"], (self._leases.group,)).fetchall())
            figures = []
            for partition, low, end in db.execute(SQL["partitions"], (Topic.POSTS,)).fetchall():
                start = max(low, committed.get(partition, low))
                first = db.execute(SQL["first_at"], (Topic.POSTS, partition, start)).fetchone()
                figures.append(
                    PartitionLag(
                        partition=_name(partition),
                        records=max(0, end - start),
                        oldest_seconds=max(0, now - first[0]) / 1000 if first else 0.0,
                    )
                )
            return figures

        return self._reads.read(work)

    def scan(self, topic: Topic, *, start: Mapping[str, int] | None = None) -> Iterator[Record]:
        """Read a stream, or what comes after ``start``, to its end as it is now."""
        self._prepare()
        ends = self._reads.read(lambda db: db.execute(SQL["partitions"], (topic,)).fetchall())
        return self._scanned(
            topic,
            [
                (number, begin(start, _name(number, topic), low, end), end)
                for number, low, end in ends
            ],
        )

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
            number: position for number, position in self._positions.items() if number in share.kept
        }
        pause = self._leases.term // 5
        self._renew_at = now + (min(_WAITING_MILLISECONDS, pause) if share.waiting else pause)
        if now >= self._retain_at:
            self._retain_at = now + int(_RETENTION_SECONDS * 1000)
            self._reads.write(lambda db: drop_old(db, self._retention, now=now))

    def _next_records(self, limit: int) -> list[Record]:
        now = self._milliseconds()
        who = (Topic.POSTS, self._leases.group, self._leases.reader, now)

        def work(db: sqlite3.Connection) -> tuple[dict[int, int], list[Record]]:
            ends = dict(db.execute(SQL["owned_ends"], who).fetchall())
            positions = {number: at for number, at in self._positions.items() if number in ends}
            due = [number for number, at in positions.items() if at < ends[number]]
            records: list[Record] = []
            for left, number in zip(range(len(due), 0, -1), due, strict=True):
                # An even part for each, so that no partition waits for another's backlog.
                rows = max(1, (limit - len(records)) // left)
                if len(records) >= limit:
                    break
                batch = _rows(
                    db,
                    topic=Topic.POSTS,
                    partition=number,
                    start=positions[number],
                    end=_END,
                    limit=rows,
                )
                records += batch
                positions[number] += len(batch)
            return positions, records

        positions, records = self._reads.read(work)
        # Those served come last next time.
        served = {_number(record.partition) for record in records}
        self._positions = {
            number: positions[number]
            for number in sorted(positions, key=lambda number: number in served)
        }
        return records

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
                query = partial(
                    _rows, topic=topic, partition=partition, start=start, end=end, limit=_SCAN_ROWS
                )
                rows = self._reads.read(query)
                if not rows:
                    break
                yield from rows
                start = rows[-1].offset + 1

    def _milliseconds(self) -> int:
        return int(self._now().timestamp() * 1000)


def _rows(
    db: sqlite3.Connection, *, topic: Topic, partition: int, start: int, end: int, limit: int
) -> list[Record]:
    name = _name(partition, topic)
    found = db.execute(SQL["records"], (topic, partition, start, end, limit)).fetchall()
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


def _headers_text(record: NewRecord) -> str | None:
    if not record.headers:
        return None
    return json.dumps([(name, value.hex()) for name, value in record.headers])


def _headers(text: str | None) -> tuple[tuple[str, bytes], ...]:
    if text is None:
        return ()
    found: list[Any] = json.loads(text)
    return tuple((name, bytes.fromhex(value)) for name, value in found)


def _name(partition: int, topic: Topic = Topic.POSTS) -> str:
    return f"{topic.value}-{partition}"


def _number(partition: str) -> int:
    return int(partition.rpartition("-")[2])
