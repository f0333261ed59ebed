"""The SQLite file of a queue: its connections, its schema and its named queries."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Final, TypeVar

from triage.sqlite_file import connect, load_queries, prepare, unavailable

#: The version of the schema that this code needs.
SCHEMA: Final = 5
#: The queries of ``sqlite.sql`` by name.
SQL: Final = load_queries(Path(__file__).with_name("sqlite.sql"))

_T = TypeVar("_T")


class Database:
    """One file, for all threads of a process; other processes may have it open too."""

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._lock = Lock()
        self._idle: list[sqlite3.Connection] = []
        self._closed = False
        self._ready = False

    def read(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Run queries on one snapshot. Raises Unavailable."""
        return self._run("BEGIN", work)

    def write(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Run queries in one transaction that is on disk on return. Raises Unavailable."""
        return self._run("BEGIN IMMEDIATE", work)

    def close(self) -> None:
        """Close the connections; a call that is under way closes its own."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _run(self, begin: str, work: Callable[[sqlite3.Connection], _T]) -> _T:
        connection: sqlite3.Connection | None = None
        try:
            connection = self._take()
            connection.execute(begin)
            result = work(connection)
            connection.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            failure = unavailable(error)
        else:
            return result
        finally:
            if connection is not None:
                self._give_back(connection)
        raise failure

    def _take(self) -> sqlite3.Connection:
        with self._lock:
            if self._closed:
                message = "gesloten"
                raise sqlite3.ProgrammingError(message)
            if self._idle:
                return self._idle.pop()
            if not self._ready:
                prepare(self._path, SQL, SCHEMA)
                self._ready = True
        return connect(self._path)

    def _give_back(self, connection: sqlite3.Connection) -> None:
        try:
            connection.rollback()
        except sqlite3.Error:
            usable = False  # the disk failed; what was not committed is not in the file
        else:
            usable = True
        with self._lock:
            if usable and not self._closed:
                self._idle.append(connection)
                return
        connection.close()
