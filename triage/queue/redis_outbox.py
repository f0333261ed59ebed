"""What leaves the queue in Redis: events for readers and the relay."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from triage.queue import Event
from triage.queue.checks import check_org
from triage.queue.redis_connect import Connection
from triage.queue.redis_wire import CURSOR, events_of, prefix_of

#: Entries of the outbox read at once; an entry holds the events of a whole batch.
_OUTBOX_PAGE: Final = 16


class RedisOutbox:
    """A part of :class:`triage.queue.redis.RedisQueue`."""

    _redis: Connection

    def events(self, org: str, after: str = "", *, limit: int = 1000) -> Sequence[Event]:
        """Give events after a cursor (empty or unreadable: the oldest kept), oldest first."""
        check_org(org)
        return self._events(org, after, limit)

    def unpublished(self, org: str, *, limit: int = 1000) -> Sequence[Event]:
        """Give the events that the relay has not published yet, oldest first."""
        check_org(org)
        stands = self._redis.call("GET", f"{prefix_of(org)}published")
        return self._events(org, stands.decode() if stands else "", limit)

    def published(self, org: str, cursor: str, *, now: datetime) -> None:
        """Note that all events up to ``cursor`` are published."""
        del now
        check_org(org)
        if not CURSOR.fullmatch(cursor):
            message = "cursor: geen plaats in de gebeurtenissen"
            raise ValueError(message)
        self._redis.run(prefix_of(org), "published", cursor)

    def _events(self, org: str, after: str, limit: int) -> Sequence[Event]:
        start, _, index = after.partition(".") if CURSOR.fullmatch(after) else ("-", "", "-1")
        events: list[Event] = []
        while len(events) < limit:
            outbox = f"{prefix_of(org)}outbox"
            page = self._redis.call("XRANGE", outbox, start, "+", "COUNT", _OUTBOX_PAGE)
            for entry, fields in page:
                name = entry.decode()
                skip = int(index) + 1 if name == start else 0
                events += (
                    Event(cursor=f"{name}.{place}", data=data)
                    for place, data in enumerate(events_of(fields))
                    if place >= skip
                )
            if len(page) < _OUTBOX_PAGE:
                break
            start, index = f"({name}", "-1"
        return events[:limit]
