"""What the pages list: the open tickets of a team, kept in memory and brought up to date by events.

A view is read whole from the store once, then changed by the tickets that events name. When too
much changes at a time, or the count is not the store's, it is read whole again. So a page of a
queue of 10,000 costs what changed since the last one, and filters see all of the queue.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from triage.errors import NotFound
from triage.queue import Action, Event, Queue
from triage.ticket import State, Ticket
from triage.web.desk.rows import Filter, Row, row_of
from triage.web.threads import Pool

#: Tickets read at once, and by how many a page laps over the one before: some left meanwhile.
PAGE: Final = 1000
OVERLAP: Final = 50
#: The most lines of one view: the first in order.
ROW_LIMIT: Final = 50_000
#: More changes than this are read as a whole queue.
CHANGES_LIMIT: Final = 400
#: Changes are read at most so often, and the count compared at most so often, in seconds.
PAUSE_SECONDS: Final = 0.25
COMPARE_SECONDS: Final = 20.0
#: The most answers to filters that a view keeps.
FILTERED_LIMIT: Final = 16
#: The most views kept; the one not asked for longest goes first.
VIEW_LIMIT: Final = 200


@dataclass(slots=True)
class _View:
    rows: dict[str, Row] = field(default_factory=dict)
    ordered: list[Row] = field(default_factory=list)
    #: Tickets that changed since they were read, and the version they have at least.
    changed: dict[str, int] = field(default_factory=dict)
    loaded: bool = False
    #: Grows with every change of the lines; what was filtered before is kept until then.
    generation: int = 0
    filtered: OrderedDict[tuple[object, ...], Sequence[Row]] = field(default_factory=OrderedDict)
    read_at: float = 0.0
    compared_at: float = 0.0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Lists:
    """The views of all teams that are looked at. For one event loop."""

    def __init__(self, queue: Queue, pool: Pool) -> None:
        self._queue = queue
        self._pool = pool
        self._views: OrderedDict[tuple[str, str], _View] = OrderedDict()

    def note(self, org: str, events: Sequence[Event]) -> None:
        """Take in events; called for every one, so it only remembers what to read."""
        views = [view for (owner, _), view in self._views.items() if owner == org]
        if not views:
            return
        for event in events:
            ticket, version, team = event.data["ticket"], event.data["version"], event.data["team"]
            lead = event.data.get("bundle", ticket)
            if lead != ticket:
                self._regrouped(views, lead)
            if event.data["type"] == Action.JOINED:
                continue
            for view in views:
                row = view.rows.get(ticket)
                if row is None:
                    if event.data["state"] != State.OPEN or not self._is(view, org, team):
                        view.changed.pop(ticket, None)
                        continue
                elif row.version >= version:
                    continue
                view.changed[ticket] = version

    def _regrouped(self, views: Iterable[_View], lead: str) -> None:
        """Take in that something inside a ticket changed: that has its line in the other one."""
        for view in views:
            if row := view.rows.get(lead):
                view.changed[lead] = row.version + 1

    def _is(self, view: _View, org: str, team: str) -> bool:
        return self._views.get((org, team)) is view

    async def rows(
        self, org: str, team: str, *, now: datetime, fresh: bool = False
    ) -> Sequence[Row]:
        """Give a team's open tickets in order. ``fresh``: with all that was noted until now."""
        view = self._views.setdefault((org, team), _View())
        self._views.move_to_end((org, team))
        if len(self._views) > VIEW_LIMIT:
            self._views.popitem(last=False)
        async with view.turn:
            at = time.monotonic()
            if not view.loaded or len(view.changed) > CHANGES_LIMIT:
                if not view.loaded or at - view.read_at > PAUSE_SECONDS * 4:
                    await self._load(view, org, team, now)
            elif view.changed and (fresh or at - view.read_at > PAUSE_SECONDS):
                await self._catch_up(view, team, now)
            elif at - view.compared_at > COMPARE_SECONDS:
                await self._compare(view, org, team, now)
        return view.ordered

    def warm(self, org: str, team: str) -> bool:
        """Say whether a view is there."""
        view = self._views.get((org, team))
        return view is not None and view.loaded

    async def filtered(
        self, org: str, team: str, asked: Filter, *, me: str, now: datetime, fresh: bool = False
    ) -> Sequence[Row]:
        """Give those of them that a filter keeps; ``me`` is who asks."""
        rows = await self.rows(org, team, now=now, fresh=fresh)
        view = self._views[org, team]
        known = (view.generation, asked, me if asked.show == "mijn" else "", now.timestamp() // 5)
        kept = view.filtered.get(known)
        if kept is None:
            kept = [row for row in rows if asked.keeps(row, me, now)]
            view.filtered[known] = kept
            while len(view.filtered) > FILTERED_LIMIT:
                view.filtered.popitem(last=False)
        return kept

    def changed(self, ticket: Ticket) -> None:
        """Take in a ticket as an action left it, ahead of its event."""
        for (org, team), view in self._views.items():
            if (
                org == ticket.org
                and view.loaded
                and (team == ticket.team or ticket.id in view.rows)
            ):
                self._place(view, team, ticket)

    async def _load(self, view: _View, org: str, team: str, now: datetime) -> None:
        found: dict[str, Row] = {}
        offset = 0
        with _taken(view):
            while offset < ROW_LIMIT:
                page = await self._pool(self._page, org, team, now, offset)
                found.update((row.id, row) for row in page)
                if len(page) < PAGE:
                    break
                offset += PAGE - OVERLAP
        view.rows = found
        view.ordered = sorted(found.values(), key=_order)
        view.generation += 1
        view.loaded = True
        view.read_at = view.compared_at = time.monotonic()

    def _page(self, org: str, team: str, now: datetime, offset: int) -> list[Row]:
        return [*map(row_of, self._queue.list(org, team, now=now, limit=PAGE, offset=offset))]

    async def _catch_up(self, view: _View, team: str, now: datetime) -> None:
        with _taken(view) as changed:
            tickets = await self._pool(self._read, changed, now)
        for ticket, found in tickets:
            if found is None:
                self._drop(view, ticket)
            else:
                self._place(view, team, found)
        view.read_at = time.monotonic()

    def _read(self, tickets: Iterable[str], now: datetime) -> list[tuple[str, Ticket | None]]:
        found: list[tuple[str, Ticket | None]] = []
        for ticket in tickets:
            try:
                found.append((ticket, self._queue.get(ticket, now=now)))
            except NotFound:
                found.append((ticket, None))
        return found

    def _place(self, view: _View, team: str, ticket: Ticket) -> None:
        before = view.rows.get(ticket.id)
        if before is not None and before.version > ticket.version:
            return
        self._drop(view, ticket.id)
        if ticket.state is State.OPEN and ticket.team == team and not ticket.within:
            row = row_of(ticket)
            view.rows[row.id] = row
            view.generation += 1
            insort(view.ordered, row, key=_order)

    def _drop(self, view: _View, ticket: str) -> None:
        row = view.rows.pop(ticket, None)
        if row is not None:
            view.generation += 1
            del view.ordered[bisect_left(view.ordered, row.order, key=_order)]

    async def _compare(self, view: _View, org: str, team: str, now: datetime) -> None:
        depths = await self._pool(self._queue.stats, org, now=now)
        depth = sum(depth.depth for depth in depths if depth.team == team)
        view.compared_at = time.monotonic()
        if min(depth, ROW_LIMIT) != len(view.rows) and not view.changed:
            await self._load(view, org, team, now)

    async def renewed(self, rows: Iterable[Row], *, now: datetime) -> dict[str, Row]:
        """Give those lines anew whose claim seems over: who renews one tells nobody."""
        over = [row.id for row in rows if row.holder and row.until <= now]
        if not over:
            return {}
        found = await self._pool(self._read, over, now)
        fresh = {ticket: row_of(stands) for ticket, stands in found if stands is not None}
        for view in self._views.values():
            for ticket, row in fresh.items():
                before = view.rows.get(ticket)
                if before is not None and before.version == row.version:
                    place = bisect_left(view.ordered, before.order, key=_order)
                    view.ordered[place] = view.rows[ticket] = row
                    view.generation += 1
        return fresh


@contextlib.contextmanager
def _taken(view: _View) -> Iterator[dict[str, int]]:
    """Take what changed, to be read; where that fails or is broken off, it still is to be read."""
    changed, view.changed = view.changed, {}
    try:
        yield changed
    except BaseException:
        view.changed = changed | view.changed
        raise


def _order(row: Row) -> tuple[bool, datetime, str]:
    return row.order
