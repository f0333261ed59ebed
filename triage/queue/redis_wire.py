"""How tickets, changes and events are laid out in calls and replies of ``redis.lua``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from triage.queue import Action, Depth, Entry
from triage.queue.authors import noted_by
from triage.queue.document import (
    Created,
    Stored,
    event_data,
    event_id,
    from_ms,
    from_state,
    to_ms,
    window_of,
)
from triage.queue.merge import Plan, Write
from triage.queue.mute import Mute
from triage.queue.summary import Summary
from triage.ticket import URGENCIES

#: Says that a write does not hang on mutes.
NO_MATTER: Final = b"-"
#: An entry of the outbox and the place of an event in it.
CURSOR: Final = re.compile(r"(\d{1,15}-\d{1,15})\.(\d{1,9})")


def prefix_of(org: str) -> str:
    """Give the start of all keys of an organisation; the braces keep them in one slot."""
    return f"triage:{{{org}}}:"


def write_args(write: Write) -> list[Any]:
    """Lay out a change for ``write``."""
    before, after = write.before, write.after
    if after is None:
        return [write.id, before.version if before else 0, "check"]
    same_doc = before is not None and before.doc == after.doc and not before.gone
    queued_before = before is not None and _is_queued(before)
    history = after.history if write.rewritten else write.appended
    return [
        write.id,
        before.version if before else 0,
        "rewrite" if write.rewritten else "append",
        after.version,
        after.state,
        "" if same_doc else after.doc,
        " ".join(after.seen),
        *((before.team, before.urgency.rank) if before and queued_before else ("", 0)),
        *((after.team, after.urgency.rank) if _is_queued(after) else ("", 0)),
        after.due,
        after.resolved,
        after.owner,
        after.until,
        before.within if before else "",
        after.within,
        after.bundle.to_bytes() if after.bundle else b"",
        write.hand_over or "",
        noted_by(before, after),
        len(history),
        *history,
        len(write.events),
        *write.events,
        write.shared,
        write.length,
        write.window,
        len(write.keys),
        *write.keys,
    ]


def muting_args(plan: Plan) -> bytes:
    """Lay out for ``write`` which mutes begin, end or took a ticket; empty where none does."""
    writes = [write for one in plan.writes for write in one.whole if write.mutes or write.taken]
    if not writes:
        return b""
    taken = [(write.taken, write.id) for write in writes if write.taken]
    return mute_args([mute for write in writes for mute in write.mutes], taken)


def mute_args(mutes: Iterable[Mute], taken: Sequence[tuple[str, str]]) -> bytes:
    """Lay out mutes as they stand now, and pairs of a mute and a ticket that it took."""
    rows = [(mute.id, to_ms(mute.over), mute.to_bytes().decode()) for mute in mutes]
    return orjson.dumps({"mutes": rows, "taken": taken})


def creation_args(creations: Iterable[Created]) -> list[Any]:
    """Lay out new tickets for ``write``; few arguments, as each costs more than what is in it."""
    rows: list[Any] = []
    args: list[Any] = []
    for new in creations:
        rows.append(
            {
                "id": new.id,
                "digest": new.digest,
                "team": new.team,
                "rank": new.rank,
                "due": new.due,
                "within": new.within,
                "shared": new.shared,
                "length": new.length,
                "window": new.window,
                "keys": new.keys,
            }
        )
        args += (new.state, new.doc, new.event)
    return [orjson.dumps(rows), *args]


def find_args(entries: Sequence[Entry]) -> list[Any]:
    """Lay out the posts of a batch that may be bundled, for ``find``, and what others answer."""
    bundlings = {entry.ticket_id: entry.bundling for entry in entries if entry.bundling}
    posts = [
        {
            "id": ticket,
            "shared": one.signature.shared,
            "length": one.signature.length,
            "window": window_of(one),
            "keys": one.signature.keys,
        }
        for ticket, one in bundlings.items()
    ]
    return [orjson.dumps(posts), *{entry.reply.to for entry in entries if entry.reply}]


def known_args(members: Mapping[str, Stored] | None) -> bytes:
    """Lay out for ``get`` what is known of a ticket's members; None: they are not asked for."""
    if members is None:
        return b"null"
    return orjson.dumps({name: str(member.version) for name, member in members.items()})


