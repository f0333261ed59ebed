"""The one SQLite file that log and queue share: made, opened and brought up to date in one way.

Each of the two has tables, named queries and a schema version of its own in it.
"""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from triage.errors import Refused, Unavailable

#: How long a call waits for another process that writes, in seconds.
BUSY_SECONDS: Final = 10.0

_WAL_TRIES: Final = 40
_WAL_PAUSE_SECONDS: Final = 0.025


def load_queries(path: Path) -> Mapping[str, str]:
    """Read the queries of a ``.sql`` file, each under its ``-- name: …`` line."""
    parts = re.split(r"^-- name: (\w+)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {name: query.strip() for name, query in zip(parts[1::2], parts[2::2], strict=True)}


def connect(path: Path, *, durable: bool = True) -> sqlite3.Connection:
    """Open a connection that begins its transactions itself.

    It may be handed from thread to thread, but only one at a time may hold it. ``durable``: what it
    commits is on disk on return; otherwise a power cut may take the last of it.
    """
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
    return connection


def prepare(path: Path, queries: Mapping[str, str], schema: int) -> None:
    """Make the file (for our own user only) and bring one side's tables up to date.

    ``queries`` has the steps ``schema_1`` to ``schema_N`` and those of the table in which their
    version stands (a table, not ``user_version``, since two versions stand in one file). Raises
    what SQLite and the system raise, and Refused for tables of a newer version.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Never open a file that is there: closing a descriptor drops all locks that SQLite holds on
    # the file in this process (POSIX), and another process would delete its WAL under us.
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    _use_wal(path)
    with contextlib.closing(connect(path)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        _migrate(connection, queries, schema)
        connection.execute("COMMIT")


def scrub(path: Path) -> None:
    """Write the file anew, so that nothing is left of what was overwritten or dropped.

    Others who write wait meanwhile, for as long as copying the file takes. Raises what SQLite
    raises, also where somebody reads for so long that the old pages can't go.
    """
    with contextlib.closing(connect(path)) as connection:
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("VACUUM")
        # The write-ahead log holds old pages too, until all of it is in the file.
        (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        message = "een ander leest te lang"
        raise sqlite3.OperationalError(message)


def unavailable(error: Exception) -> Unavailable:
    """Say that SQLite failed, without the error's message: it may hold what was written."""
    reason = getattr(error, "sqlite_errorname", None) or type(error).__name__
    return Unavailable(f"SQLite geeft geen antwoord ({reason})")


def _use_wal(path: Path) -> None:
    """Switch to WAL; processes that meet a new file at once must take turns by themselves."""
    for attempt in range(_WAL_TRIES):
        try:
            connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
            with contextlib.closing(connection):
                connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.Error:
            if attempt == _WAL_TRIES - 1:
                raise
            time.sleep(_WAL_PAUSE_SECONDS)
        else:
            return


def _migrate(connection: sqlite3.Connection, queries: Mapping[str, str], schema: int) -> None:
    connection.execute(queries["create_schema_version"])
    found = connection.execute(queries["schema_version"]).fetchone()
    version = found[0] if found else 0
    if version > schema:
        raise Refused(f"het bestand is van een nieuwere versie (schema {version})")
    for step in range(version + 1, schema + 1):
        for statement in re.split(r";\s*(?:\n|\Z)", queries[f"schema_{step}"]):
            if statement.strip():
                connection.execute(statement)
    connection.execute(queries["forget_schema_version"])
    connection.execute(queries["set_schema_version"], (schema,))
