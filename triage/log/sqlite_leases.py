"""Who reads which partition of the embedded log: leases, bound to a random incarnation."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from triage.log import Topic
from triage.log.sqlite_channel import SQL


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What a reader owns after it renewed its leases."""

    owned: frozenset[int]
    #: Those of them that were ours all along; the others may have been read by somebody else.
    kept: frozenset[int]
    #: It has less than its part, and others have yet to give theirs back.
    waiting: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Leases:
    """The leases of one reader in a group. Times are milliseconds since 1970."""

    group: str
    #: Random: a successor of the same name is another reader.
    reader: str
    #: How long a lease stands without being renewed, in milliseconds.
    term: int

    def renew(self, db: sqlite3.Connection, *, now: int, keep: frozenset[int]) -> Share:
        """Renew our leases, take free ones up to our part, give back what is more than it.

        ``keep`` is what we read from: it is the last to be given back.
        """
        group, reader, until = self.group, self.reader, now + self.term
        db.execute(SQL["add_leases"], (group, Topic.POSTS))
        db.execute(SQL["bury_readers"], (group, now, now + 2 * self.term))
        db.execute(SQL["keep_reader"], (group, reader, until))
        db.execute(SQL["free_dead_leases"], (group,))
        leases = dict(db.execute(SQL["leases"], (group,)).fetchall())
        readers = db.execute(SQL["reader_count"], (group,)).fetchone()[0]
        part = -(-len(leases) // readers)
        owned = [partition for partition, owner in leases.items() if owner == reader]
        owned.sort(key=lambda partition: partition not in keep)
        for partition in owned[part:]:
            db.execute(SQL["drop_lease"], (group, partition, reader))
        kept = frozenset(owned[:part])
        free = [partition for partition, owner in leases.items() if owner is None]
        owned = [*owned[:part], *free[: part - len(kept)]]
        for partition in owned:
            db.execute(SQL["take_lease"], (reader, until, group, partition))
        waiting = len(owned) < len(leases) // readers
        return Share(owned=frozenset(owned), kept=kept, waiting=waiting)

    def leave(self, db: sqlite3.Connection) -> None:
        """Give everything back."""
        db.execute(SQL["drop_leases"], (self.group, self.reader))
        db.execute(SQL["drop_reader"], (self.group, self.reader))
