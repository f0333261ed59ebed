"""After a lost queue store: fill it again from the log and the outcomes.

Posts are judged and put once more, and what people did is applied on top, so a resolved ticket
does not come back to anybody's desk. The positions come last: a store without positions still
counts as lost, so a rebuild that is cut short is done again. Safe while workers run: positions are
compared as always, and a post that is there already stays as it is.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final, TypeVar

import orjson

from triage.forget import forgotten_posts, is_forgotten
from triage.log import Log, Record, Topic, scan_posts
from triage.log.dead_letter import origin_of
from triage.pipeline import Received, decode
from triage.queue import Action, Entry, Queue, advances_to
from triage.ticket import org_of

_T = TypeVar("_T")
_BATCH: Final = 500

#: What people did to a ticket, oldest first.
Outcomes = Mapping[str, Sequence[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """What a rebuild did."""

    posts: int = 0
    restored: int = 0


def is_lost(log: Log, queue: Queue, orgs: Iterable[str]) -> bool:
    """Tell whether the store is empty although people have worked on it before."""
    if any(queue.positions(org) for org in orgs):
        return False
    return next(iter(log.scan(Topic.OUTCOMES)), None) is not None


def rebuild(
    log: Log,
    queue: Queue,
    orgs: Sequence[str],
    judge: Callable[[Sequence[Received]], Sequence[Entry]],
    *,
    clock: Callable[[], datetime],
    retention_seconds: float,
    progress: Callable[[int], None] = lambda _count: None,
) -> Rebuilt:
    """Put all posts of the log once more, then what people did to them."""
    outcomes, forgotten = _read_outcomes(log), forgotten_posts(log)
    now = clock()
    oldest = now - timedelta(seconds=retention_seconds)
    lettered = {origin_of(letter) for letter in log.scan(Topic.DEAD_LETTER)}
    ends: dict[str, int] = {}
    posts = restored = 0
    for records in _batches(scan_posts(log), _BATCH):
        received, rejected = decode(records)
        received = [one for one in received if not is_forgotten(forgotten, one)]
        # What comes last in the log no worker may have read before.
        if new := [(record, e) for record, e in rejected if _origin(record) not in lettered]:
            log.reject(new)
        entries = [
            _decided(entry, outcomes.get(entry.ticket_id, ()))
            for entry in judge(received)
            if not _long_done(outcomes.get(entry.ticket_id, ()), oldest, now)
        ]
        for org in orgs:
            own = [entry for entry in entries if org_of(entry.ticket_id) == org]
            if own:
                queue.put(org, own, now=clock(), request=uuid.uuid4().hex)
            acts = [act for entry in own for act in outcomes.get(entry.ticket_id, ())]
            restored += queue.restore(org, acts, now=clock()) if acts else 0
        ends.update((record.partition, record.offset + 1) for record in records)
        posts += len(entries)
        progress(posts)
    for org in orgs:
        _advance(queue, org, ends, clock())
    return Rebuilt(posts=posts, restored=restored)


def restore_recent(
    log: Log, queue: Queue, orgs: Sequence[str], *, now: datetime, since: timedelta
) -> int:
    """Apply the outcomes of the last while again, after the store lost its last moments.

    What people did stands in the log before they were told so; a store that fell back does not
    know it any more. Gives the number of tickets set right.
    """
    oldest = now - since
    recent: dict[str, list[Mapping[str, Any]]] = {org: [] for org in orgs}
    for ticket, acts in _read_outcomes(log).items():
        if org_of(ticket) in recent:
            recent[org_of(ticket)] += [a for a in acts if datetime.fromisoformat(a["at"]) > oldest]
    return sum(queue.restore(org, acts, now=now) for org, acts in recent.items() if acts)


def _advance(queue: Queue, org: str, ends: Mapping[str, int], now: datetime) -> None:
    advances = advances_to(ends, queue.positions(org))
    # A position that moved meanwhile is a worker's, which puts what comes after it.
    queue.put(org, [], advances, now=now, request=uuid.uuid4().hex)


def _read_outcomes(log: Log) -> Outcomes:
    outcomes: dict[str, list[Mapping[str, Any]]] = {}
    seen: set[str] = set()
    for record in log.scan(Topic.OUTCOMES):
        act = orjson.loads(record.value or b"{}")
        if act.get("id") and act["id"] not in seen:
            seen.add(act["id"])
            outcomes.setdefault(act["ticket"], []).append(act)
    for acts in outcomes.values():
        acts.sort(key=lambda act: (act["version"], act["at"]))
    return outcomes


def _long_done(acts: Sequence[Mapping[str, Any]], oldest: datetime, now: datetime) -> bool:
    if not acts or acts[-1]["state"] != "resolved" or _mutes(acts, now):
        return False
    return datetime.fromisoformat(acts[-1]["at"]) < oldest


def _mutes(acts: Sequence[Mapping[str, Any]], now: datetime) -> bool:
    """Say whether a ticket tells of a mute that still stands: it is made again of the ticket."""
    told = [act["mute"] for act in acts if act["type"] in (Action.MUTED, Action.UNMUTED)]
    ended = {mute["id"] for mute in told if "ended_at" in mute}
    return any(
        mute["id"] not in ended and datetime.fromisoformat(mute["until"]) > now for mute in told
    )


def _decided(entry: Entry, acts: Sequence[Mapping[str, Any]]) -> Entry:
    """Tell the store what a person saw of a post: what was resolved may stand there before it.

    What a mute took stands by itself, as it did: no copy of somebody else may join it.
    """
    if any(act["type"] == Action.RESOLVED and act.get("mute") for act in acts):
        entry = replace(entry, bundling=None, reply=None)
    if not acts or acts[-1]["state"] != "resolved":
        return entry
    if entry.received_at > datetime.fromisoformat(acts[-1]["at"]):
        return entry
    return replace(entry, decided=int(acts[-1].get("revision", 0)))


def _origin(record: Record) -> tuple[str, str, str]:
    return record.partition, str(record.offset), record.at.isoformat()


def _batches(items: Iterator[_T], size: int) -> Iterator[list[_T]]:
    while batch := list(islice(items, size)):
        yield batch
