"""Who is muted, for the sign at what stands in a queue all the same."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from triage.queue import Action, Event, Mute, Queue
from triage.queue.mute import author_key
from triage.web.desk.rows import Row
from triage.web.threads import Pool

#: How long what is known holds where no event tells of a change (``rebuild``), in seconds.
KNOWN_SECONDS: Final = 60.0


class Muted:
    """Who is muted, in memory, so that a page of a queue costs no look at the store.

    Read again after an event of a mute, after what this server did, and once a minute.
    """

    def __init__(self, queue: Queue, pool: Pool) -> None:
        self._queue = queue
        self._pool = pool
        self._known: dict[str, tuple[float, Sequence[Mute]]] = {}
        #: How often something changed: what was read before that is not kept.
        self._changes: Counter[str] = Counter()

    def note(self, org: str, events: Sequence[Event]) -> None:
        """Take in what happened."""
        if any(event.data["type"] in (Action.MUTED, Action.UNMUTED) for event in events):
            self.forget(org)

    def forget(self, org: str) -> None:
        """Read an organisation's mutes again when they are asked for."""
        self._changes[org] += 1
        self._known.pop(org, None)

    async def of(self, org: str, *, now: datetime) -> Mapping[str, Mute]:
        """Give the mutes that stand, by author."""
        at, found = self._known.get(org, (0.0, ()))
        if org not in self._known or time.monotonic() - at > KNOWN_SECONDS:
            at, changes = time.monotonic(), self._changes[org]
            found = await self._pool(self._queue.mutes, org)
            if changes == self._changes[org]:
                self._known[org] = at, found
        return {mute.author: mute for mute in reversed(found) if mute.stands(now)}

    async def by(self, org: str, row: Row, *, now: datetime) -> Mute | None:
        """Give the mute of who wrote a line's post."""
        return _of(await self.of(org, now=now), org, row)

    async def among(self, org: str, rows: Iterable[Row], *, now: datetime) -> frozenset[str]:
        """Name the tickets whose author is muted."""
        standing = await self.of(org, now=now)
        return frozenset(row.id for row in rows if _of(standing, org, row)) if standing else _NONE


_NONE: Final[frozenset[str]] = frozenset()


def _of(standing: Mapping[str, Mute], org: str, row: Row) -> Mute | None:
    if not standing or not row.author_id:
        return None
    return standing.get(author_key(org, row.channel, row.author_id))
