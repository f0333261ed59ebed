"""How tickets, changes and events are laid out in the rows of ``sqlite.sql``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from sqlite3 import Connection
from typing import Any, Final

import orjson

from triage.queue import Action, Advance, Entry, Event
from triage.queue.actions import refusal
from triage.queue.authors import noted_under
from triage.queue.bundling import EQUAL, likeliest
from triage.queue.checks import unknown
from triage.queue.document import (
    ANSWER_SECONDS,
    HISTORY_LIMIT,
    Created,
    Stored,
    answer_key,
    answered,
    event_data,
    event_id,
    from_state,
    history_item,
    to_ms,
)
from triage.queue.merge import Plan, Write
from triage.queue.mute import Mute
from triage.queue.planner import Alike
from triage.queue.shown import to_ticket
from triage.queue.sqlite_connect import SQL
from triage.queue.summary import Summary
from triage.ticket import Ticket, org_of

_OUTBOX_PAGE: Final = 16
#: The most tickets that one key finds, those that copies joined last.
_FOUND_BY_KEY: Final = 32
_HOUR: Final = 3_600_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_CURSOR: Final = re.compile(r"(\d{1,18})\.(\d{1,9})")


# -- tickets -------------------------------------------------------------------------------------


def stored_of(row: Sequence[Any], history: Sequence[bytes] = ()) -> Stored:
    """Read a ticket from its row."""
    ticket, version, state, doc, seen, forget_at, owner, token, until, within, bundle = row
    return from_state(
        ticket,
        version,
        state,
        doc=doc,
        seen=tuple(seen.split()),
        gone=forget_at > 0,
        owner=owner,
        token=token,
        until=until,
        within=within,
        bundle=Summary.parse(bundle) if bundle else None,
        history=tuple(history),
    )


def read_ticket(db: Connection, ticket: str, *, members: bool = False) -> Stored | None:
    """Read a ticket with its history, and on demand its members; None: the store has no such."""
    row = db.execute(SQL["ticket"], (ticket,)).fetchone()
    if row is None:
        return None
    stored = stored_of(row, [item for (item,) in db.execute(SQL["history"], (ticket,))])
    if members and stored.bundle:
        inside = map(stored_of, db.execute(SQL["members"], (ticket,)))
        stored = replace(stored, members=tuple(inside))
    return stored


def shown_ticket(db: Connection, ticket: str, at: int) -> Ticket:
    """Read a ticket for people; a member as its bundle stands. Raises NotFound."""
    stored = read_ticket(db, ticket)
    if stored is None or stored.gone:
        raise unknown()
    lead = read_ticket(db, stored.within) if stored.within else None
    return to_ticket(stored, lead=lead, now=at)


def known_tickets(
    db: Connection, org: str, entries: Sequence[Entry], at: int
) -> tuple[dict[str, Stored], Alike]:
    """Read the tickets that posts have already, may be copies of, or answer."""
    alike = _alike(db, org, entries, at)
    wanted = {entry.ticket_id for entry in entries}.union(*alike.values())
    wanted.update(entry.reply.to for entry in entries if entry.reply)
    known = _read_tickets(db, wanted)
    leads = {stored.within for stored in known.values() if stored.within} - known.keys()
    return known | _read_tickets(db, leads), alike


def _alike(
    db: Connection, org: str, entries: Sequence[Entry], at: int
) -> dict[str, dict[str, int]]:
    """Find the tickets that share keys with new posts: with an equal text, or the likeliest."""
    signatures = {entry.ticket_id: entry.bundling.signature for entry in entries if entry.bundling}
    if not signatures:
        return {}
    keys = orjson.dumps(list({key for signature in signatures.values() for key in signature.keys}))
    rows = db.execute(SQL["found_by"], (org, at, keys.decode()))
    buckets = {
        key: list(dict.fromkeys(orjson.loads(tickets)))[:_FOUND_BY_KEY] for key, tickets in rows
    }
    alike = {}
    for ticket, signature in signatures.items():
        hits = Counter(found for key in signature.near for found in buckets.get(key, ()))
        hits.update(dict.fromkeys(buckets.get(signature.exact, ()), EQUAL))
        alike[ticket] = likeliest(hits, signature.shared)
    return alike


def _read_tickets(db: Connection, tickets: Iterable[str]) -> dict[str, Stored]:
    names = orjson.dumps(list(tickets)).decode()
    rows = db.execute(SQL["tickets"], (names,)).fetchall()
    histories: dict[str, list[bytes]] = {row[0]: [] for row in rows}
    if rows:
        found = orjson.dumps(list(histories)).decode()
        for ticket, item in db.execute(SQL["histories"], (found,)):
            histories[ticket].append(item)
    return {row[0]: stored_of(row, histories[row[0]]) for row in rows}


def write_ticket(db: Connection, write: Write) -> None:
    """Write a change of one ticket, and its history."""
    after = write.after
    if after is None:
        return
    db.execute(
        SQL["write"],
        (
            after.id,
            org_of(after.id),
            after.version,
            after.team,
            after.urgency.rank,
            after.due,
            after.resolved,
            after.owner,
            after.token,
            after.until,
            " ".join(after.seen),
            after.state,
            after.doc,
            after.within,
            after.bundle.to_bytes() if after.bundle else b"",
            noted_under(after),
        ),
    )
    for other in write.also:
        write_ticket(db, other)
    for mute in write.mutes:
        set_mute(db, mute)
    if write.taken:
        db.execute(SQL["take"], (write.taken, after.id, after.outcome[1]))
    if write.hand_over:
        row = (after.id, org_of(after.id), after.version, after.resolved, write.hand_over)
        db.execute(SQL["add_hand_over"], row)
    if write.rewritten:
        db.execute(SQL["drop_history"], (after.id,))
    items = after.history if write.rewritten else write.appended
    db.executemany(SQL["add_history"], [(after.id, item) for item in items])
    if items:
        db.execute(SQL["bound_history"], (after.id, HISTORY_LIMIT))


def set_mute(db: Connection, mute: Mute) -> None:
    """Write a mute; one that was ended stays so."""
    row = (mute.id, org_of(mute.id), to_ms(mute.over), mute.to_bytes())
    db.execute(SQL["set_mute"], row)


def write_plan(db: Connection, org: str, plan: Plan, at: int) -> None:
    """Write a batch and its events."""
    db.executemany(
        SQL["create"],
        [
            (
                new.id,
                org,
                new.digest,
                new.team,
                new.rank,
                new.due,
                new.state,
                new.doc,
                new.within,
            )
            for new in plan.creations
        ],
    )
    add_keys(db, [*plan.creations, *plan.writes], at)
    for write in plan.writes:
        write_ticket(db, write)
    add_events(db, org, at, [*(new.event for new in plan.creations), *plan.events])


def add_keys(db: Connection, tickets: Iterable[Write | Created], at: int) -> None:
    """Let copies find tickets by their keys; in whole hours, so that few rows come of many."""
    rows = []
    for one in tickets:
        until = -(-(at + one.window * 1000) // _HOUR) * _HOUR
        rows += [(org_of(one.id), key, until, one.id) for key in one.keys]
    db.executemany(SQL["add_key"], rows)


def advance_positions(
    db: Connection, org: str, advances: Sequence[Advance]
) -> dict[str, int | None]:
    """Move the positions that stand as expected; give where the others stand."""
    stands = dict(db.execute(SQL["positions"], (org,)).fetchall()) if advances else {}
    moved: dict[str, int | None] = {}
    for advance in advances:
        if stands.get(advance.partition) == advance.expected:
            db.execute(SQL["set_position"], (org, advance.partition, advance.next))
        else:
            moved[advance.partition] = stands.get(advance.partition)
    return moved


def claim_ticket(
    db: Connection, ticket: str, owner: str, until: int, now: datetime, request: str
) -> Stored:
    """Lease a ticket that is open and free. Raises NotFound and Conflict."""
    stored, at = read_ticket(db, ticket), to_ms(now)
    if stored is None or stored.gone:
        raise unknown()
    if stored.resolved:
        raise refusal("resolved")
    if stored.within:
        raise refusal("bundled")
    if stored.held(at):
        raise refusal("claimed")
    floor = (now - _EPOCH) // _MICROSECOND
    (token,) = db.execute(SQL["next_token"], (org_of(ticket), floor)).fetchone()
    after = replace(stored, version=stored.version + 1, owner=owner, token=token, until=until)
    identity = event_id(ticket, Action.CLAIMED, str(after.version), answer_key(request))
    event = {**event_data(after, Action.CLAIMED, at, identity), "by": owner}
    item = history_item(at, Action.CLAIMED, owner)
    write_ticket(db, Write(id=ticket, before=stored, after=after, appended=(item,)))
    add_events(db, org_of(ticket), at, [orjson.dumps(event)])
    return replace(after, history=(*stored.history, item))


# -- answers -------------------------------------------------------------------------------------


def earlier_answer(db: Connection, name: str, at: int) -> bytes | None:
    """Give what a request was answered before."""
    row = db.execute(SQL["answer"], (name, at)).fetchone()
    return row[0] if row else None


def remember(db: Connection, name: str, at: int, answer: bytes) -> None:
    """Keep the answer to a request for a while."""
    db.execute(SQL["remember"], (name, at + ANSWER_SECONDS * 1000, answer))


def answered_ticket(db: Connection, answer: bytes) -> Stored:
    """Give an earlier answer again, with the post as it stands now. Raises NotFound."""
    stored = read_ticket(db, str(orjson.loads(answer)["id"]))
    if stored is None or stored.gone:
        raise unknown()
    return answered(answer, stored)


# -- events --------------------------------------------------------------------------------------


def add_events(db: Connection, org: str, at: int, events: Sequence[bytes]) -> None:
    """Write the events of one call to the outbox."""
    if events:
        db.execute(SQL["add_events"], (org, at, b"[" + b",".join(events) + b"]"))


def events_after(db: Connection, org: str, cursor: str, limit: int) -> list[Event]:
    """Give events after a cursor; from the oldest where it is empty or unreadable."""
    start, skip = place_of(cursor) or (0, -1)
    events: list[Event] = []
    while len(events) < limit:
        page = db.execute(SQL["events"], (org, start, _OUTBOX_PAGE)).fetchall()
        for entry, raw in page:
            events += (
                Event(cursor=f"{entry}.{place}", data=data)
                for place, data in enumerate(orjson.loads(raw))
                if entry != start or place > skip
            )
        if len(page) < _OUTBOX_PAGE:
            break
        start, skip = page[-1][0] + 1, -1
    return events[:limit]


def published_cursor(db: Connection, org: str) -> str:
    """Give the cursor up to which the relay has published; empty before the first time."""
    row = db.execute(SQL["published"], (org,)).fetchone()
    return str(row[0]) if row else ""


def place_of(cursor: str) -> tuple[int, int] | None:
    """Read a cursor: the entry of the outbox and the place of the event in it."""
    found = _CURSOR.fullmatch(cursor)
    return (int(found[1]), int(found[2])) if found else None
