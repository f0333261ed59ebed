"""The SQLite file of a log: its connections, its schema and its named queries."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Final, TypeVar

from triage import sqlite_file
from triage.sqlite_file import connect, load_queries, unavailable

#: The version of the schema that this code needs.
SCHEMA: Final = 2
#: The queries of ``sqlite.sql`` by name.
SQL: Final = load_queries(Path(__file__).with_name("sqlite.sql"))

_T = TypeVar("_T")


class Channel:
    """One connection, for one thread at a time.

    ``durable``: what it writes is on disk on return. Otherwise a power cut may take the last of
    it, which is all right for leases and figures.
    """

    def __init__(self, path: Path, *, durable: bool) -> None:
        self._path = path
        self._durable = durable
        self._lock = Lock()
        self._connection: sqlite3.Connection | None = None
        self._closed = False

    def read(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Run queries on one snapshot. Raises Unavailable."""
        return self._run("BEGIN", work)

    def write(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Run queries in one transaction. Raises Unavailable; then nothing was written."""
        return self._run("BEGIN IMMEDIATE", work)

    def version(self) -> int:
        """Give a number that changes when another connection has written."""
        return self._run("", lambda db: int(db.execute("PRAGMA data_version").fetchone()[0]))

    def close(self) -> None:
        """Close the connection, for good."""
        with self._lock:
            self._closed = True
            self._drop()

    def _run(self, begin: str, work: Callable[[sqlite3.Connection], _T]) -> _T:
        with self._lock:
            try:
                connection = self._opened()
                if begin:
                    connection.execute(begin)
                result = work(connection)
                if begin:
                    connection.execute("COMMIT")
            except (sqlite3.Error, OSError) as error:
                # A connection that failed is not trusted again: a COMMIT may have gone half-way.
                self._drop()
                raise unavailable(error) from None
            except BaseException:
                self._drop()
                raise
            return result

    def _opened(self) -> sqlite3.Connection:
        if self._closed:
            raise sqlite3.ProgrammingError("gesloten")
        if self._connection is None:
            self._connection = connect(self._path, durable=self._durable)
        return self._connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()


def prepare(path: Path) -> None:
    """Make the file and bring the log's tables up to date.

    Raises Unavailable, and Refused for a file of a newer version.
    """
    try:
        sqlite_file.prepare(path, SQL, SCHEMA)
    except (sqlite3.Error, OSError) as error:
        raise unavailable(error) from None


def scrub(path: Path) -> None:
    """Leave nothing in the file of what was overwritten or dropped. Raises Unavailable."""
    try:
        sqlite_file.scrub(path)
    except (sqlite3.Error, OSError) as error:
        raise unavailable(error) from None
