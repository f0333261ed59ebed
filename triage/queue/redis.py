"""The queue in Redis. What is written, and where, stands at the top of ``redis.lua``.

What is done is decided in Python (``planner``, ``actions`` and ``regroup``, shared with SQLite) on
the tickets as read, and written by one call of the script that refuses when anything read has
changed since; then it's decided anew. A put of new posts needs no reading first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import orjson

from triage.errors import Refused, Unavailable
from triage.jsontext import storable
from triage.queue import REMEMBER_SECONDS, Action, Advance, Depth, Entry, PutResult, actions
from triage.queue.actions import Decision
from triage.queue.authors import NOTED_LIMIT
from triage.queue.checks import check_lease, check_name, check_org, check_ticket, unknown
from triage.queue.desk import Desk
from triage.queue.document import (
    KEEP_EVENTS_SECONDS,
    Stored,
    answer_key,
    answer_of,
    answered,
    as_answered,
    history_item,
    to_ms,
)
from triage.queue.merge import Plan, check_batch, counts_of, put_result, with_history
from triage.queue.planner import plan_put
from triage.queue.redis_connect import Connection, Denied
from triage.queue.redis_mutes import Heard, RedisMutes
from triage.queue.redis_outbox import RedisOutbox
from triage.queue.redis_wire import (
    NO_MATTER,
    Found,
    creation_args,
    depths_of,
    find_args,
    known_args,
    moved_of,
    muting_args,
    prefix_of,
    tickets_of,
    volatile,
    write_args,
)
from triage.queue.restore import restore
from triage.queue.shown import MEMBERS_LIMIT, posts_of, shown_members, to_ticket
from triage.ticket import Ticket

#: How often a change is decided anew because something came between, before we say Unavailable.
ATTEMPTS: Final = 25
_TOO_BUSY: Final = "Redis: het ticket verandert te vaak om ertussen te komen"
#: The most tickets that one ``list`` gives, and that one ``sweep`` drops.
LIST_LIMIT: Final = 1000
SWEEP_LIMIT: Final = 500
#: The most posts in those tickets, but for one that has more: Redis answers nobody meanwhile.
SWEEP_POSTS: Final = 5_000
_WHICH: Final = {None: "all", False: "copies", True: "replies"}


class RedisQueue(RedisOutbox, RedisMutes, Desk):
    """See :class:`triage.queue.Queue`. For all threads of a process."""

    def __init__(self, url: str, *, allow_volatile: bool = False) -> None:
        self._redis = Connection(url)
        self._heard = Heard()
        self._allow_volatile = allow_volatile

    def check(self) -> None:
        """Refuse a Redis that could lose what it answered. Raises Refused and Unavailable."""
        try:
            persistence = self._redis.info("persistence")
            memory = self._redis.info("memory")
        except Denied as error:
            message = str(error)
        else:
            message = "" if self._allow_volatile else volatile(persistence, memory)
        if message:
            raise Refused(message)

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
        found = self._find(org, entries)
        moved: dict[str, int | None] = {}
        for _ in range(ATTEMPTS):
            live = [entry for entry in entries if entry.partition not in moved]
            steps = [advance for advance in advances if advance.partition not in moved]
            if not live and not steps:
                return PutResult(moved=moved)
            mark, mutes = self._heard.of(org)
            plan = plan_put(live, found.known, found.alike, now=at, mutes=mutes)
            counts = counts_of(plan, moved)
            found.mutes = mark if live else NO_MATTER
            reply = self._write(org, answer, counts, at, steps, plan, found)
            if reply[0] == b"done":
                return put_result(counts, int(reply[1]))
            if reply[0] == b"again":
                repeated, _, earlier = reply[1].partition(b" ")
                return put_result(earlier, int(repeated))
            moved.update(moved_of(reply[1]))
            # It looked for no copies of what joins a bundle: the next write looks itself.
            found.update(b"", *reply[2:4])
            self._heard.update(org, reply[4])
        raise Unavailable(_TOO_BUSY)

    def _find(self, org: str, entries: Sequence[Entry]) -> Found:
        """Read what posts may be copies of or answer; needless where they do neither."""
        found = Found()
        if any(entry.bundling or entry.reply for entry in entries):
            found.update(*self._redis.run(prefix_of(org), "find", *find_args(entries)))
        return found

    def positions(self, org: str) -> Mapping[str, int]:
        """Give the next offset to read, per partition."""
        check_org(org)
        flat = self._redis.call("HGETALL", f"{prefix_of(org)}positions")
        pairs = flat.items() if isinstance(flat, dict) else zip(flat[::2], flat[1::2], strict=True)
        return {name.decode(): int(offset) for name, offset in pairs}

    def restore(self, org: str, outcomes: Sequence[Mapping[str, Any]], *, now: datetime) -> int:
        """Apply outcomes from the log to tickets older than them; count those."""
        check_org(org)
        at, count = to_ms(now), 0
        for outcome in outcomes:
            ticket = str(outcome["ticket"])
            if check_ticket(ticket) == org:
                count += self._restore(org, ticket, outcome, at)
        return count

    def _restore(self, org: str, ticket: str, outcome: Mapping[str, Any], at: int) -> bool:
        for _ in range(ATTEMPTS):
            _, stored, _ = self._read(ticket)
            write = restore(stored, outcome, self._whole)
            if write is None:
                return False
            if self._write(org, "", b"", at, (), Plan(writes=[write]))[0] == b"done":
                return True
        raise Unavailable(_TOO_BUSY)

    def _write(
        self,
        org: str,
        answer_name: str,
        answer: bytes,
        at: int,
        steps: Sequence[Advance],
        plan: Plan,
        found: Found | None = None,
    ) -> Any:  # noqa: ANN401 - redis-py types no replies
        found = found or Found()
        args: list[Any] = ["write", answer_name, answer, at, found.mark, orjson.dumps(found.alike)]
        args += (found.mutes, muting_args(plan), len(steps))
        for step in steps:
            expected = "" if step.expected is None else step.expected
            args += (step.partition, expected, step.next)
        writes = [one for write in plan.writes for one in write.whole]
        args.append(len(writes))
        for write in writes:
            args += write_args(write)
        args += (*creation_args(plan.creations), *plan.replied_to)
        return self._redis.run(prefix_of(org), *args)

    # -- tickets ---------------------------------------------------------------------------------

    def get(self, ticket: str, *, now: datetime) -> Ticket:
        """Give one ticket, with its history."""
        check_ticket(ticket)
        _, stored, around = self._read(ticket)
        if stored is None or stored.gone:
            raise unknown()
        return to_ticket(stored, lead=around, now=to_ms(now))

    def list(
        self, org: str, team: str, *, now: datetime, limit: int = 100, offset: int = 0
    ) -> Sequence[Ticket]:
        """Give a team's open tickets in order, claimed ones too (without history)."""
        check_org(org)
        check_name("team", team)
        limit = max(0, min(limit, LIST_LIMIT))
        raw = self._redis.run(prefix_of(org), "list", team, max(0, offset), limit) if limit else []
        return [to_ticket(stored, now=to_ms(now)) for stored in tickets_of(raw)]

    def posts_by(self, org: str, author: str) -> Sequence[Mapping[str, Any]]:
        """Give all posts of an author (its id), wherever their tickets stand. Reads everything."""
        check_org(org)
        found: dict[str, Mapping[str, Any]] = {}  # a scan may come by a ticket twice
        cursor, named = b"", orjson.dumps(storable(author))
        while cursor != b"0":
            cursor, docs = self._redis.run(prefix_of(org), "documents", cursor or b"0", named)
            found.update((str(post["id"]), post) for post in posts_of(docs, author))
        return list(found.values())

    def resolved_of(self, org: str, author: str, *, limit: int = 20) -> Sequence[str]:
        """Name resolved tickets of an author, those resolved last first."""
        check_org(org)
        most = min(limit, NOTED_LIMIT)
        if not author or most <= 0:
            return []
        noted = f"{prefix_of(org)}author:{author}"
        return [ticket.decode() for ticket in self._redis.call("ZREVRANGE", noted, 0, most - 1)]

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
        asked = (ticket, _WHICH[replies], max(0, offset), max(0, min(limit, MEMBERS_LIMIT)))
        raw, page, skip = self._redis.run(prefix_of(check_ticket(ticket)), "members", *asked)
        lead = next(tickets_of([raw]), None)
        lead = lead and replace(lead, members=tuple(tickets_of(page)))
        return shown_members(lead, to_ms(now), limit, skip, replies=replies)

    def claim(
        self, ticket: str, *, owner: str, seconds: float, now: datetime, request: str
    ) -> Ticket:
        """Lease a ticket (whose id is given) to ``owner``."""
        org = check_ticket(ticket)
        claimed = self._claim(org, ticket, "", owner, (seconds, now), request)
        if claimed is None:
            raise unknown()
        return claimed

    def claim_next(
        self, org: str, team: str, *, owner: str, seconds: float, now: datetime, request: str
    ) -> Ticket | None:
        """Lease the first unclaimed ticket of a team; None where there is none."""
        check_org(org)
        check_name("team", team)
        return self._claim(org, "", team, owner, (seconds, now), request)

    def _claim(
        self,
        org: str,
        ticket: str,
        team: str,
        owner: str,
        lease: tuple[float, datetime],
        request: str,
    ) -> Ticket | None:
        check_name("owner", owner)
        until, at = check_lease(*lease), to_ms(lease[1])
        reply = self._redis.run(
            prefix_of(org),
            "claim",
            answer_key(request, "claim", ticket, team),
            ticket,
            team,
            at,
            until,
            owner,
            orjson.dumps(owner),
            history_item(at, Action.CLAIMED, owner),
            answer_key(request),
        )
        if reply[0] == b"done":
            return to_ticket(next(tickets_of([reply[1]])))
        if reply[0] == b"again":
            return to_ticket(self._answered_ticket(reply[1]))
        if reply[0] == b"none":
            return None
        raise actions.refusal(reply[0].decode())

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
        org = check_ticket(ticket)
        # Copies may join faster than a big bundle is read: what was read of it is kept.
        inside: dict[str, Stored] = {}
        for _ in range(ATTEMPTS):
            earlier, stored, _ = self._read(ticket, answer, inside if members else None)
            if earlier:
                return self._answered_ticket(earlier, stored)
            write = decide(stored, *map(self._whole, others))
            assert write.after is not None
            shown = as_answered(write.after, at)
            reply = self._write(org, answer, answer_of(shown), at, (), Plan(writes=[write]))
            if reply[0] == b"done":
                return with_history(shown, write)
            if reply[0] == b"again":
                return self._answered_ticket(reply[1])
        raise Unavailable(_TOO_BUSY)

    def _whole(self, ticket: str) -> Stored | None:
        """Read a ticket with its members."""
        return self._read(ticket, members={})[1]

    def _answered_ticket(self, reply: bytes, stored: Stored | None = None) -> Stored:
        """Give an earlier answer again, with the post as it stands now."""
        answer = reply.partition(b" ")[2]
        if stored is None:
            _, stored, _ = self._read(str(orjson.loads(answer)["id"]))
        if stored is None or stored.gone:
            raise unknown()
        return answered(answer, stored)

    def _read(
        self, ticket: str, answer: str = "", members: dict[str, Stored] | None = None
    ) -> tuple[bytes | None, Stored | None, Stored | None]:
        """Read an earlier answer, a ticket, and the bundle that it is inside.

        ``members``: its own as last read, brought up to date and given with it; None: without.
        """
        prefix, known = prefix_of(check_ticket(ticket)), known_args(members)
        earlier, rows, new, gone = self._redis.run(prefix, "get", answer, ticket, known)
        stored, around = [*tickets_of(rows), None, None][:2]
        if stored is not None and members is not None:
            members.update((member.id, member) for member in tickets_of(new))
            for name in gone:
                del members[name.decode()]
            stored = replace(stored, members=tuple(members.values()))
        return earlier, stored, around

    # -- care ------------------------------------------------------------------------------------

    def stats(self, org: str, *, now: datetime) -> Sequence[Depth]:
        """Give every team and urgency that has open tickets."""
        check_org(org)
        return depths_of(self._redis.run(prefix_of(org), "stats", to_ms(now)))

    def sweep(self, org: str, *, now: datetime, retention_seconds: float) -> int:
        """Drop tickets resolved longer ago than retention (counted, at most 500), old events."""
        check_org(org)
        at = to_ms(now)
        return int(
            self._redis.run(
                prefix_of(org),
                "sweep",
                at - round(retention_seconds * 1000),
                at - KEEP_EVENTS_SECONDS * 1000,
                REMEMBER_SECONDS,
                SWEEP_LIMIT,
                SWEEP_POSTS,
            )
        )

    def ping(self) -> None:
        """Return when the store answers; raise Unavailable within 2 seconds when it does not."""
        self._redis.ping()

    def close(self) -> None:
        """Let go of everything."""
        self._redis.close()
