"""The SQLite file of a queue: its connections, its schema and its named queries."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from typing import Final, TypeVar

from triage.errors import Refused, Unavailable

#: How long a call waits for another process that writes, in seconds.
BUSY_SECONDS: Final = 10.0
#: The version of the schema that this code needs.
SCHEMA: Final = 1

_WAL_TRIES: Final = 40
_WAL_PAUSE_SECONDS: Final = 0.025

_T = TypeVar("_T")


def _load(path: Path) -> Mapping[str, str]:
    parts = re.split(r"^-- name: (\w+)$", path.read_text(), flags=re.MULTILINE)
    return {name: query.strip() for name, query in zip(parts[1::2], parts[2::2], strict=True)}


#: The queries of ``sqlite.sql`` by name.
SQL: Final = _load(Path(__file__).with_name("sqlite.sql"))


class Database:
    """One file, for all threads of a process; other processes may have it open too.

    The version of the schema stands in a table of ours, not in ``user_version``: the log keeps
    its tables in the same file.
    """

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
            failure = Unavailable(f"SQLite geeft geen antwoord ({_reason(error)})")
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
                self._prepare()
                self._ready = True
        return self._connect()

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

    def _connect(self) -> sqlite3.Connection:
        # Handed from thread to thread, but only one at a time holds it.
        connection = sqlite3.connect(
            self._path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    def _prepare(self) -> None:
        """Make the file (for our own user only) and bring its schema up to date."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # Never open a file that is there: closing a descriptor drops all locks that SQLite holds on
        # the file in this process (POSIX), and another process would delete its WAL under us.
        with contextlib.suppress(FileExistsError):
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        connection = self._connect()
        try:
            _use_wal(connection)
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(SQL["create_schema_version"])
            found = connection.execute(SQL["schema_version"]).fetchone()
            version = found[0] if found else 0
            if version > SCHEMA:
                message = f"het bestand is van een nieuwere versie (schema {version})"
                raise Refused(message)
            for step in range(version + 1, SCHEMA + 1):
                for statement in _statements(SQL[f"schema_{step}"]):
                    connection.execute(statement)
            connection.execute(SQL["forget_schema_version"])
            connection.execute(SQL["set_schema_version"], (SCHEMA,))
            connection.execute("COMMIT")
        finally:
            connection.close()


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to WAL; two processes that meet a new file at once must take turns by themselves."""
    for _ in range(_WAL_TRIES):
        with contextlib.suppress(sqlite3.OperationalError):
            connection.execute("PRAGMA journal_mode = WAL")
            return
        time.sleep(_WAL_PAUSE_SECONDS)
    connection.execute("PRAGMA journal_mode = WAL")


def _statements(script: str) -> list[str]:
    return [part for part in re.split(r";\s*(?:\n|\Z)", script) if part.strip()]


def _reason(error: Exception) -> str:
    """Name an error without its message, which may hold what was written."""
    return getattr(error, "sqlite_errorname", None) or type(error).__name__