@dataclass(slots=True)
class Found:
    """What new posts of a batch may be copies of."""

    #: How things stood when we looked; empty: we did not.
    mark: bytes = b""
    #: By which mutes it was decided.
    mutes: bytes = NO_MATTER
    #: Per new ticket, the tickets that share keys with it, and how many.
    alike: dict[str, dict[str, int]] = field(default_factory=dict)
    known: dict[str, Stored] = field(default_factory=dict)

    def update(
        self, mark: bytes, alike: Iterable[Sequence[Any]], met: Iterable[Sequence[Any]]
    ) -> None:
        """Add what a reply tells."""
        self.mark = mark
        for ticket, *hits in alike:
            pairs = zip(hits[::2], hits[1::2], strict=True)
            self.alike[ticket.decode()] = {name.decode(): count for name, count in pairs}
        self.known.update((ticket.id, ticket) for ticket in tickets_of(met))


def _is_queued(stored: Stored) -> bool:
    return not (stored.resolved or stored.gone or stored.within)


def tickets_of(rows: Iterable[Sequence[Any]]) -> Iterator[Stored]:
    """Read tickets from replies; what the store does not know is left out."""
    for row in rows:
        ticket, version, state, doc, seen, gone, owner, token, until, within, bundle, *history = row
        if version is None:
            continue
        yield from_state(
            ticket.decode(),
            int(version),
            state,
            doc=doc or b"",
            seen=tuple((seen or b"").decode().split()),
            gone=gone is not None,
            owner=owner.decode() if owner else "",
            token=int(token or 0),
            until=int(until or 0),
            within=within.decode() if within else "",
            bundle=Summary.parse(bundle) if bundle else None,
            history=tuple(history),
        )


def moved_of(flat: Sequence[bytes]) -> dict[str, int | None]:
    """Read the positions that were not as expected."""
    pairs = zip(flat[::2], flat[1::2], strict=True)
    return {name.decode(): int(stands) if stands else None for name, stands in pairs}


def events_of(fields: Mapping[bytes, bytes]) -> list[dict[str, Any]]:
    """Read one entry of the outbox: the events of a batch, or of one lease."""
    if b"e" in fields:
        return list(orjson.loads(fields[b"e"]))
    ticket, version = fields[b"i"].decode(), int(fields[b"v"])
    stored = from_state(ticket, version, fields[b"s"])
    action = Action(fields[b"t"].decode())
    identity = event_id(ticket, action, str(version), fields[b"r"].decode())
    data = event_data(stored, action, int(fields[b"a"]), identity)
    return [{**data, "by": fields[b"by"].decode()}]


def depths_of(rows: Iterable[Sequence[bytes]]) -> list[Depth]:
    """Read how teams stand, in order."""
    depths = [
        Depth(
            team=team.decode(),
            urgency=URGENCIES[int(rank)],
            depth=int(depth),
            breached=int(late),
            oldest_due=from_ms(int(float(first))),
        )
        for team, rank, depth, late, first in rows
    ]
    return sorted(depths, key=lambda depth: (depth.team, depth.urgency.rank))


def volatile(persistence: Iterable[Mapping[str, Any]], memory: Iterable[Mapping[str, Any]]) -> str:
    """Say what must be set before this Redis may hold tickets; empty where all is well."""
    if not all(int(node.get("aof_enabled", 0)) for node in persistence):
        return (
            "Redis bewaart niet elke wijziging op schijf: zet `appendonly yes` (of start met "
            "--allow-volatile als verlies van berichten geen bezwaar is)"
        )
    if any(node.get("maxmemory_policy", "noeviction") != "noeviction" for node in memory):
        return (
            "Redis gooit bij geheugengebrek gegevens weg: zet `maxmemory-policy noeviction` (of "
            "start met --allow-volatile als verlies van berichten geen bezwaar is)"
        )
    return ""
