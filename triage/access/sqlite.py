"""``Access`` in the SQLite file of log and queue; other processes may have it open too."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any, Final, TypeVar

import orjson

from triage.access import AUDIT_DAYS, AuditEntry, Drawer
from triage.closing import Closing
from triage.sqlite_file import connect, load_queries, prepare, unavailable

#: The version of the schema that this code needs.
SCHEMA: Final = 1
_SQL: Final = load_queries(Path(__file__).with_name("sqlite.sql"))
_T = TypeVar("_T")


class SqliteAccess(Closing):
    """One file; each call is one transaction, on disk on return."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        self._idle: list[sqlite3.Connection] = []
        self._ready = False

    def put(self, drawer: Drawer, key: str, value: Mapping[str, Any], *, until: datetime) -> None:
        """Keep a value."""
        row = (drawer, key, orjson.dumps(value).decode(), _ms(until))
        self._run(lambda db: db.execute(_SQL["put"], row))

    def renew(self, drawer: Drawer, key: str, value: Mapping[str, Any], *, until: datetime) -> None:
        """Replace a value that is there."""
        row = (orjson.dumps(value).decode(), _ms(until), drawer, key)
        self._run(lambda db: db.execute(_SQL["renew"], row))

    def get(self, drawer: Drawer, key: str, *, now: datetime) -> dict[str, Any] | None:
        """Give a value."""
        return self._run(lambda db: _get(db, drawer, key, now), begin="BEGIN")

    def take(self, drawer: Drawer, key: str, *, now: datetime) -> dict[str, Any] | None:
        """Give a value and forget it."""

        def work(db: sqlite3.Connection) -> dict[str, Any] | None:
            found = _get(db, drawer, key, now)
            db.execute(_SQL["remove"], (drawer, key))
            return found

        return self._run(work)

    def all(self, drawer: Drawer, *, now: datetime) -> Sequence[tuple[str, dict[str, Any]]]:
        """Give all keys and values of a drawer."""
        rows = self._run(
            lambda db: db.execute(_SQL["all"], (drawer, _ms(now))).fetchall(), begin="BEGIN"
        )
        return [(key, orjson.loads(value)) for key, value in rows]

    def record(self, entries: Sequence[AuditEntry]) -> None:
        """Add to the record."""
        rows = [(_ms(one.at), orjson.dumps(one.to_mapping()).decode()) for one in entries]
        self._run(lambda db: db.executemany(_SQL["record"], rows))

    def audit(self, after: str = "", *, limit: int = 1000) -> Sequence[AuditEntry]:
        """Read the record from after an entry's id."""
        start = int(after) if after.isdecimal() and len(after) < _ID_DIGITS else 0
        rows = self._run(
            lambda db: db.execute(_SQL["audit"], (start, limit)).fetchall(), begin="BEGIN"
        )
        return [
            AuditEntry.from_mapping({**orjson.loads(entry), "id": str(number)})
            for number, entry in rows
        ]

    def expire(self, *, now: datetime, audit_before: datetime) -> None:
        """Drop what has outlived its time."""
        oldest = min(audit_before, now - timedelta(days=AUDIT_DAYS + 1))

        def work(db: sqlite3.Connection) -> None:
            db.execute(_SQL["expire_items"], (_ms(now),))
            db.execute(_SQL["expire_audit"], (_ms(oldest),))

        self._run(work)

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            while self._idle:
                self._idle.pop().close()

    def _run(
        self, work: Callable[[sqlite3.Connection], _T], *, begin: str = "BEGIN IMMEDIATE"
    ) -> _T:
        try:
            with self._connection() as db:
                db.execute(begin)
                result = work(db)
                db.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            failure = unavailable(error)
        else:
            return result
        raise failure

    @contextlib.contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            if not self._ready:
                prepare(self._path, _SQL, SCHEMA)
                self._ready = True
            db = self._idle.pop() if self._idle else connect(self._path)
        try:
            yield db
            with self._lock:
                self._idle.append(db)
        except BaseException:
            db.close()  # which rolls back
            raise


#: An id that SQLite could not have given.
_ID_DIGITS: Final = 19


def _get(db: sqlite3.Connection, drawer: Drawer, key: str, now: datetime) -> dict[str, Any] | None:
    row = db.execute(_SQL["get"], (drawer, key, _ms(now))).fetchone()
    return dict(orjson.loads(row[0])) if row else None


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
