"""What leaves the queue in Redis: events for readers and the relay, and tickets handed over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from triage.queue import Event
from triage.queue.checks import check_org, check_ticket
from triage.queue.document import from_ms, to_ms
from triage.queue.hand_over import HandOver
from triage.queue.redis_connect import Connection
from triage.queue.redis_wire import CURSOR, events_of, prefix_of

#: Entries of the outbox read at once; an entry holds the events of a whole batch.
_OUTBOX_PAGE: Final = 16


class RedisOutbox:
    """A part of :class:`triage.queue.redis.RedisQueue`."""

    _redis: Connection

    # -- events ----------------------------------------------------------------------------------

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

    # -- hand-overs ------------------------------------------------------------------------------

    def take_hand_over(self, org: str, *, now: datetime, until: datetime) -> HandOver | None:
        """Take the one that waits longest; nobody else gets it before ``until``."""
        check_org(org)
        found = self._redis.run(prefix_of(org), "take_hand_over", to_ms(now), to_ms(until))
        if not found:
            return None
        ticket, version, attempts, at, said = found
        return HandOver(
            ticket=ticket.decode(),
            version=int(version),
            attempts=int(attempts),
            at=from_ms(int(at)),
            said=said.decode(),
        )

    def retry_hand_over(self, one: HandOver, *, at: datetime) -> None:
        """Let it be taken again from a time on."""
        self._set_hand_over(one, to_ms(at))

    def end_hand_over(self, one: HandOver) -> None:
        """Forget it."""
        self._set_hand_over(one, "")

    def _set_hand_over(self, one: HandOver, at: int | str) -> None:
        prefix = prefix_of(check_ticket(one.ticket))
        self._redis.run(prefix, "set_hand_over", one.ticket, one.version, at)
