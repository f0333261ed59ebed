"""What happened in the queues, as Redis keeps it: the outbox, and who is muted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from triage.queue import Event
from triage.queue.checks import check_org, check_ticket
from triage.queue.desk import Desk
from triage.queue.mute import Mute, Mutes, by_author
from triage.queue.redis_connect import Connection
from triage.queue.redis_wire import CURSOR, events_of, mute_args, prefix_of
from triage.ticket import org_of

#: Entries of the outbox read at once; an entry holds the events of a whole batch.
_OUTBOX_PAGE: Final = 16


class RedisEvents(Desk):
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

    # -- mutes -----------------------------------------------------------------------------------

    def mutes(self, org: str) -> Sequence[Mute]:
        """Give the mutes that are kept, newest first."""
        check_org(org)
        rows = self._redis.run(prefix_of(org), "mutes")
        found = [Mute.parse(raw, taken=int(count)) for raw, count in rows]
        return sorted(found, key=lambda mute: (mute.at, mute.id), reverse=True)

    def taken_by(self, mute: str, *, limit: int = 100, offset: int = 0) -> Sequence[str]:
        """Name the tickets that a mute took, newest first."""
        start, most = max(0, offset), min(limit, 1000)
        if most <= 0:
            return []
        taken = f"{prefix_of(check_ticket(mute))}taken:{mute}"
        found = self._redis.call("ZREVRANGE", taken, start, start + most - 1)
        return [ticket.decode() for ticket in found]

    def _keep_mute(self, mute: Mute) -> None:
        self._redis.run(prefix_of(org_of(mute.id)), "keep_mute", mute_args([mute], []))


class Heard:
    """The mutes of organisations as a process knows them.

    A write tells by what it decided; where others stand now it is refused and gets those, so what
    is known here may be old, but nothing is decided by it. Without mutes that costs one comparison
    a batch.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[bytes, Mutes]] = {}

    def of(self, org: str) -> tuple[bytes, Mutes]:
        """Give by what the mutes are named, and the mutes."""
        return self._known.get(org, (b"", {}))

    def update(self, org: str, told: Sequence[bytes]) -> None:
        """Take in what a write was refused with."""
        if told:
            mark, *mutes = told
            self._known[org] = mark, by_author([Mute.parse(raw) for raw in mutes])
