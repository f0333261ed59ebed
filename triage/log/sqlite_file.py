"""The SQLite file of a log: its two connections, its schema and its named queries."""

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
    parts = re.split(r"^-- name: (\w+)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {name: query.strip() for name, query in zip(parts[1::2], parts[2::2], strict=True)}


#: The queries of ``sqlite.sql`` by name.
SQL: Final = _load(Path(__file__).with_name("sqlite.sql"))


class Channel:
    """One connection, for one thread at a time.

    ``durable``: what it writes is on disk on return. Otherwise a power cut may take the last of
    it, which is all right for leases and figures.
    """

    def __init__(self, path: Path, *, durable: bool) -> None:
        self._path = path
        self._synchronous = "FULL" if durable else "NORMAL"
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
                # The text of the error may hold what was written.
                reason = getattr(error, "sqlite_errorname", None) or type(error).__name__
                raise Unavailable(f"SQLite geeft geen antwoord ({reason})") from None
            except BaseException:
                self._drop()
                raise
            return result

    def _opened(self) -> sqlite3.Connection:
        if self._closed:
            raise sqlite3.ProgrammingError("gesloten")
        if self._connection is None:
            # Handed from thread to thread, but only one at a time holds it.
            self._connection = sqlite3.connect(
                self._path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._connection.execute(f"PRAGMA synchronous = {self._synchronous}")
        return self._connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()


def prepare(path: Path) -> None:
    """Make the file (for our own user only) and bring the log's tables up to date.

    Raises Unavailable, and Refused for a file of a newer version.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Never open a file that is there: closing a descriptor drops all locks that SQLite holds on
        # the file in this process (POSIX), and another process would delete its WAL under us.
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except OSError as error:
        raise Unavailable(f"SQLite geeft geen antwoord ({type(error).__name__})") from None
    channel = Channel(path, durable=True)
    try:
        _use_wal(path)
        channel.write(_migrate)
    finally:
        channel.close()


def _migrate(db: sqlite3.Connection) -> None:
    db.execute(SQL["create_schema_version"])
    found = db.execute(SQL["schema_version"]).fetchone()
    version = found[0] if found else 0
    if version > SCHEMA:
        raise Refused(f"het bestand is van een nieuwere versie (schema {version})")
    for step in range(version + 1, SCHEMA + 1):
        for statement in re.split(r";\s*(?:\n|\Z)", SQL[f"schema_{step}"]):
            if statement.strip():
                db.execute(statement)
    db.execute(SQL["forget_schema_version"])
    db.execute(SQL["set_schema_version"], (SCHEMA,))


def _use_wal(path: Path) -> None:
    """Switch to WAL; processes that meet a new file at once must take turns by themselves."""
    for attempt in range(_WAL_TRIES):
        try:
            connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
            with contextlib.closing(connection):
                connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.Error as error:
            if attempt == _WAL_TRIES - 1:
                reason = getattr(error, "sqlite_errorname", None) or type(error).__name__
                raise Unavailable(f"SQLite geeft geen antwoord ({reason})") from None
            time.sleep(_WAL_PAUSE_SECONDS)
        else:
            return
