"""Who reads which partition of the embedded log: leases, bound to a random incarnation."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from triage.log import POST_TOPICS, Topic
from triage.log.sqlite_channel import SQL

#: A partition of one of the streams of posts.
Place = tuple[Topic, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What a reader owns after it renewed its leases."""

    owned: frozenset[Place]
    #: Those of them that were ours all along; the others may have been read by somebody else.
    kept: frozenset[Place]
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

    def renew(self, db: sqlite3.Connection, *, now: int, keep: frozenset[Place]) -> Share:
        """Renew our leases, take free ones up to our part, give back what is more than it.

        Of each stream we get our part.

        ``keep`` is what we read from: it is the last to be given back.
        """
        group, reader, until = self.group, self.reader, now + self.term
        for topic in POST_TOPICS:
            db.execute(SQL["add_leases"], (group, topic))
        db.execute(SQL["bury_readers"], (group, now, now + 2 * self.term))
        db.execute(SQL["keep_reader"], (group, reader, until))
        db.execute(SQL["free_dead_leases"], (group,))
        readers = db.execute(SQL["reader_count"], (group,)).fetchone()[0]
        shares = [self._share(db, topic, readers, until, keep) for topic in POST_TOPICS]
        return Share(
            owned=frozenset().union(*(share.owned for share in shares)),
            kept=frozenset().union(*(share.kept for share in shares)),
            waiting=any(share.waiting for share in shares),
        )

    def _share(
        self, db: sqlite3.Connection, topic: Topic, readers: int, until: int, keep: frozenset[Place]
    ) -> Share:
        group, reader = self.group, self.reader
        leases = dict(db.execute(SQL["leases"], (group, topic)).fetchall())
        part = -(-len(leases) // readers)
        owned = [partition for partition, owner in leases.items() if owner == reader]
        owned.sort(key=lambda partition: (topic, partition) not in keep)
        for partition in owned[part:]:
            db.execute(SQL["drop_lease"], (group, topic, partition, reader))
        kept = owned[:part]
        free = [partition for partition, owner in leases.items() if owner is None]
        owned = [*kept, *free[: part - len(kept)]]
        for partition in owned:
            db.execute(SQL["take_lease"], (reader, until, group, topic, partition))
        return Share(
            owned=frozenset((topic, partition) for partition in owned),
            kept=frozenset((topic, partition) for partition in kept),
            waiting=len(owned) < len(leases) // readers,
        )

    def leave(self, db: sqlite3.Connection) -> None:
        """Give everything back."""
        db.execute(SQL["drop_leases"], (self.group, self.reader))
        db.execute(SQL["drop_reader"], (self.group, self.reader))
