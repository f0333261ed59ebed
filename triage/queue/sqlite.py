"""The queue in one SQLite file: the embedded default, safe with several threads and processes.

What is done is decided in ``planner``, ``actions`` and ``regroup``, shared with Redis; here each
call reads, decides and writes in one transaction that is on disk when it returns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from sqlite3 import Connection
from typing import Any, Final

from triage.queue import REMEMBER_SECONDS, Advance, Depth, Entry, Event, PutResult
from triage.queue.actions import Decision
from triage.queue.authors import NOTED_LIMIT
from triage.queue.checks import check_lease, check_name, check_org, check_ticket, unknown
from triage.queue.desk import Desk
from triage.queue.document import (
    KEEP_EVENTS_SECONDS,
    Stored,
    answer_key,
    answer_of,
    as_answered,
    from_ms,
    to_ms,
)
from triage.queue.hand_over import HandOver
from triage.queue.merge import check_batch, counts_of, put_result, with_history
from triage.queue.mute import Mute, by_author
from triage.queue.planner import plan_put
from triage.queue.restore import restore
from triage.queue.shown import posts_of, shown_members, to_ticket
from triage.queue.sqlite_connect import SQL, Database
from triage.queue.sqlite_rows import (
    add_events,
    advance_positions,
    answered_ticket,
    claim_ticket,
    earlier_answer,
    events_after,
    known_tickets,
    place_of,
    published_cursor,
    read_ticket,
    remember,
    set_mute,
    shown_ticket,
    stored_of,
    write_plan,
    write_ticket,
)
from triage.ticket import URGENCIES, Ticket, org_of

#: The most tickets that one ``sweep`` drops, and that one ``list`` gives.
SWEEP_LIMIT: Final = 500
LIST_LIMIT: Final = 1000
#: How many documents are read at once.
_PAGE: Final = 1000


class SqliteQueue(Desk):
    """See :class:`triage.queue.Queue`. For all threads of a process."""

    def __init__(self, path: str | Path) -> None:
        self._db = Database(path)

    def check(self) -> None:
        """Open the file; what a commit wrote stays. Raises Refused and Unavailable."""
        self.ping()

    # -- put -------------------------------------------------------------------------------------

    def put(
        self,
        org: str,
        entries: Sequence[Entry],
        advances: Sequence[Advance] = (),
        *,
        now: datetime,
        request: str,
    ) -> PutResult:
        """Put a batch and move its positions, in one atomic step."""
        check_batch(org, entries)
        answer, at = answer_key(request, "put", org), to_ms(now)

        def work(db: Connection) -> PutResult:
            if earlier := earlier_answer(db, answer, at):
                return put_result(earlier)
            moved = advance_positions(db, org, advances)
            live = [entry for entry in entries if entry.partition not in moved]
            if not live and len(moved) == len(advances):
                return PutResult(moved=moved)
            known, alike = known_tickets(db, org, live, at)
            mutes = [Mute.parse(raw) for (raw,) in db.execute(SQL["mutes_that_take"], (org,))]
            plan = plan_put(live, known, alike, now=at, mutes=by_author(mutes))
            write_plan(db, org, plan, at)
            counts = counts_of(plan, moved)
            remember(db, answer, at, counts)
            return put_result(counts)

        return self._db.write(work)

    def positions(self, org: str) -> Mapping[str, int]:
        """Give the next offset to read, per partition."""
        check_org(org)
        return self._db.read(lambda db: dict(db.execute(SQL["positions"], (org,)).fetchall()))

    def restore(self, org: str, outcomes: Sequence[Mapping[str, Any]], *, now: datetime) -> int:
        """Apply outcomes from the log to tickets older than them; count those."""
        del now
        check_org(org)

        def work(db: Connection) -> int:
            count = 0
            for outcome in outcomes:
                ticket = str(outcome["ticket"])
                if check_ticket(ticket) != org:
                    continue
                find = partial(read_ticket, db, members=True)
                write = restore(read_ticket(db, ticket), outcome, find)
                if write is not None:
                    write_ticket(db, write)
                    count += 1
            return count

        return self._db.write(work)

    # -- tickets ---------------------------------------------------------------------------------

    def get(self, ticket: str, *, now: datetime) -> Ticket:
        """Give one ticket, with its history."""
        check_ticket(ticket)
        return self._db.read(lambda db: shown_ticket(db, ticket, to_ms(now)))

    def list(
        self, org: str, team: str, *, now: datetime, limit: int = 100, offset: int = 0
    ) -> Sequence[Ticket]:
        """Give a team's open tickets in order, claimed ones too (without history)."""
        check_org(org)
        check_name("team", team)
        page = (org, team, max(0, min(limit, LIST_LIMIT)), max(0, offset))
        rows = self._db.read(lambda db: db.execute(SQL["list"], page).fetchall())
        return [to_ticket(stored_of(row), now=to_ms(now)) for row in rows]

    def posts_by(self, org: str, author: str) -> Sequence[Mapping[str, Any]]:
        """Give all posts of an author (its id), wherever their tickets stand. Reads everything."""
        check_org(org)
        after, end = f"{org}.", f"{org}/"  # the sign after the full stop
        found: list[Mapping[str, Any]] = []
        while rows := self._db.read(partial(_documents, after=after, end=end)):
            found += posts_of((doc for _, doc in rows), author)
            after = rows[-1][0]
        return found

    def resolved_of(self, org: str, author: str, *, limit: int = 20) -> Sequence[str]:
        """Name resolved tickets of an author, those resolved last first."""
        check_org(org)
        asked = (org, author, max(0, min(limit, NOTED_LIMIT)))
        rows = self._db.read(lambda db: db.execute(SQL["resolved_of"], asked).fetchall())
        return [ticket for (ticket,) in rows]

    def members(
        self,
        ticket: str,
        *,
        now: datetime,
        limit: int = 100,
        offset: int = 0,
        replies: bool | None = None,
    ) -> Sequence[Ticket]:
        """Give the tickets inside one (without history): copies by id, then replies by time."""
        check_ticket(ticket)
        lead = self._db.read(lambda db: read_ticket(db, ticket, members=True))
        return shown_members(lead, to_ms(now), limit, offset, replies=replies)

    def claim(
        self, ticket: str, *, owner: str, seconds: float, now: datetime, request: str
    ) -> Ticket:
        """Lease a ticket (whose id is given) to ``owner``."""
        check_ticket(ticket)
        claimed = self._claim(lambda _: ticket, (ticket, ""), owner, (seconds, now), request)
        if claimed is None:
            raise unknown()
        return claimed

    def claim_next(
        self, org: str, team: str, *, owner: str, seconds: float, now: datetime, request: str
    ) -> Ticket | None:
        """Lease the first unclaimed ticket of a team; None where there is none."""
        check_org(org)
        check_name("team", team)

        def first_free(db: Connection) -> str | None:
            row = db.execute(SQL["first_free"], (org, team, to_ms(now))).fetchone()
            return row[0] if row else None

        return self._claim(first_free, (org, team), owner, (seconds, now), request)

    def _claim(
        self,
        choose: Callable[[Connection], str | None],
        scope: tuple[str, str],
        owner: str,
        lease: tuple[float, datetime],
        request: str,
    ) -> Ticket | None:
        check_name("owner", owner)
        until, now = check_lease(*lease), lease[1]
        answer, at = answer_key(request, "claim", *scope), to_ms(now)

        def work(db: Connection) -> Stored | None:
            if earlier := earlier_answer(db, answer, at):
                return answered_ticket(db, earlier)
            ticket = choose(db)
            if ticket is None:
                return None
            claimed = claim_ticket(db, ticket, owner, until, now, request)
            remember(db, answer, at, answer_of(claimed))
            return claimed

        claimed = self._db.write(work)
        return to_ticket(claimed) if claimed else None

    def _act(
        self,
        ticket: str,
        decide: Decision,
        *,
        answer: str,
        at: int,
        others: Sequence[str] = (),
        members: bool = True,
    ) -> Stored:
        def work(db: Connection) -> Stored:
            if earlier := earlier_answer(db, answer, at):
                return answered_ticket(db, earlier)
            write = decide(*(read_ticket(db, name, members=members) for name in (ticket, *others)))
            assert write.after is not None
            shown = as_answered(write.after, at)
            write_ticket(db, write)
            events = [event for one in write.whole for event in one.events]
            add_events(db, org_of(ticket), at, events)
            remember(db, answer, at, answer_of(shown))
            return with_history(shown, write)

        return self._db.write(work)

    # -- mutes -----------------------------------------------------------------------------------

    def mutes(self, org: str) -> Sequence[Mute]:
        """Give the mutes that are kept, newest first."""
        check_org(org)
        rows = self._db.read(lambda db: db.execute(SQL["mutes"], (org,)).fetchall())
        found = [Mute.parse(raw, taken=count) for raw, count in rows]
        return sorted(found, key=lambda mute: (mute.at, mute.id), reverse=True)

    def taken_by(self, mute: str, *, limit: int = 100, offset: int = 0) -> Sequence[str]:
        """Name the tickets that a mute took, newest first."""
        page = (mute, max(0, min(limit, LIST_LIMIT)), max(0, offset))
        rows = self._db.read(lambda db: db.execute(SQL["taken_by"], page).fetchall())
        return [ticket for (ticket,) in rows]

    def _keep_mute(self, mute: Mute) -> None:
        self._db.write(lambda db: set_mute(db, mute))

    # -- events ----------------------------------------------------------------------------------

    def events(self, org: str, after: str = "", *, limit: int = 1000) -> Sequence[Event]:
        """Give events after a cursor (empty or unreadable: the oldest kept), oldest first."""
        check_org(org)
        return self._db.read(lambda db: events_after(db, org, after, limit))

    def unpublished(self, org: str, *, limit: int = 1000) -> Sequence[Event]:
        """Give the events that the relay has not published yet, oldest first."""
        check_org(org)
        return self._db.read(lambda db: events_after(db, org, published_cursor(db, org), limit))

    def published(self, org: str, cursor: str, *, now: datetime) -> None:
        """Note that all events up to ``cursor`` are published."""
        del now
        check_org(org)
        place = place_of(cursor)
        if place is None:
            message = "cursor: geen plaats in de gebeurtenissen"
            raise ValueError(message)

        def work(db: Connection) -> None:
            if place > (place_of(published_cursor(db, org)) or (0, -1)):
                db.execute(SQL["set_published"], (org, cursor))

        self._db.write(work)

    # -- hand-overs ------------------------------------------------------------------------------

    def take_hand_over(self, org: str, *, now: datetime, until: datetime) -> HandOver | None:
        """Take the one that waits longest; nobody else gets it before ``until``."""
        check_org(org)
        waiting = (org, to_ms(now))

        def first(db: Connection) -> Any:  # noqa: ANN401 - a row
            return db.execute(SQL["first_hand_over"], waiting).fetchone()

        def take(db: Connection) -> HandOver | None:
            found = first(db)
            if found is None:
                return None
            ticket, version, attempts, at, said = found
            db.execute(SQL["take_hand_over"], (to_ms(until), ticket))
            return HandOver(
                ticket=ticket, version=version, attempts=attempts, at=from_ms(at), said=said
            )

        # Reading first: who looks twice a second keeps nobody from writing.
        return self._db.write(take) if self._db.read(first) else None

    def retry_hand_over(self, one: HandOver, *, at: datetime) -> None:
        """Let it be taken again from a time on."""
        row = (to_ms(at), one.ticket, one.version)
        self._db.write(lambda db: db.execute(SQL["retry_hand_over"], row).close())

    def end_hand_over(self, one: HandOver) -> None:
        """Forget it."""
        row = (one.ticket, one.version)
        self._db.write(lambda db: db.execute(SQL["end_hand_over"], row).close())

    # -- care ------------------------------------------------------------------------------------

    def stats(self, org: str, *, now: datetime) -> Sequence[Depth]:
        """Give every team and urgency that has open tickets."""
        check_org(org)
        rows = self._db.read(lambda db: db.execute(SQL["stats"], (to_ms(now), org)).fetchall())
        return [
            Depth(
                team=team,
                urgency=URGENCIES[rank],
                depth=depth,
                breached=late,
                oldest_due=from_ms(first),
            )
            for team, rank, depth, late, first in rows
        ]

    def sweep(self, org: str, *, now: datetime, retention_seconds: float) -> int:
        """Drop tickets resolved longer ago than retention (counted, at most 500), old events."""
        check_org(org)
        at = to_ms(now)

        def work(db: Connection) -> int:
            horizon = at - round(retention_seconds * 1000)
            old = db.execute(SQL["old_resolved"], (org, horizon, SWEEP_LIMIT)).fetchall()
            for (ticket,) in old:
                db.execute(SQL["drop_histories"], (ticket,))
                db.execute(SQL["drop_ticket"], (at + REMEMBER_SECONDS * 1000, ticket))
            db.execute(SQL["forget_ids"], (at,))
            db.execute(SQL["forget_answers"], (at,))
            db.execute(SQL["forget_keys"], (at,))
            db.execute(SQL["forget_taken"], (org, horizon))
            db.execute(SQL["forget_mutes"], (org, horizon))
            # The entry of the cursor stays: not all of its events may be published.
            if place := place_of(published_cursor(db, org)):
                db.execute(SQL["trim_outbox"], (org, place[0], at - KEEP_EVENTS_SECONDS * 1000))
            return len(old)

        return self._db.write(work)

    def ping(self) -> None:
        """Return when the store answers; raise Unavailable when it does not."""
        self._db.read(lambda db: db.execute(SQL["ping"]).fetchone())

    def close(self) -> None:
        """Let go of everything."""
        self._db.close()


def _documents(db: Connection, *, after: str, end: str) -> list[tuple[str, bytes]]:
    return db.execute(SQL["documents"], (after, end, _PAGE)).fetchall()
